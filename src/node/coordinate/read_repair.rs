//! Read repair: replicas that answered a read with less than others get what they lack.
//!
//! Repair is by causality: the merged sibling set is sent to each replica that answered with less. There is no vote;
//! one replica that knows more is right against two that agree. What the read is about to show is repaired before the
//! client is answered, and counts when it is on the replica's disk; what later answers bring is repaired afterwards.
//! Stand-ins are never repaired: they do not answer reads, and keys that are read would fill them.

use crate::base::id::{NodeId, OpId};
use crate::node::coordinate::Op;
use crate::node::coordinate::read::ReadOp;
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::message::Message;
use crate::node::outbox::Target;
use crate::node::step::{NO_OP, Node, Waiter};
use crate::quorum::write::Ack;

impl Node {
    /// Sends `node`, or stores here, what the read `id` is about to show.
    pub(super) fn bring_to_goal(&mut self, id: OpId, node: NodeId, env: &mut Env) {
        let Some(Op::Read(op)) = self.ops.get(&id) else { return };
        let Some(goal) = &op.goal else { return };
        let (key, siblings) = (op.key.clone(), goal.siblings.clone());
        env.out.facts.push(Fact::ReadRepaired);
        if node != self.me() {
            let message = Message::Store { op: id, key, siblings, early: false };
            return self.send(Target::Node(node), message, env);
        }
        // If this fails, the others have to be enough.
        if let Ok((_, position)) = self.store.merge(&key, &siblings, env.disk) {
            self.wait_for(position, Waiter::Repaired(id));
        }
    }

    /// A replica has what the read shows on its disk. One that refused it (`None`) does not count, and the read goes on
    /// without it.
    pub(in crate::node) fn read_repaired(&mut self, id: OpId, node: NodeId, ack: Option<Ack>, env: &mut Env) {
        let Some(Op::Read(op)) = self.ops.get_mut(&id) else { return };
        let Some(goal) = &mut op.goal else { return };
        // Only from whom it was sent to: nobody else can know of it.
        if ack == Some(Ack::OnDisk) && goal.sent.contains(&node) && !goal.holders.contains(&node) {
            goal.holders.push(node);
            self.advance_read(id, env);
        }
    }

    /// Sends the merged set to everybody who answered with less and was not sent as much before.
    pub(super) fn repair_readers(&mut self, op: &ReadOp, env: &mut Env) {
        let Some(merged) = op.merged.as_ref().filter(|merged| merged.is_valid()) else { return };
        let sent = |node| match &op.goal {
            Some(goal) => goal.sent.contains(node) && goal.siblings.knows(merged),
            None => false,
        };
        for (node, _) in op.answers.iter().filter(|(node, held)| !held.knows(merged) && !sent(node)) {
            env.out.facts.push(Fact::ReadRepaired);
            let siblings = merged.clone();
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
