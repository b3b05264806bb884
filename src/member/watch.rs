//! Who watches whom. In a small cluster everybody watches everybody. In a large one that would cost each node messages
//! in proportion to the cluster's size, so each is watched by its nearest neighbours on a ring of hashed identities,
//! whom everybody computes alike; news of what they see spreads to the others as rumours.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::base::checksum::mix;
use crate::base::id::NodeId;

/// Neighbours that a node watches, and that watch it. Two of them have to live to convict it.
pub const WATCHED: usize = 8;
/// Members looked at to each side, at most, so that a round has a bound also when nearly all are down.
const LOOKED_AT_MAX: usize = 64;
const PLACE_SEED: u64 = 0x7761_7463_6865_7231;

/// All members in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ring(BTreeSet<(u64, NodeId)>);

fn place(node: NodeId) -> (u64, NodeId) {
    (mix(PLACE_SEED, node.0), node)
}

impl Ring {
    pub fn insert(&mut self, node: NodeId) {
        self.0.insert(place(node));
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members that `me` watches, in ascending order: the nearest ones, half on each side, that are not `down`, and
    /// those between them that are. So who outlives its neighbours finds new ones.
    pub fn neighbours(&self, me: NodeId, down: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        let here = place(me);
        let after = self.0.range(here..).chain(self.0.range(..here));
        let before = self.0.range(..here).rev().chain(self.0.range(here..).rev());
        let mut near = nearest(after.map(|entry| entry.1).filter(|&node| node != me), &down);
        near.extend(nearest(before.map(|entry| entry.1).filter(|&node| node != me), &down));
        near.sort_unstable();
        near.dedup();
        near
    }
}

fn nearest(walk: impl Iterator<Item = NodeId>, down: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
    let mut near = Vec::with_capacity(WATCHED);
    let mut up = 0;
    for node in walk.take(LOOKED_AT_MAX) {
        near.push(node);
        up += usize::from(!down(node));
        if up == WATCHED / 2 {
            break;
        }
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(count: u64) -> Ring {
        let mut ring = Ring::default();
        (1..=count).for_each(|node| ring.insert(NodeId(node)));
        ring
    }

    #[test]
    fn in_a_small_cluster_everybody_watches_everybody() {
        for count in 1..=WATCHED as u64 + 1 {
            let near = ring(count).neighbours(NodeId(1), |_| false);
            assert_eq!(near, (2..=count).map(NodeId).collect::<Vec<_>>());
        }
    }

    #[test]
    fn watching_is_mutual_and_bounded() {
        let ring = ring(1000);
        for node in (1..=1000).map(NodeId) {
            let near = ring.neighbours(node, |_| false);
            assert_eq!(near.len(), WATCHED);
            assert!(near.iter().all(|&other| ring.neighbours(other, |_| false).contains(&node)));
        }
    }

    #[test]
    fn who_outlives_its_neighbours_finds_new_ones() {
        let ring = ring(100);
        let first = ring.neighbours(NodeId(1), |_| false);
        let then = ring.neighbours(NodeId(1), |node| first.contains(&node));
        assert_eq!(then.len(), 2 * WATCHED);
        assert!(first.iter().all(|node| then.contains(node)));
    }
}
