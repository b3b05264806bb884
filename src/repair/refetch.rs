//! The re-fetch: what damage has made unknown at one replica, asked of all the others.
//!
//! ```text
//! damaged                                    each other replica
//!   Refetch: a part of the key space  ----->
//!                                     <-----   Content: what it has there, and where the next page begins
//! ```
//!
//! The damaged replica may have been one of the W that a write was promised to be on, and each of the others may be
//! the only one left that has it. So nothing is concluded before *all* other replicas have told all that they have of
//! the part: until then the keys stay unknown, and "not found" is never said of them. A replica that is itself damaged
//! there tells what it can read, and in which parts it can tell nothing. Both would wait for each other for ever, so
//! what a third one tells in whole counts then: what only the two had is lost in any case. Where every other replica is
//! damaged in the same place, it is waited for as long as one of them cannot read there, because that may pass. What
//! all of them can read, and is not what was written, is lost.
//!
//! The answers are whole sibling sets and not digests as in the exchange: everything in the part is lost here, so there
//! is nothing to compare. Lost or repeated messages cost a round: an answer counts only for the question that is open.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::codec::{Decode, Encode};
use crate::base::id::{NodeId, Slot};
use crate::base::limits::{KEY_MAX, SLOTS};
use crate::causal::siblings::Siblings;
use crate::ring::token::slot_of;

/// A page ends with the entry that brings it to so many bytes.
pub const PAGE_BYTES: usize = 256 << 10;
/// A page covers at most so many entries of the store, whether the asker is a replica of them or not.
pub const PAGE_ENTRIES: usize = 4096;
/// A page names at most so many damaged parts.
pub const UNKNOWN_MAX: usize = 1024;
/// What a re-fetch may hold in memory, in bytes. Damage that needs more waits for an operator.
pub const HELD_MAX: usize = 256 << 20;

/// A place in the key space, which is in order of slots, and of keys within a slot.
pub type Place = (Slot, Bytes);

/// All places from `from` on and before `to`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Part {
    pub from: Place,
    pub to: Place,
}

/// What a replica has of a part.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Content {
    /// As it was asked for.
    pub part: Part,
    /// In order.
    pub entries: Vec<(Bytes, Arc<Siblings>)>,
    /// Where this replica has damage itself.
    pub unknown: Vec<Part>,
    /// Whether that may pass: what cannot be read now can perhaps be read later.
    pub may_pass: bool,
    /// Where the next page begins; `None`: this was all.
    pub next: Option<Place>,
}

impl Part {
    pub fn contains(&self, key: &[u8]) -> bool {
        let place = (slot_of(key), key);
        (self.from.0, &*self.from.1) <= place && place < (self.to.0, &*self.to.1)
    }

    /// The slots that it touches.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        let last = self.to.0.0 + u16::from(!self.to.1.is_empty());
        (self.from.0.0..last).map(Slot)
    }

    /// What both contain.
    pub fn within(&self, other: &Part) -> Option<Part> {
        let (from, to) = (self.from.clone().max(other.from.clone()), self.to.clone().min(other.to.clone()));
        (from < to).then_some(Part { from, to })
    }

    /// Whether a correct peer could have named it. (A bound may be a key with a zero byte appended.)
    pub fn is_well_formed(&self) -> bool {
        let is_place = |place: &Place| place.1.len() <= KEY_MAX + 1;
        is_place(&self.from)
            && is_place(&self.to)
            && self.from < self.to
            && self.from.0.0 < SLOTS
            && self.to <= (Slot(SLOTS), Bytes::default())
    }
}

impl Content {
    /// The part that it tells about: the rest is for the next page.
    pub fn covered(&self) -> Part {
        let Content { part, next, .. } = self;
        Part { from: part.from.clone(), to: next.as_ref().unwrap_or(&part.to).clone() }
    }

    /// Whether a correct peer could have sent it.
    pub fn is_well_formed(&self) -> bool {
        let Content { part, entries, unknown, .. } = self;
        let covered = self.covered();
        part.is_well_formed()
            && covered.is_well_formed()
            && covered.to <= part.to
            && entries.len() <= PAGE_ENTRIES
            && entries.iter().all(|(key, siblings)| {
                (1..=KEY_MAX).contains(&key.len()) && covered.contains(key) && siblings.is_valid()
            })
            && unknown.len() <= UNKNOWN_MAX
            && unknown
                .iter()
                .all(|part| part.is_well_formed() && part.within(&covered).as_ref() == Some(part))
            && entries.is_sorted_by(|(left, _), (right, _)| (slot_of(left), left) < (slot_of(right), right))
    }
}

/// How far one replica has told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Told {
    /// The number of the part.
    part: usize,
    /// Where in it the next page begins.
    from: Place,
}

/// A re-fetch in progress.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Refetch {
    parts: Vec<Part>,
    /// Only the replicas that have not told everything.
    open: BTreeMap<NodeId, Told>,
    found: BTreeMap<Bytes, Siblings>,
    /// Where some could not tell everything, and who, as long as that may pass.
    unknown: Vec<(NodeId, Part)>,
    /// Whether anybody was damaged.
    is_shared: bool,
    held: usize,
    held_max: usize,
}

impl Refetch {
    /// Asks `replicas` for everything in `parts`, and holds at most `held_max` bytes.
    pub fn new(parts: Vec<Part>, replicas: BTreeSet<NodeId>, held_max: usize) -> Refetch {
        let start = parts.first().map(|part| Told { part: 0, from: part.from.clone() });
        let open = replicas.into_iter().filter_map(|node| Some((node, start.clone()?))).collect();
        Refetch {
            parts,
            open,
            found: BTreeMap::new(),
            unknown: Vec::new(),
            is_shared: false,
            held: 0,
            held_max,
        }
    }

    /// Who has not told everything.
    pub fn open(&self) -> impl Iterator<Item = NodeId> {
        self.open.keys().copied()
    }

    /// What `node` is to be asked now; `None` if it has told everything, or nothing more is asked of anybody because
    /// there is too much to hold.
    pub fn question(&self, node: NodeId) -> Option<Part> {
        let told = self.open.get(&node).filter(|_| self.held <= self.held_max)?;
        let part = self.parts.get(told.part)?;
        Some(Part { from: told.from.clone(), to: part.to.clone() })
    }

    /// Takes an answer; false if it is not one to the open question of `node`.
    pub fn take(&mut self, node: NodeId, content: Content) -> bool {
        if self.question(node).as_ref() != Some(&content.part) {
            return false;
        }
        for (key, siblings) in content.entries {
            self.add(key, &siblings);
        }
        self.is_shared |= !content.unknown.is_empty();
        if content.may_pass {
            self.unknown.extend(content.unknown.into_iter().map(|part| (node, part)));
        }
        let told = self.open.get_mut(&node).expect("a question was open");
        match content.next {
            Some(from) => told.from = from,
            None => {
                told.part += 1;
                match self.parts.get(told.part) {
                    Some(part) => told.from = part.from.clone(),
                    None => drop(self.open.remove(&node)),
                }
            }
        }
        true
    }

    /// Adds what the asker itself still has of a key.
    pub fn add(&mut self, key: Bytes, siblings: &Siblings) {
        self.held += key.len() + siblings.value_bytes();
        self.found.entry(key).or_default().merge(siblings);
    }

    /// Takes out what was told so far, for somebody who does not wait for the rest.
    pub fn drain(&mut self) -> BTreeMap<Bytes, Siblings> {
        self.held = 0;
        core::mem::take(&mut self.found)
    }

    /// Whether some replica could not tell everything, for it is damaged itself.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Whether of every place in `slot` that was asked for, one of its `replicas` told what it has there, or that it is
    /// lost. That two of them are damaged in the same slot does no harm, as long as it is in different places.
    pub fn is_known(&self, slot: Slot, replicas: &[NodeId]) -> bool {
        let next = Slot(slot.0 + 1);
        let whole = Part { from: (slot, Bytes::default()), to: (next, Bytes::default()) };
        let mut nobody: Vec<Part> = self.parts.iter().filter_map(|part| part.within(&whole)).collect();
        for node in replicas {
            let unknown = self.unknown.iter().filter(|(of, _)| of == node).map(|(_, part)| part);
            let both = unknown.flat_map(|part| nobody.iter().filter_map(|left| left.within(part)));
            nobody = both.collect();
        }
        nobody.is_empty()
    }

    /// The slots in which somebody may be able to tell more later.
    pub fn unknown_slots(&self) -> BTreeSet<Slot> {
        self.unknown.iter().flat_map(|(_, part)| part.slots()).collect()
    }

    /// What the replicas have together, once all of them have told everything.
    pub fn found(&self) -> Option<&BTreeMap<Bytes, Siblings>> {
        (self.open.is_empty() && self.held <= self.held_max).then_some(&self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::WallTime;
    use crate::causal::clock::Clock;
    use crate::causal::dot::Actor;
    use alloc::vec;

    fn place(slot: u16) -> Place {
        (Slot(slot), Bytes::default())
    }

    fn part(from: u16, to: u16) -> Part {
        Part { from: place(from), to: place(to) }
    }

    fn written(node: u64) -> Arc<Siblings> {
        let mut siblings = Siblings::default();
        let actor = Actor { node: NodeId(node), epoch: 1 };
        siblings.write(actor, &Clock::default(), WallTime(1), Some(Bytes::from("value")));
        Arc::new(siblings)
    }

    fn refetch(held_max: usize) -> Refetch {
        let replicas = [NodeId(1), NodeId(2)].into();
        Refetch::new(vec![part(0, 8_000), part(9_000, SLOTS)], replicas, held_max)
    }

    #[test]
    fn nothing_is_found_before_every_replica_has_told_everything() {
        let mut refetch = refetch(HELD_MAX);
        let key = Bytes::from("foo");
        assert_eq!(slot_of(&key), Slot(12_182));
        for node in [NodeId(1), NodeId(2)] {
            let first = Content {
                part: part(0, 8_000),
                entries: vec![],
                unknown: vec![],
                may_pass: false,
                next: Some(place(5)),
            };
            assert!(refetch.take(node, first.clone()));
            assert!(!refetch.take(node, first), "it was repeated on the way");
            assert!(refetch.take(
                node,
                Content {
                    part: part(5, 8_000),
                    entries: vec![],
                    unknown: vec![],
                    may_pass: false,
                    next: None
                }
            ));
            assert_eq!(refetch.found(), None);
            let entries = vec![(key.clone(), written(node.0))];
            assert!(refetch.take(
                node,
                Content { part: part(9_000, SLOTS), entries, unknown: vec![], may_pass: false, next: None }
            ));
            assert_eq!(refetch.question(node), None);
        }
        let found = refetch.found().expect("both have told");
        assert_eq!(found[&key].versions().len(), 2, "both versions, since neither replaced the other");
        let late =
            Content { part: part(0, 8_000), entries: vec![], unknown: vec![], may_pass: false, next: None };
        assert!(!refetch.take(NodeId(3), late));
    }

    #[test]
    fn a_replica_that_is_damaged_too_tells_where_it_can_tell_nothing() {
        let mut refetch = Refetch::new(vec![part(0, 8_000)], [NodeId(1), NodeId(2)].into(), HELD_MAX);
        let unknown = vec![part(7, 9).within(&part(0, 8)).expect("slot 7"), part(20, 21)];
        let content = Content { part: part(0, 8_000), entries: vec![], unknown, may_pass: true, next: None };
        assert!(content.is_well_formed() && refetch.take(NodeId(1), content));
        assert_eq!(refetch.found(), None);
        let content = Content {
            part: part(0, 8_000),
            entries: vec![],
            unknown: vec![part(20, 21)],
            may_pass: true,
            next: None,
        };
        assert!(refetch.take(NodeId(2), content));
        assert!(refetch.found().is_some() && refetch.is_shared());
        assert_eq!(refetch.unknown_slots(), [Slot(7), Slot(20)].into());
        let known = |slot| refetch.is_known(Slot(slot), &[NodeId(1), NodeId(2)]);
        assert!(known(7) && known(9) && !known(20) && !refetch.is_known(Slot(7), &[NodeId(1)]));
    }

    /// What will never be told is not waited for.
    #[test]
    fn a_replica_whose_damage_stays_has_told_all_that_it_ever_will() {
        let mut refetch = Refetch::new(vec![part(0, 8_000)], [NodeId(1)].into(), HELD_MAX);
        let (part, unknown) = (part(0, 8_000), vec![part(20, 21)]);
        assert!(
            refetch.take(NodeId(1), Content { part, entries: vec![], unknown, may_pass: false, next: None })
        );
        assert!(refetch.is_shared() && refetch.is_known(Slot(20), &[NodeId(1)]));
    }

    #[test]
    fn more_than_may_be_held_ends_the_questions_and_finds_nothing() {
        let mut refetch = refetch(7);
        let entries = vec![(Bytes::from("foo"), written(1))];
        let page =
            |part: Part, entries| Content { part, entries, unknown: vec![], may_pass: false, next: None };
        assert!(refetch.take(NodeId(1), page(part(0, 8_000), vec![])));
        assert!(refetch.take(NodeId(1), page(part(9_000, SLOTS), entries)));
        assert_eq!(refetch.question(NodeId(2)), None);
        assert_eq!(refetch.found(), None);
    }

    #[test]
    fn contents_that_no_correct_replica_sends_are_refused() {
        let good = Content {
            part: part(9_000, SLOTS),
            entries: vec![(Bytes::from("foo"), written(1))],
            unknown: vec![],
            may_pass: false,
            next: None,
        };
        assert!(good.is_well_formed());
        let bad = [
            Content { part: part(13_000, SLOTS), ..good.clone() },
            Content { part: part(9_000, SLOTS + 1), ..good.clone() },
            Content {
                part: part(9_000, 9_000),
                entries: vec![],
                unknown: vec![],
                may_pass: false,
                next: None,
            },
            Content { unknown: vec![part(8_999, 9_001)], ..good.clone() },
            Content { unknown: vec![part(13_000, 13_001)], next: Some(place(13_000)), ..good.clone() },
            Content { unknown: vec![part(9_000, 9_001); UNKNOWN_MAX + 1], ..good.clone() },
            Content { next: Some(place(9_000)), ..good.clone() },
            Content { next: Some(place(12_000)), ..good.clone() },
            Content { entries: vec![good.entries[0].clone(), good.entries[0].clone()], ..good.clone() },
        ];
        for content in bad {
            assert!(!content.is_well_formed(), "{content:?}");
        }
    }
}
