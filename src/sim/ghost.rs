//! The ghost: what an observer who sees all disks at once knows of what was acknowledged.
//!
//! Before a fault destroys something, all disks are cloned, the fault is done to the clone, power fails in all of them,
//! and stores are opened on what is left (as the audit does). A version that was acknowledged and that none of them
//! knows is lost by that fault. Under the budget such a fault is not done ([`crate::sim::budget`]); without it the
//! ghost remembers the versions, and when one is missed in the end, that is a statistic. A version that is missed and
//! was not predicted is a broken promise.
//!
//! The weakness: a version that only a hint holds counts as lost, so a little more is refused, or predicted, than need
//! be.

use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::time::{Duration, Instant};
use crate::causal::dot::Dot;
use crate::node::store::Store;
use crate::sim::disk::SimDisk;
use crate::sim::history::{End, Operation};

/// A version of a key.
pub type Version = (Bytes, Dot);

/// Something was destroyed on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Harm {
    pub at: Instant,
    pub node: usize,
    /// The node may not know what it has lost, or nobody else has it: quorums go on as if it had never been.
    pub forgets: bool,
}

#[derive(Clone, Debug, Default, Hash)]
pub struct Ghost {
    harms: Vec<Harm>,
    predicted: BTreeSet<Version>,
    /// Nodes that were given an empty disk because theirs was too damaged to start from.
    pub replaced: u64,
}

impl Ghost {
    /// A disk was harmed, and these versions are on no disk any more.
    pub fn note(&mut self, harm: Harm, lost: Vec<Version>) {
        self.harms.push(harm);
        self.predicted.extend(lost);
    }

    /// The disks that were harmed within this time before `now`.
    pub fn harmed_within(&self, now: Instant, span: Duration) -> impl Iterator<Item = usize> {
        self.harms.iter().filter(move |harm| now.since(harm.at) <= span).map(|harm| harm.node)
    }

    /// When a node first forgot something that it had promised to know. From then on quorums that overlap promise
    /// nothing: the node that both have in common may be that one.
    pub fn forgets_since(&self) -> Option<Instant> {
        self.harms.iter().filter(|harm| harm.forgets).map(|harm| harm.at).min()
    }

    pub fn is_quiet(&self) -> bool {
        self.harms.is_empty()
    }

    /// Whether the loss of this write was to be expected: no disk had it any more; or it was on its way to disks that
    /// were harmed before its client heard of it, at least as many as have acknowledged it.
    pub fn predicted(&self, write: &Operation) -> bool {
        let End::Written { dot, acks, .. } = write.result else { return false };
        let on_its_way = |harm: &&Harm| harm.at >= write.start && write.end.is_none_or(|end| harm.at <= end);
        let disks: BTreeSet<usize> = self.harms.iter().filter(on_its_way).map(|harm| harm.node).collect();
        self.predicted.contains(&(write.key.clone(), dot)) || disks.len() >= usize::from(acks.max(1))
    }
}

/// The acknowledged versions that none of these stores knows.
pub fn lost(history: &[Operation], survivors: &mut [(Store, SimDisk)]) -> Vec<Version> {
    let mut acknowledged: BTreeMap<&Bytes, Vec<Dot>> = BTreeMap::new();
    for operation in history {
        if let End::Written { dot, .. } = operation.result {
            acknowledged.entry(&operation.key).or_default().push(dot);
        }
    }
    let mut lost = Vec::new();
    for (key, dots) in acknowledged {
        let copies = survivors.iter_mut().map(|(store, disk)| store.load(key, disk));
        let copies: Vec<_> = copies.filter_map(Result::ok).collect();
        let is_known = |dot: &Dot| copies.iter().any(|copy| copy.clock().covers(*dot));
        lost.extend(dots.into_iter().filter(|dot| !is_known(dot)).map(|dot| (key.clone(), dot)));
    }
    lost
}
