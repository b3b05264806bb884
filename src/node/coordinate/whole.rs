//! Which replicas a read asks for the whole, and which for a fingerprint of it.
//!
//! Replicas usually agree, so one whole copy is enough, and the others confirm it with 16 bytes. If the coordinator
//! is a replica, that copy is its own. If not, the first replica in order of preference is asked for it, and the read
//! would be as slow as that one: so when nothing has come by the time within which 99 of 100 answers came lately, the
//! next is asked as well ("speculative retry", as in Cassandra; Dean, Barroso: "The Tail at Scale", 2013). Who has
//! sent its fingerprint goes first then: it is known to be quick.

use alloc::sync::Arc;

use crate::base::id::{NodeId, OpId};
use crate::base::limits::PerReplica;
use crate::base::time::Duration;
use crate::causal::siblings::Siblings;
use crate::node::coordinate::Op;
use crate::node::fact::Fact;
use crate::node::input::Env;
use crate::node::message::Message;
use crate::node::outbox::Target;
use crate::node::step::Node;
use crate::node::store::fingerprint;
use crate::node::timer::Timer;

/// While too few answers were seen to know better.
const PATIENCE: Duration = Duration::from_millis(50);
/// A replica that has no more bytes of values than this sends the whole when it is asked for a fingerprint: that saves
/// the round trip if they differ, and costs little if not.
pub const SMALL: usize = 128;

/// The whole of what replicas hold, as far as a read has it.
#[derive(Clone, Debug, Default, Hash)]
pub struct Wholes {
    /// The first copy that is here, with its fingerprint: what others' fingerprints are compared with.
    first: Option<(Option<u128>, Arc<Siblings>)>,
    /// Who was asked for the whole.
    asked: PerReplica<NodeId>,
    /// Fingerprints for which there is nothing to compare with yet.
    early: PerReplica<(NodeId, Option<u128>)>,
}

/// What a fingerprint says.
pub enum Compared {
    Equal(Arc<Siblings>),
    /// The node has to be asked for the whole.
    Different,
    /// Nothing is known yet.
    Early,
}

impl Wholes {
    /// The first whole copy has come; the answer is the fingerprints that were waiting for it.
    pub fn found(&mut self, siblings: &Arc<Siblings>) -> PerReplica<(NodeId, Option<u128>)> {
        if self.first.is_none() {
            self.first = Some((fingerprint(siblings), siblings.clone()));
        }
        core::mem::take(&mut self.early)
    }

    pub fn compare(&mut self, node: NodeId, digest: Option<u128>) -> Compared {
        match &self.first {
            Some((first, siblings)) if *first == digest => Compared::Equal(siblings.clone()),
            Some(_) => Compared::Different,
            None => {
                if self.early.iter().all(|early| early.0 != node) {
                    self.early.push((node, digest));
                }
                Compared::Early
            }
        }
    }

    /// Whether a whole copy is here.
    pub fn is_found(&self) -> bool {
        self.first.is_some()
    }

    pub fn ask(&mut self, node: NodeId) {
        self.asked.push(node);
    }

    /// Who is to be asked next, of `replicas` in order of preference.
    fn next(&self, replicas: &[NodeId]) -> Option<NodeId> {
        let mut next = self.early.iter().map(|early| early.0).chain(replicas.iter().copied());
        next.find(|node| !self.asked.contains(node))
    }
}

impl Node {
    /// How long a read waits for the whole before it asks one more.
    pub(super) fn patience(&self) -> Duration {
        self.answers.p99().unwrap_or(PATIENCE)
    }

    /// The whole has not come in time, or cannot come from whom it was asked: the next one is asked too.
    pub(in crate::node) fn ask_another(&mut self, id: OpId, env: &mut Env) {
        let patience = self.patience();
        let Some(Op::Read(op)) = self.ops.get_mut(&id) else { return };
        if op.wholes.is_found() {
            return;
        }
        let Some(node) = op.wholes.next(&op.order) else { return };
        op.wholes.ask(node);
        let key = op.key.clone();
        env.out.facts.push(Fact::ReadSpeculated);
        self.timers.set(env.now.mono + patience, Timer::Whole(id));
        self.send(Target::Node(node), Message::Fetch { op: id, key, digest: false }, env);
    }
}
