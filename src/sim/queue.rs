//! The event queue: what happens next, in one total order.
//!
//! Events are ordered by virtual time, and events of one time by the order in which they were scheduled. There are no
//! ticks: time jumps from event to event.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use std::collections::BinaryHeap;
use std::vec::Vec;

use crate::base::time::Instant;

/// Events that are still to come.
#[derive(Clone)]
pub struct Queue<E> {
    heap: BinaryHeap<Entry<E>>,
    /// How many were ever scheduled.
    scheduled: u64,
}

#[derive(Clone, Debug, Hash)]
#[expect(
    clippy::derived_hash_with_manual_eq,
    reason = "equal is what stands at one place; the hash is of all of it"
)]
struct Entry<E> {
    at: Instant,
    sequence: u64,
    event: E,
}

impl<E> Default for Queue<E> {
    fn default() -> Queue<E> {
        Queue { heap: BinaryHeap::new(), scheduled: 0 }
    }
}

impl<E> Queue<E> {
    pub fn schedule(&mut self, at: Instant, event: E) {
        self.heap.push(Entry { at, sequence: self.scheduled, event });
        self.scheduled += 1;
    }

    /// When the next event happens.
    pub fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// The next event and its time.
    pub fn pop(&mut self) -> Option<(Instant, E)> {
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }
}

impl<E> Entry<E> {
    fn key(&self) -> (Instant, u64) {
        (self.at, self.sequence)
    }
}

/// Reversed: the heap of the standard library gives its greatest entry first, and the earliest is wanted.
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Entry<E>) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Entry<E>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Entry<E>) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

impl<E> Queue<E> {
    /// In the order of the events: the order inside a heap depends on how it came about.
    fn in_order(&self) -> Vec<&Entry<E>> {
        let mut entries: Vec<&Entry<E>> = self.heap.iter().collect();
        entries.sort_unstable_by_key(|entry| entry.key());
        entries
    }
}

impl<E: Hash> Hash for Queue<E> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.in_order().hash(hasher);
        self.scheduled.hash(hasher);
    }
}

impl<E: fmt::Debug> fmt::Debug for Queue<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("entries", &self.in_order())
            .field("scheduled", &self.scheduled)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::checksum::state_hash;

    #[test]
    fn events_come_by_time_and_then_in_the_order_of_scheduling() {
        let mut queue = Queue::default();
        for (at, name) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b'), (9, 'e')] {
            queue.schedule(Instant(at), name);
        }
        assert_eq!(queue.next_at(), Some(Instant(1)));
        let order: std::string::String = std::iter::from_fn(|| queue.pop()).map(|(_, name)| name).collect();
        assert_eq!(order, "abcde");
    }

    #[test]
    fn the_hash_sees_every_event() {
        let mut one = Queue::default();
        one.schedule(Instant(1), 'a');
        let mut other = one.clone();
        assert_eq!(state_hash(&one), state_hash(&other));
        other.schedule(Instant(2), 'b');
        assert_ne!(state_hash(&one), state_hash(&other));
    }
}
