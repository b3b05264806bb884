//! Coordination: what a node does for a client, on behalf of the whole preference list (Dynamo section 4.5).
//!
//! A read is coordinated by whichever node got it. A write is coordinated by a replica of its key, because only a
//! replica knows what it replaces; any other node forwards it. Only where no replica can be reached, and the client
//! said that any disk will do, another node takes it ([`stand_in`]).

pub mod demand;
pub mod forward;
pub mod handoff;
pub mod prune;
pub mod read;
pub mod read_repair;
pub mod stand_in;
pub mod whole;
pub mod write;

use alloc::boxed::Box;

use crate::base::id::{ClientTag, NodeId, OpId, Slot, Zone};
use crate::base::limits::{EDITS_MAX, KEY_MAX, SIBLINGS_BYTES_MAX};
use crate::base::time::{Duration, Instant};
use crate::causal::types::edit::edits_are_valid;
use crate::node::consistency::{Consistency, TIMEOUT_MAX};
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::message::{Message, key_is_valid};
use crate::node::outbox::{Reply, Target};
use crate::node::request::{Command, Outcome, Rejection, Request};
use crate::node::step::Node;
use crate::node::timer::Timer;
use crate::quorum::need::Knob;
use crate::quorum::tally::Impossible;
use crate::ring::placement::Placement;
use crate::ring::token::slot_of;

/// Forwards of one request, at most: more means that layouts differ in a circle.
const HOPS_MAX: u8 = 2;

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
#[expect(clippy::large_enum_variant, reason = "a box for every write would be an allocation more for each")]
pub enum Op {
    Write(write::WriteOp),
    /// Boxed: it holds what all replicas have answered, and is twice as large as a write.
    Read(Box<read::ReadOp>),
    Forward(forward::ForwardOp),
    Handoff(handoff::HandoffOp),
}

impl Op {
    /// Whether there is anything left to wait for.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Op::Write(op) => op.is_open(),
            Op::Read(op) => op.is_open(),
            Op::Forward(_) | Op::Handoff(_) => true,
        }
    }

    /// Whether it is a read that an answer of `node` could count for.
    fn asks(&self, node: NodeId) -> bool {
        matches!(self, Op::Read(op) if op.asks(node))
    }

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

/// Where a request belongs.
pub(super) struct Route<'a> {
    placement: &'a Placement,
    /// That of its key.
    slot: Slot,
    /// Where its client asked.
    zone: &'a Zone,
}

impl Node {
    /// Begins a request that a client asked for in `zone`. It is answered exactly once, now or later.
    pub(super) fn begin(&mut self, asker: Asker, hops: u8, zone: &Zone, request: Request, env: &mut Env) {
        let consistency = request.options.resolve(&self.config.consistency());
        if let Err(rejection) = self.admit(&request, &consistency) {
            return self.answer(asker, Outcome::Rejected(rejection), env);
        }
        let Some(placement) = self.placement.clone() else {
            return self.answer(asker, Outcome::Rejected(Rejection::Forming), env);
        };
        let slot = slot_of(&request.key);
        let route = Route { placement: &placement, slot, zone };
        let begun = match request.command {
            Command::Get { .. } => self.coordinate_read(asker, &route, request, consistency, env),
            _ if placement.owns(self.me(), slot) => {
                match self.coordinate_write(asker, &route, &request, consistency, env) {
                    Err(why) if why.is_of_one_disk() && hops < HOPS_MAX => {
                        self.forward(asker, hops, &route, request, consistency, env).map_err(|_| why)
                    }
                    begun => begun,
                }
            }
            _ if self.stands_in(&route, &consistency) => {
                self.coordinate_as_stand_in(asker, &route, &request, &consistency, env)
            }
            _ if hops < HOPS_MAX => self.forward(asker, hops, &route, request, consistency, env),
            _ => Err(Rejection::Unavailable { knob: Knob::W, usable: 0, needed: 1 }),
        };
        if let Err(rejection) = begun {
            self.answer(asker, Outcome::Rejected(rejection), env);
        }
    }

    /// Refuses what can be refused without looking at any data or layout.
    fn admit(&self, request: &Request, consistency: &Consistency) -> Result<(), Rejection> {
        if !key_is_valid(&request.key) {
            return Err(Rejection::KeyLength { max: KEY_MAX as u32 });
        }
        let longest = match &request.command {
            Command::Put { value, .. } => value.len(),
            Command::Edit { edits } if !edits_are_valid(edits) => {
                return Err(Rejection::Edits { max: EDITS_MAX as u32, bytes: SIBLINGS_BYTES_MAX as u32 });
            }
            Command::Edit { edits } => edits.iter().map(|edit| edit.update.bytes()).max().unwrap_or(0),
            Command::Get { .. } | Command::Delete { .. } => 0,
        };
        if longest > self.config.value_max as usize {
            return Err(Rejection::ValueLength { max: self.config.value_max });
        }
        if consistency.timeout == Duration::ZERO || consistency.timeout > TIMEOUT_MAX {
            let why = Impossible::Timeout { max_ms: TIMEOUT_MAX.as_millis() };
            return Err(Rejection::Impossible { knob: Knob::Timeout, why });
        }
        // Refused now, while the client can still go elsewhere, and not after it has waited for its time-out. Writes
        // that would wait for the disk behind too many others are refused for the same reason.
        let backlogged = request.command.is_write() && self.is_backlogged(self.me());
        let full = self.ops.len() >= self.config.ops_max as usize || backlogged;
        if full { Err(Rejection::Overloaded) } else { Ok(()) }
    }

    /// Tells whoever asked.
    pub(super) fn answer(&mut self, asker: Asker, outcome: Outcome, env: &mut Env) {
        match asker {
            Asker::Peer { node, op } => {
                let message = Message::Forwarded { op, outcome: Some(Box::new(outcome)) };
                self.send(Target::Node(node), message, env);
            }
            Asker::Client(tag) => {
                let fact = match &outcome {
                    Outcome::Found { values, .. } if values.len() > 1 => Some(Fact::SiblingsRead),
                    Outcome::Found { .. } | Outcome::Typed { .. } => Some(Fact::ReadAnswered),
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
        let ended = self.close_op(id);
        self.timed_out |= match &ended {
            Some(Op::Write(op)) => !op.replied,
            Some(Op::Read(op)) => !op.replied,
            Some(Op::Forward(_)) => true,
            Some(Op::Handoff(_)) | None => false,
        };
        match ended {
            Some(Op::Write(op)) => self.expire_write(op, env),
            Some(Op::Read(op)) => self.expire_read(&op, env),
            Some(Op::Forward(op)) => self.expire_forward(&op, env),
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
