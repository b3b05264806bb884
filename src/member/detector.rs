//! When a member counts as down: the two-observer rule.
//!
//! One observer's word convicts nobody, because the silence may be on its side: its link, its overload, its pause.
//! Observers are counted by origin, so an accusation that comes back by three ways is still one; and an accusation
//! speaks of one heartbeat of one generation, so any later sign of life refutes it.

use alloc::collections::BTreeMap;

use crate::base::id::{Generation, NodeId};
use crate::base::time::{Duration, Instant};
use crate::member::gossip::Accusation;

/// Distinct observers that convict.
const OBSERVERS: usize = 2;
/// Accusations kept of one member: more observers than this add nothing.
const KEPT_MAX: usize = 8;

/// What is held against one member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Charges {
    /// By accuser: the accusation, and when it was last heard here.
    by: BTreeMap<NodeId, (Accusation, Instant)>,
}

impl Charges {
    /// Hears an accusation against a member of which `generation` and `heartbeat` are known here; one that these
    /// refute is ignored. So is the word of the accused, and one more than can matter.
    pub fn hear(&mut self, accusation: Accusation, generation: Generation, heartbeat: u64, now: Instant) {
        let refuted = (accusation.generation, accusation.heartbeat) < (generation, heartbeat);
        let room = self.by.len() < KEPT_MAX || self.by.contains_key(&accusation.accuser);
        if refuted || accusation.accuser == accusation.accused || !room {
            return;
        }
        let heard = self.by.entry(accusation.accuser).or_insert((accusation, now));
        // An echo of what is known does not keep it alive: only its own accuser does, by accusing again in person.
        if accusation > heard.0 {
            *heard = (accusation, now);
        }
    }

    /// Hears it from the accuser itself, which renews it.
    pub fn renew(&mut self, accusation: Accusation, now: Instant) {
        if let Some(heard) = self.by.get_mut(&accusation.accuser).filter(|heard| heard.0 == accusation) {
            heard.1 = now;
        }
    }

    /// A sign of life: everything said about earlier heartbeats is refuted.
    pub fn refute(&mut self, generation: Generation, heartbeat: u64) {
        self.by.retain(|_, (accusation, _)| {
            (accusation.generation, accusation.heartbeat) >= (generation, heartbeat)
        });
    }

    /// Drops what was not renewed for `ttl`: its accuser may have died, or changed its mind.
    pub fn lapse(&mut self, ttl: Duration, now: Instant) {
        self.by.retain(|_, (_, heard)| now.since(*heard) < ttl);
    }

    /// Drops what `accuser` said.
    pub fn withdraw(&mut self, accuser: NodeId) {
        self.by.remove(&accuser);
    }

    /// Whether enough distinct observers accuse. In a cluster of two there is only one other observer, so one is
    /// enough there: the weakness is that both may convict each other when only the link between them is broken.
    pub fn convict(&self, members: usize) -> bool {
        self.by.len() >= if members <= 2 { 1 } else { OBSERVERS }
    }

    pub fn iter(&self) -> impl Iterator<Item = Accusation> {
        self.by.values().map(|heard| heard.0)
    }
}
