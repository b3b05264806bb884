//! How a run can end.

use core::fmt;

/// The verdict on a run, as reports and scenario files spell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    Pass,
    /// A promise was broken, or the core panicked.
    Safety,
    /// The cluster did not recover in time.
    Liveness,
    /// Two runs of one seed parted.
    Nondeterminism,
    /// A declared fault had no effect, or nothing was tested.
    Vacuous,
    /// More events than the scenario allows.
    Budget,
}

impl Verdict {
    pub const ALL: [Verdict; 6] = [
        Verdict::Pass,
        Verdict::Safety,
        Verdict::Liveness,
        Verdict::Nondeterminism,
        Verdict::Vacuous,
        Verdict::Budget,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Safety => "safety",
            Verdict::Liveness => "liveness",
            Verdict::Nondeterminism => "nondeterminism",
            Verdict::Vacuous => "vacuous",
            Verdict::Budget => "budget",
        }
    }

    pub fn parse(name: &str) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| verdict.name() == name)
    }

    /// The exit code of a process that ends with this verdict. (2 is bad usage, or a bad scenario file.)
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Pass => 0,
            Verdict::Safety | Verdict::Liveness => 1,
            Verdict::Nondeterminism => 3,
            Verdict::Vacuous => 4,
            Verdict::Budget => 5,
        }
    }

    /// How bad it is, for the verdict on many runs: whatever makes the other verdicts worthless comes last.
    pub fn severity(self) -> u8 {
        match self {
            Verdict::Pass => 0,
            Verdict::Vacuous => 1,
            Verdict::Budget => 2,
            Verdict::Liveness => 3,
            Verdict::Safety => 4,
            Verdict::Nondeterminism => 5,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_reads_back_from_its_name() {
        assert!(Verdict::ALL.into_iter().all(|verdict| Verdict::parse(verdict.name()) == Some(verdict)));
        assert_eq!(Verdict::parse("fine"), None);
    }
}
