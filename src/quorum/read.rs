//! The tally of one read: when enough replicas have answered to reply, and when all have, so that repair can run.

use crate::base::id::NodeId;
use crate::quorum::tally::{Decision, NodeSet, Verdict};

/// Counts distinct replicas that answered. "I do not have it" is an answer like any other: a miss is only reported
/// after as many real answers as a hit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReadTally {
    asked: NodeSet,
    needed: u8,
    answered: NodeSet,
    failed: NodeSet,
    verdict: Verdict,
}

impl ReadTally {
    /// A read that is sent to all of `asked` and succeeds when `needed` of them have answered.
    pub fn new(asked: &[NodeId], needed: u8) -> ReadTally {
        assert!(needed > 0, "a level needs at least one answer");
        ReadTally {
            asked: asked.iter().copied().collect(),
            needed,
            answered: NodeSet::default(),
            failed: NodeSet::default(),
            verdict: Verdict::default(),
        }
    }

    /// A node answered. It counts even after it was taken for failed: late answers are still reconciled.
    pub fn answered(&mut self, node: NodeId) -> Decision {
        if self.asked.contains(node) {
            self.failed.remove(node);
            self.answered.insert(node);
        }
        self.decide()
    }

    /// A node refused, or cannot be reached. After its answer this changes nothing.
    pub fn failed(&mut self, node: NodeId) -> Decision {
        if self.asked.contains(node) && !self.answered.contains(node) {
            self.failed.insert(node);
        }
        self.decide()
    }

    /// The distinct nodes that have answered.
    pub fn answers(&self) -> u8 {
        u8::try_from(self.answered.len()).unwrap_or(u8::MAX)
    }

    /// Whether everybody has answered or failed: nothing more is to be waited for, and repair can run.
    pub fn complete(&self) -> bool {
        self.pending() == 0
    }

    fn pending(&self) -> usize {
        let settled = self.answered.len() + self.failed.len();
        assert!(settled <= self.asked.len(), "only who was asked is counted, and once");
        self.asked.len() - settled
    }

    fn decide(&mut self) -> Decision {
        self.verdict.decide(self.answered.len(), self.pending(), self.needed)
    }
}
