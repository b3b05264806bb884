//! Chance comes from the seed alone: every shipped scenario, hurried, beside a twin that is compared event by event and
//! state by state.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use kvsim::base::time::{Duration, Instant};
use kvsim::sim::run;
use kvsim::sim::scenario::Scenario;
use kvsim::sim::verdict::Verdict;

/// The scenarios last so many times less long, and their faults begin so much sooner.
const HURRY: u64 = 5;
/// Before them the cluster forms.
const FORMING: Duration = Duration::from_secs(2);

/// The scenario in a fraction of its time. (What it expects may then not be reached, which does not matter here.)
fn hurried(path: &Path) -> Arc<Scenario> {
    let text = fs::read_to_string(path).expect("a scenario is readable");
    let mut scenario = Scenario::read(&text, "hurried").expect("a shipped scenario is good");
    scenario.duration = Duration(scenario.duration.divided(HURRY).0 + FORMING.0);
    scenario.settle = Duration::from_secs(2);
    scenario.heal.every = Duration::ZERO;
    // Most of a hurried run is faults.
    scenario.expect.availability = None;
    for group in &mut scenario.clients {
        group.start = group.start.min(Instant::ZERO + Duration::from_millis(1_500));
    }
    for fault in &mut scenario.faults {
        fault.at = Instant(fault.at.0 / HURRY) + FORMING;
    }
    Arc::new(scenario)
}

/// Runs the scenarios of a folder, hurried, with twins. One seed each in debug builds, where a run takes long, and 50 in
/// release builds; or `KVSIM_TWIN_SEEDS`.
fn run_with_twins(folder: &str) {
    let seeds = if cfg!(debug_assertions) { 1 } else { 50 };
    let seeds = std::env::var("KVSIM_TWIN_SEEDS").map_or(seeds, |text| text.parse().expect("a number"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut events = 0;
    for entry in fs::read_dir(folder).expect("scenarios") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            continue;
        }
        let scenario = hurried(&path);
        for seed in 1..=seeds {
            let ended = run::run(scenario.clone(), seed, true, &mut |_| {});
            let told = (path.display(), seed, &ended.reasons);
            assert!(!matches!(ended.verdict, Verdict::Nondeterminism | Verdict::Safety), "{told:?}");
            assert!(ended.world.history().len() > 100, "{told:?}: clients have worked");
            events += ended.world.events();
        }
    }
    assert!(events > 100_000, "{events}");
}

#[test]
fn no_shipped_scenario_parts_from_its_twin() {
    run_with_twins("scenarios");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes in a debug build")]
fn no_large_scenario_parts_from_its_twin() {
    run_with_twins("scenarios/large");
}
