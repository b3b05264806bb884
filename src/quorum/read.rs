//! The tally of one read: when enough replicas have answered to reply, and when all have, so that repair can run.

use crate::base::id::NodeId;
use crate::quorum::need::{Demands, Mask, Replicas, Shortfall, shortfall};
use crate::quorum::tally::{Decision, Verdict};

/// Counts distinct replicas that answered. "I do not have it" is an answer like any other: a miss is only reported
/// after as many real answers as a hit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReadTally {
    replicas: Replicas,
    demands: Demands,
    answered: Mask,
    failed: Mask,
    verdict: Verdict,
}

impl ReadTally {
    /// A read that is sent to all of `replicas` and succeeds when every demand is met.
    pub fn new(replicas: Replicas, demands: Demands) -> ReadTally {
        assert!(demands.iter().any(|demand| demand.need.count() > 0), "a read needs at least one answer");
        ReadTally { replicas, demands, answered: 0, failed: 0, verdict: Verdict::default() }
    }

    /// Whether an answer of `node` could count.
    pub fn asks(&self, node: NodeId) -> bool {
        self.replicas.bit(node) != 0
    }

    /// A node answered. It counts even after it was taken for failed: late answers are still reconciled.
    pub fn answered(&mut self, node: NodeId) -> Decision {
        let bit = self.replicas.bit(node);
        self.failed &= !bit;
        self.answered |= bit;
        self.decide()
    }

    /// A node refused, or cannot be reached. After its answer this changes nothing.
    pub fn failed(&mut self, node: NodeId) -> Decision {
        self.failed |= self.replicas.bit(node) & !self.answered;
        self.decide()
    }

    /// The distinct nodes that have answered.
    pub fn answers(&self) -> u8 {
        self.answered.count_ones() as u8
    }

    /// The first demand that is not met by the answers so far.
    pub fn shortfall(&self) -> Option<Shortfall> {
        self.lacking(|node| self.answered & self.replicas.bit(node) != 0)
    }

    /// The first demand that the replicas of which `holds` is true do not meet.
    pub fn lacking(&self, holds: impl Fn(NodeId) -> bool) -> Option<Shortfall> {
        shortfall(&self.demands, &self.replicas, holds)
    }

    /// Whether everybody has answered or failed: nothing more is to be waited for, and repair can run.
    pub fn complete(&self) -> bool {
        self.pending() == 0
    }

    fn pending(&self) -> Mask {
        assert!(self.answered & self.failed == 0, "nobody has answered and failed");
        self.replicas.all() & !self.answered & !self.failed
    }

    fn decide(&mut self) -> Decision {
        let met = |have| self.demands.iter().all(|demand| demand.need.met(have));
        let (met, possible) = (met(self.answered), met(self.answered | self.pending()));
        self.verdict.decide(met, possible)
    }
}
