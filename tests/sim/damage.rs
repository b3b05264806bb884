//! Bits rot in one node's tables while a cluster runs: it heals itself, and nothing is lost.

use std::sync::Arc;

use kvsim::base::time::{Duration, Instant};
use kvsim::disk::{Disk, FileKind};
use kvsim::node::fact::Fact;
use kvsim::sim::check;
use kvsim::sim::probe::probe;
use kvsim::sim::scenario::Scenario;
use kvsim::sim::world::World;

fn run_until(world: &mut World, seconds: u64) {
    let end = Instant::ZERO + Duration::from_secs(seconds);
    while world.next_at().is_some_and(|at| at <= end) {
        world.step();
    }
}

fn count(world: &World, fact: Fact) -> u64 {
    world.facts().find(|(name, _)| *name == fact).expect("every fact is counted").1
}

/// Rots one bit in the data of each table of a node; how many.
fn rot(world: &mut World, node: usize) -> usize {
    let disk = &mut world.host_mut(node).disk;
    let files = disk.list().expect("works").into_iter().filter(|file| file.kind == FileKind::Table);
    files.filter(|&file| disk.flip_bit(file, 1600)).collect::<Vec<_>>().len()
}

/// Runs with bits that rot in the tables of these nodes. Clients write all the while, and frames are lost.
fn run_with_rot(nodes: &[usize], seed: u64) -> World {
    let text = std::fs::read_to_string(crate::file("small.toml")).expect("the scenario is there");
    let mut scenario = Scenario::read(&text, "small").expect("a scenario");
    // The partition would keep two nodes from answering for half of the time.
    scenario.faults.remove(0);
    for node in &mut scenario.nodes {
        (node.storage.cache_bytes, node.scrub_every) = (0, Duration::from_millis(100));
    }
    let mut world = World::new(Arc::new(scenario), seed);
    run_until(&mut world, 5);
    while world.host_mut(1).is_up() {
        world.step();
    }
    for &node in nodes {
        assert!(rot(&mut world, node) > 0);
    }
    run_until(&mut world, 9);
    assert!(count(&world, Fact::DamageFound) > 0, "seed {seed}");
    run_until(&mut world, 30);
    assert!(count(&world, Fact::DamageRefetched) > 0, "seed {seed}");
    assert!(count(&world, Fact::DamageRepaired) > 0, "seed {seed}");
    for node in 0..world.scenario().nodes.len() {
        let node = world.host_mut(node).node.as_ref().expect("it runs");
        assert_eq!(node.status().damaged_tables, 0, "seed {seed}");
    }
    world
}

#[test]
fn a_node_whose_tables_rot_is_made_whole_by_its_replicas_under_load() {
    for seed in [42, 43] {
        let world = run_with_rot(&[1], seed);
        let probe = probe(&world);
        let mut checks =
            check::safety(world.scenario(), world.history(), &probe, world.violations(), world.ghost());
        checks.extend(check::liveness(world.scenario(), &probe));
        let broken: Vec<_> = checks.iter().filter(|check| !check.ok).collect();
        assert!(broken.is_empty(), "seed {seed}: {broken:?}");
        assert_eq!(count(&world, Fact::DamageShared), 0);
    }
}

/// Each of the two is a replica that the other one asks. (Whether anything is lost by it is a matter of chance here, and
/// of the budget in scenarios.)
#[test]
fn two_nodes_that_are_damaged_in_the_same_part_do_not_wait_for_each_other() {
    let world = run_with_rot(&[1, 2], 42);
    assert!(count(&world, Fact::DamageShared) > 0);
    let recovery = check::liveness(world.scenario(), &probe(&world));
    assert!(recovery.iter().all(|check| check.ok), "{recovery:?}");
}
