//! Coordination: what a node does for a client, on behalf of the whole preference list (Dynamo section 4.5).
//!
//! A read is coordinated by whichever node got it. A write is coordinated by a replica of its key, because only a
//! replica numbers writes of that key; any other node forwards it.

pub mod forward;
pub mod handoff;
pub mod read;
pub mod write;

use alloc::boxed::Box;

use crate::base::id::{ClientTag, NodeId, OpId};
use crate::base::limits::KEY_MAX;
use crate::base::time::{Duration, Instant};
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::message::{Message, key_is_valid};
use crate::node::outbox::{Reply, Target};
use crate::node::request::{Command, Outcome, Rejection, Request};
use crate::node::step::Node;
use crate::node::timer::Timer;
use crate::quorum::tally::Level;
use crate::ring::token::slot_of;

/// Operations that a node has in progress, at most. Beyond that it refuses, early and clearly.
const OPS_MAX: usize = 16_384;
/// Forwards of one request, at most: more means that layouts differ in a circle.
const HOPS_MAX: u8 = 2;
/// The longest time that a request may ask for.
const TIMEOUT_MAX: Duration = Duration::from_secs(60);

/// Whom the outcome is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    Client(ClientTag),
    /// A node that forwarded its client's request.
    Peer {
        node: NodeId,
        op: OpId,
    },
}

/// Something this node has begun and waits for others to finish.
#[derive(Clone, Debug, Hash)]
pub enum Op {
    Write(write::WriteOp),
    Read(read::ReadOp),
    Forward(forward::ForwardOp),
    Handoff(handoff::HandoffOp),
}

impl Op {
    /// When it is given up.
    fn deadline(&self) -> Instant {
        match self {
            Op::Write(op) => op.deadline,
            Op::Read(op) => op.deadline,
            Op::Forward(op) => op.deadline,
            Op::Handoff(op) => op.deadline,
        }
    }
}

impl Node {
    /// Begins a request. It is answered exactly once, now or later.
    pub(super) fn begin(&mut self, asker: Asker, hops: u8, request: Request, env: &mut Env) {
        if let Err(rejection) = self.admit(&request) {
            return self.answer(asker, Outcome::Rejected(rejection), env);
        }
        let Some(placement) = self.placement.clone() else {
            return self.answer(asker, Outcome::Rejected(Rejection::Forming), env);
        };
        let slot = slot_of(&request.key);
        match request.command {
            Command::Get => self.coordinate_read(asker, &placement, slot, request, env),
            Command::Put { .. } | Command::Delete { .. } if placement.owns(self.me(), slot) => {
                self.coordinate_write(asker, &placement, slot, request, env);
            }
            Command::Put { .. } | Command::Delete { .. } if hops < HOPS_MAX => {
                self.forward(asker, hops, &placement, slot, request, env);
            }
            Command::Put { .. } | Command::Delete { .. } => {
                let needed = self.needed_to_write(&request).unwrap_or(1);
                let rejection = Rejection::Unavailable { usable: 0, needed };
                self.answer(asker, Outcome::Rejected(rejection), env);
            }
        }
    }

    /// Refuses what can be refused without looking at any data.
    fn admit(&self, request: &Request) -> Result<(), Rejection> {
        if !key_is_valid(&request.key) {
            return Err(Rejection::KeyLength { max: KEY_MAX as u32 });
        }
        match &request.command {
            Command::Get => drop(self.needed_to_read(request)?),
            Command::Put { value, .. } if value.len() > self.config.value_max as usize => {
                return Err(Rejection::ValueLength { max: self.config.value_max });
            }
            Command::Put { .. } | Command::Delete { .. } => drop(self.needed_to_write(request)?),
        }
        if self.ops.len() >= OPS_MAX { Err(Rejection::Overloaded) } else { Ok(()) }
    }

    /// The acknowledgements that this write needs.
    fn needed_to_write(&self, request: &Request) -> Result<u8, Rejection> {
        let (level, n) = (request.options.w.unwrap_or(self.config.w), self.n());
        level.needed(n).map_err(|_| Rejection::Impossible { level, n })
    }

    /// The answers that this read needs.
    fn needed_to_read(&self, request: &Request) -> Result<u8, Rejection> {
        let (level, n) = (request.options.r.unwrap_or(self.config.r), self.n());
        level.needed_to_read(n).map_err(|_| Rejection::Impossible { level, n })
    }

    /// Whether hints count for this write.
    fn wants_any(&self, request: &Request) -> bool {
        request.options.w.unwrap_or(self.config.w) == Level::Any
    }

    /// Replicas of a key: what the layout in force says, or will say while the cluster is forming.
    fn n(&self) -> u8 {
        self.placement.as_ref().map_or(self.config.n, |placement| placement.layout().n)
    }

    fn deadline(&self, request: &Request, env: &Env) -> Instant {
        let timeout = request.options.timeout.unwrap_or(self.config.request_timeout);
        env.now.mono + timeout.min(TIMEOUT_MAX)
    }

    /// Tells whoever asked.
    pub(super) fn answer(&mut self, asker: Asker, outcome: Outcome, env: &mut Env) {
        match asker {
            Asker::Peer { node, op } => {
                let message = Message::Forwarded { op, outcome: Box::new(outcome) };
                self.send(Target::Node(node), message, env);
            }
            Asker::Client(tag) => {
                let fact = match &outcome {
                    Outcome::Found { values, .. } if values.len() > 1 => Some(Fact::SiblingsRead),
                    Outcome::Found { .. } => Some(Fact::ReadAnswered),
                    Outcome::Written { .. } => Some(Fact::WriteAcknowledged),
                    Outcome::Rejected(_) => Some(Fact::RequestRejected),
                    Outcome::Unknown { .. } => Some(Fact::WriteUnknown),
                };
                env.out.facts.extend(fact);
                env.out.replies.push(Reply { tag, outcome });
            }
        }
    }

    /// Numbers and remembers an operation, and sets its deadline.
    pub(super) fn open_op(&mut self, make: impl FnOnce(OpId) -> Op) -> OpId {
        let id = OpId(self.next_op);
        self.next_op += 1;
        let op = make(id);
        self.timers.set(op.deadline(), Timer::Op(id));
        let before = self.ops.insert(id, op);
        assert!(before.is_none(), "operation numbers are not used twice");
        id
    }

    /// Forgets an operation.
    pub(super) fn close_op(&mut self, id: OpId) -> Option<Op> {
        let op = self.ops.remove(&id)?;
        self.timers.cancel(op.deadline(), Timer::Op(id));
        Some(op)
    }

    /// An operation has run out of time: its asker learns what is known, and what others still lack is provided for.
    pub(super) fn expire(&mut self, id: OpId, env: &mut Env) {
        match self.close_op(id) {
            Some(Op::Write(op)) => self.expire_write(op, env),
            Some(Op::Read(op)) => self.expire_read(op, env),
            Some(Op::Forward(op)) => self.answer(op.asker, op.unknown(), env),
            Some(Op::Handoff(op)) => self.expire_handoff(&op),
            None => {}
        }
    }

    /// The node is about to stop: every open request is answered with what is known.
    pub(super) fn abandon_ops(&mut self, env: &mut Env) {
        while let Some((_, op)) = self.ops.pop_first() {
            match op {
                Op::Write(op) if !op.replied => self.answer(op.asker, op.unknown(), env),
                Op::Read(op) if !op.replied => {
                    self.answer(op.asker, Outcome::Rejected(Rejection::Stopping), env);
                }
                Op::Forward(op) => self.answer(op.asker, op.unknown(), env),
                Op::Write(_) | Op::Read(_) | Op::Handoff(_) => {}
            }
        }
    }
}
