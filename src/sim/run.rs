//! A run: a world driven to its end, and the verdict on it.
//!
//! First the faults and the clients, for as long as the scenario says, while copies of the world are healed now and
//! then ([`heal`](crate::sim::heal)). Then calm: everything heals, every node runs, nobody asks for anything, and the
//! cluster has a limited time to recover. A cluster that has not recovered by then is told with what keeps it. Then
//! every promise is checked.

use std::any::Any;
use std::format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use crate::base::time::{Duration, Instant};
use crate::sim::check::{self, Check, failed};
use crate::sim::heal::{ASK_EVERY, Heals, Unhealed, has_recovered};
use crate::sim::history::Class;
use crate::sim::probe::probe;
use crate::sim::scenario::Scenario;
use crate::sim::stuck;
use crate::sim::twin::Twins;
use crate::sim::verdict::Verdict;
use crate::sim::world::World;

/// How often, in virtual time, progress is told.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    pub seed: u64,
    pub world: World,
    pub verdict: Verdict,
    /// What led to the verdict; empty for a pass.
    pub reasons: Vec<String>,
    pub checks: Vec<Check>,
    /// The copies that were healed on the way.
    pub heals: Heals,
    pub state_hash: u64,
}

/// Why the driving stopped.
enum Stop {
    Recovered,
    Stuck,
    Budget,
    Parted(String),
    Unhealed(Unhealed),
}

/// A world, and its twin if determinism is to be proved.
struct Driver<'a> {
    world: World,
    twins: Option<Twins>,
    heals: Heals,
    /// Called before each event.
    tell: Option<&'a mut dyn FnMut(&World)>,
}

/// Runs `scenario` under `seed` to its end. With a `twin`, a second world is driven in lockstep, and the verdict is
/// `nondeterminism` at the first event at which they part. `progress` is told now and then.
///
/// A panic of the core ends the run with the verdict `safety`.
pub fn run(scenario: Arc<Scenario>, seed: u64, twin: bool, progress: &mut dyn FnMut(&World)) -> Ended {
    judge(Driver::begin(scenario, seed, twin), seed, progress)
}

/// The same run, and before each event `tell` is called with the world whose [`World::next_event`] it is.
pub fn run_told<'a>(
    scenario: Arc<Scenario>,
    seed: u64,
    twin: bool,
    progress: &mut dyn FnMut(&World),
    tell: &'a mut dyn FnMut(&World),
) -> Ended {
    judge(Driver { tell: Some(tell), ..Driver::begin(scenario, seed, twin) }, seed, progress)
}

fn judge(mut driver: Driver<'_>, seed: u64, progress: &mut dyn FnMut(&World)) -> Ended {
    // The world is only counted and hashed after a panic, and never stepped again.
    let stop = catch_unwind(AssertUnwindSafe(|| driver.drive(progress)));
    let Driver { world, heals, .. } = driver;
    let (verdict, reasons, mut checks) = match stop {
        Err(panic) => {
            let place = match heals.underway() {
                Some(at) => format!("in a copy that was healed at {at}"),
                None => format!("at {}", world.now()),
            };
            let reason = format!("the core panicked {place}: {}", message(&*panic));
            (Verdict::Safety, std::vec![reason], Vec::new())
        }
        Ok(Stop::Parted(reason)) => (Verdict::Nondeterminism, std::vec![reason], Vec::new()),
        Ok(Stop::Unhealed(Unhealed { verdict, reasons })) => {
            let check = Check { name: "heal", ok: false, detail: reasons.join("; ") };
            (verdict, reasons, std::vec![check])
        }
        Ok(stop) => conclude(&world, &stop),
    };
    if matches!(verdict, Verdict::Pass | Verdict::Vacuous) {
        checks.extend(heals.check());
    }
    let state_hash = world.state_hash();
    Ended { seed, world, verdict, reasons, checks, heals, state_hash }
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
    let mut checks = check::safety(scenario, world.history(), &probe, world.violations(), world.ghost());
    checks.extend((!scenario.prunes()).then(|| world.audit().check()));
    checks.extend(scenario.expect.promises(scenario.nodes[0].cluster, world.history()));
    checks.extend(scenario.expect.absent(world.facts()));
    checks.push(check::membership::convictions(world.membership(), scenario.news_within()));
    let mut recovery = check::liveness(scenario, &probe);
    // What a fault has damaged has to be mended in time; other damage must never be.
    let storage = check::storage::check(world.hosts.iter().map(|host| &host.disk));
    let damage = failed(std::slice::from_ref(&storage));
    if world.ghost().is_quiet() { &mut checks } else { &mut recovery }.push(storage);
    recovery.extend(
        scenario.expect.news_rounds.map(|rounds| {
            check::membership::check(world.membership(), rounds, scenario.nodes[0].gossip_every)
        }),
    );
    let broken = failed(&checks);
    let is_stuck = matches!(stop, Stop::Stuck) || recovery.iter().any(|check| !check.ok);
    checks.extend(recovery);
    let shown = scenario.expect.demonstrations(scenario.nodes[0].cluster, world.history());
    let mut vacuous = vacuous(world);
    vacuous.extend(failed(&shown));
    checks.extend(shown);
    if !broken.is_empty() {
        (Verdict::Safety, broken, checks)
    } else if is_stuck {
        (Verdict::Liveness, [damage, stuck::explain(world)].concat(), checks)
    } else if !vacuous.is_empty() {
        (Verdict::Vacuous, vacuous, checks)
    } else {
        (Verdict::Pass, Vec::new(), checks)
    }
}

/// Whether nothing is left of what faults have damaged on disks. Cold damage is found only when the scrub comes by.
fn is_mended(world: &World) -> bool {
    world.ghost().is_quiet() || check::storage::check(world.hosts.iter().map(|host| &host.disk)).ok
}

/// What was declared and did not happen.
fn vacuous(world: &World) -> Vec<String> {
    let scenario = world.scenario();
    let mut reasons = Vec::new();
    for (fault, effect) in world.faults().iter().zip(world.effects()).filter(|(fault, _)| !fault.drawn) {
        if !effect.effective {
            let why = if effect.refused { "was refused by the budget" } else { "had no effect" };
            reasons.push(format!("the {} at {} {why}", fault.action.kind(), fault.at));
        }
    }
    for rate in &scenario.rates {
        let mut drawn = world.faults().iter().zip(world.effects()).filter(|(fault, _)| fault.drawn);
        if !drawn.any(|(fault, effect)| fault.action.kind() == rate.kind && effect.effective) {
            reasons.push(format!("no {} of the rate had an effect", rate.kind));
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
        if count == 0 && scenario.expect.facts.contains(&fact) {
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

impl<'a> Driver<'a> {
    fn begin(scenario: Arc<Scenario>, seed: u64, twin: bool) -> Driver<'a> {
        let twin = twin.then(|| World::new(scenario.clone(), seed));
        Driver::new(World::new(scenario, seed), twin)
    }

    fn new(world: World, twin: Option<World>) -> Driver<'a> {
        let heals = Heals::new(world.scenario().heal);
        let twins = twin.map(|twin| Twins::new(&world, twin));
        Driver { world, twins, heals, tell: None }
    }

    /// Drives the world until something stops it; twins must be equal then.
    fn drive(&mut self, progress: &mut dyn FnMut(&World)) -> Stop {
        let stop = self.drive_on(progress);
        match (&stop, &mut self.twins) {
            (Stop::Parted(_), _) | (_, None) => stop,
            (_, Some(twins)) => twins.compare(&self.world).err().map_or(stop, Stop::Parted),
        }
    }

    fn drive_on(&mut self, progress: &mut dyn FnMut(&World)) -> Stop {
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
            if until < calm
                && self.heals.is_due(&self.world)
                && let Err(unhealed) = self.heals.heal(&self.world)
            {
                return Stop::Unhealed(unhealed);
            }
            if until >= ask || until == end {
                if has_recovered(&self.world) && is_mended(&self.world) {
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
            if let Some(tell) = &mut self.tell {
                tell(&self.world);
            }
            let Some(twins) = &mut self.twins else {
                self.world.step();
                continue;
            };
            if let Err(parting) = twins.step(&mut self.world) {
                return Some(Stop::Parted(parting));
            }
        }
        let twins = self.twins.as_mut().filter(|twins| twins.is_due(&self.world))?;
        twins.compare(&self.world).err().map(Stop::Parted)
    }
}

/// Runs two different worlds as if they were twins.
#[cfg(test)]
fn run_apart(scenario: &Arc<Scenario>, seeds: (u64, u64)) -> Ended {
    let world = World::new(scenario.clone(), seeds.0);
    let twin = Some(World::new(scenario.clone(), seeds.1));
    judge(Driver::new(world, twin), seeds.0, &mut |_| {})
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
        assert!(ended.reasons[0].starts_with("before the first event: node 1 / "), "{:?}", ended.reasons);
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
        let ended = judge(Driver::new(World::new(scenario(), 1), None), 1, &mut |world| {
            assert!(world.now() < Instant::ZERO + Duration::from_secs(1), "planted");
        });
        assert_eq!(ended.verdict, Verdict::Safety);
        assert!(ended.reasons[0].contains("planted"), "{:?}", ended.reasons);
    }
}
