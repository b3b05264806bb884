//! Every fault that a scenario can declare does what it says, and nothing else.

use std::sync::Arc;

use kvsim::base::time::{Duration, Instant};
use kvsim::node::fact::Fact;
use kvsim::sim::fault::Fault;
use kvsim::sim::rates::{KINDS, plan};
use kvsim::sim::run::{self, Ended};
use kvsim::sim::scenario::Scenario;
use kvsim::sim::verdict::Verdict;
use kvsim::sim::world::World;

/// Five nodes for ten seconds, without any fault.
const CALM: &str = r#"
[cluster]
nodes = 5
zones = ["a", "a", "b", "b", "c"]
gossip_every = "300ms"
suspect_after = "1500ms"

[run]
duration = "10s"
settle = "30s"

[storage]
memtable_bytes = 16384
table_bytes = 8192
block_bytes = 1024
cache_bytes = 0

[clients]
count = 4
keys = 40
start = "2s"
think = { min = "10ms", max = "40ms" }
value_bytes = { min = 16, max = 256 }
"#;

fn scenario(more: &str) -> Arc<Scenario> {
    let text = format!("{CALM}\n{more}\n");
    Arc::new(Scenario::read(&text, "faults").unwrap_or_else(|problem| panic!("{more}: {problem:?}")))
}

fn ended(more: &str) -> Ended {
    run::run(scenario(more), 42, false, &mut |_| {})
}

/// The run passes, and each of its faults had an effect.
fn effective(more: &str) -> Ended {
    let ended = ended(more);
    assert_eq!(ended.verdict, Verdict::Pass, "{more}: {:?}", ended.reasons);
    let effects = ended.world.faults().iter().zip(ended.world.effects());
    for (fault, effect) in effects {
        // A crash between two steps may find all on the disk.
        let counted = effect.amount > 0 || fault.action.kind() == "crash";
        assert!(effect.effective && counted, "{fault:?}: {effect:?}");
    }
    ended
}

/// Several faults in one run, one after the other or on different nodes, so that the tests do not take for ever. Each
/// is counted for itself.
fn family(faults: &[&str]) -> Ended {
    let faults: Vec<String> = faults.iter().map(|fault| format!("[[fault]]\n{fault}")).collect();
    effective(&faults.join("\n"))
}

#[test]
fn partitions() {
    family(&[
        r#"partition = { at = "2s", for = "1s", zones = [["b"]] }"#,
        r#"partition = { at = "3s", for = "1s", groups = [["n1"]], one_way = true }"#,
        r#"partition = { at = "4s", for = "1s", groups = [["n1"], ["n2"], ["n3", "n4"]] }"#,
        r#"partition = { at = "5s", for = "1s", groups = [["n1"], ["n2"]], partial = true }"#,
        r#"partition = { at = "6s", for = "2s", groups = [["n1"]], flap = { cut = "200ms", whole = "300ms" } }"#,
    ]);
}

#[test]
fn links() {
    let ended = family(&[
        r#"delay = { at = "2s", for = "1s", from = ["n1"], by = { min = "50ms", max = "200ms" } }"#,
        r#"loss = { at = "3s", for = "1s", to = ["n1"], share = "50%" }"#,
        r#"duplication = { at = "4s", for = "1s", share = "50%" }"#,
        r#"corruption = { at = "5s", for = "1s", share = "20%" }"#,
        r#"reordering = { at = "6s", for = "1s", share = "50%", by = "100ms" }"#,
        r#"bandwidth = { at = "7s", for = "1s", from = ["n1"], bytes_per_second = 20000 }"#,
        r#"clog = { at = "8s", for = "1s", from = ["n1"], to = ["n2", "n3"] }"#,
    ]);
    let nodes = ended.checks.iter().find(|check| check.name == "nodes").expect("it was checked");
    assert!(nodes.ok, "no node took a frame with wrong bits: {nodes:?}");
}

#[test]
fn crashes() {
    family(&[
        r#"crash = { at = "3s", for = "1s", node = "n1", on = "event", lose = "torn" }"#,
        r#"crash = { at = "3s", for = "1s", node = "n2", on = "disk", lose = "nothing" }"#,
        r#"crash = { at = "5s", for = "1s", node = "n3", on = "job" }"#,
        r#"rolling = { at = "6s", every = "1s", for = "500ms", nodes = ["n4", "n5"] }"#,
        r#"swap = { at = "8s", for = "1s", nodes = ["n1", "n2"] }"#,
    ]);
}

#[test]
fn slow_nodes() {
    family(&[
        r#"pause = { at = "3s", for = "3s", node = "n1" }"#,
        r#"slow = { at = "4s", for = "4s", node = "n2", factor = 2000 }"#,
        r#"queue = { at = "4s", for = "4s", node = "n2", limit = 1 }"#,
        r#"stall = { at = "6s", for = "1s", node = "n3" }"#,
        r#"lag = { at = "7s", for = "2s", node = "n4", factor = 100 }"#,
    ]);
}

#[test]
fn failing_disks() {
    let ended = family(&[
        r#"error = { at = "3s", for = "2s", node = "n1", on = "write", share = "5%" }"#,
        r#"error = { at = "5s", for = "2s", node = "n2", on = "sync", share = "30%" }"#,
        r#"error = { at = "3s", for = "6s", node = "n3", on = "read", share = "3%" }"#,
        r#"full = { at = "7s", for = "2s", node = "n4" }"#,
    ]);
    let recovered = ended.world.facts().find(|(fact, _)| *fact == Fact::Recovered);
    assert!(recovered.is_some_and(|(_, count)| count >= 2), "both nodes were started again: {recovered:?}");
}

#[test]
fn lost_disks() {
    family(&[
        r#"wipe = { at = "4s", for = "1s", node = "n2" }"#,
        r#"restore = { at = "8s", for = "1s", node = "n3", age = "3s" }"#,
    ]);
}

#[test]
fn clocks() {
    family(&[
        r#"clock = { at = "3s", for = "3s", node = "n1", offset = "-90s" }"#,
        r#"clock = { at = "3s", for = "3s", node = "n2", drift_ppm = 100000 }"#,
        r#"clock = { at = "4s", for = "2s", node = "n3", clock = "mono", freeze = true }"#,
        r#"clock = { at = "4s", for = "4s", node = "n4", clock = "mono", drift_ppm = -400000 }"#,
    ]);
}

/// Damage of cold data: a read says that it cannot tell, and never answers from it.
#[test]
fn damage_is_seen_and_never_served() {
    for damage in [
        r#"rot = { at = "7s", node = "n2", bits = 200 }"#,
        r#"lost_write = { at = "7s", node = "n2", sectors = 20 }"#,
        r#"misdirect = { at = "7s", node = "n2" }"#,
    ] {
        let ended = ended(&format!("[[fault]]\n{damage}"));
        let effect = ended.world.effects()[0];
        assert!(effect.effective && effect.amount > 0, "{damage}: {effect:?}");
        let safe = |name: &str| ended.checks.iter().any(|check| check.name == name && check.ok);
        for name in ["nodes", "audit", "durable", "held", "provenance", "recency"] {
            assert!(safe(name), "{damage}: {name}: {:?}", ended.checks);
        }
    }
}

/// What has no unit to count: it happened, or it did not.
#[test]
fn a_clock_that_jumps() {
    for jump in ["jump = \"+2m\"", "jump = \"-2m\"", "clock = \"mono\", jump = \"+5s\""] {
        let ended = ended(&format!("[[fault]]\nclock = {{ at = \"4s\", node = \"n2\", {jump} }}"));
        assert_eq!(ended.verdict, Verdict::Pass, "{jump}: {:?}", ended.reasons);
    }
}

/// Up to the moment of a fault, the world with it is the world without it.
#[test]
fn a_fault_changes_nothing_before_it_begins() {
    let until = |more: &str| {
        let mut world = World::new(scenario(more), 42);
        let end = Instant::ZERO + Duration::from_millis(3_999);
        while world.next_at().is_some_and(|at| at <= end) {
            world.step();
        }
        world.trace_hash()
    };
    let clean = until("");
    for fault in [
        "pause = { at = \"4s\", for = \"3s\", node = \"n2\" }",
        "loss = { at = \"4s\", for = \"3s\", share = \"50%\" }",
        "rot = { at = \"4s\", node = \"n2\" }",
        "error = { at = \"4s\", node = \"n2\", on = \"read\", share = \"5%\" }",
        "clock = { at = \"4s\", node = \"n2\", freeze = true }",
        "crash = { at = \"4s\", node = \"n2\", on = \"disk\" }",
    ] {
        assert_eq!(until(&format!("[[fault]]\n{fault}")), clean, "{fault}");
    }
    assert_ne!(until("[[fault]]\npause = { at = \"3s\", node = \"n2\" }"), clean);
}

#[test]
fn a_rate_more_moves_no_draw_of_the_others() {
    let of_kind = |faults: &[Fault], kind: &str| -> Vec<Fault> {
        faults.iter().filter(|fault| fault.action.kind() == kind).cloned().collect()
    };
    let rates = |without: &str| {
        let kinds = KINDS.iter().filter(|kind| **kind != without);
        let lines: Vec<String> = kinds.map(|kind| format!("{kind} = {{ every = \"1s\" }}")).collect();
        plan(&scenario(&format!("[rates]\n{}", lines.join("\n"))), 42).faults
    };
    let all = rates("");
    for removed in KINDS {
        let others = rates(removed);
        assert!(!of_kind(&all, removed).is_empty() && of_kind(&others, removed).is_empty(), "{removed}");
        for kind in KINDS.into_iter().filter(|kind| *kind != removed) {
            assert_eq!(of_kind(&others, kind), of_kind(&all, kind), "{kind} without {removed}");
        }
    }
}

#[test]
fn a_swarm_draws_other_kinds_for_other_seeds_and_says_so() {
    let scenario = scenario("[swarm]\nwithout = [\"wipe\"]");
    let drawn = |seed| plan(&scenario, seed).drawn;
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    assert_eq!(drawn(1).len(), KINDS.len() - 1);
    let on = |seed| drawn(seed).iter().filter(|drawn| drawn.value != "off").count();
    assert!((1..50).map(on).all(|on| (3..21).contains(&on)));
}

/// W = 1: the only copy of something is always on one disk, so the budget spares every disk.
const ALONE: &str = "w = 1\nr = 1\nn = 1\nsloppy = false";

fn alone(more: &str) -> Ended {
    let text = format!("{CALM}\n[[fault]]\nwipe = {{ at = \"6s\", for = \"1s\", node = \"n2\" }}\n");
    let text = text.replace("nodes = 5", &format!("nodes = 5\n{ALONE}"));
    let text = text.replace("settle = \"30s\"", &format!("settle = \"30s\"\n{more}"));
    let scenario = Scenario::read(&text, "alone").unwrap_or_else(|problem| panic!("{problem:?}"));
    run::run(Arc::new(scenario), 42, false, &mut |_| {})
}

#[test]
fn the_budget_spares_the_last_copy() {
    let ended = alone("");
    assert_eq!(ended.verdict, Verdict::Vacuous, "{:?}", ended.reasons);
    assert!(ended.reasons[0].contains("refused by the budget"), "{:?}", ended.reasons);
    assert!(ended.checks.iter().all(|check| check.ok), "{:?}", ended.checks);
}

#[test]
fn without_a_budget_a_predicted_loss_is_a_figure_and_no_finding() {
    let ended = alone("unrestricted = true");
    assert_eq!(ended.verdict, Verdict::Pass, "{:?}", ended.reasons);
    let durable = ended.checks.iter().find(|check| check.name == "durable").expect("it was checked");
    assert!(durable.ok && durable.detail.contains("as predicted"), "{durable:?}");
}
