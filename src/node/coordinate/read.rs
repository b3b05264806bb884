//! Coordinating a read: ask every replica, answer at R, go on listening, and repair who is behind.
//!
//! Repair is by causality: the merged sibling set is sent to each replica that answered with less. There is no vote;
//! one replica that knows more is right against two that agree.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::id::{NodeId, OpId, Slot};
use crate::base::time::Instant;
use crate::causal::context;
use crate::causal::siblings::Siblings;
use crate::node::consistency::Consistency;
use crate::node::coordinate::{Asker, Op};
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::message::Message;
use crate::node::outbox::Target;
use crate::node::request::{Found, Outcome, Rejection, Request};
use crate::node::step::{NO_OP, Node};
use crate::quorum::read::ReadTally;
use crate::quorum::tally::Decision;
use crate::ring::placement::Placement;

/// A read in progress.
#[derive(Clone, Debug, Hash)]
pub struct ReadOp {
    pub asker: Asker,
    pub deadline: Instant,
    key: Bytes,
    tally: ReadTally,
    /// What each replica answered, to know whom to repair.
    answers: Vec<(NodeId, Arc<Siblings>)>,
    /// All answers merged.
    merged: Siblings,
    pub replied: bool,
}

impl Node {
    pub(super) fn coordinate_read(
        &mut self,
        asker: Asker,
        placement: &Placement,
        slot: Slot,
        request: Request,
        consistency: Consistency,
        env: &mut Env,
    ) {
        let replicas = self.replicas_seen(placement, slot);
        let demands = match self.read_demands(&replicas, &consistency) {
            Ok(demands) => demands,
            Err(rejection) => return self.answer(asker, Outcome::Rejected(rejection), env),
        };
        let deadline = env.now.mono + consistency.timeout;
        let nodes = placement.replicas(slot);
        let id = self.open_op(|_| {
            Op::Read(ReadOp {
                asker,
                deadline,
                key: request.key.clone(),
                tally: ReadTally::new(replicas, demands),
                answers: Vec::with_capacity(nodes.len()),
                merged: Siblings::default(),
                replied: false,
            })
        });
        for &node in nodes {
            if node == self.me() {
                let own = self.load_for_read(&request.key, env);
                self.read_answered(id, node, own, env);
            } else {
                let message = Message::Fetch { op: id, key: request.key.clone() };
                self.send(Target::Node(node), message, env);
            }
        }
    }

    /// The copy here, or `None` if it is damaged: which is no "not found".
    pub(in crate::node) fn load_for_read(&mut self, key: &[u8], env: &mut Env) -> Option<Arc<Siblings>> {
        match self.store.load(key, env.disk) {
            Ok(siblings) => Some(Arc::new(siblings)),
            Err(_) => {
                env.out.facts.push(Fact::DamageRefused);
                None
            }
        }
    }

    /// A replica has answered; `None`: it cannot.
    pub(in crate::node) fn read_answered(
        &mut self,
        id: OpId,
        node: NodeId,
        answer: Option<Arc<Siblings>>,
        env: &mut Env,
    ) {
        let cluster = self.identity.cluster;
        let Some(Op::Read(op)) = self.ops.get_mut(&id) else { return };
        let decision = match answer {
            None => op.tally.failed(node),
            Some(siblings) => {
                let decision = op.tally.answered(node);
                if op.answers.iter().all(|known| known.0 != node) {
                    op.merged.merge(&siblings);
                    op.answers.push((node, siblings));
                }
                decision
            }
        };
        let complete = op.tally.complete();
        let outcome = match decision {
            Decision::Wait => None,
            Decision::Met => Some(op.found(cluster)),
            Decision::Impossible => Some(op.timed_out()),
        };
        if let Some(outcome) = outcome {
            op.replied = true;
            let asker = op.asker;
            self.answer(asker, outcome, env);
        }
        if complete && let Some(Op::Read(op)) = self.close_op(id) {
            self.repair_readers(&op, env);
        }
    }

    /// Time is up: whoever has answered by now is repaired.
    pub(super) fn expire_read(&mut self, op: ReadOp, env: &mut Env) {
        if !op.replied {
            self.answer(op.asker, op.timed_out(), env);
        }
        self.repair_readers(&op, env);
    }

    /// Sends the merged set to everybody who answered with less.
    fn repair_readers(&mut self, op: &ReadOp, env: &mut Env) {
        if !op.merged.is_valid() {
            return;
        }
        let mut shared = None;
        for (node, answer) in &op.answers {
            if **answer == op.merged {
                continue;
            }
            env.out.facts.push(Fact::ReadRepaired);
            let siblings = shared.get_or_insert_with(|| Arc::new(op.merged.clone())).clone();
            if *node == self.me() {
                // A failure here leaves the key as it is, for the Merkle exchange to find.
                let _ = self.store.merge(&op.key, &siblings, env.disk);
            } else {
                let message = Message::Store { op: NO_OP, key: op.key.clone(), siblings, early: false };
                self.send(Target::Node(*node), message, env);
            }
        }
    }
}

impl ReadOp {
    fn found(&self, cluster: crate::base::id::ClusterId) -> Outcome {
        let values = self.merged.versions().iter().filter_map(|version| {
            let value = version.value.clone()?;
            Some(Found { value, stamp: version.stamp, dot: version.dot })
        });
        let context = context::seal(cluster, &self.key, self.merged.clock());
        Outcome::Found { values: values.collect(), context }
    }

    fn timed_out(&self) -> Outcome {
        let short = self.tally.shortfall().expect("a read that is satisfied is answered at once");
        Outcome::Rejected(Rejection::Timeout { knob: short.knob, answers: short.have, needed: short.needed })
    }
}
