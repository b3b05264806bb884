//! [`Clock`]: a version vector (Parker et al. 1983; Dynamo section 4.4 calls it a vector clock).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use crate::base::codec::{Decode, Encode};
use crate::base::few::Few;
use crate::base::limits::ACTORS_MAX;
use crate::causal::dot::{Actor, Dot};

/// The set of writes of one key that somebody has seen: for each actor all writes up to a counter, and a *cloud* of
/// single writes beyond that (the causal context of Almeida, Shoker, Baquero: "Delta State Replicated Data Types",
/// 2018, section 7.2).
///
/// The cloud makes the set exact. A client that wrote (a,3) without having read (a,2) has seen {(a,3)}, not {a:3}:
/// a plain version vector would let its next write discard (a,2), which it never saw. Clouds are nearly always empty,
/// because counters have no gaps and a cloud dissolves as soon as its gap is filled.
///
/// Entries are sorted by actor and dots by name; [`Clock::is_valid`] checks clocks that came from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Clock {
    /// In place as long as each of three replicas has numbered writes in one of its lives.
    entries: Few<(Actor, u64), 3>,
    cloud: Vec<Dot>,
}

impl Clock {
    pub const EMPTY: Clock = Clock { entries: Few::new(), cloud: Vec::new() };

    /// Whether the clock is as the type promises. False only for clocks that were decoded from foreign bytes.
    pub fn is_valid(&self) -> bool {
        self.entries.len() <= ACTORS_MAX
            && self.cloud.len() <= ACTORS_MAX
            && self.entries.iter().all(|entry| entry.1 > 0)
            && self.entries.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && self.cloud.windows(2).all(|pair| pair[0] < pair[1])
            && self.cloud.iter().all(|dot| dot.counter.saturating_sub(1) > self.contiguous(dot.actor))
            && !self.highest_counters().any(|counter| counter == u64::MAX)
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.cloud.is_empty()
    }

    /// For each actor the counter up to which all its writes are in the set, in order of actors.
    pub fn entries(&self) -> &[(Actor, u64)] {
        &self.entries
    }

    /// The writes in the set beyond those, in order.
    pub fn cloud(&self) -> &[Dot] {
        &self.cloud
    }

    /// Whether the write is in the set.
    pub fn covers(&self, dot: Dot) -> bool {
        dot.counter <= self.contiguous(dot.actor) || self.cloud.binary_search(&dot).is_ok()
    }

    /// The name of the next write by `actor`: above everything of it in the set.
    pub fn next_dot(&self, actor: Actor) -> Dot {
        let clouded = self.cloud.iter().filter(|dot| dot.actor == actor).map(|dot| dot.counter).max();
        let highest = self.contiguous(actor).max(clouded.unwrap_or(0));
        assert!(highest < u64::MAX, "2^64 writes of one key by one actor");
        Dot { actor, counter: highest + 1 }
    }

    /// Whether this has seen a write by an actor of that `life` beyond all that `other` has of the same actor.
    pub fn is_ahead(&self, other: &Clock, life: Actor) -> bool {
        self.of_life(life).any(|actor| self.next_dot(actor) > other.next_dot(actor))
    }

    /// The actors of that `life` that wrote something in the set; some may be named twice.
    pub fn of_life(&self, life: Actor) -> impl Iterator<Item = Actor> {
        let actors = self.entries.iter().map(|entry| entry.0).chain(self.cloud.iter().map(|dot| dot.actor));
        actors.filter(move |actor| actor.shares_life(life))
    }

    /// Adds the write.
    pub fn record(&mut self, dot: Dot) {
        assert!(dot.counter > 0, "dots count from one");
        if self.covers(dot) {
            return;
        }
        if dot.counter == self.contiguous(dot.actor) + 1 {
            self.raise(dot.actor, dot.counter);
        } else if let Err(at) = self.cloud.binary_search(&dot) {
            self.cloud.insert(at, dot);
        }
        self.dissolve(dot.actor);
        debug_assert!(self.covers(dot));
    }

    /// Adds all that `other` has seen.
    pub fn join(&mut self, other: &Clock) {
        for &(actor, counter) in other.entries() {
            self.raise(actor, counter);
            self.dissolve(actor);
        }
        for &dot in &other.cloud {
            self.record(dot);
        }
        debug_assert!(self.descends(other));
    }

    /// Both together.
    pub fn joined(&self, other: &Clock) -> Clock {
        let mut joined = self.clone();
        joined.join(other);
        joined
    }

    /// Everybody who wrote something in the set, in order.
    pub fn actors(&self) -> BTreeSet<Actor> {
        self.entries.iter().map(|entry| entry.0).chain(self.cloud.iter().map(|dot| dot.actor)).collect()
    }

    /// Drops all writes by `actor`: from now on they look new here.
    pub(in crate::causal) fn forget(&mut self, actor: Actor) {
        self.entries.retain(|entry| entry.0 != actor);
        self.cloud.retain(|dot| dot.actor != actor);
    }

    /// Whether this has seen all that `other` has.
    pub fn descends(&self, other: &Clock) -> bool {
        other.entries.iter().all(|&(actor, counter)| counter <= self.contiguous(actor))
            && other.cloud.iter().all(|&dot| self.covers(dot))
    }

    /// The counter up to which all writes of `actor` are in the set.
    pub fn contiguous(&self, actor: Actor) -> u64 {
        match self.entries.binary_search_by_key(&actor, |entry| entry.0) {
            Ok(at) => self.entries[at].1,
            Err(_) => 0,
        }
    }

    fn highest_counters(&self) -> impl Iterator<Item = u64> {
        let entries = self.entries.iter().map(|entry| entry.1);
        entries.chain(self.cloud.iter().map(|dot| dot.counter))
    }

    fn raise(&mut self, actor: Actor, counter: u64) {
        match self.entries.binary_search_by_key(&actor, |entry| entry.0) {
            Ok(at) => self.entries[at].1 = self.entries[at].1.max(counter),
            Err(at) => self.entries.insert(at, (actor, counter)),
        }
    }

    /// Moves the dots of `actor` that have become contiguous out of the cloud.
    fn dissolve(&mut self, actor: Actor) {
        if self.cloud.is_empty() {
            return;
        }
        let before = self.contiguous(actor);
        let mut top = before;
        self.cloud.retain(|dot| {
            if dot.actor != actor || dot.counter > top + 1 {
                return true;
            }
            top = top.max(dot.counter);
            false
        });
        if top > before {
            self.raise(actor, top);
        }
    }
}

/// Causal order: `None` where each has seen something that the other has not.
impl PartialOrd for Clock {
    fn partial_cmp(&self, other: &Clock) -> Option<Ordering> {
        match (self.descends(other), other.descends(self)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        let entries = self.entries.iter().map(|&(actor, counter)| ("", Dot { actor, counter }));
        let cloud = self.cloud.iter().map(|&dot| ("+", dot));
        for (index, (mark, dot)) in entries.chain(cloud).enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{mark}{dot}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::NodeId;
    use proptest::prelude::*;

    fn clocks() -> impl Strategy<Value = Clock> {
        proptest::collection::vec((0u64..3, 0u64..2, 1u64..5), 0..9).prop_map(|entries| {
            let mut clock = Clock::EMPTY;
            for (node, epoch, counter) in entries {
                clock.record(Dot { actor: Actor { node: NodeId(node), epoch }, counter });
            }
            clock
        })
    }

    proptest! {
        #[test]
        fn join_is_the_least_upper_bound(a in clocks(), b in clocks(), c in clocks()) {
            let join = a.joined(&b);
            prop_assert!(join.is_valid() && join.descends(&a) && join.descends(&b));
            prop_assert!(!(c.descends(&a) && c.descends(&b)) || c.descends(&join));
        }

        #[test]
        fn join_is_commutative_associative_and_idempotent(a in clocks(), b in clocks(), c in clocks()) {
            prop_assert_eq!(a.joined(&b), b.joined(&a));
            prop_assert_eq!(a.joined(&b).joined(&c), a.joined(&b.joined(&c)));
            prop_assert_eq!(a.joined(&a), a);
        }

        #[test]
        fn causal_order_is_a_partial_order(a in clocks(), b in clocks(), c in clocks()) {
            prop_assert_eq!(a.partial_cmp(&b), b.partial_cmp(&a).map(Ordering::reverse));
            prop_assert!(!(a <= b && b <= c) || a <= c);
            prop_assert_eq!(a.partial_cmp(&b) == Some(Ordering::Equal), a == b);
        }
    }

    #[test]
    fn a_clock_that_breaks_its_promises_is_recognised() {
        let actor = |node| Actor { node: NodeId(node), epoch: 0 };
        assert!(!Clock { entries: [(actor(1), 0)].into(), cloud: Vec::new() }.is_valid());
        assert!(!Clock { entries: [(actor(2), 1), (actor(1), 1)].into(), cloud: Vec::new() }.is_valid());
        assert!(!Clock { entries: [(actor(1), 1), (actor(1), 1)].into(), cloud: Vec::new() }.is_valid());
        let next = Dot { actor: actor(1), counter: 2 };
        assert!(!Clock { entries: [(actor(1), 1)].into(), cloud: alloc::vec![next] }.is_valid());
    }

    #[test]
    fn a_cloud_keeps_apart_what_was_seen_and_dissolves_when_its_gap_is_filled() {
        let dot = |counter| Dot { actor: Actor { node: NodeId(1), epoch: 0 }, counter };
        let mut clock = Clock::EMPTY;
        clock.record(dot(3));
        assert!(clock.covers(dot(3)) && !clock.covers(dot(2)) && !clock.covers(dot(1)));
        assert_eq!(clock.next_dot(dot(1).actor), dot(4));
        clock.record(dot(1));
        clock.record(dot(2));
        assert_eq!(clock, Clock { entries: [(dot(1).actor, 3)].into(), cloud: Vec::new() });
    }
}
