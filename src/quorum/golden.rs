//! Golden tables: sequences of events and the decision after each, as text. Replicas are a, b, c, ...; stand-ins are
//! x, y, z; q is a node that was never asked.

use alloc::vec::Vec;

use crate::base::id::NodeId;
use crate::quorum::{Decision, ReadTally, WriteTally};

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

/// The three columns of each line of a table.
fn lines(table: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    table.lines().filter(|line| !line.is_empty()).map(|line| {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        assert_eq!(columns.len(), 3, "{line}");
        (columns[0], columns[1], columns[2])
    })
}

fn replicas(n: u8) -> Vec<NodeId> {
    (b'a'..b'a' + n).map(|letter| NodeId(u64::from(letter))).collect()
}

fn check(context: &str, event: &str, decided: Decision, expected: &str) {
    assert_eq!(decided, decision(expected), "`{event}` in `{context}`");
}

#[test]
fn writes_decide_as_the_table_says() {
    for (request, events, end) in lines(WRITES) {
        let words: Vec<&str> = request.split(' ').collect();
        let any = words.get(2) == Some(&"any");
        let mut tally = WriteTally::new(&replicas(number(words[0], "n")), number(words[1], "w"), any);
        for event in events.split(", ") {
            let (what, expected) = event.split_once('=').expect("event=decision");
            let words: Vec<&str> = what.split(' ').collect();
            match words[0] {
                "for" => tally.stand_in(node(words[1]), node(words[2])),
                "ack" => check(events, event, tally.acked(node(words[1])), expected),
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
    for (request, events, end) in lines(READS) {
        let words: Vec<&str> = request.split(' ').collect();
        let mut tally = ReadTally::new(&replicas(number(words[0], "n")), number(words[1], "r"));
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
