//! Forwarding a write to a replica of its key (or to another one, if the own disk is what is in the way). It is sent
//! once: a second try at another replica could be a second write, so when the first does not answer in time, the fate
//! of the write is unknown. The network may double it all the same, so the replica remembers what was forwarded to it
//! lately ([`Forwards`]); and because it forgets that when it stops, a forward names the life of the replica that it
//! is meant for.
//!
//! A replica that everybody else reaches is not taken for dead, though it cannot be reached from here (a bad route, a
//! firewall): who has not answered is not asked first again for a while.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::base::id::{NodeId, OpId};
use crate::base::time::{Duration, Instant};
use crate::member::view::Audience;
use crate::node::consistency::{Consistency, Options};
use crate::node::coordinate::{Asker, Op, Route};
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::message::Message;
use crate::node::outbox::Target;
use crate::node::request::{Outcome, Rejection, Request};
use crate::node::step::Node;
use crate::quorum::need::Knob;
use crate::ring::preference;

/// A write that another node coordinates.
#[derive(Clone, Debug, Hash)]
pub struct ForwardOp {
    pub asker: Asker,
    pub deadline: Instant,
    /// Who was asked; nobody else's answer counts.
    to: NodeId,
    needed: (Knob, u8),
}

impl ForwardOp {
    pub fn unknown(&self) -> Outcome {
        let (unmet, needed) = self.needed;
        Outcome::Unknown { acks: 0, needed, unmet, write: None }
    }
}

/// Forwards that a node remembers. A frame that is doubled arrives twice within seconds.
const REMEMBERED: usize = 4096;

/// What a node remembers of forwarded writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Forwards {
    /// Which have arrived here lately. Coordinating one twice would make two writes of one.
    known: BTreeSet<(NodeId, OpId)>,
    in_order: VecDeque<(NodeId, OpId)>,
    /// Replicas that let a forward of this node run out of time, and until when they are not asked first.
    silent: BTreeMap<NodeId, Instant>,
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

    fn is_silent(&self, node: NodeId, now: Instant) -> bool {
        self.silent.get(&node).is_some_and(|&until| now < until)
    }

    /// One forward goes to `node`. If it was silent, that is a trial, and the next one comes `until` then.
    fn sent(&mut self, node: NodeId, until: Instant) {
        if let Some(silent) = self.silent.get_mut(&node) {
            *silent = until;
        }
    }

    fn answered(&mut self, node: NodeId) {
        self.silent.remove(&node);
    }

    fn unanswered(&mut self, node: NodeId, until: Instant) {
        self.silent.insert(node, until);
    }
}

impl Node {
    pub(super) fn forward(
        &mut self,
        asker: Asker,
        hops: u8,
        route: &Route,
        mut request: Request,
        consistency: Consistency,
        env: &mut Env,
    ) -> Result<(), Rejection> {
        let demands = self.write_demands(&route.replicas(), &consistency)?;
        let now = env.now.mono;
        let &Route { placement, slot, zone } = route;
        let order = preference::order(placement, slot, self.me(), zone, |node| self.usable(node));
        let others = order.iter().copied().filter(|&node| node != self.me());
        let mut usable = others.filter(|&node| self.usable(node));
        let none = Rejection::Unavailable { knob: Knob::W, usable: 0, needed: 1 };
        let nearest = usable.clone().next().ok_or(none)?;
        let to = usable.find(|&node| !self.forwards.is_silent(node, now)).unwrap_or(nearest);
        let life = self.view.generation(to).expect("who is usable is known");
        self.forwards.sent(to, now + self.config.suspect_after);
        let needed = demands.first().map(|demand| (demand.knob, demand.need.count()));
        let needed = needed.expect("W is always a demand");
        let deadline = now + consistency.timeout;
        // What the replica knows when its time is up is still in time here.
        request.options = Options::from(consistency);
        request.options.timeout = Some(consistency.timeout.saturating_mul(7).divided(8).max(Duration(1)));
        let op = self.open_op(|_| Op::Forward(ForwardOp { asker, deadline, to, needed }));
        env.out.facts.push(Fact::RequestForwarded);
        let (zone, request) = (zone.clone(), Box::new(request));
        self.send(Target::Node(to), Message::Forward { op, life, hops: hops + 1, zone, request }, env);
        Ok(())
    }

    /// A forward for an earlier life of this node. It may be a second copy of one that was coordinated then: if it were
    /// coordinated now, one write would be made twice, and undo what has replaced it since. So its fate is unknown, and
    /// the sender learns of this life at once.
    pub(in crate::node) fn on_stale_forward(&mut self, from: NodeId, op: OpId, env: &mut Env) {
        env.out.facts.push(Fact::StaleForward);
        self.send(Target::Node(from), Message::Forwarded { op, outcome: None }, env);
        self.gossip_to(from, Audience::Asker(from, &[]), env);
    }

    /// The replica that was asked has the outcome.
    pub(in crate::node) fn forwarded(
        &mut self,
        id: OpId,
        node: NodeId,
        outcome: Option<Outcome>,
        env: &mut Env,
    ) {
        match self.ops.get(&id) {
            Some(Op::Forward(op)) if op.to == node => {
                let (asker, outcome) = (op.asker, outcome.unwrap_or_else(|| op.unknown()));
                self.forwards.answered(node);
                self.close_op(id);
                self.answer(asker, outcome, env);
            }
            _ => {}
        }
    }

    /// It has not answered in time.
    pub(super) fn expire_forward(&mut self, op: &ForwardOp, env: &mut Env) {
        self.forwards.unanswered(op.to, env.now.mono + self.config.suspect_after);
        self.answer(op.asker, op.unknown(), env);
    }
}
