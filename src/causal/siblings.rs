//! [`Siblings`]: everything a replica knows about one key.
//!
//! A dotted version vector set (Almeida, Baquero, Gonçalves, Preguiça, Fonte: "Scalable and Accurate Causality
//! Tracking for Eventually Consistent Stores", 2014), in the layout "one clock for the key, one dot for each value".
//! Because every value keeps the dot of the write that made it, a write discards exactly the values that its client
//! had seen, and the number of siblings never exceeds the number of truly concurrent writes. (With one clock for each
//! value and server-side actors, clients that loop on stale contexts make siblings explode.)

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::ops::Deref;

use crate::base::bytes::Bytes;
use crate::base::checksum::checksum;
use crate::base::codec::{self, Decode, Encode};
use crate::base::few::Few;
use crate::base::limits::{SIBLINGS_MERGED_BYTES_MAX, SIBLINGS_MERGED_MAX};
use crate::base::time::WallTime;
use crate::causal::clock::Clock;
use crate::causal::done::{Done, Entry, Replaced};
use crate::causal::dot::{Actor, Dot};
use crate::causal::types::edit::Write;
use crate::causal::types::part::{Content, Part};

/// One value of a key: what one write left.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Version<V = Bytes> {
    /// The write that made it.
    pub dot: Dot,
    /// The coordinator's hybrid clock at that write: breaks ties for clients that want one value, decides nothing
    /// else.
    pub stamp: WallTime,
    /// `None` is a tombstone: a delete is a write, and concurrent writes survive it.
    pub value: Option<V>,
}

/// The versions of a key that no known write has replaced, and the clock of all writes that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub struct SiblingsOf<V> {
    clock: Clock,
    /// Sorted by dot; every dot is covered by `clock`. Usually there is one.
    versions: Few<Version<V>, 1>,
    /// What makes up a value of a convergent type. The same: sorted by dot, and covered.
    parts: Vec<Part>,
    /// Requests that have been coordinated, to know their retries.
    done: Done,
}

/// Siblings that own their values.
pub type Siblings = SiblingsOf<Bytes>;

/// Siblings whose values lie where they were read: most of them are about to be replaced, or only looked at, and need
/// no copy.
pub type SiblingsRef<'a> = SiblingsOf<&'a [u8]>;

/// What a write left, under the write's name.
trait Dotted {
    fn dot(&self) -> Dot;
}

impl<V> Dotted for Version<V> {
    fn dot(&self) -> Dot {
        self.dot
    }
}

impl Dotted for Part {
    fn dot(&self) -> Dot {
        self.dot
    }
}

/// The bytes of a value: shared, or lying somewhere.
pub trait Value: Clone + Deref<Target = [u8]> + Into<Bytes> {}

impl<V: Clone + Deref<Target = [u8]> + Into<Bytes>> Value for V {}

impl<V: Value> Version<V> {
    fn to_owned(&self) -> Version {
        let value = self.value.clone().map(Into::into);
        Version { dot: self.dot, stamp: self.stamp, value }
    }
}

impl<V: Value> SiblingsOf<V> {
    /// All writes that are known, replaced ones included. Handed to clients as their context.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The versions that stand beside each other, tombstones included, sorted by dot.
    pub fn versions(&self) -> &[Version<V>] {
        &self.versions
    }

    /// What makes up a value of a convergent type, sorted by dot.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The requests that are remembered.
    pub fn done(&self) -> &Done {
        &self.done
    }

    /// Whether nothing was ever written.
    pub fn is_empty(&self) -> bool {
        self.clock.is_empty()
    }

    /// Whether this is what the type promises, and within the limits of what a merge may leave. False for siblings
    /// that were decoded from foreign bytes, or merged with such.
    pub fn is_valid(&self) -> bool {
        self.clock.is_valid()
            && self.done.is_valid()
            && self.versions.len() <= SIBLINGS_MERGED_MAX
            && self.value_bytes() <= SIBLINGS_MERGED_BYTES_MAX
            && self.parts.iter().all(Part::is_valid)
            && are_named(&self.versions, &self.clock)
            && are_named(&self.parts, &self.clock)
    }

    /// The bytes of all values together, and of the parts with all that they need.
    pub fn value_bytes(&self) -> usize {
        let values =
            self.versions.iter().map(|version| version.value.as_ref().map_or(0, |value| value.len()));
        values.chain(self.parts.iter().map(Part::weight)).sum()
    }

    /// The largest stamp of all that stands here.
    pub fn last_stamp(&self) -> WallTime {
        let versions = self.versions.iter().map(|version| version.stamp);
        versions.chain(self.parts.iter().map(|part| part.stamp)).max().unwrap_or_default()
    }

    /// Whether a version with this dot stands here.
    pub fn holds(&self, dot: Dot) -> bool {
        holds(&self.versions, dot)
    }

    /// Whether all that `other` knows is known here, so that merging it would change nothing.
    pub fn knows<W: Value>(&self, other: &SiblingsOf<W>) -> bool {
        // What stands here and `other` has already replaced would be news.
        let replaced = |dot: Dot, stands: bool| other.clock.covers(dot) && !stands;
        self.clock.descends(&other.clock)
            && !self.versions.iter().any(|version| replaced(version.dot, other.holds(version.dot)))
            && !self.parts.iter().any(|part| replaced(part.dot, holds(&other.parts, part.dot)))
            && self.done.knows(&other.done)
    }

    /// The same with values of its own.
    pub fn to_owned(&self) -> Siblings {
        let versions = self.versions.iter().map(Version::to_owned).collect();
        let (clock, parts, done) = (self.clock.clone(), self.parts.clone(), self.done.clone());
        Siblings { clock, versions, parts, done }
    }

    /// What is held after a new write whose client had seen `context`, or else (`None`) that replaces all that is held
    /// here; and the dot of the write.
    ///
    /// The new version replaces what `context` covers and stands beside the rest. The clock takes in the context,
    /// because the write supersedes what its client saw even where this replica never did. (Of counters something has
    /// to stay, see [`counter`](crate::causal::types::counter). So where there may be one, the coordinator first has
    /// to know all that the context covers.)
    pub fn after_put(&self, write: Write, context: Option<&Clock>, value: Option<Bytes>) -> (Siblings, Dot) {
        // The own clock covers all that is held here.
        let covers = |dot: Dot| context.is_none_or(|seen| seen.covers(dot));
        let mut gone: BTreeMap<Option<Bytes>, Vec<Part>> = BTreeMap::new();
        for part in self.parts.iter().filter(|part| covers(part.dot)) {
            gone.entry(part.field.clone()).or_default().push(part.clone());
        }
        let stay = self.versions.iter().filter(|version| !covers(version.dot));
        let mut next = Siblings {
            clock: self.clock.clone(),
            versions: stay.map(Version::to_owned).collect(),
            parts: self.parts.iter().filter(|part| !covers(part.dot)).cloned().collect(),
            done: self.done.clone(),
        };
        let replaced = match context {
            // Nobody will ask.
            Some(_) if write.id.is_none() => Replaced::Nothing,
            Some(context) => Replaced::Seen(checksum(0, &codec::encode(context))),
            None if self.versions.len() == next.versions.len() && gone.is_empty() => Replaced::Nothing,
            None => Replaced::Held,
        };
        if let Some(seen) = context {
            next.clock.join(seen);
        }
        for (field, parts) in &gone {
            next.leave_cleared(write, field, parts);
        }
        let dot = next.number(write.actor);
        let at = next.versions.partition_point(|version| version.dot < dot);
        next.versions.insert(at, Version { dot, stamp: write.stamp, value });
        next.remember(write, dot, 1, replaced);
        debug_assert!(next.versions.iter().all(|version| next.clock.covers(version.dot)));
        (next, dot)
    }
}

impl Siblings {
    /// The version with the largest stamp, and of those with equal stamps the largest dot: the same on every replica.
    /// A tombstone counts as any version does.
    pub fn last_written(&self) -> Option<&Version> {
        self.versions.iter().max_by_key(|version| (version.stamp, version.dot))
    }

    /// Whether a version repeats another that stands here: both are of one request, which two coordinators took.
    pub fn is_twin(&self, version: &Version) -> bool {
        self.done.is_twin(version.dot, |dot| self.holds(dot))
    }

    /// Applies a new write by `actor`, whose client had seen `context`; the answer is its dot.
    pub fn write(&mut self, actor: Actor, context: &Clock, stamp: WallTime, value: Option<Bytes>) -> Dot {
        self.put(Write { actor, stamp, id: None }, Some(context), value)
    }

    /// Applies a new write whose client had seen `context`, or else (`None`) replaces all that is held here; the answer
    /// is its dot.
    pub fn put(&mut self, write: Write, context: Option<&Clock>, value: Option<Bytes>) -> Dot {
        let (next, dot) = self.after_put(write, context, value);
        *self = next;
        dot
    }

    /// Gives a new write its name.
    pub(in crate::causal) fn number(&mut self, actor: Actor) -> Dot {
        let dot = self.clock.next_dot(actor);
        self.clock.record(dot);
        dot
    }

    /// Notes which request a write was: its last dot, and how many it has.
    pub(in crate::causal) fn remember(&mut self, write: Write, dot: Dot, dots: u64, replaced: Replaced) {
        if let Some(id) = write.id {
            let before = dots.saturating_sub(1);
            self.done.note(Entry { stamp: write.stamp, dot, id, before, replaced });
        }
        self.drop_replaced();
    }

    /// Drops what another try of the same request left, if a write has replaced that one: a first try that only a
    /// replica beyond a split has kept would come back, long after it was acknowledged and replaced.
    ///
    /// What actors counted stays: a part holds all that its actor ever counted, and steps of one request find each
    /// other ([`counter`](crate::causal::types::counter)).
    fn drop_replaced(&mut self) {
        let stands = |dot: Dot| self.holds(dot) || holds(&self.parts, dot);
        let mut doomed = self.done.doomed(|dot| self.clock.covers(dot) && !stands(dot));
        if doomed.is_empty() {
            return;
        }
        doomed.sort_unstable();
        let is_doomed = |dot: Dot| doomed.binary_search(&dot).is_ok();
        self.versions.retain(|version| !is_doomed(version.dot));
        let counts = |part: &Part| matches!(part.content, Content::Counted(_) | Content::Cleared(_));
        self.parts.retain(|part| counts(part) || !is_doomed(part.dot));
    }

    /// Removes and returns parts.
    pub(in crate::causal) fn extract(&mut self, meant: impl Fn(&Part) -> bool) -> Vec<Part> {
        self.parts.extract_if(.., |part| meant(part)).collect()
    }

    pub(in crate::causal) fn insert(&mut self, part: Part) {
        let at = self.parts.partition_point(|held| held.dot < part.dot);
        self.parts.insert(at, part);
    }

    pub(in crate::causal) fn drop_tombstones(&mut self) {
        self.versions.retain(|version| version.value.is_some());
    }

    /// Takes in what another replica knows; the answer is whether anything here changed.
    pub fn merge(&mut self, other: &Siblings) -> bool {
        let is_news = !self.knows(other);
        if is_news {
            self.join(other);
        }
        is_news
    }

    /// The same, whether it is news or not.
    pub fn join<W: Value>(&mut self, other: &SiblingsOf<W>) {
        self.versions.retain(|version| stays(version.dot, &other.versions, &other.clock));
        self.versions.extend(news(&other.versions, &self.clock).map(Version::to_owned));
        self.versions.sort_by_key(Version::dot);
        self.parts.retain(|part| stays(part.dot, &other.parts, &other.clock));
        self.parts.extend(news(&other.parts, &self.clock).cloned());
        self.parts.sort_by_key(Part::dot);
        self.done.merge(&other.done);
        self.clock.join(&other.clock);
        self.drop_replaced();
    }

    /// Drops actors from the clock until it names no more than `max`: of those of which `age` gives a number (they
    /// number no writes any more), the smallest first, and none by whom something stands here. The answer is how many
    /// went.
    ///
    /// What the set promises stays true, and no name is given twice. But a replica that still has what one of these
    /// writes left brings it back: nobody knows any more that it was replaced.
    pub fn prune(&mut self, max: usize, age: impl Fn(Actor) -> Option<u64>) -> usize {
        let actors = self.clock.actors();
        let dots = self.versions.iter().map(Version::dot).chain(self.parts.iter().map(Part::dot));
        let standing: BTreeSet<Actor> = dots.map(|dot| dot.actor).collect();
        let gone = actors.difference(&standing).filter_map(|&actor| Some((age(actor)?, actor)));
        let mut gone: Vec<(u64, Actor)> = gone.collect();
        gone.sort_unstable();
        gone.truncate(actors.len().saturating_sub(max));
        gone.iter().for_each(|(_, actor)| self.clock.forget(*actor));
        gone.len()
    }
}

fn holds<T: Dotted>(all: &[T], dot: Dot) -> bool {
    all.binary_search_by_key(&dot, T::dot).is_ok()
}

/// Whether the names are in order, each once, and known to the clock.
fn are_named<T: Dotted>(all: &[T], clock: &Clock) -> bool {
    all.windows(2).all(|pair| pair[0].dot() < pair[1].dot())
        && all.iter().all(|one| one.dot().counter > 0 && clock.covers(one.dot()))
}

/// What one write left stays if the other side has it as well, or has not seen the write.
fn stays<T: Dotted>(dot: Dot, theirs: &[T], their_clock: &Clock) -> bool {
    holds(theirs, dot) || !their_clock.covers(dot)
}

/// What is new of the other side's, and not replaced here already.
fn news<'a, T: Dotted>(theirs: &'a [T], our_clock: &Clock) -> impl Iterator<Item = &'a T> {
    theirs.iter().filter(|one| !our_clock.covers(one.dot()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{NodeId, RequestId};
    use alloc::string::ToString;
    use proptest::prelude::*;

    fn actor(node: u64) -> Actor {
        Actor { node: NodeId(node), epoch: 0 }
    }

    fn put(siblings: &Siblings, by: u64, context: &Clock, value: &str) -> Siblings {
        let mut next = siblings.clone();
        next.write(actor(by), context, WallTime(0), Some(Bytes::from(value)));
        next
    }

    fn merged(a: &Siblings, b: &Siblings) -> Siblings {
        let mut merged = a.clone();
        merged.merge(b);
        merged
    }

    fn values(siblings: &Siblings) -> Vec<&[u8]> {
        siblings.versions().iter().filter_map(|version| version.value.as_deref()).collect()
    }

    /// Dynamo section 4.4, figure 3, with Sx = n1, Sy = n2, Sz = n3.
    #[test]
    fn the_textbook_walk_from_d1_to_d5() {
        let (x, y, z) = (1, 2, 3);
        let d1 = put(&Siblings::default(), x, &Clock::EMPTY, "D1");
        assert_eq!(d1.clock().to_string(), "{n1/0:1}");
        let d2 = put(&d1, x, d1.clock(), "D2");
        assert_eq!(d2.clock().to_string(), "{n1/0:2}");
        let d3 = put(&d2, y, d2.clock(), "D3");
        assert_eq!(d3.clock().to_string(), "{n1/0:2 n2/0:1}");
        let d4 = put(&d2, z, d2.clock(), "D4");
        assert_eq!(d4.clock().to_string(), "{n1/0:2 n3/0:1}");
        assert_eq!(d3.clock().partial_cmp(d4.clock()), None, "D3 and D4 are in conflict");

        let both = merged(&d3, &d4);
        assert_eq!(values(&both), [b"D3", b"D4"]);
        let d5 = put(&both, x, both.clock(), "D5");
        assert_eq!(d5.clock().to_string(), "{n1/0:3 n2/0:1 n3/0:1}");
        assert_eq!(values(&d5), [b"D5"]);
        assert_eq!(merged(&d5, &merged(&d3, &d4)), d5, "the reconciled version replaces both");
    }

    /// Clients that each know only their own last write: the classic sibling explosion of per-server version vectors,
    /// or, with a clock that cannot tell "saw (a,3)" from "saw all up to (a,3)", the classic lost update.
    #[test]
    fn stale_contexts_never_make_more_siblings_than_there_are_concurrent_writers() {
        let mut stored = Siblings::default();
        let mut contexts = [Clock::EMPTY, Clock::EMPTY, Clock::EMPTY];
        for round in 0..50 {
            for (client, context) in contexts.iter_mut().enumerate() {
                let value = Bytes::from(client.to_string().as_str());
                let dot = stored.write(actor(1), context, WallTime(round), Some(value));
                context.record(dot);
            }
            let mut values = values(&stored);
            values.sort_unstable();
            assert_eq!(values, [b"0", b"1", b"2"], "each client's last write, whole");
        }
    }

    #[test]
    fn a_delete_leaves_concurrent_writes_standing() {
        let base = put(&Siblings::default(), 1, &Clock::EMPTY, "base");
        let mut deleted = base.clone();
        deleted.write(actor(1), base.clock(), WallTime(0), None);
        let written = put(&base, 2, base.clock(), "concurrent");
        assert_eq!(values(&merged(&deleted, &written)), [b"concurrent"]);
        assert_eq!(merged(&deleted, &written).versions().len(), 2);
        assert_eq!(values(&merged(&deleted, &base)), Vec::<&[u8]>::new(), "what was deleted stays deleted");
    }

    #[test]
    fn the_last_writer_is_the_same_in_whatever_order_replicas_merge() {
        let written = |by: u64, stamp: u64, value: Option<&str>| {
            let mut siblings = Siblings::default();
            let value = value.map(Bytes::from);
            siblings.write(actor(by), &Clock::EMPTY, WallTime(stamp), value);
            siblings
        };
        let (a, b) = (written(1, 7, Some("a")), written(2, 7, Some("b")));
        let last = |siblings: &Siblings| siblings.last_written().and_then(|version| version.value.clone());
        assert_eq!(last(&merged(&a, &b)), Some(Bytes::from("b")), "equal stamps: the larger dot");
        assert_eq!(last(&merged(&b, &a)), Some(Bytes::from("b")));
        let later = merged(&b, &written(1, 8, Some("later")));
        assert_eq!(last(&later), Some(Bytes::from("later")), "the stamp goes before the dot");
        assert_eq!(last(&merged(&later, &written(3, 9, None))), None, "a delete may be the last write");
    }

    #[test]
    fn foreign_siblings_that_break_the_rules_are_recognised() {
        let good = put(&Siblings::default(), 1, &Clock::EMPTY, "v");
        assert!(good.is_valid());
        let uncovered = Siblings { clock: Clock::EMPTY, ..good.clone() };
        assert!(!uncovered.is_valid());
        let doubled = [good.versions[0].clone(), good.versions[0].clone()].into();
        assert!(!Siblings { versions: doubled, ..good }.is_valid());
    }

    fn named(node: u64, number: u64) -> Write {
        let id = Some(RequestId { client: 7, number });
        Write { actor: actor(node), stamp: WallTime(0), id }
    }

    /// The first try was kept by a replica beyond a split. The second was acknowledged, and somebody replaced it.
    #[test]
    fn what_was_tried_twice_and_replaced_does_not_come_back() {
        let value = |value: &str| Some(Bytes::from(value));
        let base = put(&Siblings::default(), 1, &Clock::EMPTY, "base");
        let (mut alone, mut others) = (base.clone(), base.clone());
        alone.put(named(0, 1), Some(base.clock()), value("twice"));
        others.put(named(2, 1), Some(base.clock()), value("twice"));
        let both = merged(&alone, &others);
        assert_eq!(both.versions().len(), 2, "nobody has replaced either");
        let seen = others.clock().clone();
        others.write(actor(1), &seen, WallTime(0), value("newer"));
        assert_eq!(values(&merged(&alone, &others)), [b"newer"]);
        assert_eq!(merged(&alone, &others), merged(&others, &alone));
        // The same when the first to meet it is a write, whose client had seen only the second try.
        let mut met = both;
        met.write(actor(1), &seen, WallTime(0), value("newer"));
        assert_eq!(values(&met), [b"newer"]);
    }

    /// A client that was told of its first try, and gives what it was told with the second: the second is what replaced
    /// the first.
    #[test]
    fn a_retry_that_replaces_its_own_first_try_stays() {
        let mut alone = Siblings::default();
        let first = alone.put(named(0, 1), Some(&Clock::EMPTY), Some(Bytes::from("v")));
        let mut seen = Clock::EMPTY;
        seen.record(first);
        let mut others = Siblings::default();
        others.put(named(2, 1), Some(&seen), Some(Bytes::from("v")));
        assert_eq!(values(&merged(&alone, &others)), [b"v"]);
    }

    /// The retry came without a context, to a coordinator that did not know it, and took the place of what had replaced
    /// the first try. Would it go with the first, nothing were left.
    #[test]
    fn a_try_that_took_the_place_of_something_stays() {
        let value = |value: &str| Some(Bytes::from(value));
        let mut alone = Siblings::default();
        let first = alone.put(named(0, 1), None, value("twice"));
        let mut seen = Clock::EMPTY;
        seen.record(first);
        let mut others = put(&Siblings::default(), 1, &seen, "newer");
        others.put(named(2, 1), None, value("twice"));
        assert_eq!(values(&merged(&alone, &others)), [b"twice"]);
    }

    /// By a replica, with the context of some replica, or with what was held there. If it has a number, it is a try of
    /// that request, of which all tries have the same context.
    #[derive(Clone, Debug)]
    enum Act {
        Write { at: usize, from: usize, number: Option<usize> },
        Blind { at: usize, number: Option<usize> },
        Merge { at: usize, from: usize },
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let number = || proptest::option::of(0usize..4);
        let act = prop_oneof![
            3 => (0usize..3, 0usize..3, number()).prop_map(|(at, from, number)| Act::Write { at, from, number }),
            1 => (0usize..3, number()).prop_map(|(at, number)| Act::Blind { at, number }),
            2 => (0usize..3, 0usize..3).prop_map(|(at, from)| Act::Merge { at, from }),
        ];
        proptest::collection::vec(act, 0..30)
    }

    /// What became of the acts: what each replica holds; and of each write its request, what it had seen, and whether
    /// its client had told that.
    struct Played {
        replicas: [Siblings; 3],
        writes: BTreeMap<Dot, (u64, Clock, bool)>,
    }

    fn played(acts: &[Act]) -> Played {
        let mut played = Played { replicas: Default::default(), writes: BTreeMap::new() };
        let mut contexts: BTreeMap<usize, Option<Clock>> = BTreeMap::new();
        for (step, act) in acts.iter().enumerate() {
            let (at, number, context) = match *act {
                Act::Write { at, from, number } => (at, number, Some(played.replicas[from].clock().clone())),
                Act::Blind { at, number } => (at, number, None),
                Act::Merge { at, from } => {
                    let source = played.replicas[from].clone();
                    played.replicas[at].merge(&source);
                    continue;
                }
            };
            let context = match number {
                Some(number) => contexts.entry(number).or_insert(context).clone(),
                None => context,
            };
            let mut write = named(at as u64, number.unwrap_or(100 + step) as u64);
            let replica = &mut played.replicas[at];
            if replica.coordinated(write.id.expect("it is named")).is_some() {
                continue;
            }
            let seen = context.clone().unwrap_or_else(|| replica.clock().clone());
            let request = write.id.expect("it is named").number;
            write.id = write.id.filter(|_| number.is_some());
            let dot = replica.put(write, context.as_ref(), Some(Bytes::from("v")));
            played.writes.insert(dot, (request, seen, context.is_some()));
        }
        played
    }

    impl Played {
        /// Whether a write of another request, which `by` knows, had seen this one.
        fn is_replaced(&self, dot: Dot, by: &Siblings) -> bool {
            let request = self.writes[&dot].0;
            let known = self.writes.iter().filter(|(other, _)| by.clock().covers(**other));
            known.into_iter().any(|(_, (other, seen, _))| *other != request && seen.covers(dot))
        }
    }

    /// Three replicas; each step writes at one of them with the context of some replica, or merges one into another.
    fn histories() -> impl Strategy<Value = Vec<(bool, usize, usize)>> {
        proptest::collection::vec((any::<bool>(), 0usize..3, 0usize..3), 0..24)
    }

    fn replicas(history: &[(bool, usize, usize)]) -> [Siblings; 3] {
        let mut replicas = [Siblings::default(), Siblings::default(), Siblings::default()];
        for (step, &(write, at, from)) in history.iter().enumerate() {
            let source = replicas[from].clone();
            if write {
                let value = Bytes::from(step.to_string().as_str());
                replicas[at].write(actor(at as u64), source.clock(), WallTime(0), Some(value));
            } else {
                replicas[at].merge(&source);
            }
        }
        replicas
    }

    proptest! {
        #[test]
        fn merges_of_retried_writes_keep_the_laws(acts in acts()) {
            let [a, b, c] = played(&acts).replicas;
            let both = merged(&a, &b);
            prop_assert_eq!(&both, &merged(&b, &a));
            prop_assert_eq!(merged(&both, &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &a), a.clone());
            prop_assert_eq!(a.knows(&b), both == a);
            prop_assert!(both.is_valid());
        }

        /// A request stands in one of its tries until a write replaces one of them; and then, if its client told what
        /// it had seen, in none.
        #[test]
        fn a_request_stands_until_one_of_its_tries_is_replaced_and_then_in_none(acts in acts()) {
            let played = played(&acts);
            let [a, b, c] = &played.replicas;
            let all = merged(&merged(a, b), c);
            prop_assert_eq!(all.versions().is_empty(), all.is_empty());
            let is_replaced = |request: u64| {
                let mut tries = played.writes.iter().filter(|(_, (own, ..))| *own == request);
                tries.any(|(dot, _)| played.is_replaced(*dot, &all))
            };
            for (request, _, is_told) in played.writes.values() {
                let tries = played.writes.iter().filter(|(_, (own, ..))| own == request);
                let stands = tries.filter(|(dot, _)| all.holds(**dot)).count() > 0;
                prop_assert!(stands || is_replaced(*request), "lost: {}", request);
                prop_assert!(!(stands && *is_told && is_replaced(*request)), "back: {}", request);
            }
        }

        #[test]
        fn merge_is_commutative_associative_and_idempotent(history in histories()) {
            let [a, b, c] = replicas(&history);
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(merged(&a, &a), a);
        }

        /// Wherever the values lie, it is the same set.
        #[test]
        fn a_set_that_refers_to_its_bytes_does_as_one_that_owns_them(acts in acts(), number in 0usize..4) {
            let played = played(&acts);
            let [a, b, c] = &played.replicas;
            let bytes = codec::encode(a);
            let lying: SiblingsRef = codec::decode_borrowed(&bytes).expect("a good encoding");
            prop_assert_eq!(&lying.to_owned(), a);
            prop_assert_eq!((lying.knows(b), b.knows(&lying)), (a.knows(b), b.knows(a)));
            prop_assert_eq!((lying.is_empty(), lying.is_valid()), (a.is_empty(), a.is_valid()));
            prop_assert_eq!((lying.value_bytes(), lying.last_stamp()), (a.value_bytes(), a.last_stamp()));
            let mut joined = b.clone();
            joined.join(&lying);
            prop_assert_eq!(joined, merged(a, b));
            for context in [None, Some(c.clock())] {
                let write = named(3, number as u64);
                let mut owned = a.clone();
                let dot = owned.put(write, context, Some(Bytes::from("next")));
                prop_assert_eq!(lying.after_put(write, context, Some(Bytes::from("next"))), (owned, dot));
            }
        }

        #[test]
        fn merge_says_whether_it_changed_anything(history in histories()) {
            let [a, b, _] = replicas(&history);
            let mut merged = a.clone();
            let changed = merged.merge(&b);
            prop_assert_eq!(changed, merged != a);
            prop_assert_eq!(a.knows(&b), !changed);
            prop_assert!(merged.is_valid());
        }

        /// What is pruned is a set like any other: what stands stays, and whoever goes on numbers on.
        #[test]
        fn a_pruned_set_keeps_its_promises(history in histories(), max in 0usize..3, living in 0u64..3) {
            let [a, b, _] = replicas(&history);
            let age = |actor: Actor| (actor.node.0 != living).then_some(actor.node.0);
            let mut pruned = a.clone();
            let gone = pruned.prune(max, age);
            prop_assert_eq!(gone, a.clock().actors().len() - pruned.clock().actors().len());
            prop_assert!(pruned.is_valid() && pruned.versions() == a.versions());
            prop_assert_eq!(pruned.clock().next_dot(actor(living)), a.clock().next_dot(actor(living)));
            let (one, other) = (merged(&pruned, &b), merged(&b, &pruned));
            prop_assert!(one == other && one.is_valid());
            prop_assert!(a.versions().iter().all(|v| one.holds(v.dot) || b.clock().covers(v.dot)));
            prop_assert_eq!(merged(&pruned, &a), a, "a replica that was not pruned brings it all back");
        }

        #[test]
        fn a_merge_never_loses_a_write_that_nobody_replaced(history in histories()) {
            let [a, b, _] = replicas(&history);
            let merged = merged(&a, &b);
            for version in a.versions() {
                let replaced = b.clock().covers(version.dot) && !b.holds(version.dot);
                prop_assert_eq!(merged.holds(version.dot), !replaced);
            }
        }
    }
}
