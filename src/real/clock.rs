//! The clocks of the real node.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::time::{Instant, Now, WallTime};

/// Both clocks. The monotonic one counts from the moment this was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: std::time::Instant,
}

impl Clock {
    /// A clock that stands at zero now.
    pub fn start() -> Clock {
        Clock { anchor: std::time::Instant::now() }
    }

    pub fn now(&self) -> Now {
        Now { mono: self.mono(), wall: wall() }
    }

    pub fn mono(&self) -> Instant {
        Instant(u64::try_from(self.anchor.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// How long from now until `deadline`; zero if it has passed.
    pub fn until(&self, deadline: Instant) -> std::time::Duration {
        std::time::Duration::from_nanos(deadline.since(self.mono()).as_nanos())
    }
}

/// A clock set before 1970 reads as 1970: stamps only break ties, so a wrong one costs no data.
fn wall() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Duration;

    #[test]
    fn a_deadline_in_the_past_is_due_at_once_and_one_ahead_is_not() {
        let clock = Clock::start();
        assert_eq!(clock.until(Instant::ZERO), std::time::Duration::ZERO);
        let left = clock.until(clock.mono() + Duration::from_secs(60));
        assert!(left > std::time::Duration::from_secs(50) && left <= std::time::Duration::from_secs(60));
    }
}
