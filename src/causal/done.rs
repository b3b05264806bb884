//! [`Done`]: which requests a key has seen lately, so that a retry is recognised, by whichever coordinator it comes.

use alloc::vec::Vec;

use crate::base::codec::{Decode, Encode};
use crate::base::id::RequestId;
use crate::base::limits::DONE_MAX;
use crate::base::time::WallTime;
use crate::causal::dot::Dot;

/// One request that was coordinated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Entry {
    pub stamp: WallTime,
    pub dot: Dot,
    pub id: RequestId,
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

    pub fn add(&mut self, entry: Entry) {
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
        self.0.len() <= DONE_MAX && self.0.windows(2).all(|pair| pair[0] < pair[1])
    }
}
