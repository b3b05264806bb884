//! The exchange: two replicas find out where they differ, at a cost that follows the difference.
//!
//! ```text
//! A ── Groups: hashes of all groups ──▶ B
//! A ◀── Slots: roots, in groups that differ ── B
//! A ── Leaves: of slots that differ ──▶ B
//! A ◀── Keys: digests, of leaves that differ ── B
//! A: sends what B lacks, asks for what it lacks itself
//! ```
//!
//! Only slots that both own are looked at. No side keeps anything between messages: each answer is computed from the
//! forest as it is, so a lost message costs a round and nothing else. Writes that are under way look like differences
//! for a moment; then something is sent that the other already has, which does no harm. Every message is cut to a
//! bound; what is cut off is found in a later round.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::checksum::mix;
use crate::base::codec::{Decode, Encode};
use crate::base::id::Slot;
use crate::base::limits::SLOTS;
use crate::repair::merkle::{Forest, GROUP_SLOTS, GROUPS, LEAVES, Leaves, leaf_of};

/// Slots in one message.
const SLOTS_MAX: usize = 1024;
/// Slots of which leaves are compared in one round.
const LEAVES_MAX: usize = 128;
/// Keys in one message.
pub const KEYS_MAX: usize = 512;

/// One message of an exchange.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Exchange {
    /// The hash of each group, in order.
    Groups(Vec<u64>),
    /// The roots of all slots, in the named groups, that hold anything.
    Slots {
        groups: Vec<u16>,
        roots: Vec<(Slot, u64)>,
    },
    Leaves(Vec<(Slot, Leaves)>),
    /// All keys in the named leaves, with their digests.
    Keys {
        leaves: Vec<(Slot, u8)>,
        keys: Vec<(Bytes, u128)>,
    },
    /// "Send me these."
    Wanted(Vec<Bytes>),
}

/// What is to be done about a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send this to the other side.
    Send(Exchange),
    /// List the keys of these leaves and send them as `Keys`.
    List(Vec<(Slot, u8)>),
    /// List the keys of these leaves and hand them to [`compare`] with what the other side listed.
    Compare { leaves: Vec<(Slot, u8)>, theirs: Vec<(Bytes, u128)> },
    /// Send what is stored of these keys.
    Deliver(Vec<Bytes>),
}

impl Exchange {
    /// Whether a correct node could have sent this.
    pub fn is_valid(&self) -> bool {
        let slot = |slot: Slot| slot.0 < SLOTS;
        let leaf = |&(at, leaf): &(Slot, u8)| slot(at) && usize::from(leaf) < LEAVES;
        match self {
            Exchange::Groups(hashes) => hashes.len() == usize::from(GROUPS),
            Exchange::Slots { groups, roots } => {
                groups.len() <= usize::from(GROUPS)
                    && groups.iter().all(|&group| group < GROUPS)
                    && roots.len() <= SLOTS_MAX
                    && roots.iter().all(|root| slot(root.0))
            }
            Exchange::Leaves(leaves) => {
                leaves.len() <= LEAVES_MAX && leaves.iter().all(|entry| slot(entry.0))
            }
            Exchange::Keys { leaves, keys } => {
                leaves.len() <= LEAVES_MAX * LEAVES && leaves.iter().all(leaf) && keys.len() <= KEYS_MAX
            }
            Exchange::Wanted(keys) => keys.len() <= KEYS_MAX,
        }
    }
}

/// The first message of a round.
pub fn open(forest: &Forest, shared: &dyn Fn(Slot) -> bool) -> Exchange {
    Exchange::Groups((0..GROUPS).map(|group| group_hash(forest, group, shared)).collect())
}

/// What to do about `message`. Whatever it says, only slots that are shared are looked at.
pub fn respond(forest: &Forest, shared: &dyn Fn(Slot) -> bool, message: Exchange) -> Option<Action> {
    match message {
        Exchange::Groups(theirs) => compare_groups(forest, shared, &theirs),
        Exchange::Slots { groups, roots } => compare_slots(forest, shared, &groups, roots),
        Exchange::Leaves(theirs) => {
            let differing = theirs.into_iter().filter(|entry| shared(entry.0)).flat_map(|(slot, theirs)| {
                let ours = forest.leaves(slot);
                (0..LEAVES)
                    .filter(move |&leaf| ours[leaf] != theirs[leaf])
                    .map(move |leaf| (slot, leaf as u8))
            });
            Some(differing.collect::<Vec<_>>()).filter(|leaves| !leaves.is_empty()).map(Action::List)
        }
        Exchange::Keys { leaves, keys } => {
            let leaves: Vec<(Slot, u8)> = leaves.into_iter().filter(|leaf| shared(leaf.0)).collect();
            (!leaves.is_empty()).then_some(Action::Compare { leaves, theirs: keys })
        }
        Exchange::Wanted(keys) => Some(Action::Deliver(keys)),
    }
}

fn compare_groups(forest: &Forest, shared: &dyn Fn(Slot) -> bool, theirs: &[u64]) -> Option<Action> {
    let mut groups = Vec::new();
    let mut roots = Vec::new();
    for (group, hash) in (0..GROUPS).zip(theirs) {
        if group_hash(forest, group, shared) == *hash {
            continue;
        }
        let found: Vec<(Slot, u64)> = forest.group(group).filter(|root| shared(root.0)).collect();
        if roots.len() + found.len() > SLOTS_MAX {
            break;
        }
        groups.push(group);
        roots.extend(found);
    }
    (!groups.is_empty()).then_some(Action::Send(Exchange::Slots { groups, roots }))
}

fn compare_slots(
    forest: &Forest,
    shared: &dyn Fn(Slot) -> bool,
    groups: &[u16],
    theirs: Vec<(Slot, u64)>,
) -> Option<Action> {
    let theirs: BTreeMap<Slot, u64> = theirs.into_iter().collect();
    let slots = groups.iter().filter(|&&group| group < GROUPS).flat_map(|&group| {
        let first = group * GROUP_SLOTS;
        (first..first + GROUP_SLOTS).map(Slot)
    });
    let differing =
        slots.filter(|&slot| shared(slot) && forest.root(slot) != theirs.get(&slot).copied().unwrap_or(0));
    let leaves: Vec<(Slot, Leaves)> =
        differing.take(LEAVES_MAX).map(|slot| (slot, forest.leaves(slot))).collect();
    (!leaves.is_empty()).then_some(Action::Send(Exchange::Leaves(leaves)))
}

/// What both sides listed of some leaves: which keys to deliver to the other side, and which to ask it for.
pub fn compare(ours: &[(Bytes, u128)], theirs: Vec<(Bytes, u128)>) -> (Vec<Bytes>, Vec<Bytes>) {
    let mut theirs: BTreeMap<Bytes, u128> = theirs.into_iter().collect();
    let mut deliver = Vec::new();
    let mut ask = Vec::new();
    for (key, digest) in ours {
        match theirs.remove(key) {
            Some(same) if same == *digest => {}
            // Different: each may know something that the other does not, so both ways.
            Some(_) => {
                deliver.push(key.clone());
                ask.push(key.clone());
            }
            None => deliver.push(key.clone()),
        }
    }
    ask.extend(theirs.into_keys());
    deliver.truncate(KEYS_MAX);
    ask.truncate(KEYS_MAX);
    (deliver, ask)
}

/// Whether `key`, of `slot`, lies in one of the leaves.
pub fn within(leaves: &[(Slot, u8)], slot: Slot, key: &[u8]) -> bool {
    leaves.contains(&(slot, leaf_of(key) as u8))
}

fn group_hash(forest: &Forest, group: u16, shared: &dyn Fn(Slot) -> bool) -> u64 {
    let roots = forest.group(group).filter(|root| shared(root.0));
    roots.fold(0, |hash, (slot, root)| mix(mix(hash, u64::from(slot.0)), root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[derive(Default)]
    struct Side {
        forest: Forest,
        data: BTreeMap<Bytes, u128>,
    }

    fn slot_of(key: &[u8]) -> Slot {
        Slot((checksum(key) % u64::from(SLOTS)) as u16)
    }

    fn checksum(key: &[u8]) -> u64 {
        crate::base::checksum::checksum(99, key)
    }

    impl Side {
        fn put(&mut self, key: Bytes, digest: u128) {
            let old = self.data.insert(key.clone(), digest);
            self.forest.update(slot_of(&key), &key, old, Some(digest));
        }

        fn list(&self, leaves: &[(Slot, u8)]) -> Vec<(Bytes, u128)> {
            let inside = self.data.iter().filter(|(key, _)| within(leaves, slot_of(key), key));
            inside.map(|(key, digest)| (key.clone(), *digest)).take(KEYS_MAX).collect()
        }
    }

    /// Runs one round that `sides[0]` opens. The larger digest stands for the merged state. The answer is the number
    /// of messages and of delivered keys.
    fn round(sides: &mut [Side; 2], shared: &dyn Fn(Slot) -> bool) -> (usize, usize) {
        let (mut messages, mut delivered) = (0, 0);
        let mut wire = alloc::vec![(1, open(&sides[0].forest, shared))];
        while let Some((to, message)) = wire.pop() {
            assert!(message.is_valid());
            messages += 1;
            match respond(&sides[to].forest, shared, message) {
                None => {}
                Some(Action::Send(message)) => wire.push((1 - to, message)),
                Some(Action::List(leaves)) => {
                    let keys = sides[to].list(&leaves);
                    wire.push((1 - to, Exchange::Keys { leaves, keys }));
                }
                Some(Action::Compare { leaves, theirs }) => {
                    let (deliver, ask) = compare(&sides[to].list(&leaves), theirs);
                    wire.push((1 - to, Exchange::Wanted(ask)));
                    delivered += give(sides, to, &deliver);
                }
                Some(Action::Deliver(keys)) => delivered += give(sides, to, &keys),
            }
        }
        (messages, delivered)
    }

    fn give(sides: &mut [Side; 2], from: usize, keys: &[Bytes]) -> usize {
        for key in keys {
            let digest = sides[from].data[key].max(sides[1 - from].data.get(key).copied().unwrap_or(0));
            sides[1 - from].put(key.clone(), digest);
        }
        keys.len()
    }

    fn filled(count: u32) -> Side {
        let mut side = Side::default();
        (0..count).for_each(|n| side.put(Bytes::from(n.to_string().as_str()), u128::from(n) + 1));
        side
    }

    #[test]
    fn equal_sides_exchange_one_message() {
        assert_eq!(round(&mut [filled(500), filled(500)], &|_| true), (1, 0));
    }

    #[test]
    fn one_difference_among_many_moves_one_key() {
        let mut sides = [filled(500), filled(500)];
        sides[1].put(Bytes::from("7"), 1 << 90);
        let (messages, delivered) = round(&mut sides, &|_| true);
        assert_eq!((messages, delivered), (5, 2), "once each way");
        assert_eq!(sides[0].forest, sides[1].forest);
    }

    #[test]
    fn slots_that_are_not_shared_are_not_looked_at() {
        let mut sides = [filled(500), filled(0)];
        assert_eq!(round(&mut sides, &|_| false), (1, 0));
        let even = |slot: Slot| slot.0.is_multiple_of(2);
        while round(&mut sides, &even).1 > 0 {}
        let moved = sides[0].data.keys().filter(|key| even(slot_of(key))).count();
        assert!(moved > 0 && sides[1].data.len() == moved);
    }

    proptest! {
        #[test]
        fn any_two_sides_become_equal(
            a in proptest::collection::btree_map(0u32..300, 1u128..4, 0..200),
            b in proptest::collection::btree_map(0u32..300, 1u128..4, 0..200),
        ) {
            let mut sides = [Side::default(), Side::default()];
            for (side, content) in [a, b].into_iter().enumerate() {
                content.iter().for_each(|(n, digest)| sides[side].put(Bytes::from(n.to_string().as_str()), *digest));
            }
            let mut rounds = 0;
            while round(&mut sides, &|_| true).1 > 0 {
                rounds += 1;
                prop_assert!(rounds < 10, "no progress");
            }
            prop_assert_eq!(&sides[0].data, &sides[1].data);
        }
    }
}
