//! Worlds are values: the same seed gives the same world, and a clone goes on as the original does.

use std::sync::Arc;

use kvsim::base::time::{Duration, Instant};
use kvsim::quorum::tally::Level;
use kvsim::sim::check::guarantee::{Guarantee, Held};
use kvsim::sim::history::Kind;
use kvsim::sim::run;
use kvsim::sim::scenario::Scenario;
use kvsim::sim::verdict::Verdict;
use kvsim::sim::world::World;

fn small() -> Arc<Scenario> {
    let text = std::fs::read_to_string(crate::file("small.toml")).expect("the scenario is there");
    Arc::new(Scenario::read(&text, "small").expect("a scenario"))
}

fn run_until(world: &mut World, end: Instant) {
    while world.next_at().is_some_and(|at| at <= end) {
        world.step();
    }
}

fn hashes(seed: u64) -> (u64, u64) {
    let mut world = World::new(small(), seed);
    run_until(&mut world, Instant::ZERO + Duration::from_secs(8));
    (world.trace_hash(), world.state_hash())
}

#[test]
fn one_seed_gives_one_world_and_another_seed_another() {
    let (trace, state) = hashes(42);
    assert_eq!(hashes(42), (trace, state));
    let (other_trace, other_state) = hashes(43);
    assert_ne!(other_trace, trace);
    assert_ne!(other_state, state);
}

/// The hardest moment to clone: a flush is half done, frames and syncs are under way, and the network is cut.
#[test]
fn a_clone_taken_within_a_job_and_a_partition_ends_as_the_original_does() {
    let mut world = World::new(small(), 42);
    while world.jobs() == 0 || world.network().is_whole() {
        world.step().expect("there is a job while the network is cut");
    }
    let mut clone = world.clone();
    assert_eq!(clone.state_hash(), world.state_hash());
    // The original goes first, and far: nothing that it does may reach the clone.
    let before = clone.state_hash();
    let end = Instant::ZERO + Duration::from_secs(12);
    run_until(&mut world, end);
    assert_eq!(clone.state_hash(), before);
    run_until(&mut clone, end);
    assert_eq!(clone.trace_hash(), world.trace_hash());
    assert_eq!(clone.state_hash(), world.state_hash());
}

/// Copies that were healed on the way leave no trace in the run.
#[test]
fn a_run_ends_the_same_with_and_without_healed_copies() {
    let text = std::fs::read_to_string(crate::file("small.toml")).expect("the scenario is there");
    let ended = |every: &str| {
        let text = text.replace("[storage]", &format!("heal_every = \"{every}\"\n[storage]"));
        run::run(Arc::new(Scenario::read(&text, "small").expect("a scenario")), 42, false, &mut |_| {})
    };
    let (often, never) = (ended("1s"), ended("0s"));
    assert_eq!((often.verdict, never.verdict), (Verdict::Pass, Verdict::Pass), "{:?}", often.reasons);
    assert!(often.heals.effort().0 >= 9 && often.heals.effort().1 > 0, "{:?}", often.heals);
    assert_eq!(never.heals.effort(), (0, 0));
    assert_eq!(often.world.trace_hash(), never.world.trace_hash());
    assert_eq!(often.state_hash, never.state_hash);
}

#[test]
fn a_whole_run_passes_with_a_twin_in_lockstep() {
    let ended = run::run(small(), 42, true, &mut |_| {});
    assert_eq!(ended.verdict, Verdict::Pass, "{:?}", ended.reasons);
    for name in ["nodes", "durable", "held", "provenance", "recency", "converge", "hints"] {
        assert!(
            ended.checks.iter().any(|check| check.name == name && check.ok),
            "{name}: {:?}",
            ended.checks
        );
    }
}

#[test]
fn clients_of_a_larger_crowd_begin_as_those_of_a_smaller_one() {
    let first_of_client_0 = |count: u32| {
        let mut scenario = Scenario::clone(&small());
        scenario.clients[0].count = count;
        let mut world = World::new(Arc::new(scenario), 42);
        run_until(&mut world, Instant::ZERO + Duration::from_secs(3));
        let of_0 = world.history().iter().find(|operation| operation.client == 0).cloned().expect("one");
        (of_0.kind, of_0.key, of_0.value, of_0.node, of_0.start)
    };
    assert_eq!(first_of_client_0(1), first_of_client_0(4));
}

/// R = W = 1, and clients that move: without sessions a client does not find its own writes; with them it does.
#[test]
fn sessions_are_what_makes_clients_find_their_own_writes() {
    let judged = |sessions| {
        let mut scenario = Scenario::clone(&small());
        scenario.nodes.iter_mut().for_each(|node| (node.r, node.w) = (Level::One, Level::One));
        scenario.clients[0].sessions = sessions;
        scenario.clients[0].keys = 4;
        let mut world = World::new(Arc::new(scenario), 42);
        run_until(&mut world, Instant::ZERO + Duration::from_secs(7));
        let cluster = world.scenario().nodes[0].cluster;
        let guarantees = [Guarantee::ReadYourWrites, Guarantee::MonotonicReads];
        guarantees.map(|guarantee| guarantee.judge(cluster, world.history()).held)
    };
    assert_eq!(judged(false), [Held::Broken, Held::Broken]);
    assert_eq!(judged(true), [Held::Holds, Held::Holds]);
}

/// Two groups at work: each does its own, at its own pace, and the numbers of clients go on.
#[test]
fn groups_of_clients_work_side_by_side() {
    let text = std::fs::read_to_string(crate::file("small.toml")).expect("the scenario is there");
    let groups = "[[clients]]\ncount = 2\nrate = 50\nmix = { get = 1 }\n\n[[clients]]\nmix = { put = 1 }";
    let scenario = Scenario::read(&text.replacen("[clients]", groups, 1), "groups").expect("two groups");
    assert_eq!(scenario.clients.len(), 2);
    let mut world = World::new(Arc::new(scenario), 42);
    run_until(&mut world, Instant::ZERO + Duration::from_secs(10));
    let of = |kind| world.history().iter().filter(move |operation| operation.kind == kind);
    assert!(of(Kind::Get).all(|one| one.client < 2) && of(Kind::Put).all(|one| (2..6).contains(&one.client)));
    // 50 a second for seven seconds: 350 in the mean, with a standard deviation of 19.
    let gets = of(Kind::Get).count();
    assert!((290..410).contains(&gets), "{gets}");
    assert!(of(Kind::Put).count() > 500 && of(Kind::Get).any(|one| one.due < one.start));
}
