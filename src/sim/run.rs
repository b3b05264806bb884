//! A run: a world driven to its end, and the verdict on it.
//!
//! First the faults and the clients, for as long as the scenario says. Then calm: everything heals, every node runs,
//! nobody asks for anything, and the cluster has a limited time to recover. A cluster that has not recovered by then
//! is told with what keeps it. Then every promise is checked.

use std::any::Any;
use std::format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use crate::base::time::{Duration, Instant};
use crate::sim::check::{self, Check};
use crate::sim::history::Class;
use crate::sim::probe::probe;
use crate::sim::scenario::Scenario;
use crate::sim::verdict::Verdict;
use crate::sim::world::{Step, World};

/// How often, in virtual time, progress is told, and twins compare all they know.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// How often a calm cluster is asked whether it has recovered.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub seed: u64,
    pub world: World,
    pub verdict: Verdict,
    /// What led to the verdict; empty for a pass.
    pub reasons: Vec<String>,
    pub checks: Vec<Check>,
    pub state_hash: u64,
}

/// Why the driving stopped.
enum Stop {
    Recovered,
    Stuck,
    Budget,
    Parted(String),
}

/// A world, and its twin if determinism is to be proved.
struct Driver {
    world: World,
    twin: Option<World>,
}

/// Runs `scenario` under `seed` to its end. With a `twin`, a second world is driven in lockstep, and the verdict is
/// `nondeterminism` at the first event at which they part. `progress` is told now and then.
///
/// A panic of the core ends the run with the verdict `safety`.
pub fn run(scenario: Arc<Scenario>, seed: u64, twin: bool, progress: &mut dyn FnMut(&World)) -> Ended {
    let world = World::new(scenario.clone(), seed);
    let twin = twin.then(|| World::new(scenario, seed));
    judge(Driver { world, twin }, seed, progress)
}

fn judge(mut driver: Driver, seed: u64, progress: &mut dyn FnMut(&World)) -> Ended {
    // The world is only counted and hashed after a panic, and never stepped again.
    let stop = catch_unwind(AssertUnwindSafe(|| driver.drive(progress)));
    let world = driver.world;
    let (verdict, reasons, checks) = match stop {
        Err(panic) => {
            let reason = format!("the core panicked at {}: {}", world.now(), message(&*panic));
            (Verdict::Safety, std::vec![reason], Vec::new())
        }
        Ok(Stop::Parted(reason)) => (Verdict::Nondeterminism, std::vec![reason], Vec::new()),
        Ok(stop) => conclude(&world, &stop),
    };
    let state_hash = world.state_hash();
    Ended { seed, world, verdict, reasons, checks, state_hash }
}

/// Checks every promise that can be checked after such a stop.
fn conclude(world: &World, stop: &Stop) -> (Verdict, Vec<String>, Vec<Check>) {
    let scenario = world.scenario();
    if let Stop::Budget = stop {
        let reason = format!("{} events, and only at {}", world.events(), world.now());
        let cluster = scenario.nodes[0].cluster;
        let checks = check::of_history(cluster, world.history(), scenario.overlaps());
        let broken = failed(&checks);
        let verdict = if broken.is_empty() { Verdict::Budget } else { Verdict::Safety };
        return (verdict, if broken.is_empty() { std::vec![reason] } else { broken }, checks);
    }
    let probe = probe(world);
    let mut checks = check::safety(scenario, world.history(), &probe, world.violations());
    checks.push(world.audit().check());
    let broken = failed(&checks);
    let mut recovery = check::liveness(scenario, &probe);
    recovery.extend(
        scenario.news_rounds.map(|rounds| {
            check::membership::check(world.membership(), rounds, scenario.nodes[0].gossip_every)
        }),
    );
    let stuck = failed(&recovery);
    checks.extend(recovery);
    let vacuous = vacuous(world);
    if !broken.is_empty() {
        (Verdict::Safety, broken, checks)
    } else if matches!(stop, Stop::Stuck) || !stuck.is_empty() {
        let waiting = world.waiting();
        let waits = (waiting > 0).then(|| format!("{waiting} clients still wait for an answer"));
        (Verdict::Liveness, stuck.into_iter().chain(waits).collect(), checks)
    } else if !vacuous.is_empty() {
        (Verdict::Vacuous, vacuous, checks)
    } else {
        (Verdict::Pass, Vec::new(), checks)
    }
}

fn failed(checks: &[Check]) -> Vec<String> {
    checks.iter().filter(|check| !check.ok).map(|check| format!("{}: {}", check.name, check.detail)).collect()
}

/// What was declared and did not happen.
fn vacuous(world: &World) -> Vec<String> {
    let scenario = world.scenario();
    let mut reasons = Vec::new();
    for (fault, effect) in scenario.faults.iter().zip(world.effects()) {
        if !effect.effective {
            reasons.push(format!("the {} at {} had no effect", fault.action.kind(), fault.at));
        }
    }
    let counts = world.network().counts();
    for (name, rate, effective) in [
        ("loss", scenario.network.loss, counts.lost),
        ("duplication", scenario.network.duplication, counts.duplicated),
    ] {
        if rate.0 > 0 && effective == 0 {
            reasons.push(format!("the {name} of frames had no effect"));
        }
    }
    for (fact, count) in world.facts() {
        if count == 0 && scenario.expect.contains(&fact) {
            reasons.push(format!("the fact {} was not reached", fact.name()));
        }
    }
    if !world.history().iter().any(|operation| operation.class() == Class::Ok) {
        reasons.push("no operation succeeded".into());
    }
    reasons
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| String::from(*text));
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".into())
}

impl Driver {
    fn drive(&mut self, progress: &mut dyn FnMut(&World)) -> Stop {
        let scenario = self.world.scenario();
        let calm = Instant::ZERO + scenario.duration;
        let end = calm + scenario.settle;
        let mut until = Instant::ZERO;
        let mut ask = calm + ASK_EVERY;
        loop {
            until = (until + TELL_EVERY).min(end);
            if let Some(stop) = self.advance(until) {
                return stop;
            }
            progress(&self.world);
            if until >= ask || until == end {
                if self.has_recovered() {
                    return Stop::Recovered;
                }
                ask = until + ASK_EVERY;
            }
            if until == end {
                return Stop::Stuck;
            }
        }
    }

    /// Lets everything happen up to `until`.
    fn advance(&mut self, until: Instant) -> Option<Stop> {
        let events_max = self.world.scenario().events_max;
        while self.world.next_at().is_some_and(|at| at <= until) {
            if self.world.events() >= events_max {
                return Some(Stop::Budget);
            }
            let step = self.world.step();
            if let Some(twin) = &mut self.twin {
                let other = twin.step();
                if self.world.trace_hash() != twin.trace_hash() {
                    return Some(Stop::Parted(parting(self.world.events(), step, other)));
                }
            }
        }
        let twin = self.twin.as_ref()?;
        (self.world.state_hash() != twin.state_hash()).then(|| {
            let events = self.world.events();
            Stop::Parted(format!(
                "after event {events} at {until} the twins' states differ, their traces do not"
            ))
        })
    }

    fn has_recovered(&self) -> bool {
        let world = &self.world;
        world.waiting() == 0 && {
            check::liveness(world.scenario(), &probe(world)).iter().all(|check| check.ok)
        }
    }
}

/// Names the event at which twins parted. What differs is what the event did, if it is the same event.
fn parting(number: u64, ours: Option<Step>, theirs: Option<Step>) -> String {
    let name = |step: Option<Step>| match step {
        Some(Step { at, kind, whom }) => format!("{kind} {whom} at {at}"),
        None => "nothing".into(),
    };
    if ours == theirs {
        format!("event {number} ({}) had two outcomes", name(ours))
    } else {
        format!("event {number} was {} in one world and {} in its twin", name(ours), name(theirs))
    }
}

/// Runs two different worlds as if they were twins.
#[cfg(test)]
fn run_apart(scenario: &Arc<Scenario>, seeds: (u64, u64)) -> Ended {
    let world = World::new(scenario.clone(), seeds.0);
    let twin = Some(World::new(scenario.clone(), seeds.1));
    judge(Driver { world, twin }, seeds.0, &mut |_| {})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Arc<Scenario> {
        let text = "[cluster]\nnodes = 3\n[run]\nduration = \"2s\"\nsettle = \"5s\"\n[clients]\ncount = 2\n";
        Arc::new(Scenario::read(text, "small").expect("a scenario"))
    }

    #[test]
    fn worlds_that_part_are_told_apart_at_the_first_event() {
        let ended = run_apart(&scenario(), (1, 2));
        assert_eq!(ended.verdict, Verdict::Nondeterminism);
        assert!(ended.reasons[0].starts_with("event 1 "), "{:?}", ended.reasons);
    }

    #[test]
    fn true_twins_do_not_part() {
        let ended = run(scenario(), 1, true, &mut |_| {});
        assert_ne!(ended.verdict, Verdict::Nondeterminism, "{:?}", ended.reasons);
    }

    #[test]
    fn a_budget_of_events_ends_a_run() {
        let mut scenario = Scenario::clone(&scenario());
        scenario.events_max = 10;
        let ended = run(Arc::new(scenario), 1, false, &mut |_| {});
        assert_eq!((ended.verdict, ended.world.events()), (Verdict::Budget, 10));
    }

    #[test]
    fn a_panic_is_a_verdict_and_not_the_end_of_the_process() {
        let ended = judge(Driver { world: World::new(scenario(), 1), twin: None }, 1, &mut |world| {
            assert!(world.now() < Instant::ZERO + Duration::from_secs(1), "planted");
        });
        assert_eq!(ended.verdict, Verdict::Safety);
        assert!(ended.reasons[0].contains("planted"), "{:?}", ended.reasons);
    }
}
