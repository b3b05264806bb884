//! Frames: how they are sent, what the network does to them, and how they arrive.

use std::format;
use std::sync::Arc;

use super::World;
use crate::base::id::ClusterId;
use crate::base::time::Instant;
use crate::node::input::Input;
use crate::node::outbox::{Outbox, Target};
use crate::node::step::Node;
use crate::node::wire;
use crate::sim::event::Event;
use crate::sim::network::Fate;

impl World {
    pub(super) fn send(&mut self, from: usize, at: Instant, out: &mut Outbox) {
        let Some(sender) = self.hosts[from].node.as_ref().map(Node::sender) else { return };
        for send in out.sends.drain(..) {
            let to = match &send.to {
                Target::Node(id) => (id.0 as usize).checked_sub(1),
                Target::Address(address) => self.scenario.number(address),
            };
            let Some(to) = to.filter(|to| *to < self.hosts.len()) else {
                self.violations.push(format!("n{} sent to {:?}, which does not exist", from + 1, send.to));
                continue;
            };
            self.scratch.frame.clear();
            let sum = wire::encode(self.cluster(), sender, &send.message, &mut self.scratch.frame);
            let fate = self.network.send(from, to, self.now, self.scratch.frame.len());
            let Fate::Arrives { after, again, garbled } = fate else { continue };
            let frame: Arc<[u8]> = self.scratch.frame.as_slice().into();
            let (from, to) = (from as u32, to as u32);
            if let Some(again) = again {
                self.queue.schedule(at + again, Event::Deliver { from, to, sum, frame: frame.clone() });
            }
            let event = match garbled {
                None => Event::Deliver { from, to, sum, frame },
                Some(draw) => Event::Garbled { from, to, sum: sum ^ draw, frame: garble(&frame, draw) },
            };
            self.queue.schedule(at + after, event);
        }
        self.credit();
    }

    pub(super) fn deliver(&mut self, from: usize, to: usize, frame: &[u8]) {
        if self.network.is_cut(from, to, self.now) {
            return self.credit();
        }
        if !self.hosts[to].is_up() {
            return;
        }
        match wire::decode(self.cluster(), frame) {
            Ok((from, message)) => self.give(to, Input::Peer { from, message }),
            Err(error) => {
                self.violations.push(format!("n{} could not read a frame of n{}: {error}", to + 1, from + 1));
            }
        }
    }

    /// A frame with wrong bits arrives, and must not be taken for one.
    pub(super) fn refuse(&mut self, from: usize, to: usize, frame: &[u8]) {
        if self.network.is_cut(from, to, self.now) {
            return self.credit();
        }
        if wire::decode(self.cluster(), frame).is_ok() {
            let found = format!("n{} took a frame of n{} that has wrong bits", to + 1, from + 1);
            self.violations.push(found);
        }
    }

    /// Notes which faults the last frames met.
    fn credit(&mut self) {
        if self.network.is_whole() {
            return;
        }
        self.network.take_effective(&mut self.scratch.effective);
        for fault in self.scratch.effective.drain(..) {
            self.effects[fault].effective = true;
            self.effects[fault].amount += 1;
        }
    }

    fn cluster(&self) -> ClusterId {
        self.scenario.nodes[0].cluster
    }
}

/// The frame with one to three bits inverted.
fn garble(frame: &[u8], draw: u64) -> Arc<[u8]> {
    let mut frame = frame.to_vec();
    let bits = frame.len() as u64 * 8;
    for nth in 0..=draw % 3 {
        // Different places, so that none is inverted back.
        let bit = (draw / 3 + nth * (bits / 3)) % bits;
        frame[(bit / 8) as usize] ^= 1 << (bit % 8);
    }
    frame.into()
}
