//! The network between nodes: latency, loss, duplication, reordering and cuts, each link by its own draws.
//!
//! Every purpose of every directed link has a stream of its own, and every frame draws once from each of them whatever
//! becomes of it. So a changed rate moves no other draw: the same frames have the same latencies, and more of them are
//! lost. Frames overtake each other because each has its own latency.

mod disturb;
mod shape;

use core::mem;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;

use crate::base::rng::{Ppm, Stream};
use crate::base::time::{Duration, Instant};

pub use disturb::LinkFault;
use disturb::{Disturbance, Passage};
pub use shape::{Shape, gap};

/// A frame of the tail takes so many times as long.
const TAIL_FACTOR: u64 = 10;

/// How the network of a scenario behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetworkPlan {
    pub latency_min: Duration,
    pub latency_max: Duration,
    pub shape: Shape,
    /// The chance that a frame takes ten times as long as it was drawn to take.
    pub tail: Ppm,
    pub loss: Ppm,
    pub duplication: Ppm,
}

/// What becomes of a frame that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// A cut is in the way.
    Cut,
    Lost,
    /// It arrives after this time, and perhaps a copy of it after another; perhaps with bits that this draw makes
    /// wrong.
    Arrives {
        after: Duration,
        again: Option<Duration>,
        garbled: Option<u64>,
    },
}

/// A cut that comes and goes: for one span there, for the next not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flap {
    pub cut: Duration,
    pub whole: Duration,
}

#[derive(Clone, Debug, Hash)]
struct Link {
    latency: Stream,
    tail: Stream,
    loss: Stream,
    duplication: Stream,
    /// The latency of duplicates.
    again: Stream,
}

impl Link {
    fn new(seed: u64, entity: u64) -> Link {
        Link {
            latency: Stream::new(seed, "net.latency", entity),
            tail: Stream::new(seed, "net.tail", entity),
            loss: Stream::new(seed, "net.loss", entity),
            duplication: Stream::new(seed, "net.duplication", entity),
            again: Stream::new(seed, "net.again", entity),
        }
    }
}

/// Links that are cut, by the fault that cut them.
#[derive(Clone, Debug, Hash)]
struct Cut {
    fault: usize,
    /// By [`Network::link`].
    links: Vec<bool>,
    since: Instant,
    flap: Option<Flap>,
}

impl Cut {
    fn stops(&self, link: usize, now: Instant) -> bool {
        let is_on = |flap: Flap| now.since(self.since).0 % (flap.cut.0 + flap.whole.0) < flap.cut.0;
        self.links[link] && self.flap.is_none_or(is_on)
    }
}

/// What the network did to frames by itself; what faults did is accounted for by fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    pub offered: u64,
    pub lost: u64,
    pub duplicated: u64,
    /// Dropped by a cut, when sent or on the way.
    pub cut: u64,
}

#[derive(Clone, Debug, Hash)]
pub struct Network {
    plan: NetworkPlan,
    seed: u64,
    nodes: usize,
    /// Those that ever had a frame. Of a thousand nodes' million links few have.
    links: BTreeMap<u64, Box<Link>>,
    cuts: Vec<Cut>,
    disturbances: Vec<Disturbance>,
    counts: Counts,
    /// Faults that dropped a frame since they were last asked for.
    effective: Vec<usize>,
}

impl Network {
    pub fn new(plan: NetworkPlan, nodes: usize, seed: u64) -> Network {
        Network {
            plan,
            nodes,
            seed,
            links: BTreeMap::new(),
            cuts: Vec::new(),
            disturbances: Vec::new(),
            counts: Counts::default(),
            effective: Vec::new(),
        }
    }

    /// Decides the fate of one frame of `len` bytes.
    pub fn send(&mut self, from: usize, to: usize, now: Instant, len: usize) -> Fate {
        let plan = self.plan;
        // A link's entity does not depend on the number of nodes, so that one more node moves no draw of the others.
        let (index, entity) = (self.link(from, to), entity(from, to));
        let link = self.links.entry(entity).or_insert_with(|| Box::new(Link::new(self.seed, entity)));
        let slow = |chance: bool| if chance { TAIL_FACTOR } else { 1 };
        let after = plan.shape.draw(&mut link.latency, plan.latency_min, plan.latency_max);
        let after = after.saturating_mul(slow(link.tail.chance(plan.tail)));
        let lost = link.loss.chance(plan.loss);
        let duplicated = link.duplication.chance(plan.duplication);
        let again = plan.shape.draw(&mut link.again, plan.latency_min, plan.latency_max);
        self.counts.offered += 1;
        if self.is_cut(from, to, now) {
            return Fate::Cut;
        }
        if lost {
            self.counts.lost += 1;
            return Fate::Lost;
        }
        let mut passage = Passage { again: duplicated, ..Passage::default() };
        if !self.disturbances.is_empty() {
            self.disturb_frame(index, entity, now, len as u64, &mut passage);
        }
        if passage.lost {
            return Fate::Lost;
        }
        self.counts.duplicated += u64::from(duplicated);
        let held = passage.not_before.since(now).0 + passage.delay.0;
        let after = Duration(after.0 + held);
        let again = passage.again.then_some(Duration(again.0 + held));
        Fate::Arrives { after, again, garbled: passage.garbled }
    }

    fn disturb_frame(&mut self, link: usize, entity: u64, now: Instant, len: u64, passage: &mut Passage) {
        for disturbance in &mut self.disturbances {
            if disturbance.meet(link, entity, now, len, passage) {
                self.effective.push(disturbance.fault);
            }
        }
    }

    /// Whether a cut stops a frame on this link now. Counts it if so.
    pub fn is_cut(&mut self, from: usize, to: usize, now: Instant) -> bool {
        if self.cuts.is_empty() {
            return false;
        }
        let index = self.link(from, to);
        let stopping = self.cuts.iter().filter(|cut| cut.stops(index, now)).map(|cut| cut.fault);
        let before = self.effective.len();
        self.effective.extend(stopping);
        let stopped = self.effective.len() > before;
        self.counts.cut += u64::from(stopped);
        stopped
    }

    /// Cuts links, given as (from, to), for `fault`, until it is healed.
    pub fn cut(&mut self, fault: usize, pairs: &[(usize, usize)], since: Instant, flap: Option<Flap>) {
        let links = self.marked(pairs);
        self.cuts.push(Cut { fault, links, since, flap });
    }

    /// Disturbs links, given as (from, to), for `fault`, until it is healed, which will be at `until`. `ordinal` is
    /// its place among the faults of its kind.
    pub fn disturb(
        &mut self,
        fault: usize,
        ordinal: u64,
        what: LinkFault,
        pairs: &[(usize, usize)],
        until: Instant,
    ) {
        let links = self.marked(pairs);
        self.disturbances.push(Disturbance::new(fault, what, links, until, (self.seed, ordinal)));
    }

    fn marked(&self, pairs: &[(usize, usize)]) -> Vec<bool> {
        let mut links = std::vec![false; self.nodes * self.nodes];
        for &(from, to) in pairs {
            links[self.link(from, to)] = true;
        }
        links
    }

    /// Joins what `fault` cut, and ends what it disturbed. Links that another fault cut as well stay cut.
    pub fn heal(&mut self, fault: usize) {
        self.cuts.retain(|cut| cut.fault != fault);
        self.disturbances.retain(|disturbance| disturbance.fault != fault);
    }

    /// Joins everything, and loses and duplicates no more.
    pub fn calm(&mut self) {
        self.cuts.clear();
        self.disturbances.clear();
        self.plan.loss = Ppm::NEVER;
        self.plan.duplication = Ppm::NEVER;
    }

    pub fn is_whole(&self) -> bool {
        self.cuts.is_empty() && self.disturbances.is_empty()
    }

    /// The faults whose cuts dropped frames since the last call, with repetitions.
    pub fn take_effective(&mut self, into: &mut Vec<usize>) {
        mem::swap(&mut self.effective, into);
        self.effective.clear();
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn link(&self, from: usize, to: usize) -> usize {
        assert!(from < self.nodes && to < self.nodes, "a link between nodes that exist");
        from * self.nodes + to
    }
}

/// A link as streams know it. It does not depend on the number of nodes, so that one more node moves no draw of the
/// others.
fn entity(from: usize, to: usize) -> u64 {
    ((from as u64) << 32) | to as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: NetworkPlan = NetworkPlan {
        latency_min: Duration::from_micros(100),
        latency_max: Duration::from_millis(1),
        shape: Shape::Uniform,
        tail: Ppm(1_000),
        loss: Ppm::NEVER,
        duplication: Ppm::NEVER,
    };
    const NOW: Instant = Instant(1_000_000_000);

    #[test]
    fn a_new_fault_rate_moves_no_other_draw() {
        let mut clean = Network::new(PLAN, 3, 42);
        let lossy = NetworkPlan { loss: Ppm(200_000), duplication: Ppm(100_000), ..PLAN };
        let mut lossy = Network::new(lossy, 3, 42);
        for frame in 0..1000 {
            let (from, to) = (frame % 3, (frame + 1) % 3);
            let Fate::Arrives { after: expected, again: None, .. } = clean.send(from, to, NOW, 100) else {
                panic!("a clean network lost a frame");
            };
            if let Fate::Arrives { after, .. } = lossy.send(from, to, NOW, 100) {
                assert_eq!(after, expected, "frame {frame}");
            }
        }
        let counts = lossy.counts();
        assert!(counts.lost > 150 && counts.duplicated > 50, "{counts:?}");
    }

    #[test]
    fn one_more_node_moves_no_draw_of_the_others() {
        let mut three = Network::new(PLAN, 3, 42);
        let mut four = Network::new(PLAN, 4, 42);
        assert!((0..100).all(|_| three.send(2, 1, NOW, 9) == four.send(2, 1, NOW, 9)));
    }

    #[test]
    fn a_cut_stops_one_direction_until_its_own_fault_heals() {
        let mut network = Network::new(PLAN, 2, 1);
        network.cut(7, &[(0, 1)], NOW, None);
        network.cut(8, &[(0, 1)], NOW, None);
        assert_eq!(network.send(0, 1, NOW, 9), Fate::Cut);
        assert_ne!(network.send(1, 0, NOW, 9), Fate::Cut);
        network.heal(7);
        assert_eq!(network.send(0, 1, NOW, 9), Fate::Cut);
        network.heal(8);
        assert_ne!(network.send(0, 1, NOW, 9), Fate::Cut);
        let mut effective = Vec::new();
        network.take_effective(&mut effective);
        assert_eq!(effective, [7, 8, 8]);
        assert_eq!(network.counts().cut, 2);
    }

    #[test]
    fn latencies_stay_between_their_bounds_but_for_the_tail() {
        let mut network = Network::new(PLAN, 2, 1);
        let mut tail = 0;
        for _ in 0..10_000 {
            let Fate::Arrives { after, .. } = network.send(0, 1, NOW, 9) else {
                panic!("nothing is lost here")
            };
            assert!(after >= PLAN.latency_min && after <= PLAN.latency_max.saturating_mul(TAIL_FACTOR));
            tail += u32::from(after > PLAN.latency_max);
        }
        assert!((1..50).contains(&tail), "{tail}");
    }

    fn fates(network: &mut Network) -> Vec<Fate> {
        (0..1000u64).map(|frame| network.send(0, 1, NOW + Duration::from_millis(frame), 1000)).collect()
    }

    fn effective(network: &mut Network) -> usize {
        let mut effective = Vec::new();
        network.take_effective(&mut effective);
        assert!(effective.iter().all(|fault| *fault == 5), "{effective:?}");
        effective.len()
    }

    /// Every disturbance against a network without it: what it does, how often it says so, and that it moves no draw
    /// of what it does not concern.
    #[test]
    fn each_disturbance_does_its_own_and_nothing_else() {
        let (ten, share) = (Duration::from_millis(10), Ppm(300_000));
        for what in [
            LinkFault::Delay { min: ten, max: ten },
            LinkFault::Loss(share),
            LinkFault::Duplication(share),
            LinkFault::Corruption(share),
            LinkFault::Reordering { share, by: ten },
            LinkFault::Bandwidth(500_000),
            LinkFault::Clog,
        ] {
            let mut clean = Network::new(PLAN, 2, 42);
            let mut network = Network::new(PLAN, 2, 42);
            let until = NOW + Duration::from_millis(500);
            network.disturb(5, 0, what, &[(0, 1)], until);
            let (expected, found) = (fates(&mut clean), fates(&mut network));
            let mut changed = 0;
            for (frame, (&expected, &found)) in expected.iter().zip(&found).enumerate() {
                changed += usize::from(expected != found);
                let Fate::Arrives { after: soon, again: None, garbled: None } = expected else {
                    panic!("a clean network harmed a frame");
                };
                match (what, found) {
                    (LinkFault::Loss(_), Fate::Lost) => {}
                    (LinkFault::Delay { .. }, Fate::Arrives { after, .. }) => {
                        assert_eq!(after.0, soon.0 + ten.0);
                    }
                    (LinkFault::Reordering { .. }, Fate::Arrives { after, .. }) => {
                        assert!(after >= soon && after.0 <= soon.0 + ten.0);
                    }
                    // Two milliseconds for each frame, of which one comes every millisecond.
                    (LinkFault::Bandwidth(_), Fate::Arrives { after, .. }) => {
                        assert_eq!(after.0, soon.0 + (frame as u64 + 2) * 1_000_000);
                    }
                    (LinkFault::Clog, Fate::Arrives { after, .. }) => {
                        let sent = NOW + Duration::from_millis(frame as u64);
                        assert_eq!(after.0, soon.0 + until.since(sent).0);
                    }
                    (_, Fate::Arrives { after, .. }) => assert_eq!(after, soon, "{what:?}"),
                    (what, fate) => panic!("{what:?}: {fate:?}"),
                }
            }
            // The first frame finds a narrow link free, and is slowed all the same.
            let slack = usize::from(matches!(what, LinkFault::Bandwidth(_)));
            assert_eq!(effective(&mut network) + slack, changed, "{what:?}");
            assert!(changed > 250, "{what:?}: {changed}");
            network.heal(5);
            clean.heal(5);
            assert_eq!(fates(&mut network), fates(&mut clean), "{what:?}");
        }
    }

    #[test]
    fn a_flapping_cut_comes_and_goes() {
        let mut network = Network::new(PLAN, 2, 42);
        let flap = Flap { cut: Duration::from_millis(3), whole: Duration::from_millis(7) };
        network.cut(5, &[(0, 1)], NOW, Some(flap));
        let cut = fates(&mut network).into_iter().filter(|fate| *fate == Fate::Cut).count();
        assert_eq!((cut, effective(&mut network)), (300, 300));
    }
}
