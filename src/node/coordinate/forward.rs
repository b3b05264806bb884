//! Forwarding a write to a replica of its key. It is sent once: a second try at another replica could be a second
//! write, so when the first does not answer in time, the fate of the write is unknown. The network may double it all
//! the same, so the replica remembers what was forwarded to it lately ([`Forwards`]).

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};

use crate::base::id::{NodeId, OpId, Slot};
use crate::base::time::Instant;
use crate::node::coordinate::{Asker, Op};
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::message::Message;
use crate::node::outbox::Target;
use crate::node::request::{Outcome, Rejection, Request};
use crate::node::step::Node;
use crate::ring::placement::Placement;
use crate::ring::preference;

/// A write that another node coordinates.
#[derive(Clone, Debug, Hash)]
pub struct ForwardOp {
    pub asker: Asker,
    pub deadline: Instant,
    /// Who was asked; nobody else's answer counts.
    to: NodeId,
    needed: u8,
}

impl ForwardOp {
    pub fn unknown(&self) -> Outcome {
        Outcome::Unknown { acks: 0, needed: self.needed }
    }
}

/// Forwards that a node remembers. A frame that is doubled arrives twice within seconds.
const REMEMBERED: usize = 4096;

/// Which forwards have arrived lately. Coordinating one twice would make two writes of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Forwards {
    known: BTreeSet<(NodeId, OpId)>,
    in_order: VecDeque<(NodeId, OpId)>,
}

impl Forwards {
    /// Whether this is the first time that this forward arrives.
    pub fn is_new(&mut self, from: NodeId, op: OpId) -> bool {
        if !self.known.insert((from, op)) {
            return false;
        }
        self.in_order.push_back((from, op));
        if self.in_order.len() > REMEMBERED
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

impl Node {
    pub(super) fn forward(
        &mut self,
        asker: Asker,
        hops: u8,
        placement: &Placement,
        slot: Slot,
        request: Request,
        env: &mut Env,
    ) {
        let needed = match self.needed_to_write(&request) {
            Ok(needed) => needed,
            Err(rejection) => return self.answer(asker, Outcome::Rejected(rejection), env),
        };
        let usable = placement.replicas(slot).iter().filter(|&&node| self.usable(node)).count();
        let order = preference::order(placement, slot, self.me(), |node| self.usable(node));
        let Some(&to) = order.first().filter(|_| usable >= usize::from(needed)) else {
            let rejection = Rejection::Unavailable { usable: usable as u8, needed };
            return self.answer(asker, Outcome::Rejected(rejection), env);
        };
        let deadline = self.deadline(&request, env);
        let op = self.open_op(|_| Op::Forward(ForwardOp { asker, deadline, to, needed }));
        env.out.facts.push(Fact::RequestForwarded);
        self.send(Target::Node(to), Message::Forward { op, hops: hops + 1, request: Box::new(request) }, env);
    }

    /// The replica that was asked has the outcome.
    pub(in crate::node) fn forwarded(&mut self, id: OpId, node: NodeId, outcome: Outcome, env: &mut Env) {
        match self.ops.get(&id) {
            Some(Op::Forward(op)) if op.to == node => {
                let asker = op.asker;
                self.close_op(id);
                self.answer(asker, outcome, env);
            }
            _ => {}
        }
    }
}
