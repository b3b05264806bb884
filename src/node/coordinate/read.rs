//! Coordinating a read: ask every replica, and answer when enough of them have what is shown *on their disks*.
//!
//! What replicas answer is on their disks already (`Node::on_fetch`), so as long as they agree, R answers are
//! enough. Where they differ, what is shown is the merge of the first answers that are enough, and the replicas that
//! know less get it, durably, before the client does ([`super::read_repair`]). So whatever a quorum read shows is
//! held by a quorum, and every later quorum read meets it: reads never go back, even if the write that is shown
//! failed, or its coordinator is gone (CASSANDRA-2494 is the story of a store that did otherwise).
//!
//! All replicas are asked, but only one copy has to cross a wire, or none: see [`super::whole`]. Whoever disagrees with
//! it is asked for the whole, one round trip later.

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::base::bytes::Bytes;
use crate::base::id::{ClusterId, NodeId, OpId};
use crate::base::limits::PerReplica;
use crate::base::time::Instant;
use crate::causal::clock::Clock;
use crate::causal::context;
use crate::causal::siblings::Siblings;
use crate::disk::Disk;
use crate::node::consistency::{Consistency, OnSiblings};
use crate::node::coordinate::whole::{Compared, Wholes};
use crate::node::coordinate::{Asker, Op, Route};
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::message::{Held, Message};
use crate::node::outbox::Target;
use crate::node::request::{Command, Found, Outcome, Rejection, Request};
use crate::node::step::Node;
use crate::node::store::{Store, StoreError};
use crate::node::timer::Timer;
use crate::quorum::read::ReadTally;
use crate::quorum::tally::Decision;
use crate::ring::preference;

/// A read in progress.
#[derive(Clone, Debug, Hash)]
pub struct ReadOp {
    pub asker: Asker,
    pub deadline: Instant,
    pub(super) key: Bytes,
    /// What the client has seen already: it must not be shown less.
    floor: Clock,
    siblings: OnSiblings,
    tally: ReadTally,
    started: Instant,
    /// The other replicas, in order of preference.
    pub(super) order: PerReplica<NodeId>,
    pub(super) wholes: Wholes,
    /// What each replica answered, to know whom to repair.
    pub(super) answers: PerReplica<(NodeId, Arc<Siblings>)>,
    /// All answers merged; `None` before the first.
    pub(super) merged: Option<Arc<Siblings>>,
    /// What the client is about to be shown.
    pub(super) goal: Option<Goal>,
    /// Too few can still answer.
    hopeless: bool,
    pub replied: bool,
}

impl ReadOp {
    /// Whether an answer of `node` could count.
    pub(super) fn asks(&self, node: NodeId) -> bool {
        self.tally.asks(node)
    }

    /// Whether its client or somebody's answer is still to be waited for.
    pub(super) fn is_open(&self) -> bool {
        !self.replied || !self.tally.complete()
    }
}

/// What a read shows, as soon as enough replicas hold it.
#[derive(Clone, Debug, Hash)]
pub(super) struct Goal {
    pub(super) siblings: Arc<Siblings>,
    /// Who has it, or more, on disk.
    pub(super) holders: PerReplica<NodeId>,
    /// Who was sent it.
    pub(super) sent: PerReplica<NodeId>,
}

impl Node {
    pub(super) fn coordinate_read(
        &mut self,
        asker: Asker,
        route: &Route,
        request: Request,
        consistency: Consistency,
        env: &mut Env,
    ) -> Result<(), Rejection> {
        let (&Route { placement, slot, zone }, replicas) = (route, route.replicas());
        let demands = self.read_demands(&replicas, &consistency)?;
        let key = request.key;
        let floor = match &request.command {
            Command::Get { context: Some(token) } => {
                context::open(self.identity.cluster, &key, token).map_err(|_| Rejection::Context)?
            }
            _ => Clock::EMPTY,
        };
        let is_replica = placement.owns(self.me(), slot);
        let own = match is_replica {
            true => self.read_here(env, |store, disk| store.load(&key, disk).map(Arc::new)),
            false => None,
        };
        // Everybody is asked, but who is believed to be down is not waited for: else every read would stay open until
        // its deadline as long as one node is away, and soon there would be no room for new ones.
        let mut tally = ReadTally::new(replicas, demands);
        for &node in placement.replicas(slot).iter().filter(|&&node| !self.usable(node)) {
            let decision = tally.failed(node);
            assert_ne!(decision, Decision::Impossible, "what the usable cannot satisfy was refused");
        }
        let (started, deadline) = (env.now.mono, env.now.mono + consistency.timeout);
        let mut order = preference::order(placement, slot, self.me(), zone, |node| self.usable(node));
        order.retain(|node| *node != self.me());
        let mut wholes = Wholes::default();
        match &own {
            Some(own) => drop(wholes.found(own)),
            None => order.iter().take(1).for_each(|&node| wholes.ask(node)),
        }
        let id = self.open_op(|_| {
            Op::Read(Box::new(ReadOp {
                asker,
                started,
                order: order.clone(),
                wholes,
                deadline,
                key: key.clone(),
                floor,
                siblings: consistency.siblings,
                tally,
                answers: PerReplica::new(),
                merged: None,
                goal: None,
                hopeless: false,
                replied: false,
            }))
        });
        for (rank, &node) in order.iter().enumerate() {
            let message = Message::Fetch { op: id, key: key.clone(), digest: own.is_some() || rank > 0 };
            self.send(Target::Node(node), message, env);
        }
        if own.is_none() {
            self.timers.set(started + self.patience(), Timer::Whole(id));
        }
        if is_replica {
            let held = own.map_or(Held::Refused, Held::Siblings);
            self.tell_when_durable(&key, self.me(), id, held, env);
        }
        Ok(())
    }

    /// What `read` finds of the copy here, or `None` if that is damaged, or may be less than was promised: which is no
    /// "not found".
    pub(in crate::node) fn read_here<T>(
        &mut self,
        env: &mut Env,
        read: impl FnOnce(&mut Store, &mut dyn Disk) -> Result<T, StoreError>,
    ) -> Option<T> {
        if self.is_amnesiac() {
            return None;
        }
        let found = read(&mut self.store, env.disk).ok();
        env.out.facts.extend(found.is_none().then_some(Fact::DamageRefused));
        found
    }

    /// A replica, or this node, has told what it holds on its disk.
    pub(in crate::node) fn on_fetched(&mut self, id: OpId, node: NodeId, held: Held, env: &mut Env) {
        let me = self.me();
        // Nobody else's answer counts, and there is no room for it.
        let Some(Op::Read(op)) = self.ops.get_mut(&id).filter(|op| op.asks(node)) else { return };
        if node != me && op.answers.iter().all(|known| known.0 != node) {
            self.answers.note(env.now.mono.since(op.started));
        }
        match held {
            Held::Refused => {
                op.take(node, None);
                self.ask_another(id, env);
            }
            Held::Siblings(siblings) => {
                let early = op.wholes.found(&siblings);
                op.take(node, Some(siblings));
                for (node, digest) in early {
                    self.compare(id, node, digest, env);
                }
            }
            Held::Digest(digest) => self.compare(id, node, digest, env),
        }
        self.advance_read(id, env);
    }

    /// A replica has sent a fingerprint. If that is all there is to know it counts as its answer; else the whole will.
    fn compare(&mut self, id: OpId, node: NodeId, digest: Option<u128>, env: &mut Env) {
        let Some(Op::Read(op)) = self.ops.get_mut(&id) else { return };
        match op.wholes.compare(node, digest) {
            Compared::Equal(siblings) => op.take(node, Some(siblings)),
            Compared::Different => {
                let message = Message::Fetch { op: id, key: op.key.clone(), digest: false };
                self.send(Target::Node(node), message, env);
            }
            Compared::Early => {}
        }
    }

    /// Goes on with a read about which something has become known.
    pub(super) fn advance_read(&mut self, id: OpId, env: &mut Env) {
        let cluster = self.identity.cluster;
        let Some(Op::Read(op)) = self.ops.get_mut(&id) else { return };
        let behind = op.set_goal();
        let outcome = op.outcome(cluster);
        if let Some(outcome) = outcome {
            assert!(!op.replied, "a read is answered once");
            let mixed = matches!(outcome, Outcome::Rejected(Rejection::Type { .. }));
            env.out.facts.extend(mixed.then_some(Fact::TypesMixed));
            op.replied = true;
            let asker = op.asker;
            if !matches!(outcome, Outcome::Rejected(_)) {
                self.foreground.note(env.now.mono.since(op.started));
            }
            self.answer(asker, outcome, env);
        }
        for node in behind {
            self.bring_to_goal(id, node, env);
        }
        if self.ops.get(&id).is_some_and(|op| matches!(op, Op::Read(op) if !op.is_open()))
            && let Some(Op::Read(op)) = self.close_op(id)
        {
            self.repair_readers(&op, env);
        }
    }

    /// Time is up: whoever has answered by now is repaired.
    pub(super) fn expire_read(&mut self, op: &ReadOp, env: &mut Env) {
        if !op.replied {
            self.answer(op.asker, op.failed(), env);
        }
        self.repair_readers(op, env);
    }
}

impl ReadOp {
    /// Takes the answer of a replica; `None`: it cannot answer.
    fn take(&mut self, node: NodeId, answer: Option<Arc<Siblings>>) {
        let Some(siblings) = answer else {
            self.hopeless |= self.tally.failed(node) == Decision::Impossible;
            return;
        };
        self.tally.answered(node);
        if self.answers.iter().all(|known| known.0 != node) {
            // Replicas usually agree: then what the first one told is shared, and nothing is copied.
            let merged = self.merged.get_or_insert_with(|| siblings.clone());
            if !merged.knows(&siblings) {
                Arc::make_mut(merged).merge(&siblings);
            }
            self.answers.push((node, siblings));
        }
    }

    /// Fixes what to show once enough have answered; later answers, which may bring more, no longer move it, so a read
    /// amid writes ends. The answer is who has to be brought up to it.
    fn set_goal(&mut self) -> PerReplica<NodeId> {
        if self.goal.is_none()
            && self.tally.shortfall().is_none()
            && let Some(merged) = self.merged.as_ref().filter(|merged| merged.clock().descends(&self.floor))
        {
            let siblings = merged.clone();
            self.goal = Some(Goal { siblings, holders: PerReplica::new(), sent: PerReplica::new() });
        }
        let Some(goal) = &mut self.goal else { return PerReplica::new() };
        let mut behind = PerReplica::new();
        for (node, answer) in &self.answers {
            if goal.holders.contains(node) || goal.sent.contains(node) {
                continue;
            }
            if answer.knows(&goal.siblings) {
                goal.holders.push(*node);
            } else if goal.siblings.is_valid() {
                goal.sent.push(*node);
                behind.push(*node);
            }
        }
        behind
    }

    /// What to tell the client now, if anything.
    fn outcome(&self, cluster: ClusterId) -> Option<Outcome> {
        match &self.goal {
            _ if self.replied => None,
            Some(goal) if self.tally.lacking(|node| goal.holders.contains(&node)).is_none() => {
                Some(self.found(goal, cluster))
            }
            // More than a key may hold (foreign replicas would have to have sent it): nobody can be brought up to it.
            // Without this, the key could never be read, and so never be reconciled.
            Some(goal) if !goal.siblings.is_valid() => Some(self.found(goal, cluster)),
            Some(_) => None,
            None => (self.hopeless || self.tally.complete()).then(|| self.failed()),
        }
    }

    fn found(&self, goal: &Goal, cluster: ClusterId) -> Outcome {
        if !goal.siblings.parts().is_empty()
            && let Some(outcome) = self.typed(&goal.siblings, cluster)
        {
            return outcome;
        }
        let last = goal.siblings.last_written().map(|version| version.dot);
        let shown = goal.siblings.versions().iter().filter(|version| match self.siblings {
            OnSiblings::All => !goal.siblings.is_twin(version),
            OnSiblings::LastWriter => Some(version.dot) == last,
        });
        let values = shown.filter_map(|version| {
            let value = version.value.clone()?;
            Some(Found { value, stamp: version.stamp, dot: version.dot })
        });
        // What is left of a deleted counter has to be known to whoever writes over it.
        let seal = if goal.siblings.parts().is_empty() { context::seal } else { context::seal_typed };
        let context = seal(cluster, &self.key, goal.siblings.clock());
        Outcome::Found { values: values.collect(), context }
    }

    /// What is shown of a key that holds a convergent type, or more than one type; `None` if it is neither.
    fn typed(&self, siblings: &Siblings, cluster: ClusterId) -> Option<Outcome> {
        let mut holds = siblings.holds_all().into_iter().rev();
        match (holds.next()?, holds.next()) {
            (holds, Some(_)) => Some(Outcome::Rejected(Rejection::Type { holds })),
            (holds, None) => {
                let context = context::seal_typed(cluster, &self.key, siblings.clock());
                siblings.view(holds).map(|view| Outcome::Typed { view, context })
            }
        }
    }

    /// Why there is nothing to show.
    fn failed(&self) -> Outcome {
        let holds = |node: NodeId| self.goal.as_ref().is_some_and(|goal| goal.holders.contains(&node));
        let short = if self.goal.is_some() { self.tally.lacking(holds) } else { self.tally.shortfall() };
        Outcome::Rejected(match short {
            Some(short) => Rejection::Timeout { knob: short.knob, answers: short.have, needed: short.needed },
            None => Rejection::Behind,
        })
    }
}
