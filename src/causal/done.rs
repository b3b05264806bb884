//! [`Done`]: which requests a key has seen lately, so that a retry is recognised, by whichever coordinator it comes.

use alloc::vec::Vec;

use crate::base::codec::{Decode, Encode};
use crate::base::id::RequestId;
use crate::base::limits::{DONE_MAX, EDITS_MAX};
use crate::base::time::WallTime;
use crate::causal::dot::Dot;

/// One request that was coordinated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Entry {
    /// Not that of the write, see [`Done::note`].
    pub stamp: WallTime,
    /// The last of its dots. (A request of several edits has one for each, in their order.)
    pub dot: Dot,
    pub id: RequestId,
    /// How many dots it has before that.
    pub before: u64,
    pub replaced: Replaced,
}

/// What a write replaced where it was coordinated: two coordinators of one request may have held different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Replaced {
    Nothing,
    /// What its client's context covers, so the same through every coordinator. The number stands for the context.
    Seen(u64),
    /// What its coordinator held.
    Held,
}

impl Entry {
    /// Whether this try of a request has to go with another one that has been replaced.
    ///
    /// It must not, if it took the place of something that the other did not: of that, whoever replaced the other knew
    /// nothing, and this is all that is left of it. And a client that tries again with a *new* context may have seen
    /// its own first try, so that the second is what replaced it.
    fn goes_with(&self, other: &Entry) -> bool {
        match (self.replaced, other.replaced) {
            (Replaced::Nothing, Replaced::Nothing | Replaced::Held) => true,
            (Replaced::Seen(own), Replaced::Seen(others)) => own == others,
            _ => false,
        }
    }

    /// Its dots, the last one first.
    fn dots(&self) -> impl Iterator<Item = Dot> {
        let Dot { actor, counter } = self.dot;
        // Foreign entries may claim anything.
        let count = self.before.min(EDITS_MAX as u64);
        (0..=count).map_while(move |back| Some(Dot { actor, counter: counter.checked_sub(back)? }))
    }
}

/// The last requests of a key that had ids, in the order of their stamps. To keep the largest so many of a union is
/// commutative, associative and idempotent, so replicas agree on what they forget.
///
/// What is forgotten is coordinated again if it is retried then: as a new write, concurrent with whatever replaced the
/// first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Done(Vec<Entry>);

impl Done {
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// The write that this request became; the first by name, if it became several.
    pub fn find(&self, id: RequestId) -> Option<Dot> {
        self.0.iter().filter(|entry| entry.id == id).map(|entry| entry.dot).min()
    }

    /// Whether the write is a second one of a request of which there is another: its twin shows instead.
    pub fn is_twin(&self, dot: Dot, shown: impl Fn(Dot) -> bool) -> bool {
        let Some(own) = self.0.iter().find(|entry| entry.dot == dot) else { return false };
        self.0.iter().any(|entry| entry.id == own.id && entry.dot < dot && shown(entry.dot))
    }

    /// What goes because another try of the same request was replaced. Whoever replaced that has replaced the request.
    ///
    /// The more is known and the more is replaced, the more goes, and once it is gone nothing else follows from that:
    /// so to drop it after every merge keeps merging commutative, associative and idempotent, as long as no entry is
    /// forgotten. Where some are, the order of merges may decide whether a try still goes. Replicas agree in the end
    /// all the same, for what is gone on one of them goes everywhere.
    pub fn doomed(&self, is_replaced: impl Fn(Dot) -> bool) -> Vec<Dot> {
        let mut doomed = Vec::new();
        for (at, one) in self.0.iter().enumerate() {
            for two in self.0[at + 1..].iter().filter(|two| two.id == one.id) {
                for (entry, other) in [(one, two), (two, one)] {
                    if entry.goes_with(other) {
                        let pairs = entry.dots().zip(other.dots());
                        doomed.extend(pairs.filter(|(_, twin)| is_replaced(*twin)).map(|(own, _)| own));
                    }
                }
            }
        }
        doomed
    }

    /// Adds a request that has just become a write here, as the last one.
    ///
    /// Its stamp is the write's, but above all that stand here already. One clock that ran ahead leaves entries which
    /// the others' clocks do not reach for hours; by the stamps of the writes alone, every new one would be the
    /// smallest, and forgotten at once. (A peer that invents stamps near 2^64 still does that to a key: from there on
    /// stamps are equal, and dots decide.)
    pub fn note(&mut self, entry: Entry) {
        let above = self.0.last().map_or(0, |last| last.stamp.0.saturating_add(1));
        self.add(Entry { stamp: entry.stamp.max(WallTime(above)), ..entry });
    }

    fn add(&mut self, entry: Entry) {
        if let Err(at) = self.0.binary_search(&entry) {
            self.0.insert(at, entry);
        }
        self.0.drain(..self.0.len().saturating_sub(DONE_MAX));
    }

    pub fn merge(&mut self, other: &Done) {
        other.0.iter().for_each(|&entry| self.add(entry));
    }

    /// Whether merging `other` would change nothing.
    pub fn knows(&self, other: &Done) -> bool {
        let oldest = self.0.first().filter(|_| self.0.len() == DONE_MAX);
        other
            .0
            .iter()
            .all(|entry| self.0.binary_search(entry).is_ok() || oldest.is_some_and(|oldest| entry < oldest))
    }

    pub fn is_valid(&self) -> bool {
        self.0.len() <= DONE_MAX
            && self.0.windows(2).all(|pair| pair[0] < pair[1])
            && self.0.iter().all(|entry| entry.before < entry.dot.counter.min(EDITS_MAX as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::NodeId;
    use crate::causal::dot::Actor;

    fn entry(stamp: u64, node: u64, number: u64) -> Entry {
        let dot = Dot { actor: Actor { node: NodeId(node), epoch: 0 }, counter: number + 1 };
        let id = RequestId { client: 1, number };
        Entry { stamp: WallTime(stamp), dot, id, before: 0, replaced: Replaced::Nothing }
    }

    /// A node whose clock was 100 minutes ahead named as many requests as are remembered, and then its clock was set
    /// right. Everything after that was forgotten as soon as it was done.
    #[test]
    fn one_clock_that_ran_ahead_does_not_stop_requests_from_being_remembered() {
        let mut done = Done::default();
        let ahead = 1 << 50;
        (0..DONE_MAX as u64).for_each(|number| done.note(entry(ahead + number, 1, number)));
        for number in 1000..1000 + 2 * DONE_MAX as u64 {
            done.note(entry(number, 2, number));
            assert!(done.find(RequestId { client: 1, number }).is_some() && done.is_valid());
        }
        assert_eq!(done.find(RequestId { client: 1, number: 1000 }), None, "the oldest go first, as ever");
    }

    #[test]
    fn stamps_from_the_end_of_time_break_nothing() {
        let mut done = Done::default();
        (0..DONE_MAX as u64).for_each(|number| done.note(entry(u64::MAX, 1, number)));
        done.note(entry(7, 2, 1000));
        assert!(done.is_valid() && done.find(RequestId { client: 1, number: 1000 }).is_some());
    }

    #[test]
    fn an_entry_with_more_dots_than_can_be_is_refused_and_harmless() {
        let mut done = Done::default();
        for node in [1, 2] {
            done.note(Entry { before: u64::MAX, ..entry(0, node, 3) });
        }
        assert!(!done.is_valid());
        assert!(done.doomed(|_| true).len() <= 2 * (EDITS_MAX + 1));
    }
}
