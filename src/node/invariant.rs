//! What holds between any two steps of a node. The simulator asks after each of them.

use alloc::collections::VecDeque;

use crate::base::invariant::{Broken, holds};
use crate::node::coordinate::Op;
use crate::node::step::Node;
use crate::storage::Position;

/// Of the open operations, so many are looked at. One that stays behind is soon among them.
const OLDEST: usize = 2;

impl Node {
    /// Looks at everything that costs little to look at: some comparisons, a few members and operations.
    pub fn invariants(&self) -> Result<(), Broken> {
        let engine = &self.store.engine;
        engine.invariants()?;
        if engine.is_poisoned() {
            // The node halts, and what waited for the disk is never told.
            return Ok(());
        }
        let (durable, appended) = (engine.durable(), engine.appended());
        self.store.invariants()?;
        self.hints.invariants()?;
        self.view.invariants()?;
        self.shares()?;
        in_line(self.waiting(), durable, appended)?;
        holds(self.timers.count() >= self.ops.len(), "every operation has a deadline")?;
        holds(
            self.ops.values().take(OLDEST).all(Op::is_open),
            "an operation that has ended leaves its place",
        )?;
        let layout = self.layout();
        holds(layout <= self.layout_heard, "the layout in force has been heard of")
    }
}

/// Whoever waits for the log waits in its order, for something that was appended and is not durable yet: who waits for
/// less was forgotten when it was told, who waits for more is never told.
pub(super) fn in_line<T>(
    line: &VecDeque<(Position, T)>,
    durable: Position,
    appended: Position,
) -> Result<(), Broken> {
    let (Some((first, _)), Some((last, _))) = (line.front(), line.back()) else { return Ok(()) };
    holds(first <= last, "who waits for the disk waits in the order of the log")?;
    holds(*first > durable, "whoever waits for what is durable has been told")?;
    holds(*last <= appended, "nobody waits for what was never written")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(positions: &[u64]) -> VecDeque<(Position, ())> {
        positions.iter().map(|&position| (Position(position), ())).collect()
    }

    #[test]
    fn a_line_out_of_order_or_out_of_bounds_is_found() {
        let broken = |positions: &[u64]| in_line(&line(positions), Position(3), Position(7)).err();
        assert_eq!(broken(&[]), None);
        assert_eq!(broken(&[4, 4, 7]), None);
        assert!(broken(&[3, 5]).is_some_and(|broken| broken.0.contains("has been told")));
        assert!(broken(&[4, 8]).is_some_and(|broken| broken.0.contains("never written")));
        assert!(broken(&[6, 5]).is_some_and(|broken| broken.0.contains("order")));
    }
}
