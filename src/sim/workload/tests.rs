use std::collections::{BTreeMap, BTreeSet};
use std::vec;
use std::vec::Vec;

use super::plan::{Choice, Mix};
use super::*;
use crate::base::id::NodeId;
use crate::base::rng::Ppm;
use crate::causal::clock::Clock;
use crate::causal::dot::{Actor, Dot};
use crate::node::consistency::Options;
use crate::quorum::tally::Level;

const CLUSTER: ClusterId = ClusterId(1);

fn plan() -> ClientPlan {
    ClientPlan {
        count: 1,
        keys: 10,
        choice: Choice::Uniform,
        start: Instant::ZERO,
        stop: Instant(u64::MAX),
        pace: Pace::Closed { min: Duration::ZERO, max: Duration::from_millis(1) },
        value_min: 4,
        value_max: 20,
        value_choice: Choice::Uniform,
        timeout: Duration::from_secs(1),
        mix: Mix { get: 1, update: 1, put: 1, add: 1, delete: 1, recreate: 1, stale: 1, ..Mix::default() },
        coordinators: Coordinators::Any,
        nodes: (0..5).collect(),
        options: Options::default(),
        sessions: false,
        retry: 0,
    }
}

/// What a get and a write are answered, in this order of their numbers.
fn answer(key: &Bytes, counter: u64) -> Bytes {
    let mut clock = Clock::EMPTY;
    clock.record(Dot { actor: Actor { node: NodeId(1), epoch: 0 }, counter });
    context::seal(CLUSTER, key, &clock)
}

/// The operations of one client; each is answered with a context of its own number.
fn operations(plan: &ClientPlan, number: u32, count: usize) -> Vec<Operation> {
    operations_with(plan, number, count, &|operation, index| End::Found {
        values: Vec::new(),
        context: answer(&operation.key, index as u64 + 1),
    })
}

fn operations_with(
    plan: &ClientPlan,
    number: u32,
    count: usize,
    end: &dyn Fn(&Operation, usize) -> End,
) -> Vec<Operation> {
    let mut client = Client::new(number, 0, number, plan, 42);
    let mut operations = Vec::new();
    for index in 0..count {
        let operation = client.begin(plan, index, Instant::ZERO);
        client.end(plan, CLUSTER, &operation, &end(&operation, index));
        operations.push(operation);
    }
    operations
}

fn counts<T: Ord>(all: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    all.for_each(|one| *counts.entry(one).or_default() += 1);
    counts
}

fn chosen(choice: Choice, count: u64) -> BTreeMap<u64, usize> {
    let mut draws = Stream::new(1, "choice", 0);
    counts((0..20_000).map(|turn| choice.draw(&mut draws, count, turn)))
}

#[test]
fn no_value_is_written_twice() {
    let mut values = BTreeSet::new();
    for number in 0..3 {
        for operation in operations(&plan(), number, 500) {
            assert!(operation.value.is_none_or(|value| values.insert(value)));
        }
    }
    assert!(values.len() > 300, "{}", values.len());
}

#[test]
fn what_follows_carries_the_context_of_what_came_before() {
    let operations = operations(&plan(), 1, 400);
    let mut followed = 0;
    for (index, pair) in operations.windows(2).enumerate() {
        if pair[1].context == Some(answer(&pair[0].key, index as u64 + 1)) {
            assert!(pair[0].key == pair[1].key && pair[1].is_write());
            followed += 1;
        }
    }
    assert!(followed > 50, "{followed}");
}

#[test]
fn every_action_of_the_mix_is_taken() {
    let of = |mix: Mix| -> Vec<(Kind, Option<bool>)> {
        let taken = operations(&ClientPlan { mix, ..plan() }, 1, 6);
        taken.into_iter().map(|one| (one.kind, one.context.map(|context| context.is_empty()))).collect()
    };
    let (get, put, delete) = ((Kind::Get, None), (Kind::Put, Some(false)), (Kind::Delete, Some(false)));
    assert_eq!(of(Mix { get: 1, ..Mix::default() }), [get; 6]);
    assert_eq!(of(Mix { put: 1, ..Mix::default() }), [(Kind::Put, None); 6]);
    assert_eq!(of(Mix { add: 1, ..Mix::default() }), [(Kind::Put, Some(true)); 6]);
    assert_eq!(of(Mix { update: 1, ..Mix::default() }), [get, put, get, put, get, put]);
    assert_eq!(of(Mix { delete: 1, ..Mix::default() }), [get, delete, get, delete, get, delete]);
    assert_eq!(of(Mix { recreate: 1, ..Mix::default() }), [get, delete, put, get, delete, put]);
    assert_eq!(counts(of(plan().mix).into_iter()).len().max(2), counts(of(plan().mix).into_iter()).len());
}

#[test]
fn an_action_ends_where_an_operation_fails() {
    let plan = ClientPlan { mix: Mix { recreate: 1, ..Mix::default() }, ..plan() };
    let failing = operations_with(&plan, 1, 10, &|_, _| End::Rejected(None));
    assert!(failing.iter().all(|operation| operation.kind == Kind::Get));
}

#[test]
fn zipf_gives_the_second_half_of_what_the_first_gets_and_the_tenth_a_tenth() {
    let counts = chosen(Choice::Zipf, 100);
    // The 100th harmonic number is 5.187.
    for (number, expected) in [(1, 3856), (2, 1928), (10, 386)] {
        let found = counts[&(number - 1)];
        assert!(found.abs_diff(expected) < expected / 8, "{number}: {found}, not {expected}");
    }
    assert!(counts.keys().all(|number| *number < 100) && counts.len() > 95);
    assert_eq!(chosen(Choice::Zipf, 1), [(0, 20_000)].into());
}

#[test]
fn each_choice_has_its_own_shape() {
    let uniform = chosen(Choice::Uniform, 10);
    assert!(uniform.values().all(|count| (1800..2200).contains(count)), "{uniform:?}");
    let hot = chosen(Choice::Hot { keys: 2, share: Ppm(900_000) }, 10);
    assert!((8700..9300).contains(&hot[&0]) && (8700..9300).contains(&hot[&1]), "{hot:?}");
    assert!((2..10).all(|cold| (150..350).contains(&hot[&cold])), "{hot:?}");
    assert_eq!(chosen(Choice::Hot { keys: 9, share: Ppm::NEVER }, 10), [(9, 20_000)].into());
    assert!(chosen(Choice::Sequential, 10).values().all(|count| *count == 2000));
}

#[test]
fn clients_of_a_group_go_through_the_keys_together() {
    let plan =
        ClientPlan { count: 2, choice: Choice::Sequential, mix: Mix { get: 1, ..Mix::default() }, ..plan() };
    let keys = |number| operations(&plan, number, 3).into_iter().map(|one| one.key).collect::<Vec<Bytes>>();
    assert_eq!(keys(0), ["k0", "k2", "k4"].map(Bytes::from));
    assert_eq!(keys(1), ["k1", "k3", "k5"].map(Bytes::from));
}

#[test]
fn sizes_are_chosen_as_keys_are() {
    let sizes = |value_choice| {
        let mix = Mix { put: 1, ..Mix::default() };
        let plan = ClientPlan { value_min: 100, value_max: 1123, value_choice, mix, ..plan() };
        let mut sizes: Vec<usize> =
            operations(&plan, 1, 1000).into_iter().filter_map(|one| Some(one.value?.len())).collect();
        sizes.sort_unstable();
        (sizes[0], sizes[500], sizes[999])
    };
    let (least, median, most) = sizes(Choice::Uniform);
    assert!(least < 110 && (550..680).contains(&median) && most > 1100, "{least} {median} {most}");
    let (least, median, most) = sizes(Choice::Zipf);
    assert!(least == 100 && median < 150 && most > 1000, "{least} {median} {most}");
}

#[test]
fn a_client_stays_or_moves_as_it_is_told() {
    let nodes = |coordinators, end: &dyn Fn(&Operation, usize) -> End| {
        let plan = ClientPlan { coordinators, ..plan() };
        let nodes = operations_with(&plan, 3, 200, end).into_iter().map(|one| one.node);
        nodes.collect::<Vec<u32>>()
    };
    let fine = |one: &Operation, _| End::Found { values: vec![], context: answer(&one.key, 1) };
    let fails = |_: &Operation, index: usize| {
        if index == 100 { End::Silence } else { End::Rejected(None) }
    };
    let distinct = |nodes: Vec<u32>| nodes.into_iter().collect::<BTreeSet<u32>>().len();
    assert_eq!(distinct(nodes(Coordinators::Any, &fine)), 5);
    assert_eq!(nodes(Coordinators::Home, &fails), [4; 200]);
    assert_eq!(distinct(nodes(Coordinators::Failover, &fine)), 1);
    assert_eq!(distinct(nodes(Coordinators::Failover, &fails)), 5);
}

#[test]
fn clients_ask_their_nodes_and_no_others() {
    let fails = |_: &Operation, _| End::Unknown;
    for coordinators in [Coordinators::Any, Coordinators::Home, Coordinators::Failover] {
        let (nodes, mix) = (vec![1, 3], Mix { put: 1, ..Mix::default() });
        let plan = ClientPlan { coordinators, nodes, mix, retry: 2, ..plan() };
        let asked: BTreeSet<u32> =
            operations_with(&plan, 3, 100, &fails).into_iter().map(|one| one.node).collect();
        assert_eq!(asked, BTreeSet::from([2, 4]), "{coordinators:?}");
    }
}

#[test]
fn requests_carry_the_levels_of_their_group() {
    let options = Options { r: Some(Level::One), w: Some(Level::Any), ..Options::default() };
    let plan = ClientPlan { options, ..plan() };
    let mut client = Client::new(1, 0, 0, &plan, 42);
    client.begin(&plan, 0, Instant::ZERO);
    let request = client.open.as_ref().and_then(|open| open.request.as_ref()).expect("a request");
    assert_eq!((request.options.r, request.options.w), (Some(Level::One), Some(Level::Any)));
}

#[test]
fn a_session_carries_all_that_it_has_seen_of_a_key() {
    let gets = |sessions| {
        let plan = ClientPlan { sessions, keys: 1, mix: Mix { get: 1, ..Mix::default() }, ..plan() };
        operations(&plan, 1, 3).into_iter().map(|one| one.context).collect::<Vec<Option<Bytes>>>()
    };
    assert_eq!(gets(false), [None, None, None]);
    let of = |gets: Vec<Option<Bytes>>| {
        let open =
            |token: Option<Bytes>| token.map(|token| context::open(CLUSTER, b"k0", &token).expect("ours"));
        gets.into_iter()
            .map(|token| open(token).map_or(0, |clock| clock.entries()[0].1))
            .collect::<Vec<u64>>()
    };
    assert_eq!(of(gets(true)), [0, 1, 2]);
}

#[test]
fn an_open_loop_keeps_its_rate_whatever_the_answers_do() {
    let every = Duration::from_millis(10);
    let plan = ClientPlan { pace: Pace::Open { every }, ..plan() };
    let mut client = Client::new(1, 0, 0, &plan, 42);
    let mut at = Instant::ZERO;
    for index in 0..10_000 {
        at = client.next_at(&plan, at);
        let operation = client.begin(&plan, index, at);
        assert!(operation.start == at && operation.due <= at);
        client.end(&plan, CLUSTER, &operation, &End::Rejected(None));
    }
    // 10,000 exponential spans of 10 ms: 100 s, and a standard deviation of 1 s.
    assert!((97..103).contains(&(at.0 / 1_000_000_000)), "{at}");
    // An answer that takes half a second: what was due meanwhile follows at once, and is late.
    let late = Instant(at.0 + 500_000_000);
    assert_eq!(client.next_at(&plan, late), late);
    let operation = client.begin(&plan, 10_000, late);
    assert!(operation.due < late && operation.due > at, "{} {}", operation.due, late);
}

#[test]
fn exponential_spans_are_exponential() {
    let mut draws = Stream::new(1, "exponential", 0);
    let spans: Vec<u64> = (0..50_000).map(|_| exponential(&mut draws, Duration(1000)).0).collect();
    for (above, expected) in [(500, 30_327), (1000, 18_394), (2000, 6767), (4000, 916)] {
        let found = spans.iter().filter(|span| **span > above).count();
        assert!(found.abs_diff(expected) < expected / 10 + 20, "{above}: {found}, not {expected}");
    }
}

#[test]
fn edits_go_to_keys_of_their_own_and_carry_what_they_change() {
    let of = |mix: Mix, values: &[&str]| -> Vec<(Kind, std::string::String)> {
        let values: Vec<Bytes> = values.iter().map(|&value| Bytes::from(value)).collect();
        let end = |operation: &Operation, _: usize| match operation.kind {
            Kind::Get => End::Found { values: values.clone(), context: answer(&operation.key, 1) },
            _ => {
                let dot = Dot { actor: Actor { node: NodeId(1), epoch: 0 }, counter: 1 };
                End::Written { dot, acks: 2, durable: 2, context: answer(&operation.key, 1), result: 0 }
            }
        };
        let taken = operations_with(&ClientPlan { mix, keys: 1, ..plan() }, 7, 60, &end);
        let key = |one: &Operation| std::string::String::from(str::from_utf8(&one.key).expect("text"));
        assert!(taken.iter().filter(|one| one.kind.is_edit()).all(|one| one.context.is_none()));
        taken.iter().map(|one| (one.kind, key(one))).collect()
    };
    let incr = of(Mix { incr: 1, ..Mix::default() }, &["5"]);
    assert_eq!(incr[..2], [(Kind::Incr, "c0".into()), (Kind::Get, "c0".into())]);
    assert!(of(Mix { sadd: 1, ..Mix::default() }, &[]).iter().all(|one| *one == (Kind::Sadd, "s0".into())));
    let srem = of(Mix { srem: 1, ..Mix::default() }, &["member"]);
    assert_eq!(srem[..2], [(Kind::Get, "s0".into()), (Kind::Srem, "s0".into())]);
    assert!(of(Mix { srem: 1, ..Mix::default() }, &[]).iter().all(|(kind, _)| *kind == Kind::Get));
    let clash = counts(of(Mix { clash: 1, ..Mix::default() }, &[]).into_iter());
    for (kind, least) in [(Kind::Delete, 4), (Kind::Get, 20), (Kind::Incr, 4), (Kind::Sadd, 4)] {
        assert!(clash[&(kind, "m0".into())] >= least, "{clash:?}");
    }
}

#[test]
fn members_are_new_or_known_and_steps_go_up_and_down() {
    let mix = Mix { sadd: 1, srem: 1, incr: 1, ..Mix::default() };
    let end = |operation: &Operation, _: usize| match operation.kind {
        Kind::Get => End::Found { values: vec![Bytes::from("known")], context: answer(&operation.key, 1) },
        _ => End::Rejected(None),
    };
    let taken = operations_with(&ClientPlan { mix, keys: 1, ..plan() }, 1, 2000, &end);
    let of = |kind| taken.iter().filter(move |one| one.kind == kind).filter_map(|one| one.value.clone());
    let (known, new): (Vec<Bytes>, Vec<Bytes>) = of(Kind::Sadd).partition(|member| **member == *b"known");
    assert!(known.len() > 80 && new.len() > 2 * known.len(), "{} {}", known.len(), new.len());
    assert_eq!(new.iter().collect::<BTreeSet<&Bytes>>().len(), new.len(), "each only once");
    assert!(of(Kind::Srem).all(|member| *member == *b"known"));
    let steps: Vec<i64> = of(Kind::Incr).map(|step| number(&step)).collect();
    let down = steps.iter().filter(|step| **step < 0).count();
    assert!(down > steps.len() / 8 && down < steps.len() / 2, "{down} of {}", steps.len());
}

#[test]
fn a_write_of_unknown_outcome_is_tried_again_elsewhere_under_its_name() {
    let plan = ClientPlan { retry: 2, coordinators: Coordinators::Home, ..plan() };
    let of = |kind: fn(&mut Mix) -> &mut u32, ends: &[End]| {
        let mut mix = Mix::default();
        *kind(&mut mix) = 1;
        operations_with(&ClientPlan { mix, ..plan.clone() }, 2, 6, &|_, index| {
            ends[index % ends.len()].clone()
        })
    };
    let tries = of(|mix| &mut mix.put, &[End::Silence, End::Rejected(None), End::Unknown]);
    for request in tries.chunks(3) {
        let same = |one: &Operation| (one.request, one.key.clone(), one.value.clone(), one.context.clone());
        assert!(request[0].request.is_some() && request.iter().all(|one| same(one) == same(&request[0])));
        assert_eq!(request[0].node, 3, "home");
        assert!(request.windows(2).all(|pair| pair[0].node != pair[1].node));
    }
    assert_ne!(tries[0].request, tries[3].request);
    // What was refused at once was not applied, and a read has nothing to repeat.
    let refused = of(|mix| &mut mix.put, &[End::Rejected(None)]);
    assert_eq!(refused.iter().map(|one| one.request).collect::<BTreeSet<_>>().len(), 6);
    assert!(of(|mix| &mut mix.get, &[End::Silence]).iter().all(|one| one.request.is_none()));
}
