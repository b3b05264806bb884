//! Handing hints off: when a node that was down is usable again, it gets what others kept for it (Dynamo section 4.6).
//! A hint is deleted only after its target has it on its disk, and only if nothing was added to it meanwhile.

use crate::base::bytes::Bytes;
use crate::base::id::{NodeId, OpId};
use crate::base::time::{Instant, WallTime};
use crate::causal::siblings::Siblings;
use crate::node::coordinate::Op;
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::message::Message;
use crate::node::outbox::Target;
use crate::node::step::Node;
use crate::quorum::write::Ack;
use crate::ring::placement::Placement;
use crate::ring::token::slot_of;

/// Old hints dropped at a time, at most, so that no step takes long.
const DROPS_MAX: usize = 1024;
/// Hints that are looked at, at a time, and go to nobody else: their target is away, or this node is their heir.
const LOOKS_MAX: usize = 64;

/// A hint on its way to its target.
#[derive(Clone, Debug, Hash)]
pub struct HandoffOp {
    pub deadline: Instant,
    /// Whom the hint was kept for.
    target: NodeId,
    /// Who gets it: the same, unless the layout has moved the key.
    to: NodeId,
    key: Bytes,
    /// Which state of the hint was sent.
    version: u64,
}

impl Node {
    /// Drops hints that are too old, and sends others to every usable target, as many at a time as the index's window
    /// allows.
    pub(in crate::node) fn hand_off(&mut self, env: &mut Env) {
        let limit = env.now.wall.0.saturating_sub(self.config.hint_age_max.0);
        for _ in 0..DROPS_MAX {
            let Some((target, key)) = self.hints.older_than(WallTime(limit)) else { break };
            self.hints.remove(target, &key);
            // If this fails, the next start finds the hint again, and drops it.
            let _ = self.store.remove_hint(target, &key, env.disk);
            env.out.facts.push(Fact::HintDropped);
        }
        let suffer = core::mem::take(&mut self.timed_out) | self.foreground.is_strained();
        self.hints.adapt(suffer);
        let Some(placement) = self.placement.clone() else { return };
        for target in self.hints.targets() {
            self.hand_off_to(target, &placement, env);
        }
        self.foreground.begin_round(self.hints.is_moving());
    }

    /// Who gets the hint kept for `target` about `key`, if anybody can now: `target`, as long as it is a replica; else
    /// another that is. One is enough: the replicas repair each other.
    fn heir(&self, target: NodeId, key: &Bytes, placement: &Placement) -> Option<NodeId> {
        let slot = slot_of(key);
        if placement.owns(target, slot) {
            return Some(target).filter(|&target| self.usable(target));
        }
        if placement.owns(self.me(), slot) {
            return Some(self.me());
        }
        placement.replicas(slot).iter().copied().find(|&node| self.usable(node))
    }

    fn hand_off_to(&mut self, target: NodeId, placement: &Placement, env: &mut Env) {
        // A target that is away keeps what is its own waiting, but not what the layout has given to others.
        let mut looks = self.hints.kept_for(target).min(LOOKS_MAX);
        while looks > 0
            && let Some((key, version)) = self.hints.next_for(target)
        {
            let Some(to) = self.heir(target, &key, placement) else {
                self.hints.failed(target, &key, version);
                looks -= 1;
                continue;
            };
            let Ok(siblings) = self.store.load_hint(target, &key, env.disk) else {
                // Damaged: left in place, to be tried again; the write itself is on other replicas.
                env.out.facts.push(Fact::DamageRefused);
                self.hints.failed(target, &key, version);
                return;
            };
            if siblings.is_empty() {
                // It was in a damaged table, which has been written anew without it.
                self.hints.remove(target, &key);
                env.out.facts.push(Fact::HintDropped);
                continue;
            }
            if to != target {
                env.out.facts.push(Fact::HintRerouted);
            }
            if to == self.me() {
                if !self.inherit(target, &key, &siblings, env) {
                    return self.hints.failed(target, &key, version);
                }
                looks -= 1;
                continue;
            }
            let deadline = env.now.mono + self.config.request_timeout;
            let op = HandoffOp { deadline, target, to, key: key.clone(), version };
            let op = self.open_op(|_| Op::Handoff(op));
            self.send(Target::Node(to), Message::Store { op, key, siblings, early: false }, env);
        }
    }

    /// This node has become a replica of the key that it keeps a hint of. Both changes are in the same log, one behind
    /// the other: no crash leaves the second without the first.
    fn inherit(&mut self, target: NodeId, key: &Bytes, siblings: &Siblings, env: &mut Env) -> bool {
        if self.store.merge(key, siblings, env.disk).is_err() {
            return false;
        }
        self.hints.remove(target, key);
        let _ = self.store.remove_hint(target, key, env.disk);
        env.out.facts.push(Fact::HintDelivered);
        true
    }

    /// The target has it on its disk, or (`None`) refused it. In memory is not enough to forget a hint.
    pub(in crate::node) fn handoff_stored(
        &mut self,
        id: OpId,
        from: NodeId,
        ack: Option<Ack>,
        env: &mut Env,
    ) {
        let Some(Op::Handoff(op)) = self.ops.get(&id) else { return };
        if op.to != from || ack == Some(Ack::InMemory) {
            return;
        }
        let Some(Op::Handoff(op)) = self.close_op(id) else { return };
        if ack.is_none() {
            return self.hints.failed(op.target, &op.key, op.version);
        }
        if self.hints.delivered(op.target, &op.key, op.version) {
            // If this fails or is lost in a crash, the hint is delivered twice, which does no harm.
            let _ = self.store.remove_hint(op.target, &op.key, env.disk);
            env.out.facts.push(Fact::HintDelivered);
        }
        if let Some(placement) = self.placement.clone() {
            self.hand_off_to(op.target, &placement, env);
        }
    }

    pub(super) fn expire_handoff(&mut self, op: &HandoffOp) {
        self.hints.failed(op.target, &op.key, op.version);
    }
}
