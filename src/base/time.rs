//! Integer time. All in nanoseconds in a `u64`: 584 years, and arithmetic that is the same everywhere.
//!
//! The core never reads a clock. Both clocks are handed to it with every step ([`Now`]), so that the simulator
//! can make them offset, drift, jump or freeze apart from each other.

use core::fmt;
use core::ops::{Add, AddAssign};

use crate::base::codec::{Decode, Encode};

/// A span of time, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct Duration(pub u64);

impl Duration {
    pub const ZERO: Duration = Duration(0);
    pub const MAX: Duration = Duration(u64::MAX);

    pub const fn from_nanos(nanos: u64) -> Duration {
        Duration(nanos)
    }

    pub const fn from_micros(micros: u64) -> Duration {
        Duration(micros.saturating_mul(1_000))
    }

    pub const fn from_millis(millis: u64) -> Duration {
        Duration(millis.saturating_mul(1_000_000))
    }

    pub const fn from_secs(secs: u64) -> Duration {
        Duration(secs.saturating_mul(1_000_000_000))
    }

    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    pub const fn saturating_mul(self, factor: u64) -> Duration {
        Duration(self.0.saturating_mul(factor))
    }

    /// This span divided by `parts`. Panics if `parts` is zero.
    pub const fn divided(self, parts: u64) -> Duration {
        assert!(parts > 0, "a span divided by nothing");
        Duration(self.0 / parts)
    }
}

/// Largest unit that keeps it short: `1.5s`, `20ms`, `350us`, `7ns`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            n if n >= 1_000_000_000 => (1_000_000_000, "s"),
            n if n >= 1_000_000 => (1_000_000, "ms"),
            n if n >= 1_000 => (1_000, "us"),
            _ => return write!(f, "{}ns", self.0),
        };
        let whole = self.0 / unit;
        let hundredths = (self.0 % unit) * 100 / unit;
        match hundredths {
            0 => write!(f, "{whole}{name}"),
            h if h.is_multiple_of(10) => write!(f, "{whole}.{}{name}", h / 10),
            h => write!(f, "{whole}.{h:02}{name}"),
        }
    }
}

/// A point on a monotonic clock that only its owner's process understands: never sent, never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub u64);

impl Instant {
    pub const ZERO: Instant = Instant(0);

    /// The span since `earlier`, or zero if `earlier` is later.
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, span: Duration) -> Instant {
        Instant(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Duration(self.0).fmt(f)
    }
}

/// A point on the wall clock, nanoseconds since 1970-01-01 UTC. May jump; used only to stamp values, never for
/// deadlines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct WallTime(pub u64);

/// Both clocks as the driver reads them at the start of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Now {
    pub mono: Instant,
    pub wall: WallTime,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_duration_prints_in_its_largest_unit() {
        assert_eq!(Duration::from_millis(1500).to_string(), "1.5s");
        assert_eq!(Duration::from_micros(20_050).to_string(), "20.05ms");
        assert_eq!(Duration::from_nanos(7).to_string(), "7ns");
        assert_eq!(Duration::from_secs(60).to_string(), "60s");
    }

    #[test]
    fn arithmetic_saturates_at_the_end_of_time() {
        assert_eq!(Instant(u64::MAX) + Duration(1), Instant(u64::MAX));
        assert_eq!(Instant(1).since(Instant(2)), Duration::ZERO);
    }
}
