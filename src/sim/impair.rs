//! What ails a host for a time: it is paused, its processor or its disk is slow, its line of inputs is short.

use std::vec::Vec;

use crate::base::time::Duration;
use crate::storage::JobId;

/// One way in which a host is worse than it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Impairment {
    /// The process stands still, as a virtual machine does while it is moved. The disk goes on.
    Pause,
    /// Computing takes so many times as long.
    Slow(u32),
    /// So many inputs may wait; peers' frames beyond that are dropped, and clients refused.
    Queue(u32),
    /// No sync ends.
    Stall,
    /// All that the disk does takes so many times as long.
    Lag(u32),
}

impl Impairment {
    pub fn kind(&self) -> &'static str {
        match self {
            Impairment::Pause => "pause",
            Impairment::Slow(_) => "slow",
            Impairment::Queue(_) => "queue",
            Impairment::Stall => "stall",
            Impairment::Lag(_) => "lag",
        }
    }
}

/// All that ails one host, and what waits for it to be over.
#[derive(Clone, Debug, Default, Hash)]
pub struct Impairments {
    active: Vec<(usize, Impairment)>,
    /// Jobs whose slices wait for the end of a pause.
    pub slices: Vec<JobId>,
    /// Syncs that wait for the end of a stall.
    pub syncs: Vec<u64>,
    /// Faults that were met since they were last asked for, with repetitions.
    met: Vec<usize>,
}

impl Impairments {
    pub fn begin(&mut self, fault: usize, what: Impairment) {
        self.active.push((fault, what));
    }

    pub fn end(&mut self, fault: usize) {
        self.active.retain(|(active, _)| *active != fault);
    }

    /// What waited belongs to a process that is no more.
    pub fn forget(&mut self) {
        self.slices.clear();
        self.syncs.clear();
    }

    /// Whether the process stands still. Something had to wait for it if so.
    pub fn pauses(&mut self) -> bool {
        self.meet(|what| matches!(what, Impairment::Pause))
    }

    /// The same, for those who do not have to wait.
    pub fn is_paused(&self) -> bool {
        self.active.iter().any(|(_, what)| *what == Impairment::Pause)
    }

    /// Whether syncs stand still. One had to wait if so.
    pub fn stalls(&mut self) -> bool {
        self.meet(|what| matches!(what, Impairment::Stall))
    }

    /// The same, for those who do not have to wait.
    pub fn stalls_now(&self) -> bool {
        self.active.iter().any(|(_, what)| *what == Impairment::Stall)
    }

    /// Whether there is no room for one more input when so many wait.
    pub fn overflows(&mut self, waiting: usize) -> bool {
        self.meet(|what| matches!(what, Impairment::Queue(limit) if waiting >= *limit as usize))
    }

    /// What computing takes that takes `span` on a healthy host.
    pub fn computing(&mut self, span: Duration) -> Duration {
        let mut factor = 1;
        self.meet(|what| matches!(what, Impairment::Slow(by) if { factor *= u64::from(*by); true }));
        span.saturating_mul(factor)
    }

    /// What the disk takes for what takes `span` on a healthy host.
    pub fn disk(&mut self, span: Duration) -> Duration {
        let mut factor = 1;
        let any = span > Duration::ZERO;
        self.meet(|what| matches!(what, Impairment::Lag(by) if { factor *= u64::from(*by); any }));
        span.saturating_mul(factor)
    }

    pub fn met(&mut self) -> &mut Vec<usize> {
        &mut self.met
    }

    /// Whether one is of this kind; all such are met.
    fn meet(&mut self, mut is_it: impl FnMut(&Impairment) -> bool) -> bool {
        let before = self.met.len();
        self.met.extend(self.active.iter().filter(|(_, what)| is_it(what)).map(|(fault, _)| *fault));
        self.met.len() > before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ails_a_host_is_met_by_what_it_concerns_and_by_nothing_else() {
        let mut impairments = Impairments::default();
        let second = Duration::from_secs(1);
        for (fault, what) in [
            Impairment::Pause,
            Impairment::Slow(3),
            Impairment::Queue(2),
            Impairment::Stall,
            Impairment::Lag(5),
        ]
        .into_iter()
        .enumerate()
        {
            impairments.begin(fault, what);
        }
        assert!(!impairments.overflows(1) && impairments.met.is_empty());
        assert_eq!(impairments.disk(Duration::ZERO), Duration::ZERO);
        assert!(impairments.met.is_empty());
        assert!(impairments.pauses() && impairments.stalls() && impairments.overflows(2));
        assert_eq!(impairments.computing(second), Duration::from_secs(3));
        assert_eq!(impairments.disk(second), Duration::from_secs(5));
        assert_eq!(impairments.met, [0, 3, 2, 1, 4]);
        impairments.end(1);
        assert_eq!(impairments.computing(second), second);
        impairments.end(0);
        assert!(!impairments.pauses() && !impairments.is_paused());
    }
}
