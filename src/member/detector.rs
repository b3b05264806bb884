//! When a member counts as down: the two-observer rule.
//!
//! One observer's word convicts nobody, because the silence may be on its side: its link, its overload, its pause.
//! Only *who says it in person* is counted, and nobody says it who has not observed the silence itself or heard it
//! from two others. So by induction every conviction goes back to two distinct observers; an echo adds nothing; and
//! one peer that lies is one observer, whomever it claims to speak for. An accusation speaks of one heartbeat of one
//! generation, so any later sign of life refutes it.
//!
//! What is left: frames are not signed, so a liar that may connect under other names is several observers, and one
//! that invents a higher heartbeat or generation of somebody else is believed.

use alloc::collections::BTreeMap;

use crate::base::id::{Generation, NodeId};
use crate::base::time::{Duration, Instant};

/// Distinct observers that convict.
const OBSERVERS: usize = 2;
/// In a cluster of so many there is only one other observer, so one is enough there: the weakness is that both may
/// convict each other when only the link between them is broken.
pub const ONE_CONVICTS: usize = 2;
/// Voices kept against one member: more than this add nothing.
const KEPT_MAX: usize = 8;

/// A generation, and the last heartbeat of it that was seen.
pub type Sign = (Generation, u64);

/// One voice: the last sign of life that it has seen, and when it was last heard here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Voice {
    last: Sign,
    heard: Instant,
}

/// What is held against one member, by who says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Charges {
    by: BTreeMap<NodeId, Voice>,
}

impl Charges {
    /// Hears `voice` say in person that nothing came after `last`. Whether that is a voice more.
    pub fn hear(&mut self, voice: NodeId, last: Sign, now: Instant) -> bool {
        let room = self.by.len() < KEPT_MAX || self.by.contains_key(&voice);
        room && self.by.insert(voice, Voice { last, heard: now }).is_none()
    }

    /// A sign of life: everything said about earlier ones is refuted.
    pub fn refute(&mut self, sign: Sign) {
        self.by.retain(|_, voice| voice.last >= sign);
    }

    /// Drops voices not heard again for `ttl`: who said it may have died, or changed its mind. A conviction stands:
    /// only a sign of life ends it, for nobody is told for ever what everybody knows.
    pub fn lapse(&mut self, ttl: Duration, members: usize, now: Instant) {
        if !self.convict(members) {
            self.by.retain(|_, voice| now.since(voice.heard) < ttl);
        }
    }

    /// Drops what `voice` said.
    pub fn withdraw(&mut self, voice: NodeId) {
        self.by.remove(&voice);
    }

    /// Whether `voice` is among them.
    pub fn has(&self, voice: NodeId) -> bool {
        self.by.contains_key(&voice)
    }

    /// Whether nothing held against `accused` is its own word, or refuted by `sign`.
    pub fn stand(&self, accused: NodeId, sign: Sign) -> bool {
        self.by.iter().all(|(&by, voice)| by != accused && voice.last >= sign)
    }

    /// Who accuses.
    pub fn voices(&self) -> alloc::vec::Vec<NodeId> {
        self.by.keys().copied().collect()
    }

    pub fn is_empty(&self) -> bool {
        self.by.is_empty()
    }

    /// Whether enough distinct observers accuse, in a cluster of `members`.
    pub fn convict(&self, members: usize) -> bool {
        self.by.len() >= if members <= ONE_CONVICTS { 1 } else { OBSERVERS }
    }

    /// The last sign of life to vouch for: the second highest of those named, because a single liar may have named the
    /// highest, and what is above all real heartbeats could never be refuted.
    pub fn last(&self) -> Option<Sign> {
        let mut signs: alloc::vec::Vec<Sign> = self.by.values().map(|voice| voice.last).collect();
        signs.sort_unstable();
        signs.iter().nth_back(1).or(signs.last()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Generation = Generation(1);

    #[test]
    fn an_invented_heartbeat_is_not_passed_on() {
        let mut charges = Charges::default();
        charges.hear(NodeId(1), (ONE, 7), Instant(0));
        charges.hear(NodeId(2), (ONE, u64::MAX), Instant(0));
        assert!(charges.convict(3));
        assert_eq!(charges.last(), Some((ONE, 7)));
        charges.refute((ONE, 8));
        assert!(!charges.convict(3), "the honest one was refuted, and the liar is one voice");
    }

    #[test]
    fn a_voice_that_is_not_heard_again_lapses_and_a_conviction_stands() {
        let mut charges = Charges::default();
        charges.hear(NodeId(1), (ONE, 7), Instant(0));
        charges.lapse(Duration(10), 3, Instant(9));
        assert!(charges.has(NodeId(1)));
        charges.hear(NodeId(2), (ONE, 7), Instant(9));
        charges.lapse(Duration(10), 3, Instant(30));
        assert!(charges.convict(3));
        charges.withdraw(NodeId(2));
        charges.lapse(Duration(10), 3, Instant(30));
        assert!(charges.is_empty());
    }
}
