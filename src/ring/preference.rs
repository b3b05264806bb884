//! The preference list: whom to ask for a slot, and who stands in for a replica that cannot be asked (Dynamo,
//! sections 4.5 and 4.6). Which nodes are usable is the caller's knowledge; the ring itself never changes for it.

use crate::base::id::{NodeId, Slot, Zone};
use crate::base::limits::PerReplica;
use crate::ring::placement::Placement;

/// The replicas of `slot` in the order in which to ask them: this node if it is one, the usable ones in `zone`, the
/// other usable ones, and last the rest, who may answer all the same.
pub fn order(
    placement: &Placement,
    slot: Slot,
    me: NodeId,
    zone: &Zone,
    usable: impl Fn(NodeId) -> bool,
) -> PerReplica<NodeId> {
    let mut order: PerReplica<NodeId> = placement.replicas(slot).iter().copied().collect();
    let is_near = |node| placement.layout().member(node).is_some_and(|member| member.zone == *zone);
    // The sort is stable, so within each class the ring's order remains.
    order.sort_by_key(|&node| match () {
        () if node == me => 0,
        () if !usable(node) => 3,
        () if is_near(node) => 1,
        () => 2,
    });
    order
}

/// For each of the `unusable` replicas of `slot`, the next usable node clockwise that is no replica and stands in for
/// nobody else: pairs of (stand-in, intended). Fewer pairs than asked for if nodes run out.
pub fn stand_ins(
    placement: &Placement,
    slot: Slot,
    usable: impl Fn(NodeId) -> bool,
    unusable: &[NodeId],
) -> PerReplica<(NodeId, NodeId)> {
    assert!(unusable.iter().all(|&node| placement.owns(node, slot)), "only replicas need a stand-in");
    let candidates = placement.fallbacks(slot).filter(|&node| usable(node));
    candidates.zip(unusable.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::layout::{Layout, Member};
    use alloc::vec::Vec;

    const SLOT: Slot = Slot(77);

    /// Each node has a zone of its own.
    fn zone(node: u64) -> Zone {
        Zone(alloc::format!("z{node}").as_str().into())
    }

    fn placement() -> Placement {
        let member = |node| Member { node: NodeId(node), zone: zone(node), capacity: 1, birth: 0 };
        Placement::of(&Layout::new(1, 3, (1..=6).map(member).collect()).expect("valid"))
    }

    #[test]
    fn the_local_replica_comes_first_and_the_unusable_last() {
        let placement = placement();
        let replicas = placement.replicas(SLOT);
        let (a, b, c) = (replicas[0], replicas[1], replicas[2]);
        assert_eq!(*order(&placement, SLOT, c, &zone(0), |_| true), [c, a, b]);
        assert_eq!(*order(&placement, SLOT, c, &zone(0), |node| node != a), [c, b, a]);
        let stranger = placement.fallbacks(SLOT).next().expect("six members");
        assert_eq!(*order(&placement, SLOT, stranger, &zone(0), |node| node == c), [c, a, b]);
        let near = order(&placement, SLOT, stranger, &zone(b.0), |_| true);
        assert_eq!(*near, [b, a, c], "a near replica before a far one");
        let away = order(&placement, SLOT, stranger, &zone(b.0), |node| node != b);
        assert_eq!(*away, [a, c, b], "a usable one before a near one");
    }

    #[test]
    fn a_local_replica_that_others_suspect_still_comes_first() {
        let placement = placement();
        let me = placement.replicas(SLOT)[1];
        assert_eq!(order(&placement, SLOT, me, &zone(0), |_| false)[0], me);
    }

    #[test]
    fn stand_ins_are_distinct_usable_and_no_replicas() {
        let placement = placement();
        let replicas = placement.replicas(SLOT);
        let fallbacks: Vec<NodeId> = placement.fallbacks(SLOT).collect();
        let down = [replicas[0], replicas[2], fallbacks[0]];
        let usable = |node| !down.contains(&node);
        let pairs = stand_ins(&placement, SLOT, usable, &[replicas[0], replicas[2]]);
        assert_eq!(*pairs, [(fallbacks[1], replicas[0]), (fallbacks[2], replicas[2])]);
    }

    #[test]
    fn too_few_usable_nodes_give_too_few_stand_ins() {
        let placement = placement();
        let replicas = placement.replicas(SLOT).to_vec();
        let last = placement.fallbacks(SLOT).last().expect("six members");
        let pairs = stand_ins(&placement, SLOT, |node| node == last, &replicas);
        assert_eq!(*pairs, [(last, replicas[0])]);
        assert!(stand_ins(&placement, SLOT, |_| false, &replicas).is_empty());
    }
}
