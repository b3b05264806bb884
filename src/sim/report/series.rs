//! What clients met over time: the history cut into slices of equal length.

use std::vec::Vec;

use super::stats::{self, Classes};
use crate::base::time::{Duration, Instant};
use crate::sim::history::Operation;
use crate::sim::percentiles::Percentiles;

/// The operations that began within a slice of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    pub from: Instant,
    /// The first moment after it.
    pub to: Instant,
    pub classes: Classes,
    /// Of the gets that succeeded.
    pub reads: Option<Percentiles>,
    /// Of the puts and deletes that succeeded.
    pub writes: Option<Percentiles>,
}

impl Slice {
    pub fn span(&self) -> Duration {
        self.to.since(self.from)
    }

    /// `count` of this slice as operations a second.
    pub fn per_second(&self, count: u64) -> u64 {
        (u128::from(count) * 1_000_000_000 / u128::from(self.span().0.max(1))) as u64
    }
}

/// The slices of a run that ended at `end`: at most `count`, of a round length, the last one cut off at the end.
/// An operation that began at the very end belongs to the last slice.
pub fn slices(history: &[Operation], end: Instant, count: u64) -> Vec<Slice> {
    assert!(count > 0, "no slices hold nothing");
    let width = round_up(end.0.div_ceil(count));
    let slices = end.0.div_ceil(width).max(1);
    let mut held: Vec<Vec<&Operation>> = (0..slices).map(|_| Vec::new()).collect();
    for operation in history {
        let slice = (operation.start.0 / width).min(slices - 1);
        held[slice as usize].push(operation);
    }
    let slice = |(number, held): (u64, Vec<&Operation>)| {
        let of = |writes| stats::latency(held.iter().copied().filter(|held| held.is_write() == writes));
        Slice {
            from: Instant(number * width),
            to: Instant(((number + 1) * width).min(end.0)),
            classes: Classes::of(held.iter().copied()),
            reads: of(false),
            writes: of(true),
        }
    };
    (0..).zip(held).map(slice).collect()
}

/// 1, 2, 5, 10, 20, 50, ...
fn round() -> impl Iterator<Item = u64> {
    (0..19).flat_map(|zeros| [1, 2, 5].map(|digit: u64| digit * 10u64.pow(zeros)))
}

/// The smallest of 1, 2, 5, 10, 20, 50, ... that is not below `number`.
pub fn round_up(number: u64) -> u64 {
    round().find(|step| *step >= number).unwrap_or(number)
}

/// The largest of 1, 2, 5, 10, 20, 50, ... that is not above `number`; 1 for 0.
pub fn round_down(number: u64) -> u64 {
    round().take_while(|step| *step <= number).last().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::check::sample::Sample;
    use crate::sim::history::Kind;

    #[test]
    fn every_operation_is_in_the_slice_in_which_it_began() {
        let mut sample = Sample::default();
        for _ in 0..10 {
            sample.write(Kind::Put, None);
            sample.read();
        }
        // They begin at 0, 10, 20, ... 190.
        let slices = slices(&sample.history, Instant(190), 4);
        let spans: Vec<(u64, u64)> = slices.iter().map(|slice| (slice.from.0, slice.to.0)).collect();
        assert_eq!(spans, [(0, 50), (50, 100), (100, 150), (150, 190)]);
        let totals: Vec<u64> = slices.iter().map(|slice| slice.classes.total()).collect();
        assert_eq!(totals, [5, 5, 5, 5]);
        assert_eq!(slices[0].reads.map(|latency| latency.p50), Some(5));
        assert_eq!(slices[3].per_second(5), 125_000_000);
    }

    #[test]
    fn a_run_of_no_time_has_one_empty_slice() {
        let slices = slices(&[], Instant::ZERO, 100);
        assert_eq!(slices.len(), 1);
        assert_eq!((slices[0].classes.total(), slices[0].reads), (0, None));
    }

    #[test]
    fn lengths_are_round() {
        for (number, round) in [(0, 1), (1, 1), (3, 5), (11, 20), (50, 50), (51, 100)] {
            assert_eq!(round_up(number), round);
        }
        assert_eq!(round_up(u64::MAX), u64::MAX);
        for (number, round) in [(0, 1), (1, 1), (3, 2), (7, 5), (10, 10), (49, 20), (99, 50), (100, 100)] {
            assert_eq!(round_down(number), round);
        }
    }
}
