//! Merkle trees over what this node stores, one per slot, kept up to date as writes arrive.
//!
//! A tree has two levels: 16 leaves and a root. A leaf is the wrapping sum of the hashes of its entries, so a
//! write costs one subtraction and one addition, whatever the order of arrival (an incremental multiset hash
//! as of Clarke et al., ASIACRYPT 2003; 64 bits, against accidents and not against attackers). Roots and
//! hashes over groups of slots are computed when asked for. The forest lives in memory and is rebuilt from
//! storage at boot; it is only as right as the `old` digests it is told, and a wrong one shows as a
//! difference that never closes.
//!
//! Cost: about 140 bytes per slot that is not empty, 2.3 MB for all of them.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use crate::base::checksum::{checksum, mix};
use crate::base::id::Slot;
use crate::base::limits::SLOTS;

/// Leaves of a slot's tree.
pub const LEAVES: usize = 16;
/// Slots whose roots are hashed together, so that equal replicas compare in one short message.
pub const SLOTS_PER_GROUP: u16 = 128;
pub const GROUPS: u8 = (SLOTS / SLOTS_PER_GROUP) as u8;

const _: () = assert!(GROUPS as u16 * SLOTS_PER_GROUP == SLOTS);

// Golden: replicas of different releases must agree on these.
const ENTRY_SEED: u64 = 0x656e_7472_795f_7631;
const LEAF_SEED: u64 = 0x6c65_6166_5f5f_7631;

/// The trees of all slots that are not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Forest {
    /// Shared, so that a clone of the node costs nothing; copied on the first write after a clone.
    slots: Arc<BTreeMap<Slot, [u64; LEAVES]>>,
}

/// The leaf of `key` in its slot's tree. (Keys of one hash tag share a slot, and still spread over its
/// leaves.)
pub fn leaf_of(key: &[u8]) -> u8 {
    (checksum(LEAF_SEED, key) % LEAVES as u64) as u8
}

fn entry_hash(key: &[u8], digest: u128) -> u64 {
    mix(mix(checksum(ENTRY_SEED, key), digest as u64), (digest >> 64) as u64)
}

fn root_of(leaves: &[u64; LEAVES]) -> u64 {
    leaves.iter().fold(1, |state, &leaf| mix(state, leaf))
}

impl Forest {
    /// Notes that the digest of what is stored under `key`, which lies in `slot`, changed from `old` to
    /// `new`. `None` means that nothing is stored.
    pub fn update(&mut self, slot: Slot, key: &[u8], old: Option<u128>, new: Option<u128>) {
        assert!(slot.0 < SLOTS, "no such slot");
        let slots = Arc::make_mut(&mut self.slots);
        let leaves = slots.entry(slot).or_default();
        let leaf = &mut leaves[usize::from(leaf_of(key))];
        if let Some(old) = old {
            *leaf = leaf.wrapping_sub(entry_hash(key, old));
        }
        if let Some(new) = new {
            *leaf = leaf.wrapping_add(entry_hash(key, new));
        }
        // An emptied slot leaves nothing behind: the forest's state is a function of what is stored.
        if leaves.iter().all(|&leaf| leaf == 0) {
            slots.remove(&slot);
        }
    }

    /// Forgets all entries of a slot, which are to be entered again.
    pub fn forget(&mut self, slot: Slot) {
        Arc::make_mut(&mut self.slots).remove(&slot);
    }

    /// The slots that are not empty, in ascending order.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.slots.keys().copied()
    }

    /// The leaves of a slot; all zero if it is empty.
    pub fn leaves(&self, slot: Slot) -> [u64; LEAVES] {
        self.slots.get(&slot).copied().unwrap_or_default()
    }

    /// The root of a slot; zero if it is empty.
    pub fn root(&self, slot: Slot) -> u64 {
        self.slots.get(&slot).map_or(0, root_of)
    }

    /// The hash of the roots of those slots of `group` that are `shared`; `None` if none of them is.
    pub fn group(&self, group: u8, shared: &dyn Fn(Slot) -> bool) -> Option<u64> {
        let mut hash = slots_of(group).any(shared).then_some(1)?;
        let first = u16::from(group) * SLOTS_PER_GROUP;
        // Empty slots add nothing, and most slots of a small store are empty.
        let stored = self.slots.range(Slot(first)..Slot(first + SLOTS_PER_GROUP));
        for (slot, leaves) in stored.filter(|&(&slot, _)| shared(slot)) {
            // The slot's number is in the hash, so that equal roots of different slots do not pass for each other.
            hash = mix(mix(hash, u64::from(slot.0)), root_of(leaves));
        }
        Some(hash)
    }
}

/// The slots of a group, in ascending order.
pub(super) fn slots_of(group: u8) -> impl Iterator<Item = Slot> {
    assert!(group < GROUPS, "no such group");
    let first = u16::from(group) * SLOTS_PER_GROUP;
    (first..first + SLOTS_PER_GROUP).map(Slot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const S: Slot = Slot(200);

    fn all(_: Slot) -> bool {
        true
    }

    /// Golden: a change makes every pair of old and new replicas repair everything, for ever.
    #[test]
    fn hashes_never_change() {
        let mut forest = Forest::default();
        forest.update(S, b"key", None, Some(7));
        assert_eq!(
            (leaf_of(b"key"), forest.root(S), forest.group(1, &all)),
            (10, 13_533_553_738_432_842_176, Some(18_325_700_733_420_850_194))
        );
    }

    #[test]
    fn what_was_removed_leaves_no_trace() {
        let mut forest = Forest::default();
        forest.update(S, b"a", None, Some(1));
        forest.update(S, b"a", Some(1), Some(2));
        forest.update(S, b"a", Some(2), None);
        assert_eq!(forest, Forest::default());
        assert_eq!((forest.root(S), forest.leaves(S)), (0, [0; LEAVES]));
    }

    #[test]
    fn one_difference_shows_in_its_leaf_its_root_and_its_group_only() {
        let mut one = Forest::default();
        for key in 0..100u8 {
            one.update(S, &[key], None, Some(u128::from(key)));
        }
        let mut two = one.clone();
        two.update(S, &[5], Some(5), Some(6));
        let (ours, theirs) = (one.leaves(S), two.leaves(S));
        let differing: Vec<usize> = (0..LEAVES).filter(|&leaf| ours[leaf] != theirs[leaf]).collect();
        assert_eq!(differing, [usize::from(leaf_of(&[5]))]);
        assert_ne!(one.root(S), two.root(S));
        let groups: Vec<u8> = (0..GROUPS).filter(|&g| one.group(g, &all) != two.group(g, &all)).collect();
        assert_eq!(groups, [1]);
    }

    #[test]
    fn only_shared_slots_are_compared() {
        let mut one = Forest::default();
        one.update(Slot(1), b"a", None, Some(1));
        assert_eq!(
            one.group(0, &|slot| slot == Slot(2)),
            Forest::default().group(0, &|slot| slot == Slot(2))
        );
        assert_eq!(one.group(0, &|_| false), None);
        let mut moved = Forest::default();
        moved.update(Slot(3), b"a", None, Some(1));
        assert_ne!(one.group(0, &all), moved.group(0, &all));
    }

    proptest! {
        /// The forest is a function of the stored entries and not of how they got there.
        #[test]
        fn the_history_of_a_forest_does_not_matter(
            writes in proptest::collection::vec((0u8..8, 0u16..3, 0u128..4), 0..60),
        ) {
            let (mut lived, mut stored) = (Forest::default(), BTreeMap::new());
            for (key, slot, digest) in writes {
                let new = (digest > 0).then_some(digest);
                let old = stored.insert((key, slot), new).flatten();
                lived.update(Slot(slot), &[key], old, new);
            }
            let mut built = Forest::default();
            for ((key, slot), digest) in stored.into_iter().rev() {
                built.update(Slot(slot), &[key], None, digest);
            }
            prop_assert_eq!(lived, built);
        }
    }
}
