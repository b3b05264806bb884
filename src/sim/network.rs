//! The network between nodes: latency, loss, duplication, reordering and cuts, each link by its own draws.
//!
//! Every purpose of every directed link has a stream of its own, and every frame draws once from each of them whatever
//! becomes of it. So a changed rate moves no other draw: the same frames have the same latencies, and more of them are
//! lost. Frames overtake each other because each has its own latency.

use core::mem;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;

use crate::base::rng::{Ppm, Stream};
use crate::base::time::Duration;

/// A frame of the tail takes so many times as long.
const TAIL_FACTOR: u64 = 10;

/// How the network of a scenario behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NetworkPlan {
    pub latency_min: Duration,
    pub latency_max: Duration,
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
    /// It arrives after this time, and perhaps a copy of it after another.
    Arrives {
        after: Duration,
        again: Option<Duration>,
    },
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
}

/// What the network did to frames.
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
    nodes: usize,
    seed: u64,
    /// Those that ever had a frame. Of a thousand nodes' million links few have.
    links: BTreeMap<u64, Box<Link>>,
    cuts: Vec<Cut>,
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
            counts: Counts::default(),
            effective: Vec::new(),
        }
    }

    /// Decides the fate of one frame.
    pub fn send(&mut self, from: usize, to: usize) -> Fate {
        let plan = self.plan;
        // A link's entity does not depend on the number of nodes, so that one more node moves no draw of the others.
        let entity = ((from as u64) << 32) | to as u64;
        let link = self.links.entry(entity).or_insert_with(|| Box::new(Link::new(self.seed, entity)));
        let slow = |chance: bool| if chance { TAIL_FACTOR } else { 1 };
        let after = link.latency.between(plan.latency_min, plan.latency_max);
        let after = after.saturating_mul(slow(link.tail.chance(plan.tail)));
        let lost = link.loss.chance(plan.loss);
        let duplicated = link.duplication.chance(plan.duplication);
        let again = link.again.between(plan.latency_min, plan.latency_max);
        self.counts.offered += 1;
        if self.is_cut(from, to) {
            return Fate::Cut;
        }
        if lost {
            self.counts.lost += 1;
            return Fate::Lost;
        }
        self.counts.duplicated += u64::from(duplicated);
        Fate::Arrives { after, again: duplicated.then_some(again) }
    }

    /// Whether a cut stops a frame on this link now. Counts it if so.
    pub fn is_cut(&mut self, from: usize, to: usize) -> bool {
        if self.cuts.is_empty() {
            return false;
        }
        let index = self.link(from, to);
        let stopping = self.cuts.iter().filter(|cut| cut.links[index]).map(|cut| cut.fault);
        let before = self.effective.len();
        self.effective.extend(stopping);
        let stopped = self.effective.len() > before;
        self.counts.cut += u64::from(stopped);
        stopped
    }

    /// Cuts links, given as (from, to), for `fault`, until it is healed.
    pub fn cut(&mut self, fault: usize, pairs: &[(usize, usize)]) {
        let mut links = std::vec![false; self.nodes * self.nodes];
        for &(from, to) in pairs {
            links[self.link(from, to)] = true;
        }
        self.cuts.push(Cut { fault, links });
    }

    /// Joins what `fault` cut. Links that another fault cut as well stay cut.
    pub fn heal(&mut self, fault: usize) {
        self.cuts.retain(|cut| cut.fault != fault);
    }

    /// Joins everything, and loses and duplicates no more.
    pub fn calm(&mut self) {
        self.cuts.clear();
        self.plan.loss = Ppm::NEVER;
        self.plan.duplication = Ppm::NEVER;
    }

    pub fn is_whole(&self) -> bool {
        self.cuts.is_empty()
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

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: NetworkPlan = NetworkPlan {
        latency_min: Duration::from_micros(100),
        latency_max: Duration::from_millis(1),
        tail: Ppm(1_000),
        loss: Ppm::NEVER,
        duplication: Ppm::NEVER,
    };

    #[test]
    fn a_new_fault_rate_moves_no_other_draw() {
        let mut clean = Network::new(PLAN, 3, 42);
        let lossy = NetworkPlan { loss: Ppm(200_000), duplication: Ppm(100_000), ..PLAN };
        let mut lossy = Network::new(lossy, 3, 42);
        for frame in 0..1000 {
            let (from, to) = (frame % 3, (frame + 1) % 3);
            let Fate::Arrives { after: expected, again: None } = clean.send(from, to) else {
                panic!("a clean network lost a frame");
            };
            if let Fate::Arrives { after, .. } = lossy.send(from, to) {
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
        assert!((0..100).all(|_| three.send(2, 1) == four.send(2, 1)));
    }

    #[test]
    fn a_cut_stops_one_direction_until_its_own_fault_heals() {
        let mut network = Network::new(PLAN, 2, 1);
        network.cut(7, &[(0, 1)]);
        network.cut(8, &[(0, 1)]);
        assert_eq!(network.send(0, 1), Fate::Cut);
        assert_ne!(network.send(1, 0), Fate::Cut);
        network.heal(7);
        assert_eq!(network.send(0, 1), Fate::Cut);
        network.heal(8);
        assert_ne!(network.send(0, 1), Fate::Cut);
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
            let Fate::Arrives { after, .. } = network.send(0, 1) else { panic!("nothing is lost here") };
            assert!(after >= PLAN.latency_min && after <= PLAN.latency_max.saturating_mul(TAIL_FACTOR));
            tail += u32::from(after > PLAN.latency_max);
        }
        assert!((1..50).contains(&tail), "{tail}");
    }
}
