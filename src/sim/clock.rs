//! A node's own clocks, which run apart from virtual time and from each other.
//!
//! Both clocks of a node have an offset and a drift of their own, drawn from the seed: a monotonic clock starts
//! anywhere and runs a little fast or slow; a wall clock is off by up to what the scenario says. A core that compares
//! the readings of two nodes, or a reading of one clock with one of the other, meets its mistake here.

use crate::base::rng::Stream;
use crate::base::time::{Duration, Instant, Now, WallTime};

const MILLION: u128 = 1_000_000;
/// 2026-01-01 00:00 UTC, where virtual time begins.
const EPOCH: u64 = 1_767_225_600_000_000_000;
/// A monotonic clock starts up to so far from zero, as one that counts from a machine's boot does.
const MONO_OFFSET_MAX: Duration = Duration::from_secs(1_000_000);

/// How far the clocks of a scenario's nodes may be off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClockPlan {
    /// Of the wall clock, to either side.
    pub offset: Duration,
    /// Of both clocks, to either side, in parts per million. At most [`DRIFT_MAX`].
    pub drift: u32,
}

/// Ten percent. (A bad quartz is off by 100 ppm.)
pub const DRIFT_MAX: u32 = 100_000;

/// The clocks of one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Clock {
    mono_offset: u64,
    /// Nanoseconds of this clock in a million of virtual time.
    mono_rate: u64,
    wall_offset: i64,
    wall_rate: u64,
}

impl Clock {
    /// The clocks of `node`, drawn from the seed.
    pub fn draw(plan: &ClockPlan, seed: u64, node: u64) -> Clock {
        assert!(plan.drift <= DRIFT_MAX);
        let mut rates = Stream::new(seed, "clock.drift", node);
        let mut rate = || 1_000_000 - u64::from(plan.drift) + rates.below(2 * u64::from(plan.drift) + 1);
        let (mono_rate, wall_rate) = (rate(), rate());
        let mut offsets = Stream::new(seed, "clock.offset", node);
        let span = plan.offset.as_nanos();
        let wall_offset = offsets.below(2 * span + 1) as i64 - span as i64;
        let mono_offset = offsets.below(MONO_OFFSET_MAX.as_nanos());
        Clock { mono_offset, mono_rate, wall_offset, wall_rate }
    }

    /// What the clocks show at the virtual time `at`.
    pub fn read(&self, at: Instant) -> Now {
        let mono = self.mono_offset + scaled(at.0, self.mono_rate);
        let wall = (EPOCH + scaled(at.0, self.wall_rate)).saturating_add_signed(self.wall_offset);
        Now { mono: Instant(mono), wall: WallTime(wall) }
    }

    /// The first virtual time at which the monotonic clock shows `mono` or more.
    pub fn when(&self, mono: Instant) -> Instant {
        let span = u128::from(mono.0.saturating_sub(self.mono_offset));
        let at = (span * MILLION).div_ceil(u128::from(self.mono_rate));
        let at = Instant(u64::try_from(at).unwrap_or(u64::MAX));
        debug_assert!(at.0 > u64::MAX / 2 || self.read(at).mono >= mono);
        at
    }

    /// How far the wall clock is from virtual time at its start, in nanoseconds.
    pub fn wall_offset(&self) -> i64 {
        self.wall_offset
    }

    /// How much the monotonic clock runs fast, in parts per million.
    pub fn mono_drift(&self) -> i64 {
        self.mono_rate as i64 - 1_000_000
    }
}

fn scaled(nanos: u64, rate: u64) -> u64 {
    (u128::from(nanos) * u128::from(rate) / MILLION) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_comes_when_the_clock_shows_it_and_not_before() {
        let plan = ClockPlan { offset: Duration::from_millis(50), drift: 200 };
        for node in 0..20 {
            let clock = Clock::draw(&plan, 42, node);
            for span in [1, 999, 1_000_001, 123_456_789, 90_000_000_000] {
                let mono = Instant(clock.mono_offset + span);
                let at = clock.when(mono);
                assert!(clock.read(at).mono >= mono);
                assert!(clock.read(Instant(at.0 - 1)).mono < mono, "{node}: {span}");
            }
        }
    }

    #[test]
    fn clocks_stay_within_the_plan_and_differ() {
        let plan = ClockPlan { offset: Duration::from_millis(50), drift: 200 };
        let clocks: std::vec::Vec<Clock> = (0..100).map(|node| Clock::draw(&plan, 42, node)).collect();
        assert!(clocks.iter().all(|clock| clock.wall_offset().abs() <= 50_000_000));
        assert!(clocks.iter().all(|clock| clock.mono_drift().abs() <= 200));
        assert!(clocks.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
