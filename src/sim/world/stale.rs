//! Frames of a process that has been replaced: whoever knows of the newer one must let them change nothing.
//!
//! What harm such a frame does is seldom seen from outside: that a dead process had a write on its disk, which has been
//! lost meanwhile, was true when it was said. So the receiver is cloned before each of them, and the clone is merely
//! woken instead. If the receiver says that it noticed, both must be in the same state, and have sent as much: but for
//! gossip, by which a node that has lost its disk hears of its later life.

use std::boxed::Box;
use std::format;

use super::World;
use crate::base::checksum::state_hash;
use crate::node::fact::Fact;
use crate::node::input::Input;
use crate::node::message::Message;
use crate::node::outbox::Outbox;
use crate::sim::host::Host;

impl World {
    /// The receiver of a frame whose sender has been replaced, as it is before it gets the frame.
    pub(super) fn before_stale(&self, node: usize, input: &Input) -> Option<Box<Host>> {
        let Input::Peer { from, .. } = input else { return None };
        let sender = self.hosts.get((from.node.0 as usize).checked_sub(1)?)?.node.as_ref()?;
        let is_stale = from.generation < sender.sender().generation;
        is_stale.then(|| Box::new(self.hosts[node].clone()))
    }

    /// Compares the receiver with the clone, before the effects of its step are taken.
    pub(super) fn after_stale(&mut self, node: usize, mut before: Box<Host>) {
        if !self.scratch.outbox.facts.contains(&Fact::StaleFrame) {
            return; // It has not heard of the newer process yet.
        }
        let mut out = Outbox::default();
        before.step(Input::Wake, self.now, &mut out);
        let same_state = state_hash(&before.node) == state_hash(&self.hosts[node].node);
        let sends = |out: &Outbox| {
            out.sends.iter().filter(|sent| !matches!(sent.message, Message::Gossip(_))).count()
        };
        if !same_state || sends(&out) != sends(&self.scratch.outbox) {
            let (node, now) = (node + 1, self.now);
            self.violations
                .push(format!("n{node} acted at {now} on a frame of a process that it knows to be replaced"));
        }
    }
}
