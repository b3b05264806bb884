//! Deadlines live in the node; the driver only asks for the next one.

use alloc::collections::BTreeSet;

use crate::base::id::OpId;
use crate::base::time::Instant;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// Beat, and tell others.
    Gossip,
    /// Compare Merkle trees with somebody.
    Exchange,
    /// Look for hints that can be handed off.
    Handoff,
    /// Verify a table that may not have been read for long.
    Scrub,
    /// Flushes and compactions may be tried again.
    Jobs,
    /// An operation has run out of time.
    Op(OpId),
    /// A read has waited long enough for a whole copy.
    Whole(OpId),
}

/// The deadlines that are set.
#[derive(Clone, Debug, Default, Hash)]
pub struct Timers(BTreeSet<(Instant, Timer)>);

impl Timers {
    pub fn set(&mut self, at: Instant, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub fn cancel(&mut self, at: Instant, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    /// How many deadlines are set.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn next(&self) -> Option<Instant> {
        self.0.first().map(|entry| entry.0)
    }

    /// Takes out one timer that is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let &(at, timer) = self.0.first()?;
        if at > now {
            return None;
        }
        self.0.pop_first();
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fall_due_in_order_and_not_before() {
        let mut timers = Timers::default();
        timers.set(Instant(20), Timer::Gossip);
        timers.set(Instant(10), Timer::Op(OpId(1)));
        timers.set(Instant(10), Timer::Op(OpId(2)));
        timers.cancel(Instant(10), Timer::Op(OpId(2)));
        assert_eq!(timers.next(), Some(Instant(10)));
        assert_eq!(timers.pop_due(Instant(9)), None);
        assert_eq!(timers.pop_due(Instant(15)), Some(Timer::Op(OpId(1))));
        assert_eq!(timers.pop_due(Instant(15)), None);
        assert_eq!(timers.pop_due(Instant(20)), Some(Timer::Gossip));
        assert_eq!(timers.next(), None);
    }
}
