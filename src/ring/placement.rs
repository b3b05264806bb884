//! Placement: the replicas of every slot, computed once from a layout. Same layout, same placement, everywhere.
//!
//! From a slot's position clockwise, the first N distinct nodes are its replicas; a node in a zone that is not yet
//! among them goes before one in a zone that is (as in Cassandra's NetworkTopologyStrategy), so that the loss of one
//! zone costs as few replicas as the zones allow. A node that joins therefore takes at most one place per slot, and
//! nobody else gains one.
//!
//! Cost, for M members of capacity 1: 16 bytes per token (128 M of them), 8 N bytes per slot; 2.4 MB and
//! 60 ms (unoptimised) for 1000 members. Clones share it. Balance at N = 3, least and most loaded node against its
//! share: 0.93 to 1.06 for 10 members, 0.90 to 1.12 for 100, 0.61 to 1.42 for 1000, where 48 slots per node are too
//! coarse to even out. The walk is long only where one zone has far fewer tokens than the others: on average (all
//! tokens / tokens of the rarest zone needed) steps per slot.

use core::fmt;
use core::hash::{Hash, Hasher};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::base::id::{NodeId, Slot};
use crate::base::limits::SLOTS;
use crate::ring::layout::{Layout, Member};
use crate::ring::token::{Token, node_tokens, slot_token};

/// A virtual node: a token and the index, in the layout, of the member it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct VirtualNode {
    token: Token,
    member: u32,
}

struct Table {
    layout: Layout,
    /// Sorted by token; equal tokens by member, so that even they have one order everywhere.
    ring: Vec<VirtualNode>,
    /// The replicas of slot 0, of slot 1, ...: `width` of each.
    replicas: Vec<NodeId>,
    width: usize,
    /// Pairs of members, both ways round, that are replicas of a common slot.
    partners: BTreeSet<(NodeId, NodeId)>,
}

/// The replicas of every slot under one layout. Cheap to clone; equal and hashed as its layout.
#[derive(Clone)]
pub struct Placement(Arc<Table>);

impl Placement {
    /// Computes the placement. The layout must be valid: one that was decoded has to pass [`Layout::validate`] first.
    pub fn of(layout: &Layout) -> Placement {
        assert_eq!(layout.validate(), Ok(()), "a layout is validated before it is used");
        let mut ring = Vec::new();
        for (index, member) in layout.members().iter().enumerate() {
            let index = u32::try_from(index).expect("a valid layout has at most MEMBERS_MAX members");
            let tokens = node_tokens(member.node, member.capacity);
            ring.extend(tokens.map(|token| VirtualNode { token, member: index }));
        }
        ring.sort_unstable();
        let (zones, zone_count) = number_zones(layout.members());
        let width = layout.members().len().min(usize::from(layout.n));
        let mut replicas = Vec::with_capacity(usize::from(SLOTS) * width);
        for slot in (0..SLOTS).map(Slot) {
            let chosen = choose(clockwise(&ring, slot), &zones, zone_count, width);
            assert_eq!(chosen.len(), width, "every member has a token, so the walk meets enough of them");
            replicas.extend(chosen.iter().map(|&member| layout.members()[member as usize].node));
        }
        let mut partners = BTreeSet::new();
        for slot in replicas.chunks_exact(width) {
            let pairs = slot.iter().flat_map(|&one| slot.iter().map(move |&other| (one, other)));
            partners.extend(pairs.filter(|(one, other)| one != other));
        }
        Placement(Arc::new(Table { layout: layout.clone(), ring, replicas, width, partners }))
    }

    pub fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// The replicas of `slot` in ring order (distinct zones first): N of them, or all members if there are fewer.
    pub fn replicas(&self, slot: Slot) -> &[NodeId] {
        assert!(slot.0 < SLOTS, "no such slot");
        let start = usize::from(slot.0) * self.0.width;
        &self.0.replicas[start..start + self.0.width]
    }

    /// Whether `node` is a replica of `slot`.
    pub fn owns(&self, node: NodeId, slot: Slot) -> bool {
        self.replicas(slot).contains(&node)
    }

    /// The members that share a slot with `node`, in ascending order.
    pub fn partners(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        let (first, last) = ((node, NodeId(0)), (node, NodeId(u64::MAX)));
        self.0.partners.range(first..=last).map(|pair| pair.1)
    }

    /// The members that are no replicas of `slot`, in the order in which they are met clockwise. Lazy: the first few
    /// cost a few steps.
    pub fn fallbacks(&self, slot: Slot) -> impl Iterator<Item = NodeId> {
        let members = self.0.layout.members();
        let mut met = vec![false; members.len()];
        for replica in self.replicas(slot) {
            let index = members.binary_search_by_key(replica, |member| member.node);
            met[index.expect("a replica is a member")] = true;
        }
        let mut left = members.len() - self.0.width;
        let mut walk = clockwise(&self.0.ring, slot);
        core::iter::from_fn(move || {
            // Without this count, the last fallback would be followed by a walk round the whole ring.
            left = left.checked_sub(1)?;
            let next = walk.find(|&member| !core::mem::replace(&mut met[member as usize], true));
            Some(members[next.expect("every member has a token") as usize].node)
        })
    }
}

/// A placement that was computed before, for whoever needs that of the same layout. It saves work and memory, above all
/// where many nodes run in one process, and changes nothing else: all of them are equal, and hash alike.
#[derive(Clone, Debug, Default)]
pub struct Known(Option<Placement>);

impl Known {
    pub fn new(placement: Placement) -> Known {
        Known(Some(placement))
    }

    /// The placement of `layout`, which must be valid.
    pub fn of(&self, layout: &Layout) -> Placement {
        let known = self.0.as_ref().filter(|placement| placement.layout() == layout);
        known.cloned().unwrap_or_else(|| Placement::of(layout))
    }
}

impl PartialEq for Known {
    fn eq(&self, _: &Known) -> bool {
        true
    }
}

impl Eq for Known {}

impl Hash for Known {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl fmt::Debug for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Placement").field(&self.0.layout).finish()
    }
}

impl PartialEq for Placement {
    fn eq(&self, other: &Placement) -> bool {
        self.0.layout == other.0.layout
    }
}

impl Eq for Placement {}

impl Hash for Placement {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.layout.hash(hasher);
    }
}

/// The members whose tokens are met from `slot`'s position clockwise, once around.
fn clockwise(ring: &[VirtualNode], slot: Slot) -> impl Iterator<Item = u32> {
    let from = ring.partition_point(|virtual_node| virtual_node.token < slot_token(slot));
    ring[from..].iter().chain(&ring[..from]).map(|virtual_node| virtual_node.member)
}

/// A small number for the zone of each member, and how many zones there are.
fn number_zones(members: &[Member]) -> (Vec<u32>, usize) {
    let mut numbers = BTreeMap::new();
    let mut zones = Vec::with_capacity(members.len());
    for member in members {
        let next = numbers.len() as u32;
        zones.push(*numbers.entry(&member.zone).or_insert(next));
    }
    (zones, numbers.len())
}

/// The first `width` distinct members of `walk`, those in zones of their own before those that share one.
fn choose(walk: impl Iterator<Item = u32>, zones: &[u32], zone_count: usize, width: usize) -> Vec<u32> {
    let zone_of = |member: u32| zones[member as usize];
    let zones_wanted = width.min(zone_count);
    let mut chosen: Vec<u32> = Vec::with_capacity(width);
    let mut sharing: Vec<u32> = Vec::new();
    for member in walk {
        if chosen.len() == zones_wanted && chosen.len() + sharing.len() >= width {
            break;
        }
        if chosen.contains(&member) || sharing.contains(&member) {
            continue;
        }
        if chosen.iter().all(|&earlier| zone_of(earlier) != zone_of(member)) {
            chosen.push(member);
        } else if sharing.len() < width {
            sharing.push(member);
        }
    }
    assert_eq!(chosen.len(), zones_wanted, "every zone has a member, and every member a token");
    chosen.extend(sharing.into_iter().take(width - zones_wanted));
    chosen
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::format;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::base::checksum::state_hash;
    use crate::base::id::Zone;

    fn member(node: u64, zone: u64, capacity: u16) -> Member {
        Member { node: NodeId(node), zone: Zone(format!("z{zone}").into()), capacity, birth: 0 }
    }

    fn flat(count: u64) -> Vec<Member> {
        (1..=count).map(|node| member(node, 0, 1)).collect()
    }

    fn layout(n: u8, members: Vec<Member>) -> Layout {
        Layout::new(1, n, members).expect("valid")
    }

    fn set(placement: &Placement, slot: Slot) -> BTreeSet<NodeId> {
        placement.replicas(slot).iter().copied().collect()
    }

    #[test]
    fn partners_share_a_slot() {
        let placement = Placement::of(&layout(3, flat(200)));
        let mut expected = BTreeSet::new();
        for slot in slots().filter(|&slot| placement.owns(NodeId(7), slot)) {
            expected.extend(placement.replicas(slot).iter().copied().filter(|&node| node != NodeId(7)));
        }
        assert!(placement.partners(NodeId(7)).eq(expected.iter().copied()));
        assert!((2..199).contains(&expected.len()), "{}", expected.len());
    }

    #[test]
    fn a_known_placement_is_used_for_its_own_layout_only() {
        let (one, other) = (layout(3, flat(5)), layout(2, flat(5)));
        let known = Known::new(Placement::of(&one));
        assert!(Arc::ptr_eq(&known.of(&one).0, &known.of(&one).0));
        assert_eq!(*known.of(&other).layout(), other);
    }

    fn slots() -> impl Iterator<Item = Slot> {
        (0..SLOTS).map(Slot)
    }

    /// How many replicas each node holds, over all slots.
    fn load(placement: &Placement) -> BTreeMap<NodeId, u64> {
        let mut load = BTreeMap::new();
        slots()
            .flat_map(|slot| placement.replicas(slot))
            .for_each(|&node| *load.entry(node).or_default() += 1);
        load
    }

    #[test]
    fn fewer_members_than_replicas_hold_everything() {
        let placement = Placement::of(&layout(3, flat(2)));
        for slot in slots() {
            assert_eq!(set(&placement, slot), BTreeSet::from([NodeId(1), NodeId(2)]));
            assert_eq!(placement.fallbacks(slot).next(), None);
        }
    }

    #[test]
    fn replicas_and_fallbacks_together_are_all_members_once() {
        let placement = Placement::of(&layout(3, (1..=9).map(|node| member(node, node % 2, 1)).collect()));
        for slot in slots().step_by(97) {
            let met: Vec<NodeId> =
                placement.replicas(slot).iter().copied().chain(placement.fallbacks(slot)).collect();
            assert_eq!(met.len(), 9);
            assert_eq!(met.iter().collect::<BTreeSet<_>>().len(), 9);
            assert!(placement.owns(met[2], slot) && !placement.owns(met[3], slot));
        }
    }

    /// Golden: a change of placement moves the data of every cluster.
    #[test]
    fn placement_never_changes() {
        let placement = Placement::of(&layout(3, (1..=7).map(|node| member(node, node % 3, 1)).collect()));
        let all: Vec<&[NodeId]> = slots().map(|slot| placement.replicas(slot)).collect();
        assert_eq!(state_hash(&all), 12_901_537_910_668_807_508);
    }

    #[test]
    fn a_placement_is_hashed_and_compared_as_its_layout() {
        let (one, two) = (layout(3, flat(4)), layout(2, flat(4)));
        assert_eq!(state_hash(&Placement::of(&one)), state_hash(&one));
        assert_eq!(Placement::of(&one), Placement::of(&one));
        assert_ne!(Placement::of(&one), Placement::of(&two));
    }

    /// With ten equal nodes the load of each is within 20 % of its share; measured: -7 % to +6 %.
    #[test]
    fn equal_nodes_get_equal_loads_within_a_fifth() {
        let share = u64::from(SLOTS) * 3 / 10;
        let load = load(&Placement::of(&layout(3, flat(10))));
        assert_eq!(load.len(), 10);
        for (node, held) in load {
            assert!(held * 10 > share * 8 && held * 10 < share * 12, "{node} holds {held} of {share}");
        }
    }

    fn some_members(count: core::ops::Range<usize>) -> impl Strategy<Value = Vec<Member>> {
        proptest::collection::btree_map(0u64..1000, (0u64..4, 1u16..=2), count).prop_map(|members| {
            members.into_iter().map(|(node, (zone, capacity))| member(node, zone, capacity)).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn replicas_are_distinct_nodes_in_as_many_zones_as_there_are(members in some_members(1..12), n in 1u8..=5) {
            let zone: BTreeMap<NodeId, Zone> = members.iter().map(|m| (m.node, m.zone.clone())).collect();
            let zone_count = zone.values().collect::<BTreeSet<_>>().len();
            let width = zone.len().min(usize::from(n));
            let placement = Placement::of(&layout(n, members));
            for slot in slots().step_by(13) {
                let replicas = set(&placement, slot);
                prop_assert_eq!(replicas.len(), width);
                let zones: BTreeSet<&Zone> = replicas.iter().map(|node| &zone[node]).collect();
                prop_assert_eq!(zones.len(), width.min(zone_count));
            }
        }

        #[test]
        fn the_order_of_members_does_not_matter(members in some_members(2..8).prop_shuffle(), n in 1u8..=3) {
            let mut sorted = members.clone();
            sorted.sort_by_key(|member| member.node);
            let (shuffled, sorted) = (Placement::of(&layout(n, members)), Placement::of(&layout(n, sorted)));
            for slot in slots().step_by(13) {
                prop_assert_eq!(shuffled.replicas(slot), sorted.replicas(slot));
            }
        }

        /// Read backwards, the same holds for a leave: only what the leaver held gets a new replica, exactly one.
        #[test]
        fn a_join_gives_places_to_the_joiner_only(members in some_members(2..10), n in 1u8..=4) {
            let joiner = *members.iter().map(|member| &member.node).nth(members.len() / 2).expect("not empty");
            let before = members.iter().filter(|member| member.node != joiner).cloned().collect();
            let (before, after) = (Placement::of(&layout(n, before)), Placement::of(&layout(n, members)));
            for slot in slots().step_by(7) {
                let (old, new) = (set(&before, slot), set(&after, slot));
                let gained: Vec<&NodeId> = new.difference(&old).collect();
                prop_assert!(gained.is_empty() || gained == [&joiner]);
                prop_assert!(old.difference(&new).count() <= 1);
            }
        }
    }

    /// The joiner takes its share and no more: within a fifth of 3/11 of all slots.
    #[test]
    fn a_join_moves_about_the_joiners_share() {
        let after = Placement::of(&layout(3, flat(11)));
        let before = Placement::of(&layout(3, flat(10)));
        let moved = slots().filter(|&slot| set(&before, slot) != set(&after, slot)).count() as u64;
        let share = u64::from(SLOTS) * 3 / 11;
        assert!(moved * 10 > share * 8 && moved * 10 < share * 12, "{moved} of {share}");
    }

    /// With one replica a node of capacity 3 holds three times what one of capacity 1 does, within a quarter.
    #[test]
    fn capacity_is_respected_within_a_quarter() {
        let members = (1..=8).map(|node| member(node, 0, if node <= 2 { 3 } else { 1 })).collect();
        for (node, held) in load(&Placement::of(&layout(1, members))) {
            let share = u64::from(SLOTS) / 12 * if node.0 <= 2 { 3 } else { 1 };
            assert!(held * 4 > share * 3 && held * 4 < share * 5, "{node} holds {held} of {share}");
        }
    }
}
