use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::search::{Answer, Object, Span, search};
use super::*;
use crate::base::id::NodeId;
use crate::base::rng::Stream;
use crate::base::time::Instant;
use crate::causal::clock::Clock;
use crate::causal::context;
use crate::causal::dot::{Actor, Dot};
use crate::sim::check::guarantee::Held;
use crate::sim::history::Kind;

const CLUSTER: ClusterId = ClusterId(1);

/// One line of a history: client, what, from, to (0: never told).
///
/// `put 1`, `del`, `get` (nothing found), `get 1 2`, `cas 1 2`, `cas - 1` (from nothing).
fn operation(client: u32, what: &str, start: u64, end: u64) -> Operation {
    let words: Vec<&str> = what.split(' ').collect();
    let value = |word: &&str| Bytes::from(*word);
    let (kind, written, expected, result) = match words[..] {
        ["put", new] => (Kind::Put, Some(new), None, End::Done),
        ["del"] => (Kind::Delete, None, None, End::Done),
        ["cas", "-", new] => (Kind::Cas, Some(new), Some(None), End::Done),
        ["cas", old, new] => (Kind::Cas, Some(new), Some(Some(old)), End::Done),
        _ => {
            let values = words[1..].iter().map(value).collect();
            (Kind::Get, None, None, End::Found { values, context: Bytes::default() })
        }
    };
    Operation {
        client,
        kind,
        key: Bytes::from("k"),
        value: written.map(Bytes::from),
        expected: expected.map(|old| old.map(Bytes::from)),
        context: None,
        request: None,
        node: 1,
        due: Instant(start),
        start: Instant(start),
        end: (end > 0).then_some(Instant(end)),
        result: if end > 0 { result } else { End::Silence },
    }
}

fn held(history: &[Operation]) -> Held {
    judge(CLUSTER, history).held
}

fn held_of(lines: &[Line]) -> Held {
    let history: Vec<Operation> =
        lines.iter().map(|&(client, what, start, end)| operation(client, what, start, end)).collect();
    held(&history)
}

/// A client, what it did, from, to.
type Line = (u32, &'static str, u64, u64);

/// Histories whose answers are known: the first two are those of the introduction of the Porcupine checker (Athalye),
/// others are the classical anomalies.
const KNOWN: &[(&str, Held, &[Line])] = &[
    (
        "a write that two reads see and one does not yet",
        Held::Holds,
        &[(0, "put 0", 1, 2), (0, "put 100", 10, 110), (1, "get 100", 35, 85), (2, "get 0", 40, 70)],
    ),
    (
        "a read goes back behind another that has ended",
        Held::Broken,
        &[(0, "put 0", 1, 2), (0, "put 200", 10, 110), (1, "get 200", 20, 40), (2, "get 0", 50, 100)],
    ),
    ("nothing at all", Held::Holds, &[]),
    ("a stale read", Held::Broken, &[(0, "put 1", 1, 2), (0, "put 2", 3, 4), (1, "get 1", 5, 6)]),
    (
        "the same, but at the same time",
        Held::Holds,
        &[(0, "put 1", 1, 2), (0, "put 2", 3, 6), (1, "get 1", 5, 6)],
    ),
    (
        "what ends when something begins does not precede it",
        Held::Holds,
        &[(0, "put 1", 1, 2), (0, "put 2", 3, 5), (1, "get 1", 5, 6)],
    ),
    ("a value from nowhere", Held::Broken, &[(0, "get 7", 1, 2)]),
    ("a value from the future", Held::Broken, &[(0, "get 7", 1, 2), (0, "put 7", 3, 4)]),
    (
        "two readers disagree about the order of two writes",
        Held::Broken,
        &[
            (0, "put 1", 1, 10),
            (1, "put 2", 1, 10),
            (2, "get 1", 11, 12),
            (2, "get 2", 13, 14),
            (3, "get 1", 15, 16),
        ],
    ),
    (
        "a lost update: siblings where the second write replaced the first",
        Held::Broken,
        &[(0, "put 1", 1, 2), (1, "put 2", 3, 4), (2, "get 1 2", 5, 6)],
    ),
    (
        "a delete that comes back",
        Held::Broken,
        &[(0, "put 1", 1, 2), (0, "del", 3, 4), (1, "get", 5, 6), (1, "get 1", 7, 8)],
    ),
    (
        "a write that nobody was told about takes effect late",
        Held::Holds,
        &[(0, "put 1", 1, 0), (1, "put 2", 3, 4), (2, "get 2", 5, 6), (2, "get 1", 7, 8)],
    ),
    (
        "but only once",
        Held::Broken,
        &[
            (0, "put 1", 1, 0),
            (1, "put 2", 3, 4),
            (2, "get 1", 5, 6),
            (1, "put 3", 7, 8),
            (2, "get 1", 9, 10),
        ],
    ),
    ("or never", Held::Holds, &[(0, "put 1", 1, 0), (1, "get", 3, 4), (1, "get", 5, 6)]),
    (
        "a delete that nobody was told about",
        Held::Holds,
        &[(0, "put 1", 1, 2), (1, "del", 3, 0), (2, "get", 5, 6)],
    ),
    (
        "two swaps from one value",
        Held::Broken,
        &[(0, "put 1", 1, 2), (1, "cas 1 2", 3, 9), (2, "cas 1 3", 3, 9)],
    ),
    (
        "a chain of swaps, told in the wrong order",
        Held::Holds,
        &[(1, "cas 2 3", 1, 9), (2, "cas 1 2", 1, 9), (0, "cas - 1", 1, 9), (0, "get 3", 10, 11)],
    ),
    (
        "a read holds the door open for a swap",
        Held::Broken,
        &[(0, "put 1", 1, 2), (1, "cas 1 2", 3, 4), (2, "get 1", 5, 6)],
    ),
    // Two places that differ only in what is done, or only in the state, are two places.
    (
        "a delete and a put at the same time, and the put is found",
        Held::Holds,
        &[(0, "put 1", 1, 9), (1, "del", 1, 10), (2, "get 1", 11, 12)],
    ),
    (
        "a put that was read, and a delete at the same time, and a swap finds nothing",
        Held::Holds,
        &[(0, "put 1", 1, 9), (1, "del", 1, 8), (3, "get 1", 1, 20), (2, "cas - 5", 10, 12)],
    ),
];

#[test]
fn histories_with_known_answers() {
    for (story, expected, lines) in KNOWN {
        assert_eq!(held_of(lines), *expected, "{story}");
    }
}

/// The siblings of this store: with contexts, versions stand beside each other, and one copy would show both.
#[test]
fn contexts_decide_what_a_write_replaces() {
    let dot = |counter| Dot { actor: Actor { node: NodeId(1), epoch: 0 }, counter };
    let clock = |counters: &[u64]| {
        let mut clock = Clock::EMPTY;
        counters.iter().for_each(|&counter| clock.record(dot(counter)));
        context::seal(CLUSTER, b"k", &clock)
    };
    let written = |what: &str, counter: u64, context: Option<Bytes>| {
        let result =
            End::Written { dot: dot(counter), acks: 2, durable: 2, context: clock(&[counter]), result: 0 };
        Operation { context, result, ..operation(0, what, counter * 10, counter * 10 + 5) }
    };
    let history = |second: Option<Bytes>, third: Option<Bytes>, found: &str| {
        let writes = [written("put a", 1, None), written("put b", 2, second), written("put c", 3, third)];
        held(&[&writes[..], &[operation(1, found, 90, 91)]].concat())
    };
    for (second, third, right) in [
        (Some(Bytes::default()), Some(Bytes::default()), "get a b c"),
        (Some(clock(&[1])), Some(Bytes::default()), "get b c"),
        (Some(clock(&[1])), Some(clock(&[1])), "get b c"),
        (Some(Bytes::default()), Some(clock(&[1, 2])), "get c"),
        (Some(Bytes::default()), None, "get c"),
    ] {
        for found in ["get a b c", "get b c", "get a c", "get c", "get b", "get"] {
            let expected = if found == right { Held::Holds } else { Held::Broken };
            assert_eq!(history(second.clone(), third.clone(), found), expected, "{right}: {found}");
        }
    }
}

/// So many clients at work on one key; each operation takes effect somewhere between its start and its end.
fn busy(clients: u32, operations: u32, seed: u64) -> Vec<Operation> {
    let mut draws = Stream::new(seed, "test", 0);
    let mut timed = Vec::new();
    for client in 0..clients {
        let mut now = 1 + draws.below(1000);
        for number in 0..operations / clients {
            let (wait, rest) = (1 + draws.below(500), 1 + draws.below(500));
            let what = if draws.below(2) == 0 { format!("put {client}-{number}") } else { "get".into() };
            let end = if draws.below(50) == 0 && what != "get" { 0 } else { now + wait + rest };
            timed.push((now + wait, operation(client, &what, now, end)));
            now += wait + rest + 1 + draws.below(500);
        }
    }
    timed.sort_by_key(|(at, operation)| (*at, operation.client));
    let mut current: Option<Bytes> = None;
    for (_, operation) in &mut timed {
        match &mut operation.result {
            End::Found { values, .. } => values.extend(current.clone()),
            // Every second one of those without an answer never came to pass.
            End::Silence if operation.start.0 % 2 == 0 => {}
            _ => current = operation.value.clone(),
        }
    }
    timed.into_iter().map(|(_, operation)| operation).collect()
}

#[test]
fn ten_thousand_operations_of_sixteen_clients_on_one_key_are_decided() {
    let mut history = busy(16, 10_000, 1);
    assert_eq!(held(&history), Held::Holds);
    // One read in the last quarter finds what was replaced long before.
    let is_get = |operation: &&mut Operation| operation.kind == Kind::Get;
    let old =
        history.iter().find_map(|operation| operation.value.clone().filter(|_| operation.end.is_some()));
    let read = history[7_500..].iter_mut().find(is_get).expect("half of them are reads");
    read.result = End::Found { values: old.into_iter().collect(), context: Bytes::default() };
    let told = format!("{read}");
    let judged = judge(CLUSTER, &history);
    assert_eq!(judged.held, Held::Broken);
    assert!(judged.detail.contains(&told), "{} is not {told}", judged.detail);
}

#[test]
fn what_takes_too_much_is_undecided_and_says_so() {
    let mut all: Vec<Operation> =
        (0..1100u32).map(|number| operation(number, &format!("put {number}"), 1, 0)).collect();
    all.push(operation(0, "get 7", 2, 3));
    let judged = judge(CLUSTER, &all);
    assert!(judged.held == Held::Undecided && judged.detail.contains("1101 operations"), "{judged:?}");

    // Twelve deletes may lie anywhere between twelve puts: many places, and nothing fits in the end.
    let mut spans = Vec::new();
    let history: Vec<Operation> = (0..12u32)
        .map(|number| operation(number, &format!("cas {number} {}", number + 100), 1, 9))
        .chain((0..12).map(|number| operation(20 + number, &format!("put {number}"), 1, 9)))
        .chain([operation(50, "get x", 10, 11)])
        .collect();
    let (mut copy, read, _) = copy::read(CLUSTER, &history.iter().collect::<Vec<_>>());
    spans.extend(read);
    assert_eq!(search(&mut copy, &spans, 1000), Answer::TooManyPlaces { places: 1000 });
}

/// Nobody saw 3. The delete without an answer finds nothing to delete, unless 3 comes just before it; and it has to,
/// for after it 3 would stand beside 0.
#[test]
fn a_delete_without_an_answer_may_have_erased_what_nobody_saw() {
    let beside = Operation {
        context: Some(context::seal(CLUSTER, b"k", &Clock::EMPTY)),
        ..operation(0, "put 0", 6, 7)
    };
    let delete = Operation { end: None, result: End::Silence, ..operation(1, "del", 1, 1) };
    let mut history = vec![beside, delete, operation(2, "cas 0 2", 13, 13), operation(3, "put 3", 2, 7)];
    assert_eq!(held(&history), Held::Holds);
    history.remove(1);
    assert_eq!(held(&history), Held::Broken);
}

/// Every order of every subset is tried: slow, and as plain as the definition.
fn tried<O: Object>(object: &mut O, spans: &[Span<O::Op>], state: O::State, taken: &mut Vec<bool>) -> bool {
    let open = |taken: &[bool], number: usize| !taken[number] && spans[number].end.is_some();
    if !(0..spans.len()).any(|number| open(taken, number)) {
        return true;
    }
    for number in 0..spans.len() {
        let is_first = !taken[number]
            && !(0..spans.len())
                .any(|other| !taken[other] && spans[other].end.is_some_and(|end| end < spans[number].start));
        if !is_first {
            continue;
        }
        let Some(after) = object.apply(&spans[number].op, state) else { continue };
        taken[number] = true;
        let found = tried(object, spans, after, taken);
        taken[number] = false;
        if found {
            return true;
        }
    }
    false
}

/// Histories of a few operations with contexts, siblings, deletes and swaps; some of them right by accident.
fn small() -> impl Strategy<Value = Vec<Operation>> {
    let one = (0u8..9, 0u64..20, 0u64..8, any::<u8>(), any::<u8>(), 0u8..10);
    proptest::collection::vec(one, 1..8).prop_map(|drawn| {
        let dot = |counter: u64| Dot { actor: Actor { node: NodeId(1), epoch: 0 }, counter };
        let clock = |mask: u8| {
            let mut clock = Clock::EMPTY;
            (0..8).filter(|bit| mask & (1 << bit) != 0).for_each(|bit| clock.record(dot(bit + 1)));
            clock
        };
        let names = |mask: u8| -> String {
            let chosen = (0..8).filter(|bit| mask & (1 << bit) != 0 && mask.count_ones() < 4);
            chosen.map(|bit| format!(" {bit}")).collect()
        };
        let mut history = Vec::new();
        for (number, &(kind, start, length, mask, sparse, luck)) in drawn.iter().enumerate() {
            let what = match kind {
                0 | 1 => format!("put {number}"),
                2 | 3 => format!("put {number} with context"),
                4 => "del".into(),
                5 => format!("cas {} {number}", mask % 4),
                6 => format!("get{}", names(mask & sparse)),
                _ => format!("get {}", mask % 6),
            };
            let mut one = operation(0, what.trim_end_matches(" with context"), start + 1, start + length + 1);
            if what.ends_with("context") {
                one.context = Some(context::seal(CLUSTER, b"k", &clock(mask & sparse)));
            }
            if one.kind == Kind::Put && luck > 1 {
                let context = context::seal(CLUSTER, b"k", &Clock::EMPTY);
                one.result =
                    End::Written { dot: dot(number as u64 + 1), acks: 1, durable: 1, context, result: 0 };
            }
            if luck == 0 {
                (one.end, one.result) = (None, End::Silence);
            }
            history.push(one);
        }
        history
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(4000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn the_search_finds_what_trying_everything_finds(history in small()) {
        let all: Vec<&Operation> = history.iter().collect();
        let (mut object, spans, _) = copy::read(CLUSTER, &all);
        let start = object.start();
        let expected = tried(&mut object, &spans, start, &mut vec![false; spans.len()]);
        let found = search(&mut object, &spans, 1 << 20);
        prop_assert_eq!(found == Answer::Linearizable, expected, "{:?}", found);
    }
}
