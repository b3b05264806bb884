//! Handing hints off: when a node that was down is usable again, it gets what others kept for it (Dynamo section 4.6).
//! A hint is deleted only after its target has it on its disk, and only if nothing was added to it meanwhile.

use crate::base::bytes::Bytes;
use crate::base::id::{NodeId, OpId};
use crate::base::time::Instant;
use crate::node::coordinate::Op;
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::message::Message;
use crate::node::outbox::Target;
use crate::node::step::Node;
use crate::quorum::write::Ack;

/// A hint on its way to its target.
#[derive(Clone, Debug, Hash)]
pub struct HandoffOp {
    pub deadline: Instant,
    target: NodeId,
    key: Bytes,
    /// Which state of the hint was sent.
    version: u64,
}

impl Node {
    /// Sends hints to every usable target, as many at a time as the index's window allows.
    pub(in crate::node) fn hand_off(&mut self, env: &mut Env) {
        for target in self.hints.targets() {
            if self.usable(target) {
                self.hand_off_to(target, env);
            }
        }
    }

    fn hand_off_to(&mut self, target: NodeId, env: &mut Env) {
        while let Some((key, version)) = self.hints.next_for(target) {
            let Ok(siblings) = self.store.load_hint(target, &key, env.disk) else {
                // Damaged: left in place, to be tried again; the write itself is on other replicas.
                env.out.facts.push(Fact::DamageRefused);
                self.hints.failed(target, &key, version);
                return;
            };
            let deadline = env.now.mono + self.config.request_timeout;
            let op = self.open_op(|_| Op::Handoff(HandoffOp { deadline, target, key: key.clone(), version }));
            self.send(Target::Node(target), Message::Store { op, key, siblings, early: false }, env);
        }
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
        if op.target != from || ack == Some(Ack::InMemory) {
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
        self.hand_off_to(op.target, env);
    }

    pub(super) fn expire_handoff(&mut self, op: &HandoffOp) {
        self.hints.failed(op.target, &op.key, op.version);
    }
}
