//! Clients: how operations begin, are given to nodes, and end.

use core::mem;
use std::sync::Arc;

use super::World;
use crate::base::id::ClientTag;
use crate::node::input::Input;
use crate::sim::event::Event;
use crate::sim::history::End;

impl World {
    pub(super) fn issue(&mut self, number: u32) {
        let index = self.history.len();
        let client = &mut self.clients[number as usize];
        let plan = &self.scenario.clients[client.group];
        if self.calm || self.now >= plan.stop {
            return;
        }
        let operation = client.begin(plan, index, self.now);
        Arc::make_mut(&mut self.history).push(operation);
        let ordinal = client.open.as_ref().map_or(0, |open| open.ordinal);
        self.queue.schedule(self.now + client.latency(), Event::Request { client: number, ordinal });
        if !mem::replace(&mut client.watched, true) {
            self.queue.schedule(self.now + plan.timeout, Event::Impatience { client: number });
        }
    }

    pub(super) fn request(&mut self, number: u32, ordinal: u32) {
        let client = &mut self.clients[number as usize];
        let Some(open) = client.open.as_mut().filter(|open| open.ordinal == ordinal) else { return };
        let node = open.node;
        let Some(request) = open.request.take() else { return };
        if self.hosts[node].is_up() {
            let tag = ClientTag((u64::from(number) << 32) | u64::from(ordinal));
            self.give(node, Input::Client { tag, request });
        } else {
            let at = self.now + client.latency();
            self.queue.schedule(at, Event::Answer { client: number, ordinal, outcome: None });
        }
    }

    pub(super) fn answer(&mut self, number: u32, ordinal: u32, end: End) {
        let client = &mut self.clients[number as usize];
        let Some(open) = client.open.as_ref().filter(|open| open.ordinal == ordinal) else {
            return; // The client has given up on it.
        };
        let operation = &mut Arc::make_mut(&mut self.history)[open.index];
        operation.end = Some(self.now);
        let plan = &self.scenario.clients[client.group];
        client.end(plan, self.scenario.nodes[0].cluster, operation, &end);
        operation.result = end;
        self.think(number);
    }

    /// Gives up on an operation that has lasted too long.
    pub(super) fn impatience(&mut self, number: u32) {
        let client = &mut self.clients[number as usize];
        client.watched = false;
        let Some(open) = &client.open else { return };
        let plan = &self.scenario.clients[client.group];
        let at = open.started + plan.timeout;
        if at > self.now {
            client.watched = true;
            self.queue.schedule(at, Event::Impatience { client: number });
            return;
        }
        let operation = &self.history[open.index];
        client.end(plan, self.scenario.nodes[0].cluster, operation, &End::Silence);
        self.think(number);
    }

    fn think(&mut self, number: u32) {
        if self.calm {
            return;
        }
        let client = &mut self.clients[number as usize];
        let at = client.next_at(&self.scenario.clients[client.group], self.now);
        self.queue.schedule(at, Event::Issue { client: number });
    }
}
