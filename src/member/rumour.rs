//! News that spreads at once. Most of what nodes tell each other is chosen by chance, a little at a time, and takes
//! rounds in proportion to the cluster's size to get around. What has just changed is told first, some times the
//! logarithm of that size, and then no more: it is an epidemic that everybody catches in a logarithmic number of
//! rounds (Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987; as in SWIM, 2002).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::base::id::NodeId;

/// A rumour is told this often for each doubling of the cluster.
const TOLD_PER_DOUBLING: u32 = 3;

/// Members about whom there is something new, by how often it was told or heard again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rumours {
    counts: BTreeMap<NodeId, u32>,
    /// The same by count: what is newest goes first.
    order: BTreeSet<(u32, NodeId)>,
}

/// The number of doublings that lead to `members`, and one.
pub fn doublings(members: usize) -> u32 {
    usize::BITS - members.leading_zeros()
}

impl Rumours {
    /// Something about `node` is new.
    pub fn start(&mut self, node: NodeId) {
        self.start_at(node, 0);
    }

    /// `node` was not known before. That is told a third as often: when a cluster forms, each has this to tell of all
    /// others, and whoever misses it hears of the node by chance before long.
    pub fn introduce(&mut self, node: NodeId, members: usize) {
        self.start_at(node, (TOLD_PER_DOUBLING - 1) * doublings(members));
    }

    fn start_at(&mut self, node: NodeId, count: u32) {
        self.stop(node);
        self.counts.insert(node, count);
        self.order.insert((count, node));
    }

    /// Whether there is something new about `node`.
    pub fn has(&self, node: NodeId) -> bool {
        self.counts.contains_key(&node)
    }

    /// What to tell now: up to `limit` members, the newest first. That counts as told.
    pub fn take(&mut self, limit: usize, members: usize) -> Vec<NodeId> {
        let nodes: Vec<NodeId> = self.order.iter().take(limit).map(|entry| entry.1).collect();
        nodes.iter().for_each(|&node| self.count(node, members));
        nodes
    }

    /// Told, or heard from somebody who knows it already: in both cases it has got further.
    pub fn count(&mut self, node: NodeId, members: usize) {
        let Some(count) = self.stop(node) else { return };
        if count + 1 < TOLD_PER_DOUBLING * doublings(members) {
            self.counts.insert(node, count + 1);
            self.order.insert((count + 1, node));
        }
        assert_eq!(self.counts.len(), self.order.len(), "both list the same rumours");
    }

    fn stop(&mut self, node: NodeId) -> Option<u32> {
        let count = self.counts.remove(&node)?;
        self.order.remove(&(count, node));
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_told_first_and_not_for_ever() {
        let mut rumours = Rumours::default();
        rumours.start(NodeId(1));
        assert_eq!(rumours.take(1, 1000), [NodeId(1)]);
        rumours.start(NodeId(2));
        assert_eq!(rumours.take(1, 1000), [NodeId(2)]);
        let told = (0..1000).take_while(|_| !rumours.take(2, 1000).is_empty()).count();
        assert_eq!(told, 29, "three times ten doublings, one of which was told already");
    }

    #[test]
    fn an_introduction_is_told_less_often_than_a_failure() {
        let mut rumours = Rumours::default();
        rumours.introduce(NodeId(1), 1000);
        let told = (0..1000).take_while(|_| !rumours.take(2, 1000).is_empty()).count();
        assert_eq!(told, 10, "ten doublings");
    }

    #[test]
    fn what_is_heard_again_is_told_less_often() {
        let mut rumours = Rumours::default();
        rumours.start(NodeId(1));
        (0..29).for_each(|_| rumours.count(NodeId(1), 1000));
        assert!(rumours.has(NodeId(1)));
        rumours.count(NodeId(1), 1000);
        assert!(!rumours.has(NodeId(1)) && rumours.take(9, 1000).is_empty());
    }
}
