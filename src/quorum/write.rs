//! The tally of one write: which replicas have it, and which still need it.

use alloc::vec::Vec;

use crate::base::id::NodeId;
use crate::quorum::tally::{Decision, NodeSet, Verdict};

/// A node that was asked to keep the write for a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct StandIn {
    node: NodeId,
    intended: NodeId,
    state: Hint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Hint {
    Asked,
    Stored,
    Failed,
}

/// Counts distinct nodes that hold the write durably. A hint counts only if the request asked for that (`any`): it
/// cannot be read until it is handed over, so counting it silently would break R + W > N.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WriteTally {
    replicas: Vec<NodeId>,
    needed: u8,
    any: bool,
    acked: NodeSet,
    failed: NodeSet,
    stand_ins: Vec<StandIn>,
    verdict: Verdict,
}

impl WriteTally {
    /// A write that is sent to all of `replicas` and succeeds when `needed` distinct nodes have it.
    pub fn new(replicas: &[NodeId], needed: u8, any: bool) -> WriteTally {
        assert!(needed > 0, "a level needs at least one answer");
        let distinct: NodeSet = replicas.iter().copied().collect();
        assert_eq!(distinct.len(), replicas.len(), "two copies on one node are one copy");
        WriteTally {
            replicas: replicas.to_vec(),
            needed,
            any,
            acked: NodeSet::default(),
            failed: NodeSet::default(),
            stand_ins: Vec::new(),
            verdict: Verdict::default(),
        }
    }

    /// Notes that `node`, no replica, is asked to store a hint for `intended`. To be called before the failure of
    /// `intended` is reported: with `any`, the hint may be what keeps the request possible.
    pub fn stand_in(&mut self, node: NodeId, intended: NodeId) {
        assert!(!self.replicas.contains(&node), "a replica stores the write itself");
        assert!(self.replicas.contains(&intended), "only a replica is stood in for");
        if self.stand_ins.iter().all(|asked| asked.node != node) {
            self.stand_ins.push(StandIn { node, intended, state: Hint::Asked });
        }
    }

    /// A replica has the write. It counts even after it was taken for failed: late is not lost.
    pub fn acked(&mut self, node: NodeId) -> Decision {
        if self.replicas.contains(&node) {
            self.failed.remove(node);
            self.acked.insert(node);
        }
        self.decide()
    }

    /// A stand-in has stored its hint.
    pub fn hinted(&mut self, node: NodeId) -> Decision {
        if let Some(asked) = self.stand_ins.iter_mut().find(|asked| asked.node == node) {
            asked.state = Hint::Stored;
        }
        self.decide()
    }

    /// A replica or a stand-in refused, or cannot be reached. After its acknowledgement this changes nothing.
    pub fn failed(&mut self, node: NodeId) -> Decision {
        if self.replicas.contains(&node) && !self.acked.contains(node) {
            self.failed.insert(node);
        }
        let asked = self.stand_ins.iter_mut().find(|asked| asked.node == node);
        if let Some(asked) = asked.filter(|asked| asked.state == Hint::Asked) {
            asked.state = Hint::Failed;
        }
        self.decide()
    }

    /// The distinct nodes that count: replicas, and with `any` also stand-ins.
    pub fn acks(&self) -> u8 {
        let hints = if self.any { self.hints(Hint::Stored) } else { 0 };
        u8::try_from(self.acked.len() + hints).unwrap_or(u8::MAX)
    }

    /// The replicas that have not acknowledged, and for which no hint is stored: who still needs one.
    pub fn missing(&self) -> impl Iterator<Item = NodeId> {
        let hinted =
            |node| self.stand_ins.iter().any(|asked| asked.intended == node && asked.state == Hint::Stored);
        self.replicas.iter().copied().filter(move |&node| !self.acked.contains(node) && !hinted(node))
    }

    fn hints(&self, state: Hint) -> usize {
        self.stand_ins.iter().filter(|asked| asked.state == state).count()
    }

    fn decide(&mut self) -> Decision {
        assert!(self.acked.len() + self.failed.len() <= self.replicas.len(), "only replicas are counted");
        let replicas_pending = self.replicas.len() - self.acked.len() - self.failed.len();
        let hints_pending = if self.any { self.hints(Hint::Asked) } else { 0 };
        let have = usize::from(self.acks());
        self.verdict.decide(have, replicas_pending + hints_pending, self.needed)
    }
}
