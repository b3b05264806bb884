//! A node's own clocks, which run apart from virtual time and from each other.
//!
//! Both clocks of a node have an offset and a drift of their own, drawn from the seed: a monotonic clock starts
//! anywhere and runs a little fast or slow; a wall clock is off by up to what the scenario says. A core that compares
//! the readings of two nodes, or a reading of one clock with one of the other, meets its mistake here.
//!
//! Faults make each clock wrong apart from the other: it may be off, jump, drift or stand still. A monotonic clock
//! never goes back.

use std::vec::Vec;

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

/// One of the two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    Wall,
    Mono,
}

/// How a clock is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClockFault {
    /// Off by so many nanoseconds, until it is set right again.
    Offset(i64),
    /// Set by so many nanoseconds, for good.
    Jump(i64),
    /// Fast by so many parts per million; what it gained stays.
    Drift(i32),
    /// It stands still, and goes on from there.
    Freeze,
}

/// A clock that went on evenly since a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Line {
    since: Instant,
    /// What it showed then.
    shown: u64,
    /// Nanoseconds of this clock in a million of virtual time.
    rate: u64,
}

impl Line {
    fn read(&self, at: Instant) -> u64 {
        self.shown + scaled(at.since(self.since).0, self.rate)
    }

    fn change(&mut self, now: Instant, by: i64, rate: u64) {
        *self = Line { since: now, shown: self.read(now).saturating_add_signed(by), rate };
    }
}

/// The clocks of one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Clock {
    mono: Line,
    wall: Line,
    mono_rate: u64,
    wall_rate: u64,
    wall_offset: i64,
    faults: Vec<(usize, Which, ClockFault)>,
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
        let line = |shown, rate| Line { since: Instant::ZERO, shown, rate };
        let wall = line(EPOCH.saturating_add_signed(wall_offset), wall_rate);
        Clock {
            mono: line(mono_offset, mono_rate),
            wall,
            mono_rate,
            wall_rate,
            wall_offset,
            faults: Vec::new(),
        }
    }

    /// What the clocks show at the virtual time `at`, which is not before the last change.
    pub fn read(&self, at: Instant) -> Now {
        Now { mono: Instant(self.mono.read(at)), wall: WallTime(self.wall.read(at)) }
    }

    /// The first virtual time at which the monotonic clock shows `mono` or more; `None` while it stands still.
    pub fn when(&self, mono: Instant) -> Option<Instant> {
        let Line { since, shown, rate } = self.mono;
        let span = u128::from(mono.0.saturating_sub(shown));
        if span > 0 && rate == 0 {
            return None;
        }
        let after = if span == 0 { 0 } else { (span * MILLION).div_ceil(u128::from(rate)) };
        let at = Instant(since.0.saturating_add(u64::try_from(after).unwrap_or(u64::MAX)));
        debug_assert!(at.0 > u64::MAX / 2 || self.read(at).mono >= mono);
        Some(at)
    }

    /// From now on a clock is wrong, by `fault`.
    pub fn disturb(&mut self, fault: usize, which: Which, what: ClockFault, now: Instant) {
        assert!(
            which == Which::Wall || !matches!(what, ClockFault::Offset(_) | ClockFault::Jump(i64::MIN..0))
        );
        if !matches!(what, ClockFault::Jump(_)) {
            self.faults.push((fault, which, what));
        }
        let by = match what {
            ClockFault::Offset(by) | ClockFault::Jump(by) => by,
            ClockFault::Drift(_) | ClockFault::Freeze => 0,
        };
        self.change(which, by, now);
    }

    /// What `fault` did is undone, as far as it can be.
    pub fn heal(&mut self, fault: usize, now: Instant) {
        let Some(at) = self.faults.iter().position(|(by, _, _)| *by == fault) else { return };
        let (_, which, what) = self.faults.remove(at);
        self.change(which, if let ClockFault::Offset(by) = what { -by } else { 0 }, now);
    }

    /// The faults that make the clocks wrong now.
    pub fn faults(&self) -> impl Iterator<Item = usize> {
        self.faults.iter().map(|(fault, _, _)| *fault)
    }

    /// Moves a clock by so much, and lets it go on as fast as the faults in force say.
    fn change(&mut self, which: Which, by: i64, now: Instant) {
        let own = self.faults.iter().filter(|(_, clock, _)| *clock == which).map(|(_, _, what)| *what);
        let (mut ppm, mut frozen) = (0, false);
        for what in own {
            match what {
                ClockFault::Drift(fast) => ppm += i64::from(fast),
                ClockFault::Freeze => frozen = true,
                ClockFault::Offset(_) | ClockFault::Jump(_) => {}
            }
        }
        let (line, rate) = match which {
            Which::Mono => (&mut self.mono, self.mono_rate),
            Which::Wall => (&mut self.wall, self.wall_rate),
        };
        let rate = if frozen { 0 } else { rate.saturating_add_signed(ppm) };
        line.change(now, by, rate);
    }

    /// How far the wall clock is from virtual time at its start, in nanoseconds.
    pub fn wall_offset(&self) -> i64 {
        self.wall_offset
    }

    /// How much the monotonic clock runs fast by nature, in parts per million.
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
                let mono = Instant(clock.mono.shown + span);
                let at = clock.when(mono).expect("it goes on");
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

    const DRAWN: ClockPlan = ClockPlan { offset: Duration::from_millis(50), drift: 200 };

    /// What the clock shows less what it would show without faults, in nanoseconds: of the wall and of the monotonic
    /// clock.
    fn error(clock: &Clock, at: u64) -> (i64, i64) {
        let (at, clean) = (Instant(at * 1_000_000_000), Clock::draw(&DRAWN, 42, 1));
        let (now, clean) = (clock.read(at), clean.read(at));
        let less = |one: u64, other: u64| one.wrapping_sub(other) as i64;
        (less(now.wall.0, clean.wall.0), less(now.mono.0, clean.mono.0))
    }

    #[test]
    fn each_fault_makes_one_clock_wrong_and_leaves_the_other() {
        let second = 1_000_000_000;
        let second_at = |at: u64| Instant(at * 1_000_000_000);
        for (what, while_it_lasts, afterwards) in [
            (ClockFault::Offset(-3 * second), -3 * second, 0),
            (ClockFault::Jump(7 * second), 7 * second, 7 * second),
            (ClockFault::Drift(50_000), second / 2, second / 2),
            (ClockFault::Freeze, -10 * second, -10 * second),
        ] {
            for which in [Which::Wall, Which::Mono] {
                if matches!((which, what), (Which::Mono, ClockFault::Offset(_))) {
                    continue;
                }
                let mut clock = Clock::draw(&DRAWN, 42, 1);
                clock.disturb(3, which, what, second_at(10));
                let during = error(&clock, 20);
                clock.heal(3, second_at(20));
                let after = error(&clock, 30);
                let of = |(wall, mono)| if which == Which::Wall { (wall, mono) } else { (mono, wall) };
                // The clock's own drift is in a second of its standing still, and roundings.
                let near = |found: i64, expected: i64| (found - expected).abs() <= 10 * 200_000 + 2;
                assert!(near(of(during).0, while_it_lasts), "{which:?} {what:?}: {during:?}");
                assert!(near(of(after).0, afterwards), "{which:?} {what:?}: {after:?}");
                assert!(of(during).1.abs() <= 1 && of(after).1.abs() <= 1, "{which:?} {what:?}: {after:?}");
            }
        }
    }

    #[test]
    fn a_deadline_never_comes_while_the_monotonic_clock_stands() {
        let mut clock = Clock::draw(&DRAWN, 42, 1);
        let (noon, later) = (Instant(12_000_000_000), Instant(13_000_000_000));
        let deadline = Instant(clock.read(noon).mono.0 + 5);
        clock.disturb(3, Which::Mono, ClockFault::Freeze, noon);
        assert_eq!(clock.when(deadline), None);
        assert!(clock.when(clock.read(noon).mono).is_some_and(|at| at <= noon));
        clock.heal(3, later);
        assert!(clock.when(deadline).is_some_and(|at| at > later && at.0 < later.0 + 10));
    }
}
