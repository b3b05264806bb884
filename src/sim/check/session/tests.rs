use std::format;
use std::vec::Vec;

use super::*;
use crate::base::id::NodeId;
use crate::base::time::Instant;
use crate::causal::dot::Actor;
use crate::sim::check::guarantee::Held;
use crate::sim::history::Kind;

const CLUSTER: ClusterId = ClusterId(1);
use Guarantee::{
    Causal, Linearizable, MonotonicReads, MonotonicWrites, ReadYourWrites, Siblings, WritesFollowReads,
};

fn dot(counter: u64) -> Dot {
    Dot { actor: Actor { node: NodeId(1), epoch: 0 }, counter }
}

fn operation(client: u32, key: &str, kind: Kind, result: End) -> Operation {
    let value = (kind == Kind::Put).then(|| Bytes::from("v"));
    let (key, start) = (Bytes::from(key), Instant::ZERO);
    let (expected, context, end, due) = (None, None, None, start);
    let (request, node) = (None, 1);
    Operation { client, kind, key, value, expected, context, request, node, due, start, end, result }
}

/// An acknowledged write, by its counter.
fn put(client: u32, key: &str, counter: u64) -> Operation {
    let end =
        End::Written { dot: dot(counter), acks: 1, durable: 1, context: Bytes::from("unused"), result: 0 };
    operation(client, key, Kind::Put, end)
}

/// A read that knows these writes of the key.
fn get(client: u32, key: &str, counters: &[u64]) -> Operation {
    let mut clock = Clock::EMPTY;
    counters.iter().for_each(|&counter| clock.record(dot(counter)));
    let context = context::seal(CLUSTER, key.as_bytes(), &clock);
    operation(client, key, Kind::Get, End::Found { values: Vec::new(), context })
}

/// The guarantees that the operations, one after the other, do not give.
fn broken(operations: Vec<Operation>) -> Vec<Guarantee> {
    let timed = |(number, operation): (usize, Operation)| {
        let start = Instant(number as u64 * 10);
        // The next one starts at once.
        let end = (operation.result != End::Silence).then_some(Instant(start.0 + 10));
        Operation { start, end, ..operation }
    };
    let history: Vec<Operation> = operations.into_iter().enumerate().map(timed).collect();
    let judged = Guarantee::ALL[1..].iter().map(|guarantee| guarantee.judge(CLUSTER, &history));
    let judged: Vec<Judgement> = judged.collect();
    assert!(judged.iter().all(|judged| judged.held != Held::Undecided), "{judged:?}");
    judged.into_iter().filter(|judged| judged.held == Held::Broken).map(|judged| judged.guarantee).collect()
}

#[test]
fn a_history_in_which_everybody_knows_all_gives_every_guarantee() {
    let history = [put(1, "a", 1), get(1, "a", &[1]), put(1, "a", 2), put(1, "b", 1), get(2, "b", &[1])];
    assert_eq!(broken([&history[..], &[get(2, "a", &[1, 2]), get(3, "a", &[1, 2])]].concat()), []);
}

#[test]
fn who_knows_nothing_of_others_owes_nothing() {
    assert_eq!(broken([put(1, "a", 1), get(2, "a", &[]), get(2, "b", &[]), get(3, "a", &[1])].into()), []);
}

/// Each guarantee alone, and causality, which takes in all of them.
#[test]
fn each_guarantee_has_a_history_that_breaks_it_and_no_other() {
    for (guarantee, history) in [
        (ReadYourWrites, &[put(1, "a", 1), get(1, "a", &[])][..]),
        (MonotonicReads, &[put(1, "a", 1), get(2, "a", &[1]), get(2, "a", &[])]),
        (MonotonicWrites, &[put(1, "a", 1), put(1, "a", 2), get(2, "a", &[2])]),
        (WritesFollowReads, &[put(1, "a", 1), get(2, "a", &[1]), put(2, "a", 2), get(3, "a", &[2])]),
    ] {
        assert_eq!(broken(history.to_vec()), [Causal, guarantee]);
    }
}

/// The message that was seen, and the photo that it speaks of, which was not.
#[test]
fn causality_goes_from_key_to_key_and_from_session_to_session() {
    let story = |photo: &[u64]| {
        let history = [put(1, "photo", 1), put(1, "note", 1), get(2, "note", &[1]), put(2, "answer", 1)];
        broken([&history[..], &[get(3, "answer", &[1]), get(3, "photo", photo)]].concat())
    };
    assert_eq!(story(&[1]), []);
    assert_eq!(story(&[]), [Causal]);
}

#[test]
fn writes_of_unknown_outcome_bind_only_those_who_read_them() {
    let silent = || operation(1, "a", Kind::Put, End::Silence);
    assert_eq!(broken([silent(), get(1, "a", &[])].into()), []);
    assert_eq!(broken([silent(), get(2, "a", &[1]), get(2, "a", &[])].into()), [Causal, MonotonicReads]);
}

#[test]
fn a_history_without_contexts_is_undecided() {
    let mute = [operation(1, "a", Kind::Put, End::Done)];
    let of_sessions = |one: &&Guarantee| !matches!(one, Linearizable | Siblings);
    for guarantee in Guarantee::ALL.iter().filter(of_sessions) {
        let judged = guarantee.judge(CLUSTER, &mute);
        assert!(judged.held == Held::Undecided && judged.detail.contains("neither"), "{judged:?}");
    }
}

#[test]
fn a_finding_names_the_read_and_what_it_missed() {
    let end = |operation: Operation| Operation { end: Some(Instant(9)), ..operation };
    let history = [put(1, "a", 1), put(1, "a", 2), get(2, "a", &[2])].map(end);
    let judged = MonotonicWrites.judge(CLUSTER, &history);
    let expected =
        format!("get a by c2 through n1 at 0ns knows {{+{}}}, and not all of {{{}}}", dot(2), dot(1));
    assert!(judged.detail.starts_with(&expected), "{}", judged.detail);
}
