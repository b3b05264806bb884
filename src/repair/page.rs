//! Comparison of one leaf, key by key. A leaf can be long (a hash tag puts any number of keys into one slot),
//! so it is compared in pages, each of which says which part of the leaf it covers: nobody has to remember
//! where the comparison stands.

use core::cmp::Ordering;

use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::codec::{Decode, Encode};
use crate::base::id::Slot;
use crate::base::limits::{FRAME_MAX, KEY_MAX};
use crate::repair::exchange::Exchange;
use crate::repair::merkle::{LEAVES, leaf_of};
use crate::ring::token::slot_of;

/// Keys per page, and per request for keys.
pub const KEYS_MAX: usize = 1024;

const _: () = assert!(KEYS_MAX * (KEY_MAX + 32) + KEY_MAX < FRAME_MAX);

/// The keys of a leaf that come after `after`, or all of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Span {
    pub slot: Slot,
    pub leaf: u8,
    pub after: Option<Bytes>,
}

/// The keys of a span that are stored, with the digest of what is stored under each: ascending, at most
/// [`KEYS_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Listing {
    pub entries: Vec<(Bytes, u128)>,
    /// Whether these are all. If not, they are the first ones, and at least one.
    pub end: bool,
}

/// One node's listing of a span, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Page {
    pub span: Span,
    pub listing: Listing,
}

/// What a comparison asks of the node: to send `messages` to the peer, and what it stores under `send` as
/// well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Difference {
    pub send: Vec<Bytes>,
    pub messages: Vec<Exchange>,
}

impl Span {
    /// Whether `key` belongs to the span.
    pub fn contains(&self, key: &[u8]) -> bool {
        leaf_of(key) == self.leaf
            && slot_of(key) == self.slot
            && self.after.as_ref().is_none_or(|after| **after < *key)
    }

    /// Whether a correct peer could have named it.
    pub(super) fn is_well_formed(&self) -> bool {
        usize::from(self.leaf) < LEAVES && self.after.as_ref().is_none_or(|after| after.len() <= KEY_MAX)
    }
}

impl Page {
    /// Whether a correct peer could have sent it. Also what this node's own listings must satisfy.
    pub(super) fn is_well_formed(&self) -> bool {
        let Listing { entries, end } = &self.listing;
        self.span.is_well_formed()
            && entries.len() <= KEYS_MAX
            // Without an entry, a page that is not the last would be asked for again for ever.
            && (*end || !entries.is_empty())
            && entries.iter().all(|(key, _)| key.len() <= KEY_MAX && self.span.contains(key))
            && entries.is_sorted_by(|(left, _), (right, _)| left < right)
    }
}

impl Listing {
    /// The last key up to which the listing is complete; `None` if it is to the end.
    fn through(&self) -> Option<&Bytes> {
        if self.end { None } else { self.entries.last().map(|(key, _)| key) }
    }
}

/// Compares a peer's page, which [`respond`](crate::repair::exchange::respond) has accepted, with this node's
/// own listing of the same span. Where both hold the key with different digests, each sends to the other:
/// only the merge of both is right on both sides, never a vote (the replicas' siblings are reconciled by
/// causality).
pub fn compare(theirs: Page, mine: Listing) -> Difference {
    let Page { span, listing: theirs } = theirs;
    let mine = Page { span, listing: mine };
    assert!(mine.is_well_formed(), "the node lists what was asked for");
    let Page { span, listing: mine } = mine;
    // Beyond the shorter listing nothing is known of one side.
    let through = match (theirs.through(), mine.through()) {
        (Some(one), Some(two)) => Some(one.min(two).clone()),
        (one, two) => one.or(two).cloned(),
    };
    let covered = |listing: Listing| {
        let through = through.clone();
        let within = move |(key, _): &(Bytes, u128)| through.as_ref().is_none_or(|through| key <= through);
        listing.entries.into_iter().take_while(within).peekable()
    };
    let (mut theirs, mut mine) = (covered(theirs), covered(mine));
    let (mut send, mut want) = (Vec::new(), Vec::new());
    loop {
        let order = match (mine.peek(), theirs.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((left, _)), Some((right, _))) => left.cmp(right),
        };
        let ours = if order != Ordering::Greater { mine.next() } else { None };
        let other = if order != Ordering::Less { theirs.next() } else { None };
        if ours != other {
            send.extend(ours.map(|(key, _)| key));
            want.extend(other.map(|(key, _)| key));
        }
    }
    assert!(send.len() <= KEYS_MAX && want.len() <= KEYS_MAX);
    let slot = span.slot;
    let want = (!want.is_empty()).then_some(Exchange::Want { slot, keys: want });
    let more = through.map(|through| Exchange::More(Span { after: Some(through), ..span }));
    Difference { send, messages: want.into_iter().chain(more).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Keys of one slot and leaf, ascending.
    fn keys(count: usize) -> Vec<Bytes> {
        let names = (0..10_000).map(|number| Bytes::from(alloc::format!("{{tag}}{number:05}").as_str()));
        names.filter(|key| leaf_of(key) == 3).take(count).collect()
    }

    fn span(after: Option<&Bytes>) -> Span {
        Span { slot: slot_of(b"tag"), leaf: 3, after: after.cloned() }
    }

    fn listing(entries: &[(&Bytes, u128)], end: bool) -> Listing {
        Listing { entries: entries.iter().map(|&(key, digest)| (key.clone(), digest)).collect(), end }
    }

    fn page(theirs: Listing) -> Page {
        Page { span: span(None), listing: theirs }
    }

    fn want(keys: &[&Bytes]) -> Exchange {
        Exchange::Want { slot: slot_of(b"tag"), keys: keys.iter().copied().cloned().collect() }
    }

    #[test]
    fn equal_pages_ask_for_nothing() {
        let k = keys(2);
        let both = listing(&[(&k[0], 1), (&k[1], 2)], true);
        assert_eq!(compare(page(both.clone()), both), Difference::default());
    }

    #[test]
    fn each_side_gets_what_it_lacks_and_both_what_they_disagree_on() {
        let k = keys(4);
        let mine = listing(&[(&k[0], 1), (&k[1], 1), (&k[3], 1)], true);
        let theirs = listing(&[(&k[1], 1), (&k[2], 1), (&k[3], 2)], true);
        let difference = compare(page(theirs), mine);
        assert_eq!(difference.send, [k[0].clone(), k[3].clone()]);
        assert_eq!(difference.messages, [want(&[&k[2], &k[3]])]);
    }

    #[test]
    fn beyond_the_shorter_listing_nothing_is_concluded() {
        let k = keys(4);
        let all: Vec<(&Bytes, u128)> = k.iter().map(|key| (key, 1)).collect();
        let more = Exchange::More(span(Some(&k[1])));
        // The peer has more than it shows: what it does not show is not missing.
        let difference = compare(page(listing(&all[1..2], false)), listing(&all, true));
        assert_eq!((difference.send, difference.messages), (vec![k[0].clone()], vec![more.clone()]));
        // This node has more than it listed.
        let difference = compare(page(listing(&all, true)), listing(&all[1..2], false));
        assert_eq!((difference.send, difference.messages), (vec![], vec![want(&[&k[0]]), more.clone()]));
        let difference = compare(page(listing(&all[..2], false)), listing(&all[..3], false));
        assert_eq!((difference.send, difference.messages), (vec![], vec![more]));
    }

    #[test]
    fn a_page_must_be_sorted_bounded_of_its_span_and_advance() {
        let k = keys(3);
        let well_formed = |after: Option<&Bytes>, entries: &[&Bytes], end| {
            let entries: Vec<(&Bytes, u128)> = entries.iter().map(|&key| (key, 1)).collect();
            Page { span: span(after), listing: listing(&entries, end) }.is_well_formed()
        };
        assert!(well_formed(None, &[&k[0], &k[1]], true) && well_formed(Some(&k[0]), &[&k[1]], false));
        assert!(well_formed(Some(&k[2]), &[], true));
        assert!(!well_formed(None, &[], false), "would be asked for again for ever");
        assert!(!well_formed(None, &[&k[1], &k[0]], true), "not ascending");
        assert!(!well_formed(None, &[&k[0], &k[0]], true), "one key twice");
        assert!(!well_formed(Some(&k[1]), &[&k[1]], true), "not after");
        assert!(!well_formed(None, &[&Bytes::from("elsewhere")], true), "of another slot");
        assert!(!well_formed(Some(&Bytes::new(&[0; KEY_MAX + 1])), &[], true), "longer than any key");
        let long = [b"{tag}".as_slice(), &[b'x'; KEY_MAX]].concat();
        let leaf = leaf_of(&long);
        let listing = listing(&[(&Bytes::from(long), 1)], true);
        let span = Span { leaf, ..span(None) };
        assert!(!Page { span, listing }.is_well_formed(), "longer than any key");
    }

    #[test]
    fn a_page_has_a_limit() {
        let keys: Vec<Bytes> = (0..)
            .map(|n| Bytes::from(alloc::format!("{{tag}}{n:06}").as_str()))
            .filter(|key| leaf_of(key) == 3)
            .take(KEYS_MAX + 1)
            .collect();
        let entries: Vec<(&Bytes, u128)> = keys.iter().map(|key| (key, 1)).collect();
        assert!(page(listing(&entries[..KEYS_MAX], true)).is_well_formed());
        assert!(!page(listing(&entries, true)).is_well_formed());
    }
}
