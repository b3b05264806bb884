//! [`Forest`]: one small hash tree for each slot (Merkle 1987; Dynamo section 4.7), kept up to date as writes arrive.
//!
//! ```text
//! group (128 slots) ─ slot ─ leaf (16 in a slot) ─ key
//! ```
//!
//! A leaf is the exclusive or of its entries' hashes, so that changing one entry costs two operations and no read. What
//! is above the leaves is computed when it is asked for. The weakness of exclusive or, that entries can be made which
//! cancel each other, needs a forger of our own hash; against accident 64 bits suffice.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use crate::base::checksum::{checksum, mix};
use crate::base::id::Slot;
use crate::base::limits::SLOTS;

/// Leaves of a slot.
pub const LEAVES: usize = 16;
/// Slots of a group.
pub const GROUP_SLOTS: u16 = 128;
/// Groups of the key space.
pub const GROUPS: u16 = SLOTS / GROUP_SLOTS;

const _: () = assert!(SLOTS.is_multiple_of(GROUP_SLOTS) && GROUPS <= 256);

/// The leaves of one slot.
pub type Leaves = [u64; LEAVES];

/// The trees of all slots that hold anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Forest {
    slots: BTreeMap<Slot, Box<Tree>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Tree {
    leaves: Leaves,
    /// Entries in the slot; an empty tree is removed.
    entries: u64,
}

/// The leaf of a key.
pub fn leaf_of(key: &[u8]) -> usize {
    (checksum(0x6c65_6166, key) % LEAVES as u64) as usize
}

impl Forest {
    /// The digest of an entry changes from `old` to `new`; `None` is "no entry".
    pub fn update(&mut self, slot: Slot, key: &[u8], old: Option<u128>, new: Option<u128>) {
        if old == new {
            return;
        }
        let tree = self.slots.entry(slot).or_default();
        let leaf = &mut tree.leaves[leaf_of(key)];
        if let Some(old) = old {
            *leaf ^= entry_hash(key, old);
            assert!(tree.entries > 0, "an entry that is replaced was there");
            tree.entries -= 1;
        }
        if let Some(new) = new {
            *leaf ^= entry_hash(key, new);
            tree.entries += 1;
        }
        if tree.entries == 0 {
            assert!(tree.leaves == [0; LEAVES], "nothing hashes to nothing");
            self.slots.remove(&slot);
        }
    }

    /// The leaves of a slot; zeros for an empty one.
    pub fn leaves(&self, slot: Slot) -> Leaves {
        self.slots.get(&slot).map_or([0; LEAVES], |tree| tree.leaves)
    }

    /// The root of a slot's tree; zero for an empty one.
    pub fn root(&self, slot: Slot) -> u64 {
        self.slots.get(&slot).map_or(0, |tree| tree.leaves.iter().fold(1, |hash, leaf| mix(hash, *leaf)))
    }

    /// The slots of a group that hold anything, with their roots.
    pub fn group(&self, group: u16) -> impl Iterator<Item = (Slot, u64)> {
        assert!(group < GROUPS, "no such group");
        let first = group * GROUP_SLOTS;
        self.slots.range(Slot(first)..Slot(first + GROUP_SLOTS)).map(|(&slot, _)| (slot, self.root(slot)))
    }
}

fn entry_hash(key: &[u8], digest: u128) -> u64 {
    mix(checksum(digest as u64, key), (digest >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forest_depends_on_what_is_in_it_and_not_on_how_it_came_there() {
        let mut direct = Forest::default();
        direct.update(Slot(7), b"a", None, Some(2));
        let mut roundabout = Forest::default();
        roundabout.update(Slot(7), b"b", None, Some(9));
        roundabout.update(Slot(7), b"a", None, Some(1));
        roundabout.update(Slot(7), b"b", Some(9), None);
        roundabout.update(Slot(7), b"a", Some(1), Some(2));
        assert_eq!(direct, roundabout);
        roundabout.update(Slot(7), b"a", Some(2), None);
        assert_eq!(roundabout, Forest::default());
    }

    #[test]
    fn keys_digests_and_slots_all_count() {
        let with = |slot, key: &[u8], digest| {
            let mut forest = Forest::default();
            forest.update(Slot(slot), key, None, Some(digest));
            forest
        };
        let base = with(7, b"a", 1);
        assert_ne!(base.root(Slot(7)), with(7, b"b", 1).root(Slot(7)));
        assert_ne!(base.root(Slot(7)), with(7, b"a", 2).root(Slot(7)));
        assert_ne!(base.root(Slot(7)), with(7, b"a", 1 << 100).root(Slot(7)));
        assert_ne!(base.root(Slot(7)), base.root(Slot(8)));
        assert_eq!(base.group(0).count(), 1);
        assert_eq!(base.group(1).count(), 0);
    }
}
