//! Every knob, set at every place, does what is written of it; none is silently ignored.

use kvsim::base::bytes::Bytes;
use kvsim::base::time::Duration;
use kvsim::node::config::Config;
use kvsim::node::consistency::{Durability, OnSiblings, Options};
use kvsim::node::fact::Fact;
use kvsim::node::request::{Outcome, Rejection, Request};
use kvsim::quorum::need::Knob;
use kvsim::quorum::tally::{Impossible, Level};

use crate::table::{Table, get, put, put_with};

/// Where a knob is set. A connection's options reach the node with each request, behind the request's own.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Nowhere,
    Node,
    Connection,
    Request,
    /// At the node, and the request says the opposite.
    NodeOverruled,
    /// By the connection, and the request says the opposite.
    ConnectionOverruled,
}

/// Six nodes in three zones, so that the three replicas of a key lie in three zones.
fn zoned(options: &Options) -> Table {
    Table::zoned(6, 3, |config| set(config, options))
}

fn set(config: &mut Config, options: &Options) {
    let all = options.resolve(&config.consistency());
    (config.r, config.w, config.pr, config.pw) = (all.r, all.w, all.pr, all.pw);
    (config.dw, config.zones, config.sloppy) = (all.dw, all.zones, all.sloppy);
    (config.request_timeout, config.siblings) = (all.timeout, all.siblings);
}

/// What came of a request.
#[derive(Debug)]
struct Seen {
    outcome: Outcome,
    /// Whether it was answered within half a second.
    early: bool,
    hints: usize,
}

struct Case {
    knob: Options,
    /// What is wrong with the table: it gets the replicas of the key.
    trouble: fn(&mut Table, &[u64]),
    request: Request,
    without: fn(&Seen) -> bool,
    with: fn(&Seen) -> bool,
}

fn one_cut_off(table: &mut Table, replicas: &[u64]) {
    table.partition(&replicas[2..]);
}

fn one_known_to_be_down(table: &mut Table, replicas: &[u64]) {
    table.partition(&replicas[2..]);
    table.advance(Duration::from_secs(8));
}

fn one_slow_disk(table: &mut Table, replicas: &[u64]) {
    table.slow_disks.insert(replicas[2]);
}

fn all_disks_slow(table: &mut Table, replicas: &[u64]) {
    table.slow_disks.extend(replicas);
}

fn siblings(table: &mut Table, replicas: &[u64]) {
    for value in ["a", "b"] {
        table.request(replicas[0], put_with("key", value, Some(Bytes::default())));
    }
}

fn shows(seen: &Seen, count: usize) -> bool {
    matches!(&seen.outcome, Outcome::Found { values, .. } if values.len() == count)
}

fn is_written(seen: &Seen) -> bool {
    matches!(seen.outcome, Outcome::Written { acks: 2, durable: 2, .. })
}

fn is_found(seen: &Seen) -> bool {
    matches!(seen.outcome, Outcome::Found { .. })
}

fn lacks(seen: &Seen, knob: Knob) -> bool {
    match seen.outcome {
        Outcome::Unknown { acks, needed: 3, unmet, .. } => unmet == knob && acks == 2,
        Outcome::Rejected(Rejection::Timeout { knob: unmet, answers: 2, needed: 3 }) => unmet == knob,
        _ => false,
    }
}

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    let none = Options::default;
    let (read, write) = (get("key"), put("key", "value"));
    vec![
        Case { knob: Options { r: Some(Level::All), ..none() }, request: read.clone(),
            trouble: one_cut_off, without: is_found, with: |seen| lacks(seen, Knob::R) },
        Case { knob: Options { r: Some(Level::EachQuorum), ..none() }, request: read.clone(),
            trouble: one_cut_off, without: is_found, with: |seen| lacks(seen, Knob::R) },
        Case { knob: Options { pr: Some(Level::All), ..none() }, request: read.clone(),
            trouble: one_cut_off, without: is_found, with: |seen| lacks(seen, Knob::Pr) },
        Case { knob: Options { zones: Some(3), ..none() }, request: read.clone(),
            trouble: one_cut_off, without: is_found, with: |seen| lacks(seen, Knob::Zones) },
        Case { knob: Options { w: Some(Level::All), ..none() }, request: write.clone(),
            trouble: one_cut_off, without: is_written, with: |seen| lacks(seen, Knob::W) },
        Case { knob: Options { pw: Some(Level::Count(3)), ..none() }, request: write.clone(),
            trouble: one_cut_off, without: is_written, with: |seen| lacks(seen, Knob::Pw) },
        Case { knob: Options { zones: Some(3), ..none() }, request: write.clone(),
            trouble: one_cut_off, without: is_written, with: |seen| lacks(seen, Knob::Zones) },
        Case { knob: Options { dw: Some(Durability::Replicas(Level::All)), ..none() }, request: write.clone(),
            trouble: one_slow_disk, without: is_written,
            with: |seen| matches!(seen.outcome, Outcome::Unknown { acks: 3, needed: 3, unmet: Knob::Dw, .. }) },
        Case { knob: Options { dw: Some(Durability::Replicas(Level::Count(0))), ..none() },
            request: write.clone(), trouble: all_disks_slow,
            without: |seen| matches!(seen.outcome, Outcome::Unknown { acks: 0, needed: 2, unmet: Knob::W, .. }),
            with: |seen| matches!(seen.outcome, Outcome::Written { acks: 2, durable: 0, .. }) },
        Case { knob: Options { sloppy: Some(false), ..none() }, request: write.clone(),
            trouble: one_known_to_be_down, without: |seen| seen.hints > 0, with: |seen| seen.hints == 0 },
        Case { knob: Options { timeout: Some(Duration::from_millis(100)), ..none() },
            request: write, trouble: all_disks_slow, without: |seen| !seen.early, with: |seen| seen.early },
        Case { knob: Options { timeout: Some(Duration::from_millis(100)), ..none() },
            request: read.clone(), trouble: |table, replicas| table.partition(&replicas[..1]),
            without: |seen| !seen.early, with: |seen| seen.early },
        Case { knob: Options { siblings: Some(OnSiblings::LastWriter), ..none() }, request: read,
            trouble: siblings, without: |seen| shows(seen, 2), with: |seen| shows(seen, 1) },
    ]
}

fn seen(mut table: Table, case: &Case, place: Place) -> Seen {
    let opposite =
        Options::from(Config::new(Default::default(), kvsim::base::id::Address("x".into())).consistency());
    let (own, connection) = match place {
        Place::Nowhere | Place::Node => (Options::default(), Options::default()),
        Place::Connection => (Options::default(), case.knob.clone()),
        Place::Request => (case.knob.clone(), Options::default()),
        Place::NodeOverruled => (opposite, Options::default()),
        Place::ConnectionOverruled => (opposite, case.knob.clone()),
    };
    let (replicas, _) = table.replicas("key");
    (case.trouble)(&mut table, &replicas);
    let request = Request { options: own.or(&connection), ..case.request.clone() };
    let tag = table.ask(replicas[0], request);
    table.advance(Duration::from_millis(500));
    let early = table.replies.contains_key(&tag);
    table.advance(Duration::from_secs(2));
    Seen { outcome: table.replies[&tag].clone(), early, hints: table.count(Fact::HintStored) }
}

#[test]
fn every_knob_set_at_any_place_changes_what_is_said_to_change() {
    let plain = zoned(&Options::default());
    for (number, case) in cases().iter().enumerate() {
        let tuned = zoned(&case.knob);
        for place in [
            Place::Nowhere,
            Place::Node,
            Place::Connection,
            Place::Request,
            Place::NodeOverruled,
            Place::ConnectionOverruled,
        ] {
            let at_node = matches!(place, Place::Node | Place::NodeOverruled);
            let table = if at_node { &tuned } else { &plain };
            let seen = seen(table.clone(), case, place);
            let set = matches!(place, Place::Node | Place::Connection | Place::Request);
            let expected = if set { case.with } else { case.without };
            assert!(expected(&seen), "case {number}, {:?}, {place:?}: {seen:?}", case.knob);
        }
    }
}

/// The client asked a node that says `all`; the replica that coordinates for it would have been content with less.
#[test]
fn a_forwarded_write_obeys_the_node_that_its_client_asked() {
    let mut table = Table::with(5, |_| {});
    let (replicas, others) = table.replicas("key");
    let mut config = table.crash(others[0]);
    config.w = Level::All;
    table.boot(config).expect("it opens again");
    table.advance(Duration::from_secs(2));
    table.partition(&replicas[2..]);
    let tag = table.ask(others[0], put("key", "value"));
    table.advance(Duration::from_secs(3));
    let outcome = &table.replies[&tag];
    assert!(matches!(outcome, Outcome::Unknown { needed: 3, unmet: Knob::W, .. }), "{outcome:?}");
}

#[test]
fn what_cannot_be_honoured_is_refused_with_a_reason() {
    let mut table = zoned(&Options::default());
    let (read, write) = (get("key"), put("key", "value"));
    let none = Options::default;
    let cases = [
        (&read, Options { r: Some(Level::Any), ..none() }, Knob::R, Impossible::ReadFromAny),
        (&read, Options { r: Some(Level::Count(0)), ..none() }, Knob::R, Impossible::Zero),
        (&read, Options { pr: Some(Level::Any), ..none() }, Knob::Pr, Impossible::FloorOfAny),
        (&write, Options { w: Some(Level::Count(0)), ..none() }, Knob::W, Impossible::Zero),
        (
            &write,
            Options { pw: Some(Level::Count(4)), ..none() },
            Knob::Pw,
            Impossible::MoreThanReplicas { asked: 4, n: 3 },
        ),
        (
            &write,
            Options { dw: Some(Durability::Replicas(Level::Any)), ..none() },
            Knob::Dw,
            Impossible::FloorOfAny,
        ),
        (
            &write,
            Options { zones: Some(4), ..none() },
            Knob::Zones,
            Impossible::MoreThanZones { asked: 4, zones: 3 },
        ),
        (
            &write,
            Options { w: Some(Level::Any), sloppy: Some(false), ..none() },
            Knob::W,
            Impossible::StrictAny,
        ),
        (
            &read,
            Options { timeout: Some(Duration::from_secs(61)), ..none() },
            Knob::Timeout,
            Impossible::Timeout { max_ms: 60_000 },
        ),
    ];
    for (request, options, knob, why) in cases {
        let outcome = table.request(1, Request { options, ..request.clone() });
        assert_eq!(outcome, Some(Outcome::Rejected(Rejection::Impossible { knob, why })));
    }
    assert!(table.peek(1, "key").is_empty(), "nothing was applied");
}

/// At `any`, hints count towards W; PW still asks for replicas.
#[test]
fn a_floor_under_any_counts_no_hints() {
    let mut table = Table::new(5);
    let (replicas, _) = table.replicas("key");
    table.partition(&replicas[2..]);
    table.advance(Duration::from_secs(8));
    table.slow_disks.extend(&replicas[..2]);
    let options = Options { w: Some(Level::Any), pw: Some(Level::Count(1)), ..Options::default() };
    let tag = table.ask(replicas[0], Request { options, ..put("key", "value") });
    table.deliver();
    assert!(table.count(Fact::HintStored) > 0 && !table.replies.contains_key(&tag));
    table.release_syncs(replicas[1], Ok(()));
    assert!(matches!(table.replies[&tag], Outcome::Written { acks: 2, durable: 1, .. }));
}

/// Both replicas that acknowledged lose what was only in their memory: that is what was asked for, and the reply said
/// that no disk had it.
#[test]
fn a_write_at_dw_0_can_be_lost_and_says_so() {
    let mut table = Table::new(3);
    table.slow_disks.extend([1, 2, 3]);
    let dw = Some(Durability::Replicas(Level::Count(0)));
    let outcome =
        table.request(1, Request { options: Options { dw, ..Options::default() }, ..put("key", "v") });
    assert!(matches!(outcome, Some(Outcome::Written { acks: 2, durable: 0, .. })), "{outcome:?}");
    for node in 1..=3 {
        let config = table.crash(node);
        table.slow_disks.remove(&node);
        table.boot(config).expect("it opens again");
        assert!(table.peek(node, "key").is_empty());
    }
}
