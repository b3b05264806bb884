//! Serving peers: what a node does with each message.

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::base::bytes::Bytes;
use crate::base::id::{NodeId, OpId};
use crate::causal::siblings::Siblings;
use crate::node::coordinate::whole::SMALL;
use crate::node::coordinate::{Asker, Op};
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::message::{Held, Message};
use crate::node::outbox::{Halt, Target};
use crate::node::step::{NO_OP, Node, Waiter};
use crate::node::store::{StoreError, fingerprint};
use crate::node::wire::Sender;
use crate::quorum::write::Ack;
use crate::storage::Position;

impl Node {
    pub(super) fn on_peer(&mut self, from: Sender, message: Message, env: &mut Env) {
        if from.node == self.me() {
            // Ourselves from an earlier life, late on the wire; or a copy of this folder that was started later.
            if from.generation > self.identity.generation {
                self.halt(Halt::Superseded, env);
            }
            return;
        }
        if self.view.generation(from.node).is_some_and(|known| from.generation < known) {
            return self.on_stale(from.node, &message, env);
        }
        let node = from.node;
        match message {
            Message::Gossip(gossip) => self.on_gossip(node, &gossip, env),
            Message::LayoutWanted => self.send_layout(node, env),
            Message::Layout(layout) => self.adopt(*layout, env),
            Message::Forward { op, life, .. } if life != self.identity.generation => {
                self.on_stale_forward(node, op, env);
            }
            Message::Forward { op, life: _, hops, zone, request } => {
                if self.forwards.is_new(node, op) {
                    self.begin(Asker::Peer { node, op }, hops, &zone, *request, env);
                }
            }
            Message::Forwarded { op, outcome } => {
                self.forwarded(op, node, outcome.map(|outcome| *outcome), env);
            }
            Message::Store { op, key, siblings, early } => {
                self.on_store(node, op, &key, &siblings, early, env);
            }
            Message::Stored { op, ack } => self.on_stored(node, op, ack, env),
            Message::Hint { op, target, key, siblings } => {
                self.on_hint(node, op, target, &key, &siblings, env);
            }
            Message::Hinted { op, durable } => self.write_hinted(op, node, durable, env),
            Message::Fetch { op, key, digest } => self.on_fetch(node, op, &key, digest, env),
            Message::Fetched { op, held } => self.on_fetched(op, node, held, env),
            Message::Exchange(exchange) => self.on_exchange(node, *exchange, env),
        }
    }

    /// A frame of a life that is over, late on the wire; or of a node that has lost its disk, or was given an old copy
    /// of it, and does not know that it had a later life. Nothing of it is taken in. But if it asks for gossip, it is
    /// told of itself: who has been away for long is taken for dead, nobody else would tell it, and it would be refused
    /// for ever.
    fn on_stale(&mut self, from: NodeId, message: &Message, env: &mut Env) {
        env.out.facts.push(Fact::StaleFrame);
        if matches!(message, Message::Gossip(gossip) if gossip.wants_reply)
            && let Some(gossip) = self.view.tell_of_itself(from, self.layout())
        {
            self.send(Target::Node(from), Message::Gossip(Box::new(gossip)), env);
        }
    }

    /// Merges, and answers when that is on the disk, and, if that was asked for, at once as well.
    fn on_store(
        &mut self,
        from: NodeId,
        op: OpId,
        key: &Bytes,
        siblings: &Siblings,
        early: bool,
        env: &mut Env,
    ) {
        // What nobody waits for may be merged all the same: the engine has bounds of its own.
        if op != NO_OP && self.is_backlogged(from) {
            return self.send(Target::Node(from), Message::Stored { op, ack: None }, env);
        }
        match self.store.merge(key, siblings, env.disk) {
            Ok((changed, position)) => {
                if op != NO_OP {
                    // Even where nothing changed: what was known may not be durable yet.
                    self.wait_for(position, Waiter::Stored { to: from, op });
                    if early {
                        let message = Message::Stored { op, ack: Some(Ack::InMemory) };
                        self.send(Target::Node(from), message, env);
                    }
                } else if changed {
                    env.out.facts.push(Fact::Repaired);
                }
            }
            Err(error) => {
                self.note(error, env);
                if op != NO_OP {
                    self.send(Target::Node(from), Message::Stored { op, ack: None }, env);
                }
            }
        }
    }

    fn on_stored(&mut self, from: NodeId, op: OpId, ack: Option<Ack>, env: &mut Env) {
        match self.ops.get(&op) {
            Some(Op::Write(_)) => self.write_stored(op, from, ack, env),
            Some(Op::Handoff(_)) => self.handoff_stored(op, from, ack, env),
            Some(Op::Read(_)) => self.read_repaired(op, from, ack, env),
            _ => {}
        }
    }

    /// A replica answers only with what is on its disk. What was read would otherwise be gone after a crash, and the
    /// next read would show less.
    fn on_fetch(&mut self, from: NodeId, op: OpId, key: &Bytes, digest: bool, env: &mut Env) {
        let held = self.read_here(env, |store, disk| match digest {
            true => store.look_at(key, disk, |siblings| match siblings.value_bytes() {
                0..=SMALL => Held::Siblings(Arc::new(siblings.to_owned())),
                _ => Held::Digest(fingerprint(siblings)),
            }),
            false => store.load(key, disk).map(|siblings| Held::Siblings(Arc::new(siblings))),
        });
        let held = held.unwrap_or(Held::Refused);
        self.tell_when_durable(key, from, op, held, env);
    }

    /// Tells `to`, which may be this node itself, what is held here, as soon as that is on the disk.
    pub(super) fn tell_when_durable(&mut self, key: &Bytes, to: NodeId, op: OpId, held: Held, env: &mut Env) {
        if self.store.is_durable(key) {
            self.tell(to, op, held, env);
        } else if self.is_backlogged(to) {
            self.tell(to, op, Held::Refused, env);
        } else {
            self.wait_for(self.store.engine.appended(), Waiter::Fetched { to, op, held });
        }
    }

    pub(super) fn tell(&mut self, to: NodeId, op: OpId, held: Held, env: &mut Env) {
        if to == self.me() {
            self.on_fetched(op, to, held, env);
        } else {
            self.send(Target::Node(to), Message::Fetched { op, held }, env);
        }
    }

    fn on_hint(
        &mut self,
        from: NodeId,
        op: OpId,
        target: NodeId,
        key: &Bytes,
        siblings: &Arc<Siblings>,
        env: &mut Env,
    ) {
        let kept = match self.is_backlogged(from) {
            true => None,
            false => self.keep_hint(target, key, siblings, env),
        };
        match kept {
            Some(position) => self.wait_for(position, Waiter::Hinted { to: from, op }),
            None => self.send(Target::Node(from), Message::Hinted { op, durable: false }, env),
        }
    }

    /// Stores a hint. `None` if there is no room for it: then only repair will bring the write to its replica.
    pub(super) fn keep_hint(
        &mut self,
        target: NodeId,
        key: &Bytes,
        siblings: &Siblings,
        env: &mut Env,
    ) -> Option<Position> {
        let room = (self.config.hints_bytes_max as usize).saturating_sub(self.hints.bytes());
        if target == self.me() || room < key.len() + siblings.value_bytes() {
            env.out.facts.push(Fact::HintDropped);
            return None;
        }
        match self.store.save_hint(target, key, siblings, env.now.wall, env.disk) {
            Ok((bytes, since, position)) => {
                self.hints.insert(target, key.clone(), bytes, since);
                env.out.facts.push(Fact::HintStored);
                Some(position)
            }
            Err(error) => {
                self.note(error, env);
                env.out.facts.push(Fact::HintDropped);
                None
            }
        }
    }

    fn note(&mut self, error: StoreError, env: &mut Env) {
        match error {
            StoreError::Damaged => env.out.facts.push(Fact::DamageRefused),
            StoreError::Full => env.out.facts.push(Fact::DiskFull),
            StoreError::Overloaded | StoreError::TooLarge | StoreError::Poisoned => {}
        }
    }
}
