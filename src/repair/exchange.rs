//! The comparison of two replicas. It narrows down: groups of slots, slots, leaves, keys; equal replicas
//! exchange one message, and otherwise the cost follows the difference.
//!
//! ```text
//! one                                   two
//!   Groups: hash of every group  ----->
//!                                <-----   Slots: roots of the groups that differ
//!   Leaves of slots that differ  ----->
//!                                <-----   Keys: one page per leaf that differs
//!   Want keys; send keys; More   ----->   send the keys wanted; the next page
//! ```
//!
//! Neither side remembers anything between messages: each message says all that is needed to answer it, so a
//! lost or repeated one, or a restart, costs at most the round. Writes that arrive meanwhile show as
//! differences that are not; repairing one sends a value that the other merges without effect.
//!
//! Every message is bounded, and what does not fit waits for the next round. The frame that carries a message
//! has the version number of the format.

use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::codec::{Decode, Encode};
use crate::base::id::Slot;
use crate::base::limits::{KEY_MAX, SLOTS};
use crate::base::rng::Stream;
use crate::repair::merkle::{Forest, GROUPS, LEAVES, slots_of};
use crate::repair::page::{KEYS_MAX, Page, Span};
use crate::repair::refetch::{Content, Part};
use crate::ring::token::slot_of;

/// Slots whose leaves are compared in one round. It bounds the work of a round to 16 times as many listings.
pub const COMPARED_SLOTS_MAX: usize = 64;

/// A message between two replicas.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Exchange {
    /// The hash of every group that has slots of which both are replicas under this version of the layout.
    Groups { layout: u64, hashes: Vec<(u8, u64)> },
    /// The roots of all common slots in the groups that differ.
    Slots(Vec<(Slot, u64)>),
    /// The leaves of slots that differ.
    Leaves(Vec<(Slot, [u64; LEAVES])>),
    /// The keys of a part of a leaf that differs.
    Keys(Page),
    /// Asks for the keys of this part.
    More(Span),
    /// Asks for what is stored under these keys.
    Want { slot: Slot, keys: Vec<Bytes> },
    /// Asks for everything in a part of the key space of which both are replicas under this version of the layout
    /// (see [`crate::repair::refetch`]).
    Refetch { layout: u64, part: Part },
    /// A page of the answer, under the same version.
    Content { layout: u64, content: Content },
}

/// What the node has to do with its storage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// List the span and send it to the peer as [`Exchange::Keys`].
    List(Span),
    /// List the page's span and give both to [`compare`](crate::repair::page::compare).
    Compare(Page),
    /// Send the peer what is stored under these keys.
    Send { slot: Slot, keys: Vec<Bytes> },
    /// Send the peer what is stored in this part, of slots that both have.
    Gather(Part),
    /// Take in what the peer has of a part that is damaged here.
    Take(Content),
}

/// The answer to a message: what goes back to the peer, and what the node has to do first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Response {
    pub messages: Vec<Exchange>,
    pub actions: Vec<Action>,
}

/// Why a message is not answered. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refused {
    /// The peers do not agree on who owns what: first one of them has to catch up with the layout.
    OtherLayout { theirs: u64 },
    /// No correct peer sends this.
    Malformed,
}

/// The first message of a round, or nothing if there is no slot of which both are replicas. `shared` says
/// whether both are replicas of a slot under `layout`.
pub fn open(forest: &Forest, layout: u64, shared: &dyn Fn(Slot) -> bool) -> Option<Exchange> {
    let hash = |group| forest.group(group, shared).map(|hash| (group, hash));
    let hashes: Vec<(u8, u64)> = (0..GROUPS).filter_map(hash).collect();
    (!hashes.is_empty()).then_some(Exchange::Groups { layout, hashes })
}

/// Answers a message. Whatever the peer sends, only slots for which `shared` holds are touched. `rng` chooses
/// which slots are compared first if many differ, so that a difference that cannot be repaired does not block
/// the others.
pub fn respond(
    forest: &Forest,
    layout: u64,
    shared: &dyn Fn(Slot) -> bool,
    rng: &mut Stream,
    message: Exchange,
) -> Result<Response, Refused> {
    if !message.is_valid() {
        return Err(Refused::Malformed);
    }
    let mut response = Response::default();
    match message {
        Exchange::Groups { layout: theirs, .. }
        | Exchange::Refetch { layout: theirs, .. }
        | Exchange::Content { layout: theirs, .. }
            if theirs != layout =>
        {
            return Err(Refused::OtherLayout { theirs });
        }
        Exchange::Groups { hashes, .. } => {
            response.messages.extend(roots_of_differing(forest, shared, &hashes));
        }
        Exchange::Slots(roots) => {
            response.messages.extend(leaves_of_differing(forest, shared, rng, &roots));
        }
        Exchange::Leaves(theirs) => {
            for (slot, theirs) in theirs.into_iter().filter(|&(slot, _)| shared(slot)) {
                let ours = forest.leaves(slot);
                let differing =
                    (0u8..).zip(ours.iter().zip(&theirs)).filter(|(_, (ours, theirs))| ours != theirs);
                let list = |(leaf, _)| Action::List(Span { slot, leaf, after: None });
                response.actions.extend(differing.map(list));
            }
        }
        Exchange::Keys(page) if shared(page.span.slot) => response.actions.push(Action::Compare(page)),
        Exchange::More(span) if shared(span.slot) => response.actions.push(Action::List(span)),
        Exchange::Want { slot, keys } if shared(slot) => response.actions.push(Action::Send { slot, keys }),
        Exchange::Keys(_) | Exchange::More(_) | Exchange::Want { .. } => {}
        Exchange::Refetch { part, .. } => response.actions.push(Action::Gather(part)),
        Exchange::Content { content, .. } => response.actions.push(Action::Take(content)),
    }
    assert!(response.messages.len() <= 1 && response.actions.len() <= COMPARED_SLOTS_MAX * LEAVES);
    Ok(response)
}

fn roots_of_differing(
    forest: &Forest,
    shared: &dyn Fn(Slot) -> bool,
    hashes: &[(u8, u64)],
) -> Option<Exchange> {
    let differs =
        |&(group, theirs): &(u8, u64)| forest.group(group, shared).is_some_and(|ours| ours != theirs);
    let slots = hashes.iter().copied().filter(differs).flat_map(|(group, _)| slots_of(group));
    // Empty slots too: theirs may not be.
    let roots: Vec<(Slot, u64)> =
        slots.filter(|&slot| shared(slot)).map(|slot| (slot, forest.root(slot))).collect();
    (!roots.is_empty()).then_some(Exchange::Slots(roots))
}

fn leaves_of_differing(
    forest: &Forest,
    shared: &dyn Fn(Slot) -> bool,
    rng: &mut Stream,
    roots: &[(Slot, u64)],
) -> Option<Exchange> {
    let differs = |&(slot, theirs): &(Slot, u64)| shared(slot) && forest.root(slot) != theirs;
    let mut slots: Vec<Slot> = roots.iter().copied().filter(differs).map(|(slot, _)| slot).collect();
    if slots.is_empty() {
        return None;
    }
    let start = rng.below(slots.len() as u64) as usize;
    slots.rotate_left(start);
    slots.truncate(COMPARED_SLOTS_MAX);
    slots.sort_unstable();
    Some(Exchange::Leaves(slots.into_iter().map(|slot| (slot, forest.leaves(slot))).collect()))
}

impl Exchange {
    /// Whether a correct peer could have sent this: within all limits, every list strictly ascending. (So a list
    /// cannot be longer than there are groups or slots, and cannot name one twice to have the work done twice.)
    pub fn is_valid(&self) -> bool {
        match self {
            Exchange::Groups { hashes, .. } => {
                hashes.is_sorted_by(|left, right| left.0 < right.0)
                    && hashes.iter().all(|&(group, _)| group < GROUPS)
            }
            Exchange::Slots(roots) => {
                roots.is_sorted_by(|left, right| left.0 < right.0)
                    && roots.iter().all(|(slot, _)| slot.0 < SLOTS)
            }
            Exchange::Leaves(leaves) => {
                leaves.len() <= COMPARED_SLOTS_MAX
                    && leaves.is_sorted_by(|left, right| left.0 < right.0)
                    && leaves.iter().all(|(slot, _)| slot.0 < SLOTS)
            }
            Exchange::Keys(page) => page.span.slot.0 < SLOTS && page.is_well_formed(),
            Exchange::More(span) => span.slot.0 < SLOTS && span.is_well_formed(),
            Exchange::Want { slot, keys } => {
                slot.0 < SLOTS
                    && keys.len() <= KEYS_MAX
                    && keys.is_sorted_by(|left, right| left < right)
                    && keys.iter().all(|key| key.len() <= KEY_MAX && slot_of(key) == *slot)
            }
            Exchange::Refetch { part, .. } => part.is_well_formed(),
            Exchange::Content { content, .. } => content.is_well_formed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::codec::{decode, encode};
    use crate::repair::merkle::leaf_of;
    use crate::repair::page::{Difference, Listing, compare};
    use alloc::collections::{BTreeMap, VecDeque};
    use alloc::vec;
    use proptest::prelude::*;

    const LAYOUT: u64 = 4;

    /// A replica in memory. Two digests of one key merge to the larger.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Replica {
        stored: BTreeMap<Bytes, u128>,
        forest: Forest,
    }

    impl Replica {
        fn holding(entries: impl IntoIterator<Item = (Bytes, u128)>) -> Replica {
            let mut replica = Replica::default();
            entries.into_iter().for_each(|(key, digest)| replica.put(key, digest));
            replica
        }

        fn put(&mut self, key: Bytes, digest: u128) {
            let old = self.stored.get(&key).copied();
            let new = old.map_or(digest, |old| old.max(digest));
            self.forest.update(slot_of(&key), &key, old, Some(new));
            self.stored.insert(key, new);
        }

        /// At most two keys per page, so that the tests turn many pages.
        fn list(&self, span: &Span) -> Listing {
            let mut entries: Vec<(Bytes, u128)> = self
                .stored
                .iter()
                .filter(|(key, _)| span.contains(key))
                .map(|(key, digest)| (key.clone(), *digest))
                .collect();
            let end = entries.len() <= 2;
            entries.truncate(2);
            Listing { entries, end }
        }
    }

    #[derive(Debug, Default, PartialEq)]
    struct Cost {
        messages: usize,
        bytes: usize,
        keys: usize,
    }

    fn key(number: u32) -> Bytes {
        Bytes::from(alloc::format!("key-{number}").as_str())
    }

    fn rng() -> Stream {
        Stream::new(1, "test", 0)
    }

    fn answer(replica: &Replica, message: Exchange) -> Result<Response, Refused> {
        respond(&replica.forest, LAYOUT, &|_| true, &mut rng(), message)
    }

    /// One round that the first replica opens, until nobody has anything more to say.
    fn round(replicas: &mut [Replica; 2], shared: &dyn Fn(Slot) -> bool, rng: &mut Stream) -> Cost {
        let mut cost = Cost::default();
        let mut queue: VecDeque<(usize, Exchange)> = VecDeque::new();
        queue.extend(open(&replicas[0].forest, LAYOUT, shared).map(|message| (1, message)));
        while let Some((to, message)) = queue.pop_front() {
            let bytes = encode(&message);
            assert_eq!(decode::<Exchange>(&bytes).as_ref(), Ok(&message));
            cost.messages += 1;
            cost.bytes += bytes.len();
            let from = 1 - to;
            let response = respond(&replicas[to].forest, LAYOUT, shared, rng, message).expect("honest");
            queue.extend(response.messages.into_iter().map(|message| (from, message)));
            for action in response.actions {
                let (send, messages) = match action {
                    Action::List(span) => {
                        let listing = replicas[to].list(&span);
                        (vec![], vec![Exchange::Keys(Page { span, listing })])
                    }
                    Action::Compare(page) => {
                        let mine = replicas[to].list(&page.span);
                        let Difference { send, messages } = compare(page, mine);
                        (send, messages)
                    }
                    Action::Send { keys, .. } => (keys, vec![]),
                    Action::Gather(_) | Action::Take(_) => panic!("nothing is damaged here"),
                };
                queue.extend(messages.into_iter().map(|message| (from, message)));
                for key in send {
                    cost.keys += 1;
                    if let Some(&digest) = replicas[to].stored.get(&key) {
                        replicas[from].put(key, digest);
                    }
                }
            }
            assert!(cost.messages < 100_000, "the round does not end");
        }
        cost
    }

    fn everything(_: Slot) -> bool {
        true
    }

    #[test]
    fn equal_replicas_exchange_one_message() {
        let replica = Replica::holding((0..500).map(|number| (key(number), 1)));
        let cost = round(&mut [replica.clone(), replica], &everything, &mut rng());
        assert_eq!((cost.messages, cost.keys), (1, 0));
        assert!(cost.bytes < 2_000, "{} bytes", cost.bytes);
        let empty = round(&mut [Replica::default(), Replica::default()], &everything, &mut rng());
        assert_eq!(empty.messages, 1);
    }

    #[test]
    fn one_difference_costs_a_few_messages_however_much_is_stored() {
        for stored in [100, 3_000] {
            let mut replicas = [0, 1].map(|_| Replica::holding((0..stored).map(|number| (key(number), 1))));
            replicas[1].put(key(5), 2);
            let cost = round(&mut replicas, &everything, &mut rng());
            assert_eq!(replicas[0], replicas[1]);
            // Groups, slots, leaves, keys, want; the key goes both ways.
            assert_eq!((cost.messages, cost.keys), (5, 2));
            assert!(cost.bytes < 4_000, "{} bytes", cost.bytes);
        }
    }

    #[test]
    fn slots_that_are_not_shared_are_left_alone() {
        let mut replicas = [Replica::holding((0..300).map(|number| (key(number), 1))), Replica::default()];
        let shared = |slot: Slot| slot.0.is_multiple_of(2);
        for _ in 0..10 {
            round(&mut replicas, &shared, &mut rng());
        }
        let expected = replicas[0].stored.keys().filter(|key| shared(slot_of(key)));
        assert!(replicas[1].stored.keys().eq(expected) && !replicas[1].stored.is_empty());
        assert_eq!(open(&replicas[0].forest, LAYOUT, &|_| false), None);
        let groups = Exchange::Groups { layout: LAYOUT, hashes: vec![(1, 0)] };
        let response = respond(&replicas[0].forest, LAYOUT, &shared, &mut rng(), groups).expect("honest");
        let [Exchange::Slots(roots)] = response.messages.as_slice() else { panic!("{response:?}") };
        assert!(roots.len() == 64 && roots.iter().all(|&(slot, _)| shared(slot)));
    }

    #[test]
    fn many_differing_slots_are_compared_in_turns_and_none_is_blocked() {
        let mut replicas = [Replica::holding((0..400).map(|number| (key(number), 1))), Replica::default()];
        let mut rng = rng();
        let first = round(&mut replicas, &everything, &mut rng);
        assert!((COMPARED_SLOTS_MAX..2 * COMPARED_SLOTS_MAX).contains(&first.keys), "{first:?}");
        // A replica that could store nothing of what it was sent must still be offered other slots than
        // before.
        let differing: Vec<(Slot, u64)> = (0..SLOTS).map(|slot| (Slot(slot), 1)).collect();
        let mut offered = |_| {
            let message = Exchange::Slots(differing.clone());
            let response =
                respond(&replicas[0].forest, LAYOUT, &everything, &mut rng, message).expect("honest");
            response.messages
        };
        assert_ne!(offered(1), offered(2));
        let mut rng = Stream::new(2, "test", 0);
        let rounds = (1..).find(|_| round(&mut replicas, &everything, &mut rng).messages == 1);
        assert!(rounds <= Some(400 / COMPARED_SLOTS_MAX + 2), "{rounds:?}");
        assert_eq!(replicas[0], replicas[1]);
    }

    #[test]
    fn another_layout_is_refused() {
        let replica = Replica::default();
        let message = open(&replica.forest, LAYOUT + 1, &everything).expect("all is shared");
        assert_eq!(answer(&replica, message), Err(Refused::OtherLayout { theirs: LAYOUT + 1 }));
    }

    #[test]
    fn forged_messages_are_refused() {
        let replica = Replica::holding([(key(1), 1)]);
        let slot = slot_of(&key(1));
        let span = |slot, leaf| Span { slot, leaf, after: None };
        let listing = Listing { entries: vec![], end: true };
        let groups = |hashes| Exchange::Groups { layout: LAYOUT, hashes };
        for forged in [
            groups(vec![(GROUPS, 1)]),
            groups(vec![(1, 1), (1, 1)]),
            groups(vec![(2, 1), (1, 1)]),
            Exchange::Slots(vec![(Slot(SLOTS), 1)]),
            Exchange::Slots(vec![(Slot(1), 1), (Slot(1), 1)]),
            Exchange::Leaves(vec![(Slot(SLOTS), [1; LEAVES])]),
            Exchange::Leaves(vec![(slot, [1; LEAVES]); 2]),
            Exchange::Leaves((0..=COMPARED_SLOTS_MAX as u16).map(|slot| (Slot(slot), [1; LEAVES])).collect()),
            Exchange::More(span(Slot(SLOTS), 0)),
            Exchange::More(span(slot, LEAVES as u8)),
            Exchange::Keys(Page { span: span(Slot(SLOTS), 0), listing: listing.clone() }),
            Exchange::Keys(Page { span: span(slot, LEAVES as u8), listing }),
            Exchange::Want { slot: Slot(SLOTS), keys: vec![] },
            Exchange::Want { slot, keys: vec![key(2)] },
            Exchange::Want { slot, keys: vec![key(1), key(1)] },
            Exchange::Want {
                slot: slot_of(&[b'x'; KEY_MAX + 1]),
                keys: vec![Bytes::new(&[b'x'; KEY_MAX + 1])],
            },
        ] {
            assert_eq!(answer(&replica, forged.clone()), Err(Refused::Malformed), "{forged:?}");
        }
    }

    #[test]
    fn what_is_asked_of_slots_that_are_not_shared_is_not_answered() {
        let replica = Replica::holding([(key(1), 1)]);
        let slot = slot_of(&key(1));
        let span = Span { slot, leaf: 0, after: None };
        let listing = Listing { entries: vec![], end: true };
        let all: Vec<(u8, u64)> = (0..GROUPS).map(|group| (group, 0)).collect();
        for nosy in [
            Exchange::Groups { layout: LAYOUT, hashes: all },
            Exchange::Slots(vec![(slot, 1)]),
            Exchange::Leaves(vec![(slot, [1; LEAVES])]),
            Exchange::More(span.clone()),
            Exchange::Keys(Page { span, listing }),
            Exchange::Want { slot, keys: vec![key(1)] },
        ] {
            let response = respond(&replica.forest, LAYOUT, &|_| false, &mut rng(), nosy.clone());
            assert_eq!(response, Ok(Response::default()), "{nosy:?}");
            assert_ne!(answer(&replica, nosy.clone()), Ok(Response::default()), "{nosy:?}");
        }
    }

    /// Keys in few slots, one of them crowded by a hash tag.
    fn some_entries() -> impl Strategy<Value = Vec<(Bytes, u128)>> {
        let name = prop_oneof![
            (0u32..40).prop_map(|number| alloc::format!("{{tag}}{number}")),
            (0u32..40).prop_map(|number| alloc::format!("key-{number}")),
            Just(alloc::string::String::new()),
        ];
        let entry = (name, 1u128..3).prop_map(|(name, digest)| (Bytes::from(name.as_str()), digest));
        proptest::collection::vec(entry, 0..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// Also in one round, because so few slots differ; and the cost is bounded by the difference.
        #[test]
        fn any_two_replicas_converge(one in some_entries(), two in some_entries()) {
            let mut replicas = [Replica::holding(one), Replica::holding(two)];
            let merged = Replica::holding(replicas.iter().flat_map(|replica| replica.stored.clone()));
            let differing = merged.stored.keys()
                .filter(|key| replicas[0].stored.get(*key) != replicas[1].stored.get(*key)).count();
            let cost = round(&mut replicas, &everything, &mut rng());
            prop_assert_eq!(&replicas[0], &merged);
            prop_assert_eq!(&replicas[1], &merged);
            prop_assert!(cost.keys <= 2 * differing, "{:?} for {}", cost, differing);
        }

        /// Every message of a real round, with one byte changed.
        #[test]
        fn a_damaged_message_does_no_harm(which in 0usize..5, at in any::<prop::sample::Index>(), byte: u8) {
            let replica = Replica::holding([(key(1), 1), (key(2), 1)]);
            let slot = slot_of(&key(1));
            let span = Span { slot, leaf: leaf_of(&key(1)), after: None };
            let message = match which {
                0 => open(&replica.forest, LAYOUT, &everything).expect("all is shared"),
                1 => Exchange::Slots(vec![(slot, 1)]),
                2 => Exchange::Leaves(vec![(slot, [1; LEAVES])]),
                3 => Exchange::Keys(Page { listing: replica.list(&span), span }),
                _ => Exchange::Want { slot, keys: vec![key(1)] },
            };
            let mut bytes = encode(&message);
            bytes[at.index(encode(&message).len())] = byte;
            if let Ok(message) = decode::<Exchange>(&bytes)
                && let Ok(response) = answer(&replica, message)
            {
                for action in response.actions {
                    if let Action::Compare(page) = action {
                        let mine = replica.list(&page.span);
                        compare(page, mine);
                    }
                }
            }
        }
    }
}
