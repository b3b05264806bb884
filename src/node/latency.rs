//! How long things take, as this node sees it: a small histogram that forgets, and what it says about whether clients
//! suffer.

use crate::base::time::Duration;

/// Classes to each doubling: a class is at most a quarter wider than its lower bound.
const FINE: u32 = 4;
/// The shortest class ends at 2^10 ns, the longest begins at 2^36 ns (69 s).
const FIRST: u32 = 10;
const CLASSES: usize = ((36 - FIRST) * FINE) as usize;
/// When so many were seen, all counts are halved: older answers weigh half.
const HALVED_AT: u32 = 2048;
/// Before so many were seen, there is no telling.
const ENOUGH: u32 = 64;

/// The times of answers, by class. Grows by nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Latencies {
    counts: [u16; CLASSES],
    seen: u32,
}

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies { counts: [0; CLASSES], seen: 0 }
    }
}

fn class(span: Duration) -> usize {
    let nanos = span.0.max(1 << FIRST);
    let doubling = nanos.ilog2();
    let quarter = (nanos >> (doubling - FINE.ilog2())) as u32 % FINE;
    (((doubling - FIRST) * FINE + quarter) as usize).min(CLASSES - 1)
}

/// The span at which the class after `class` begins.
fn end(class: usize) -> Duration {
    let next = class as u32 + 1;
    let doubling = FIRST + next / FINE;
    Duration((1 << doubling) + u64::from(next % FINE) * (1 << (doubling - FINE.ilog2())))
}

impl Latencies {
    pub fn note(&mut self, span: Duration) {
        self.counts[class(span)] += 1;
        self.seen += 1;
        if self.seen == HALVED_AT {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.seen = self.counts.iter().map(|&count| u32::from(count)).sum();
        }
    }

    /// A span within which 99 of 100 answers came, rounded up to the end of its class; `None` if too few were seen.
    pub fn p99(&self) -> Option<Duration> {
        self.within_all_but(100)
    }

    /// The same for all but one of so many.
    fn within_all_but(&self, one_of: u32) -> Option<Duration> {
        if self.seen < ENOUGH {
            return None;
        }
        let wanted = self.seen - self.seen / one_of;
        let mut below = 0;
        let found = self.counts.iter().position(|&count| {
            below += u32::from(count);
            below >= wanted
        });
        found.map(end)
    }
}

/// Requests that this node coordinates: how long they take in quiet times, and how long they have taken lately.
///
/// One in ten may be slow for reasons of its own (a disk that hiccups, a replica that is away); if all that is left
/// takes twice as long as in quiet times, something is in their way. The weakness: reads and writes are counted
/// together, so clients that turn from the one to the other look as if they suffered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Foreground {
    quiet: Latencies,
    recent: Latencies,
    /// Whether work in the background is under way, so that these are no quiet times.
    is_busy: bool,
}

/// How many times as long as in quiet times is suffering.
const STRAIN: u64 = 2;
const OUTLIERS: u32 = 10;

impl Foreground {
    /// A request was answered with what it asked for.
    pub fn note(&mut self, span: Duration) {
        self.recent.note(span);
        if !self.is_busy {
            self.quiet.note(span);
        }
    }

    /// Whether requests take much longer, in this round, than in quiet times. Too few of either tell nothing.
    pub fn is_strained(&self) -> bool {
        let (Some(quiet), Some(recent)) =
            (self.quiet.within_all_but(OUTLIERS), self.recent.within_all_but(OUTLIERS))
        else {
            return false;
        };
        recent > quiet.saturating_mul(STRAIN)
    }

    /// A new round, in which work in the background `is_busy` or not.
    pub fn begin_round(&mut self, is_busy: bool) {
        self.recent = Latencies::default();
        self.is_busy = is_busy;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_suffer_when_nearly_all_take_twice_as_long_as_in_quiet_times() {
        let mut foreground = Foreground::default();
        let note = |foreground: &mut Foreground, millis, times| {
            (0..times).for_each(|_| foreground.note(Duration::from_millis(millis)));
        };
        note(&mut foreground, 2, 100);
        foreground.begin_round(true);
        assert!(!foreground.is_strained(), "nothing was seen");
        note(&mut foreground, 2, 95);
        note(&mut foreground, 500, 5);
        assert!(!foreground.is_strained(), "a few hiccups");
        note(&mut foreground, 9, 100);
        assert!(foreground.is_strained());
        foreground.begin_round(true);
        note(&mut foreground, 9, 100);
        assert!(foreground.is_strained(), "busy times are no measure");
        foreground.begin_round(false);
        (0..40).for_each(|_| note(&mut foreground, 9, 100));
        assert!(!foreground.is_strained(), "what lasts in quiet times is how it is");
    }

    #[test]
    fn every_span_has_a_class_that_is_at_most_a_quarter_too_long() {
        for nanos in (10..36).flat_map(|power| [1u64 << power, (1 << power) + 1, (1 << power) * 3 / 2]) {
            let end = end(class(Duration(nanos))).0;
            assert!(end > nanos && end <= nanos + nanos / 4, "{nanos}: {end}");
        }
        assert_eq!(class(Duration(0)), 0);
        assert_eq!(class(Duration::MAX), CLASSES - 1);
    }

    #[test]
    fn the_slowest_of_a_hundred_is_left_out_and_what_is_old_forgotten() {
        let mut latencies = Latencies::default();
        (0..63).for_each(|_| latencies.note(Duration::from_micros(500)));
        assert_eq!(latencies.p99(), None);
        (0..36).for_each(|_| latencies.note(Duration::from_micros(500)));
        latencies.note(Duration::from_secs(1));
        let p99 = latencies.p99().expect("enough");
        assert!(p99 > Duration::from_micros(500) && p99 <= Duration::from_micros(625), "{p99}");
        (0..10).for_each(|_| latencies.note(Duration::from_secs(1)));
        assert!(latencies.p99().expect("enough") > Duration::from_secs(1));
        (0..20_000).for_each(|_| latencies.note(Duration::from_micros(100)));
        assert!(latencies.p99().expect("enough") < Duration::from_micros(200));
    }
}
