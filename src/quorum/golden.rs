//! Golden tables: sequences of events and the decision after each, as text. Replicas are a, b, c, ...; stand-ins are
//! x, y, z; q is a node that was never asked. The zones of the replicas are 1, 2, 1, 2, ...; the coordinator is in 1.

use alloc::vec::Vec;

use crate::base::id::{NodeId, Zone};
use crate::quorum::{Ack, Counting, Decision, Demand, Demands, Knob, Level, ReadTally, Replicas, WriteTally};

/// Each line: the request; then events with `=` and their decision; then what holds at the end.
const WRITES: &str = "
n=1 w=1            | ack a=met                                    | acks=1 missing=
n=1 w=1            | fail a=impossible, ack a=wait                | acks=1 missing=
n=3 w=1            | ack b=met, ack a=wait, ack c=wait            | acks=3 missing=
n=3 w=2            | ack a=wait, ack a=wait, ack b=met, ack b=wait | acks=2 missing=c
n=3 w=2            | ack a=wait, ack q=wait, fail q=wait, ack c=met | acks=2 missing=b
n=3 w=2            | fail a=wait, fail a=wait, fail b=impossible, fail c=wait | acks=0 missing=abc
n=3 w=2            | fail a=wait, ack a=wait, fail a=wait, ack b=met | acks=2 missing=c
n=3 w=2            | ack a=wait, fail b=wait, fail c=impossible, ack b=wait | acks=2 missing=c
n=3 w=3            | ack a=wait, ack b=wait, ack c=met            | acks=3 missing=
n=3 w=3            | ack a=wait, fail b=impossible                | acks=1 missing=bc
n=2 w=3            | ack a=impossible                             | acks=1 missing=b
n=3 w=2            | for x a=, hint x=wait, fail a=wait, ack b=wait, ack c=met | acks=2 missing=
n=3 w=2            | for x a=, hint x=wait, fail a=wait, fail b=impossible | acks=0 missing=bc
n=3 w=2            | hint x=wait, ack a=wait, hint b=wait         | acks=1 missing=bc
n=3 w=1 any        | for x a=, hint x=met, hint x=wait            | acks=1 missing=bc
n=3 w=1 any        | fail a=wait, fail b=wait, for x c=, fail c=wait, hint x=met | acks=1 missing=ab
n=3 w=1 any        | fail a=wait, fail b=wait, for x c=, fail c=wait, fail x=impossible | acks=0 missing=abc
n=3 w=1 any        | fail a=wait, fail b=wait, fail c=impossible  | acks=0 missing=abc
n=3 w=2 any        | for x a=, for y b=, hint x=wait, fail x=wait, hint x=wait, hint y=met | acks=2 missing=c
n=3 w=1 any        | hint q=wait, hint a=wait, ack a=met          | acks=1 missing=bc
n=3 w=1 any pw=2   | for x c=, hint x=wait, ack a=wait, ack b=met | acks=3 missing=
n=3 w=1 any pw=2   | for x c=, hint x=wait, fail a=wait, fail b=impossible | acks=1 missing=ab
n=3 w=1 pw=2       | ack a=wait, ack b=met                        | acks=2 missing=c
n=3 w=1 pw=0       | ack a=met                                    | acks=1 missing=bc
n=3 w=2 dw=1       | hold a=wait, hold b=wait, ack b=met          | acks=2 missing=ac
n=3 w=2 dw=0       | hold a=wait, hold b=met, fail c=wait         | acks=2 missing=abc
n=3 w=2 dw=3       | ack a=wait, ack b=wait, hold c=wait, ack c=met | acks=3 missing=
n=3 w=2 dw=3       | ack a=wait, ack b=wait, fail c=impossible    | acks=2 missing=c
n=3 w=2            | hold a=wait, hold b=wait, hold c=wait, ack a=wait, ack b=met | acks=2 missing=c
n=3 w=1 zones=2    | ack a=wait, ack c=wait, ack b=met            | acks=3 missing=
n=3 w=1 zones=2    | ack a=wait, ack c=wait, fail b=impossible    | acks=2 missing=b
n=3 w=1 any zones=1 | for x a=, hint x=wait, ack b=met            | acks=2 missing=c
n=3 w=2            | excuse c=, ack a=wait, ack b=met             | acks=2 missing=
n=3 w=3            | excuse c=, ack a=wait, ack b=wait, ack c=met | acks=3 missing=
n=5 w=local-quorum | ack b=wait, ack d=wait, ack a=wait, ack c=met | acks=4 missing=e
n=5 w=local-quorum | ack b=wait, ack d=wait, fail a=wait, fail c=impossible | acks=2 missing=ace
n=5 w=each-quorum  | ack a=wait, ack c=wait, ack e=wait, ack b=wait, ack d=met | acks=5 missing=
n=5 w=each-quorum  | fail a=wait, fail b=impossible               | acks=0 missing=abcde
";

const READS: &str = "
n=1 r=1 | answer a=met                                            | answers=1 complete
n=1 r=1 | fail a=impossible, answer a=wait                        | answers=1 complete
n=3 r=2 | answer a=wait, answer a=wait, answer c=met              | answers=2 waiting
n=3 r=2 | answer a=wait, answer c=met, answer b=wait              | answers=3 complete
n=3 r=2 | answer a=wait, fail a=wait, fail b=wait, answer c=met   | answers=2 complete
n=3 r=2 | fail a=wait, answer a=wait, answer b=met, fail c=wait   | answers=2 complete
n=3 r=2 | answer q=wait, fail q=wait, fail a=wait, fail b=impossible | answers=0 waiting
n=3 r=3 | answer a=wait, fail b=impossible, answer b=wait, answer c=wait | answers=3 complete
n=2 r=3 | answer a=impossible, answer b=wait                      | answers=2 complete
n=3 r=1 pr=2 | answer a=wait, answer c=met                          | answers=2 waiting
n=3 r=1 zones=2 | answer a=wait, answer c=wait, answer b=met        | answers=3 complete
n=3 r=local-quorum | answer b=wait, answer a=wait, answer c=met     | answers=3 complete
n=3 r=each-quorum | answer a=wait, answer c=wait, fail b=impossible | answers=2 complete
";

fn node(name: &str) -> NodeId {
    assert_eq!(name.len(), 1, "a node is one letter: {name}");
    NodeId(u64::from(name.as_bytes()[0]))
}

fn decision(name: &str) -> Decision {
    match name {
        "wait" => Decision::Wait,
        "met" => Decision::Met,
        "impossible" => Decision::Impossible,
        other => panic!("no decision: {other}"),
    }
}

fn number(word: &str, name: &str) -> u8 {
    let value = word.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{word} is not {name}=number"))
}

/// The first column: `n=3` and some demands. `n=2 w=3` is a layout that asks for more replicas than there are.
fn request(words: &str) -> (Replicas, Demands, Counting) {
    let mut counting = Counting { least: Ack::OnDisk, hints: false };
    let mut words = words.split(' ');
    let count = number(words.next().expect("n first"), "n");
    let zones = [Zone("1".into()), Zone("2".into())];
    let nodes = (b'a'..b'a' + count).map(|letter| NodeId(letter.into()));
    let nodes = nodes.enumerate().map(|(at, node)| (node, &zones[at % 2]));
    let replicas = Replicas::new(count.max(3), &zones[0], nodes);
    let mut demands = Demands::new();
    for word in words {
        let (name, level) = word.split_once('=').unwrap_or((word, "0"));
        let level = || level.parse::<Level>().expect("a level");
        let (knob, need) = match name {
            "any" => {
                counting.hints = true;
                continue;
            }
            "r" => (Knob::R, replicas.need(level()).map(Some)),
            "w" => (Knob::W, replicas.need(level()).map(Some)),
            "pr" => (Knob::Pr, replicas.floor(level())),
            "pw" => (Knob::Pw, replicas.floor(level())),
            "dw" => {
                counting.least = Ack::InMemory;
                (Knob::Dw, replicas.floor(level()))
            }
            "zones" => (Knob::Zones, replicas.distinct_zones(number(word, "zones"))),
            other => panic!("no demand: {other}"),
        };
        demands.extend(need.expect("possible").map(|need| Demand { knob, need }));
    }
    (replicas, demands, counting)
}

/// The three columns of each line of a table.
fn lines(table: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    table.lines().filter(|line| !line.is_empty()).map(|line| {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(columns.len(), 3, "{line}");
        (columns[0], columns[1], columns[2])
    })
}

fn check(context: &str, event: &str, decided: Decision, expected: &str) {
    assert_eq!(decided, decision(expected), "`{event}` in `{context}`");
}

#[test]
fn writes_decide_as_the_table_says() {
    for (asked, events, end) in lines(WRITES) {
        let (replicas, demands, counting) = request(asked);
        let mut tally = WriteTally::new(replicas, demands, counting);
        for event in events.split(", ") {
            let (what, expected) = event.split_once('=').expect("event=decision");
            let words: Vec<&str> = what.split(' ').collect();
            match words[0] {
                "for" => tally.stand_in(node(words[1]), node(words[2])),
                "excuse" => tally.excuse(node(words[1])),
                "ack" => check(events, event, tally.acked(node(words[1]), Ack::OnDisk), expected),
                "hold" => check(events, event, tally.acked(node(words[1]), Ack::InMemory), expected),
                "hint" => check(events, event, tally.hinted(node(words[1])), expected),
                "fail" => check(events, event, tally.failed(node(words[1])), expected),
                other => panic!("no event: {other}"),
            }
        }
        let (acks, missing) = end.split_once(" missing=").expect("acks=.. missing=..");
        assert_eq!(tally.acks(), number(acks, "acks"), "{events}");
        let missing: Vec<NodeId> = missing.bytes().map(|letter| NodeId(u64::from(letter))).collect();
        assert_eq!(tally.missing().collect::<Vec<_>>(), missing, "{events}");
    }
}

#[test]
fn reads_decide_as_the_table_says() {
    for (asked, events, end) in lines(READS) {
        let (replicas, demands, _) = request(asked);
        let mut tally = ReadTally::new(replicas, demands);
        for event in events.split(", ") {
            let (what, expected) = event.split_once('=').expect("event=decision");
            match what.split_once(' ').expect("event node") {
                ("answer", name) => check(events, event, tally.answered(node(name)), expected),
                ("fail", name) => check(events, event, tally.failed(node(name)), expected),
                other => panic!("no event: {other:?}"),
            }
        }
        let (answers, state) = end.split_once(' ').expect("answers=.. state");
        assert_eq!(tally.answers(), number(answers, "answers"), "{events}");
        assert_eq!(tally.complete(), state == "complete", "{events}");
    }
}
