//! The tally of one write: which replicas have it, and which still need it.

use alloc::vec::Vec;

use crate::base::codec::{Decode, Encode};
use crate::base::id::NodeId;
use crate::quorum::need::{Demand, Demands, Knob, Mask, Replicas};
use crate::quorum::tally::{Decision, Verdict};

/// How far a write has come at a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum Ack {
    /// Merged, but lost in a crash.
    InMemory,
    OnDisk,
}

/// What counts as an acknowledgement towards W, PW and zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Counting {
    /// The least that a replica must have done: on disk, unless DW asked for less than W.
    pub least: Ack,
    /// Whether hints count, towards W only (`any`).
    pub hints: bool,
}

/// A node that was asked to keep the write for a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct StandIn {
    node: NodeId,
    intended: Mask,
    state: Hint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Hint {
    Asked,
    Stored,
    Failed,
}

/// Counts distinct nodes that hold the write. A hint counts only if the request asked for that (`any`): it cannot be
/// read until it is handed over, so counting it silently would break R + W > N.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WriteTally {
    replicas: Replicas,
    demands: Demands,
    counting: Counting,
    /// Who has it, in memory or on disk.
    held: Mask,
    durable: Mask,
    failed: Mask,
    excused: Mask,
    stand_ins: Vec<StandIn>,
    verdict: Verdict,
}

impl WriteTally {
    /// A write that is sent to all of `replicas` and succeeds when every demand is met.
    pub fn new(replicas: Replicas, demands: Demands, counting: Counting) -> WriteTally {
        assert!(demands.iter().any(|demand| demand.need.count() > 0), "a write needs at least one answer");
        WriteTally {
            replicas,
            demands,
            counting,
            held: 0,
            durable: 0,
            failed: 0,
            excused: 0,
            stand_ins: Vec::new(),
            verdict: Verdict::default(),
        }
    }

    /// Notes that `node`, no replica, is asked to store a hint for `intended`. To be called before the failure of
    /// `intended` is reported: with `any`, the hint may be what keeps the request possible.
    pub fn stand_in(&mut self, node: NodeId, intended: NodeId) {
        let intended = self.replicas.bit(intended);
        assert!(self.replicas.bit(node) == 0, "a replica stores the write itself");
        assert!(intended != 0, "only a replica is stood in for");
        if self.stand_ins.iter().all(|asked| asked.node != node) {
            self.stand_ins.push(StandIn { node, intended, state: Hint::Asked });
        }
    }

    /// Nobody waits for this replica: it is believed to be down, and its hint is kept already, or none is to be.
    /// Should it acknowledge all the same, that counts.
    pub fn excuse(&mut self, node: NodeId) {
        self.excused |= self.replicas.bit(node);
    }

    /// A replica has the write. It counts even after it was taken for failed: late is not lost.
    pub fn acked(&mut self, node: NodeId, ack: Ack) -> Decision {
        let bit = self.replicas.bit(node);
        self.failed &= !bit;
        self.held |= bit;
        if ack == Ack::OnDisk {
            self.durable |= bit;
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
        self.failed |= self.replicas.bit(node) & !self.held;
        let asked = self.stand_ins.iter_mut().find(|asked| asked.node == node);
        if let Some(asked) = asked.filter(|asked| asked.state == Hint::Asked) {
            asked.state = Hint::Failed;
        }
        self.decide()
    }

    /// The distinct nodes that count: replicas, and with `any` also stand-ins.
    pub fn acks(&self) -> u8 {
        self.counted(self.held, self.durable).count_ones() as u8 + self.hints(&[Hint::Stored])
    }

    /// The replicas that have it on their disks.
    pub fn durable(&self) -> u8 {
        self.durable.count_ones() as u8
    }

    /// The first demand that is not met, and the answers that it needs. `None` if all are met.
    pub fn unmet(&self) -> Option<(Knob, u8)> {
        let unmet = self
            .demands
            .iter()
            .find(|demand| !self.meets(demand, self.held, self.durable, self.hints(&[Hint::Stored])))?;
        Some((unmet.knob, unmet.need.count()))
    }

    /// The replicas that do not have it on disk, and for which no hint is stored or ruled out: who still needs one.
    pub fn missing(&self) -> impl Iterator<Item = NodeId> {
        let stored = self.stand_ins.iter().filter(|asked| asked.state == Hint::Stored);
        let provided = stored.fold(self.durable | self.excused, |mask, asked| mask | asked.intended);
        let nodes = self.replicas.nodes().iter().copied();
        nodes.filter(move |&node| self.replicas.bit(node) & provided == 0)
    }

    /// The hints that count and are in one of these states.
    fn hints(&self, states: &[Hint]) -> u8 {
        let hints = self.stand_ins.iter().filter(|asked| states.contains(&asked.state)).count();
        if self.counting.hints { hints as u8 } else { 0 }
    }

    fn counted(&self, held: Mask, durable: Mask) -> Mask {
        match self.counting.least {
            Ack::InMemory => held,
            Ack::OnDisk => durable,
        }
    }

    fn meets(&self, demand: &Demand, held: Mask, durable: Mask, hints: u8) -> bool {
        let counted = self.counted(held, durable);
        match demand.knob {
            Knob::Dw => demand.need.met(durable),
            Knob::W => demand.need.met(counted) || demand.need.have(counted) + hints >= demand.need.count(),
            _ => demand.need.met(counted),
        }
    }

    fn decide(&mut self) -> Decision {
        assert!(self.durable & !self.held == 0, "what is on disk is held");
        assert!(self.held & self.failed == 0, "nobody has it and has failed");
        let pending = self.replicas.all() & !self.failed;
        let met = |held, durable, hints: &[Hint]| {
            let hints = self.hints(hints);
            self.demands.iter().all(|demand| self.meets(demand, held, durable, hints))
        };
        let now = met(self.held, self.durable, &[Hint::Stored]);
        let possible = met(self.held | pending, self.durable | pending, &[Hint::Stored, Hint::Asked]);
        self.verdict.decide(now, possible)
    }
}
