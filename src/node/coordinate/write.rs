//! Coordinating a write: number it, store it here, send it to the other replicas, answer at W, and see to it that
//! whoever missed it gets it later.

use alloc::sync::Arc;

use crate::base::bytes::Bytes;
use crate::base::id::{NodeId, OpId, Slot};
use crate::base::limits::{ACTORS_MAX, PerReplica, SIBLINGS_BYTES_MAX, SIBLINGS_MAX};
use crate::base::time::Instant;
use crate::causal::clock::Clock;
use crate::causal::context;
use crate::causal::dot::Dot;
use crate::causal::siblings::{Siblings, SiblingsOf, SiblingsRef, Value};
use crate::causal::types::edit::Write;
use crate::node::consistency::Consistency;
use crate::node::coordinate::{Asker, Op, Route};
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::message::Message;
use crate::node::outbox::Target;
use crate::node::request::{Command, Outcome, Rejection, Request};
use crate::node::step::{Node, Waiter};
use crate::node::store::{StoreError, Stored, fingerprint};
use crate::quorum::tally::Decision;
use crate::quorum::write::{Ack, WriteTally};
use crate::ring::placement::Placement;
use crate::ring::preference;
use crate::storage::Position;

/// A write in progress.
#[derive(Clone, Debug, Hash)]
pub struct WriteOp {
    pub asker: Asker,
    started: Instant,
    pub deadline: Instant,
    pub key: Bytes,
    /// What this write left here, and what all replicas are to merge.
    siblings: Arc<Siblings>,
    dot: Dot,
    /// The token for the client: what it had seen, and this write.
    context: Bytes,
    /// What edits did, as seen here.
    result: i64,
    tally: WriteTally,
    sloppy: bool,
    pub replied: bool,
}

impl WriteOp {
    /// Whether somebody's acknowledgement is still to be waited for.
    pub(super) fn is_open(&self) -> bool {
        self.tally.missing().next().is_some()
    }

    /// What is known when the quorum has not been met.
    pub fn unknown(&self) -> Outcome {
        let (unmet, needed) = self.tally.unmet().expect("a write that is satisfied is answered at once");
        let write = Some((self.dot, self.context.clone()));
        Outcome::Unknown { acks: self.tally.acks(), needed, unmet, write }
    }

    fn written(&self) -> Outcome {
        Outcome::Written {
            dot: self.dot,
            acks: self.tally.acks(),
            durable: self.tally.durable(),
            context: self.context.clone(),
            result: self.result,
        }
    }
}

/// A write that has its name.
pub(super) struct Numbered {
    pub siblings: Siblings,
    pub dot: Dot,
    context: Bytes,
    result: i64,
    /// It is a retry: the write has had its name for long, and is here.
    pub again: bool,
}

/// What a write is numbered over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// What this node has as a replica. If its client has seen more of this node's own writes than that, some are lost.
    Data,
    /// The hints that this node keeps. Those that it has handed over are not lost.
    Hints,
}

/// A write that is kept here, and who is to get it besides the replicas.
pub(super) struct Kept {
    pub numbered: Numbered,
    pub tally: WriteTally,
    /// Each with the unusable replica that it stands in for.
    pub stand_ins: PerReplica<(NodeId, NodeId)>,
    /// The unusable replicas that nobody stands in for.
    pub alone: PerReplica<NodeId>,
}

impl Node {
    pub(super) fn coordinate_write(
        &mut self,
        asker: Asker,
        route: &Route,
        request: &Request,
        consistency: Consistency,
        env: &mut Env,
    ) -> Result<(), Rejection> {
        let (&Route { placement, slot, .. }, replicas) = (route, route.replicas());
        assert!(replicas.nodes().contains(&self.me()), "only replicas hold data");
        let demands = self.write_demands(&replicas, &consistency)?;
        if self.is_amnesiac() {
            return Err(Rejection::Amnesiac);
        }
        let stored = self.store.read_out(&request.key, env.disk).map_err(|error| self.refuse(error, env))?;
        let kept = self.number_and_keep(&stored, request, env);
        self.store.put_back(stored);
        let (numbered, position) = kept?;
        let (stand_ins, alone) = self.stand_ins(placement, slot, consistency.sloppy);
        let tally = WriteTally::new(replicas, demands, consistency.counting());
        let kept = Kept { numbered, tally, stand_ins, alone };
        let id = self.spread(asker, route, &request.key, kept, &consistency, env);
        self.wait_for(position, Waiter::Write(id));
        if consistency.counting().least == Ack::InMemory {
            self.write_stored(id, self.me(), Some(Ack::InMemory), env);
        }
        Ok(())
    }

    /// Sends a write that is kept here to all who are to have it as well.
    pub(super) fn spread(
        &mut self,
        asker: Asker,
        route: &Route,
        key: &Bytes,
        kept: Kept,
        consistency: &Consistency,
        env: &mut Env,
    ) -> OpId {
        let Kept { numbered, mut tally, stand_ins, alone } = kept;
        let siblings = Arc::new(numbered.siblings);
        stand_ins.iter().for_each(|&(node, intended)| tally.stand_in(node, intended));
        // Nobody waits for who is believed to be down: the write would stay open until its deadline, and with it every
        // other as long as that node is away. Where no stand-in is left, the hint is kept here.
        for target in alone {
            tally.excuse(target);
            if consistency.sloppy {
                let _ = self.keep_hint(target, key, &siblings, env);
            }
        }
        let (started, deadline) = (env.now.mono, env.now.mono + consistency.timeout);
        let id = self.open_op(|_| {
            Op::Write(WriteOp {
                asker,
                started,
                deadline,
                key: key.clone(),
                siblings: siblings.clone(),
                dot: numbered.dot,
                context: numbered.context,
                result: numbered.result,
                tally,
                sloppy: consistency.sloppy,
                replied: false,
            })
        });
        // Suspected replicas are sent to as well: suspicion may be wrong, and a frame costs little.
        let early = consistency.counting().least == Ack::InMemory;
        for &node in route.placement.replicas(route.slot).iter().filter(|&&node| node != self.me()) {
            let (key, siblings) = (key.clone(), siblings.clone());
            self.send(Target::Node(node), Message::Store { op: id, key, siblings, early }, env);
        }
        for (node, target) in stand_ins {
            let (key, siblings) = (key.clone(), siblings.clone());
            self.send(Target::Node(node), Message::Hint { op: id, target, key, siblings }, env);
        }
        id
    }

    fn number_and_keep(
        &mut self,
        stored: &Stored,
        request: &Request,
        env: &mut Env,
    ) -> Result<(Numbered, Position), Rejection> {
        let before = stored.siblings().map_err(|error| self.refuse(error, env))?;
        let numbered = self.number(&before, Source::Data, request, env)?;
        let position = self.keep(&request.key, &before, &numbered, env)?;
        Ok((numbered, position))
    }

    /// Stores a numbered write here; the answer is the log position that covers it.
    fn keep(
        &mut self,
        key: &Bytes,
        before: &SiblingsRef,
        numbered: &Numbered,
        env: &mut Env,
    ) -> Result<Position, Rejection> {
        if numbered.again {
            // Not written again; but the first try may have reached nobody else, so all are sent it once more.
            env.out.facts.push(Fact::RequestRepeated);
            return Ok(self.store.engine.appended());
        }
        let saved = self.store.save(key, fingerprint(before), &numbered.siblings, env.disk);
        let position = saved.map_err(|error| self.refuse(error, env))?;
        if numbered.siblings.versions().len() > 1 {
            env.out.facts.push(Fact::SiblingCreated);
        }
        Ok(position)
    }

    /// The stand-ins, each with the unusable replica that it stands in for, and the unusable replicas that have none.
    pub(super) fn stand_ins(
        &self,
        placement: &Placement,
        slot: Slot,
        sloppy: bool,
    ) -> (PerReplica<(NodeId, NodeId)>, PerReplica<NodeId>) {
        let replicas = placement.replicas(slot).iter().copied();
        let mut unusable: PerReplica<NodeId> = replicas.filter(|&node| !self.usable(node)).collect();
        if !sloppy || unusable.is_empty() {
            return (PerReplica::new(), unusable);
        }
        let stand_ins = preference::stand_ins(placement, slot, |node| self.usable(node), &unusable);
        unusable.retain(|node| stand_ins.iter().all(|(_, intended)| intended != node));
        (stand_ins, unusable)
    }

    /// Gives the write its dot, over what is stored here and what its client had seen.
    pub(super) fn number<V: Value>(
        &mut self,
        before: &SiblingsOf<V>,
        source: Source,
        request: &Request,
        env: &mut Env,
    ) -> Result<Numbered, Rejection> {
        let seen = self.seen(before, request)?;
        if let Some(dot) = request.id.and_then(|id| before.coordinated(id)) {
            let (siblings, result) = (before.to_owned(), current(before, &request.command));
            let context = self.context_of(request, seen.unwrap_or_default(), dot);
            return Ok(Numbered { siblings, dot, context, result, again: true });
        }
        let actor = match source {
            Source::Data => {
                let is_ahead = |seen: &Clock| seen.is_ahead(before.clock(), self.store.life);
                self.store.forgot |= seen.as_ref().is_some_and(is_ahead);
                self.actor(before.clock(), env)
            }
            Source::Hints => {
                let known = seen.as_ref().map_or(before.clock().clone(), |seen| before.clock().joined(seen));
                let actor = self.last_given.actor(&request.key, &known);
                actor.unwrap_or_else(|| self.passing_actor())
            }
        };
        let write = Write { actor, stamp: self.stamp(before.last_stamp(), env), id: request.id };
        let ((mut siblings, dot), result) = match &request.command {
            Command::Edit { edits } => {
                let mut siblings = before.to_owned();
                let edited = siblings.edit(write, edits)?;
                ((siblings, edited.dot), edited.result)
            }
            Command::Put { value, .. } => (before.after_put(write, seen.as_ref(), Some(value.clone())), 0),
            Command::Delete { .. } => (before.after_put(write, seen.as_ref(), None), 0),
            Command::Get { .. } => unreachable!("reads are not numbered"),
        };
        debug_assert!(siblings.clock().descends(before.clock()), "a write forgets nothing");
        self.prune(&mut siblings, env);
        within_bounds(&siblings)?;
        let seen = match request.command {
            // It replaced what is known here, and its client knows nothing of that.
            Command::Edit { .. } => Clock::EMPTY,
            _ => seen.unwrap_or_else(|| before.clock().clone()),
        };
        let context = self.context_of(request, seen, dot);
        Ok(Numbered { siblings, dot, context, result, again: false })
    }

    /// What the client had seen, if it said so.
    fn seen<V: Value>(&self, before: &SiblingsOf<V>, request: &Request) -> Result<Option<Clock>, Rejection> {
        let (Command::Put { context: Some(token), .. } | Command::Delete { context: Some(token) }) =
            &request.command
        else {
            return Ok(None);
        };
        let seen =
            context::open(self.identity.cluster, &request.key, token).map_err(|_| Rejection::Context)?;
        // Of a counter, what is replaced has to be known, or it would come back with what its actors count next.
        let typed = context::is_typed(token) || !before.parts().is_empty();
        if typed && !before.clock().descends(&seen) { Err(Rejection::Unseen) } else { Ok(Some(seen)) }
    }

    /// The token for the client of a write: what it had seen, and this.
    fn context_of(&self, request: &Request, mut seen: Clock, dot: Dot) -> Bytes {
        seen.record(dot);
        match request.command {
            Command::Edit { .. } => context::seal_typed(self.identity.cluster, &request.key, &seen),
            _ => context::seal(self.identity.cluster, &request.key, &seen),
        }
    }

    /// What a failure of the own store means to the client. Nothing was applied.
    pub(super) fn refuse(&mut self, error: StoreError, env: &mut Env) -> Rejection {
        match error {
            StoreError::Damaged => {
                env.out.facts.push(Fact::DamageRefused);
                Rejection::Damaged
            }
            StoreError::Overloaded => Rejection::Overloaded,
            StoreError::Full => {
                env.out.facts.push(Fact::DiskFull);
                Rejection::DiskFull
            }
            StoreError::TooLarge => Rejection::Siblings { max: SIBLINGS_MAX as u32 },
            StoreError::Poisoned => Rejection::Stopping,
        }
    }

    /// How far the write has come at `node`; `None`: it was refused.
    pub(in crate::node) fn write_stored(&mut self, id: OpId, node: NodeId, ack: Option<Ack>, env: &mut Env) {
        self.tally_write(id, env, |tally| match ack {
            Some(ack) => tally.acked(node, ack),
            None => tally.failed(node),
        });
    }

    /// The stand-in `node` has stored its hint, or refused.
    pub(in crate::node) fn write_hinted(&mut self, id: OpId, node: NodeId, durable: bool, env: &mut Env) {
        self.tally_write(id, env, |tally| if durable { tally.hinted(node) } else { tally.failed(node) });
    }

    fn tally_write(&mut self, id: OpId, env: &mut Env, event: impl FnOnce(&mut WriteTally) -> Decision) {
        let Some(Op::Write(op)) = self.ops.get_mut(&id) else { return };
        let outcome = match event(&mut op.tally) {
            Decision::Wait => None,
            Decision::Met => Some(op.written()),
            // It is stored here, so it may still spread: its fate is unknown, whatever the others said.
            Decision::Impossible => Some(op.unknown()),
        };
        let done = !op.is_open();
        assert!(!done || op.replied || outcome.is_some(), "what all who are up have on disk is acknowledged");
        if let Some(outcome) = outcome {
            assert!(!op.replied, "a tally decides once");
            op.replied = true;
            let asker = op.asker;
            if matches!(outcome, Outcome::Written { .. }) {
                self.foreground.note(env.now.mono.since(op.started));
            }
            self.answer(asker, outcome, env);
        }
        if done {
            self.close_op(id);
        }
    }

    /// The node stops: whoever has not acknowledged yet gets a hint, as if time were up.
    pub(in crate::node) fn hint_open_writes(&mut self, env: &mut Env) {
        for (id, op) in core::mem::take(&mut self.ops) {
            match op {
                Op::Write(op) => self.expire_write(op, env),
                op => drop(self.ops.insert(id, op)),
            }
        }
    }

    /// Time is up. Whoever has not acknowledged gets a hint, kept here.
    pub(super) fn expire_write(&mut self, op: WriteOp, env: &mut Env) {
        if !op.replied {
            self.answer(op.asker, op.unknown(), env);
        }
        if !op.sloppy {
            return;
        }
        let me = self.me();
        for target in op.tally.missing().filter(|&node| node != me) {
            let _ = self.keep_hint(target, &op.key, &op.siblings, env);
        }
    }
}

/// Refuses what would be more than a key may hold, or of two types.
fn within_bounds(siblings: &Siblings) -> Result<(), Rejection> {
    let bytes = siblings.value_bytes();
    if !siblings.parts().is_empty() {
        // A plain write beside parts that it did not replace: coordinators do not make a mix themselves.
        let holds = siblings.holds_all();
        if holds.len() > 1 {
            return Err(Rejection::Type { holds: *holds.last().expect("two at least") });
        }
        if bytes > SIBLINGS_BYTES_MAX {
            return Err(Rejection::Large { max: SIBLINGS_BYTES_MAX as u32 });
        }
    }
    if siblings.versions().len() > SIBLINGS_MAX || bytes > SIBLINGS_BYTES_MAX {
        return Err(Rejection::Siblings { max: SIBLINGS_MAX as u32 });
    }
    if siblings.clock().is_valid() { Ok(()) } else { Err(Rejection::Actors { max: ACTORS_MAX as u32 }) }
}

/// What a retry of edits is told: the value of the counter, or that nothing came or went.
fn current<V: Value>(siblings: &SiblingsOf<V>, command: &Command) -> i64 {
    match command {
        Command::Edit { edits } => edits.last().map_or(0, |edit| siblings.counted(edit)),
        _ => 0,
    }
}
