//! Fork and heal: would the cluster recover, if everything healed now?
//!
//! At the end of a run there is one calm, and a cluster that recovers from that one has shown little: what is stuck in
//! the middle may be freed by a later write, crash or restart. So now and then, and after each fault that begins or
//! ends, the world is cloned. In the clone faults stop, partitions heal, crashed nodes restart and clients ask for
//! nothing more; it has the scenario's `settle` to come to rest, and then no acknowledged write may be missing. The
//! clone is dropped. The world itself does not notice, which a test proves by its hashes.

use core::hash::{Hash, Hasher};
use std::format;
use std::string::String;
use std::vec::Vec;

use crate::base::time::{Duration, Instant};
use crate::sim::check::{self, Check};
use crate::sim::probe::probe;
use crate::sim::stuck;
use crate::sim::verdict::Verdict;
use crate::sim::world::World;

/// How often a calm cluster is asked whether it has recovered.
pub const ASK_EVERY: Duration = Duration::from_millis(500);
/// Clones after faults are at least this share of the cadence apart, or links that flap would be looked at only.
const SHARE_BETWEEN: u64 = 10;

/// How often a world is cloned and healed; zero for never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealPlan {
    pub every: Duration,
}

/// Nothing: it is the business of whoever drives the world, and changes nothing in it.
impl Hash for HealPlan {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A clone that did not recover.
#[derive(Clone, Debug)]
pub struct Unhealed {
    pub verdict: Verdict,
    pub reasons: Vec<String>,
}

/// When to heal the next clone, and what became of those before.
#[derive(Clone, Debug)]
pub struct Heals {
    every: Duration,
    last: Instant,
    /// Beginnings and ends of faults that had happened by then.
    turns: usize,
    clones: u64,
    events: u64,
    slowest: Duration,
    /// When the clone that is being healed was taken.
    underway: Option<Instant>,
}

impl Heals {
    pub fn new(plan: HealPlan) -> Heals {
        Heals {
            every: plan.every,
            last: Instant::ZERO,
            turns: 0,
            clones: 0,
            events: 0,
            slowest: Duration::ZERO,
            underway: None,
        }
    }

    /// Whether a clone should be healed now.
    pub fn is_due(&self, world: &World) -> bool {
        let since = world.now().since(self.last);
        let turned = turns(world) != self.turns && since >= self.every.divided(SHARE_BETWEEN);
        self.every > Duration::ZERO && (since >= self.every || turned)
    }

    /// Clones the world, heals the clone, and looks whether it recovers.
    pub fn heal(&mut self, world: &World) -> Result<(), Unhealed> {
        let began = world.now();
        (self.last, self.turns, self.underway) = (began, turns(world), Some(began));
        let mut clone = world.clone();
        // Every promise is audited in the world itself.
        clone.stop_audits();
        clone.grow_calm();
        let recovered = recover(&mut clone, began + world.scenario().settle);
        self.clones += 1;
        self.events += clone.events() - world.events();
        self.slowest = self.slowest.max(clone.now().since(began));
        self.underway = None;
        let healed = |reasons: Vec<String>| -> Vec<String> {
            reasons.into_iter().map(|reason| format!("healed at {began}: {reason}")).collect()
        };
        if !recovered {
            let reasons = clone.violations().iter().cloned().chain(stuck::explain(&clone)).collect();
            return Err(Unhealed { verdict: Verdict::Liveness, reasons: healed(reasons) });
        }
        let (found, ghost) = (probe(&clone), clone.ghost());
        let checks = check::of_world(clone.scenario(), clone.history(), &found, clone.violations(), ghost);
        let broken = check::failed(&checks);
        if broken.is_empty() {
            Ok(())
        } else {
            Err(Unhealed { verdict: Verdict::Safety, reasons: healed(broken) })
        }
    }

    /// What became of all clones, if none of them failed. `None` if there were none.
    pub fn check(&self) -> Option<Check> {
        let Heals { clones, slowest, events, .. } = self;
        let detail =
            format!("{clones} healed copies recovered, the slowest in {slowest}; {events} events of theirs");
        (self.clones > 0).then_some(Check { name: "heal", ok: true, detail })
    }

    /// When the clone that is being healed was taken.
    pub fn underway(&self) -> Option<Instant> {
        self.underway
    }

    /// How many clones were healed, and the events that this took.
    pub fn effort(&self) -> (u64, u64) {
        (self.clones, self.events)
    }
}

/// Beginnings and ends of declared faults.
fn turns(world: &World) -> usize {
    let effects = world.effects().iter();
    effects.map(|effect| usize::from(effect.began.is_some()) + usize::from(effect.ended.is_some())).sum()
}

/// Lets a calm world go on until it has recovered; false if it has not by `end`, or ran out of events.
fn recover(world: &mut World, end: Instant) -> bool {
    let mut ask = world.now();
    loop {
        ask = (ask + ASK_EVERY).min(end);
        while world.next_at().is_some_and(|at| at <= ask) {
            if world.events() >= world.scenario().events_max {
                return false;
            }
            world.step();
        }
        if has_recovered(world) {
            return true;
        }
        if ask == end {
            return false;
        }
    }
}

/// Whether everything that must be reached in the end is reached. Asking for the data is dear, so what costs little is
/// asked for first.
pub fn has_recovered(world: &World) -> bool {
    stuck::is_at_rest(world) && check::liveness(world.scenario(), &probe(world)).iter().all(|check| check.ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causal::dot::Dot;
    use crate::sim::fault::links_between;
    use crate::sim::history::{End, Operation};
    use crate::sim::scenario::Scenario;
    use std::sync::Arc;

    const SMALL: &str = include_str!("../../tests/sim/small.toml");

    fn world(text: &str, until: Duration) -> World {
        let mut world = World::new(Arc::new(Scenario::read(text, "small").expect("a good file")), 42);
        while world.now() < Instant::ZERO + until {
            world.step().expect("it goes on");
        }
        world
    }

    fn heals() -> Heals {
        Heals::new(HealPlan { every: Duration::from_secs(1) })
    }

    fn said(reasons: &[String], part: &str) -> bool {
        reasons.iter().any(|reason| reason.contains(part))
    }

    /// Two nodes are cut off, and others keep hints for them. In the copy the network is cut once more, after all has
    /// healed, and for ever.
    #[test]
    fn a_hint_that_cannot_be_delivered_is_told_with_who_believes_what() {
        let mut world = world(SMALL, Duration::from_millis(6_500));
        world.grow_calm();
        let mut well = world.clone();
        assert!(recover(&mut well, world.now() + Duration::from_secs(30)), "{:?}", stuck::explain(&well));
        let links = links_between(&[std::vec![4]], 5, false, false);
        world.network.cut(0, &links, world.now(), None);
        let end = world.now() + Duration::from_secs(30);
        assert!(!recover(&mut world, end));
        let reasons = stuck::explain(&world);
        assert!(said(&reasons, "hints for n5, the first for \"k"), "{reasons:#?}");
        assert!(said(&reasons, "n5 down (accused by n"), "{reasons:#?}");
        assert!(said(&reasons, "n5 believes: layout 1; n1 down (accused by n4 n5)"), "{reasons:#?}");
        assert!(said(&reasons, "slot "), "{reasons:#?}");
    }

    /// Without hints, and with an hour between two comparisons, nothing brings a lost write to its replica.
    #[test]
    fn a_slot_that_nobody_repairs_is_told_with_its_keys_and_clocks() {
        let text = SMALL
            .replace("gossip_every", "sloppy = false\nexchange_every = \"60m\"\ngossip_every")
            .replace("loss = \"0.5%\"", "loss = \"20%\"");
        let world = world(&text, Duration::from_secs(5));
        let unhealed = heals().heal(&world);
        let Unhealed { verdict, reasons } = unhealed.expect_err("it is stuck");
        assert_eq!(verdict, Verdict::Liveness);
        assert!(reasons.iter().all(|reason| reason.starts_with("healed at 5s: ")), "{reasons:#?}");
        assert!(said(&reasons, "differ, their trees in leaf ") && said(&reasons, "\" is {n"), "{reasons:#?}");
    }

    #[test]
    fn a_client_that_still_waits_is_told() {
        let mut world = world(SMALL, Duration::from_secs(3));
        while world.waiting() == 0 {
            world.step();
        }
        world.grow_calm();
        assert!(!recover(&mut world.clone(), world.now() + Duration(1)));
        assert!(said(&stuck::explain(&world), "still open: "), "{:?}", stuck::explain(&world));
    }

    /// The disk of n2 fails when the copy is healed: whatever was on its way to it cannot arrive.
    #[test]
    fn a_node_that_fails_while_it_is_healed_is_told() {
        let mut world = world(SMALL, Duration::from_secs(3));
        let unhealed = (0..50).find_map(|_| {
            (0..10).for_each(|_| assert!(world.step().is_some()));
            let mut failing = world.clone();
            failing.hosts[1].disk.fail_after(Some(0));
            heals().heal(&failing).err()
        });
        let Unhealed { reasons, .. } = unhealed.expect("a write was on its way to it");
        assert!(said(&reasons, "n2"), "{reasons:#?}");
    }

    /// All that was acknowledged is there, and the copy comes to rest; but one acknowledgement is made up.
    #[test]
    fn a_copy_that_recovers_without_an_acknowledged_write_breaks_a_promise() {
        let mut world = world(SMALL, Duration::from_millis(2_500));
        assert!(heals().heal(&world).is_ok());
        let made_up = world.history.iter().find_map(|operation| match &operation.result {
            End::Written { dot, acks, durable, context, result } => {
                let (dot, context) = (Dot { counter: dot.counter + 1000, ..*dot }, context.clone());
                let (acks, durable, result) = (*acks, *durable, *result);
                let end = End::Written { dot, acks, durable, context, result };
                Some(Operation { result: end, ..operation.clone() })
            }
            _ => None,
        });
        Arc::make_mut(&mut world.history).push(made_up.expect("clients have written"));
        let Unhealed { verdict, reasons } = heals().heal(&world).expect_err("a write is missing");
        assert_eq!(verdict, Verdict::Safety);
        assert!(said(&reasons, "durable: ") && said(&reasons, "lost"), "{reasons:#?}");
    }

    #[test]
    fn copies_are_due_after_faults_and_at_a_cadence() {
        let scenario = Scenario::read(SMALL, "small").expect("a good file");
        let mut world = World::new(Arc::new(scenario), 42);
        let mut heals = Heals::new(HealPlan { every: Duration::from_secs(20) });
        let mut due = Vec::new();
        while world.now() < Instant::ZERO + Duration::from_secs(10) {
            world.step();
            if heals.is_due(&world) {
                heals.heal(&world).expect("it recovers");
                due.push(world.now().0 / 1_000_000_000);
            }
        }
        // The partition begins at 4 s. The crash at 5 s comes too soon after it, and is looked at with the restart at
        // 6 s; so does its end at 7 s.
        assert_eq!(due, [4, 6, 8]);
        assert!(!Heals::new(HealPlan { every: Duration::ZERO }).is_due(&world));
    }
}
