//! Hosts: how a node starts, what it is given, what each step of it does to the world, and how it sleeps after that.

use core::mem;
use std::format;

use super::World;
use crate::base::time::{Duration, Instant};
use crate::node::fact::Fact;
use crate::node::input::Input;
use crate::node::outbox::Reply;
use crate::node::request::Outcome;
use crate::node::step::Node;
use crate::ring::placement::Known;
use crate::sim::event::Event;
use crate::sim::fault::{self, Moment};
use crate::sim::host::Then;
use crate::sim::promise::{Places, Promise};
use crate::sim::workload::Client;
use crate::storage::JobId;

impl World {
    /// Starts a node that does not run; whether it runs now.
    pub(super) fn start(&mut self, node: usize) -> bool {
        let mut out = mem::take(&mut self.scratch.outbox);
        let opened = self.hosts[node].open(self.now, &mut out);
        self.scratch.outbox = out;
        match &opened {
            Ok(()) => self.membership.started(node, &self.hosts, self.now),
            Err(error) => self.refused_to_start(node, error),
        }
        self.absorb(node);
        opened.is_ok()
    }

    /// An input comes to a node: now, or when it is its turn.
    pub(super) fn give(&mut self, node: usize, input: Input) {
        let host = &mut self.hosts[node];
        if !host.is_up() {
            return;
        }
        if !host.is_busy(self.now) {
            return self.feed(node, input);
        }
        let foreign = matches!(input, Input::Peer { .. } | Input::Client { .. });
        if foreign && host.impairments.overflows(host.inbox.len()) {
            return self.turn_away(&input);
        }
        host.inbox.push_back(input);
        if !host.turn && !host.impairments.is_paused() {
            host.turn = true;
            let (at, boot) = (host.busy_until, host.boot);
            self.queue.schedule(at, Event::Ready { node: node as u32, boot });
        }
    }

    /// There is no room for an input. A client is refused; a peer hears nothing.
    fn turn_away(&mut self, input: &Input) {
        if let Input::Client { tag, .. } = input {
            let (client, ordinal) = ((tag.0 >> 32) as u32, tag.0 as u32);
            let at = self.now + self.clients[client as usize].latency();
            self.queue.schedule(at, Event::Answer { client, ordinal, outcome: None });
        }
    }

    pub(super) fn ready(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        host.turn = false;
        if host.impairments.is_paused() {
            return;
        }
        let Some(input) = host.inbox.pop_front() else { return };
        let more = !host.inbox.is_empty();
        host.turn = more;
        self.feed(node, input);
        // The node may have halted meanwhile, and forgotten its inbox.
        let host = &self.hosts[node];
        if more && host.is_up() {
            self.queue.schedule(host.busy_until, Event::Ready { node: node as u32, boot: host.boot });
        }
    }

    fn feed(&mut self, node: usize, input: Input) {
        if self.dies(node, Moment::Event) {
            return self.strike(node);
        }
        let stale = self.before_stale(node, &input);
        self.hosts[node].step(input, self.now, &mut self.scratch.outbox);
        if self.hosts[node].is_struck() {
            return self.strike_within(node);
        }
        if let Some(before) = stale {
            self.after_stale(node, before);
        }
        self.absorb(node);
        self.inspect(node);
    }

    /// Looks whether the node is sound after a step. One that is not stops: what it does next means nothing.
    fn inspect(&mut self, node: usize) {
        let inspected = self.hosts[node].node.as_ref().map_or(Ok(()), Node::invariants);
        if let Err(broken) = inspected {
            self.violations.push(format!(
                "n{} is broken at {}: it is not so that {broken}",
                node + 1,
                self.now
            ));
            self.stop(node);
        }
    }

    pub(super) fn slice(&mut self, node: usize, job: JobId) {
        if !self.hosts[node].is_up() {
            return;
        }
        if self.hosts[node].impairments.pauses() {
            return self.hosts[node].impairments.slices.push(job);
        }
        if self.dies(node, Moment::Job) {
            return self.strike(node);
        }
        let then = self.hosts[node].slice(job);
        if self.hosts[node].is_struck() {
            return self.strike(node);
        }
        self.go_on(node, self.now, then);
    }

    pub(super) fn wake(&mut self, node: usize) {
        let now = self.now;
        let host = &mut self.hosts[node];
        if host.wake_at != Some(now) {
            return; // An earlier deadline came up after this was scheduled.
        }
        host.wake_at = None;
        let due = host.next_wake().is_some_and(|at| at <= now);
        if due && !host.is_busy(now) {
            self.feed(node, Input::Wake);
        } else {
            // The deadline has moved, or the next step in line will see to it.
            self.arm(node);
        }
    }

    /// Schedules an event for the node's next deadline, unless there is one that comes early enough.
    pub(super) fn arm(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        if host.impairments.is_paused() {
            return;
        }
        let Some(at) = host.next_wake() else { return };
        let at = at.max(host.busy_until).max(self.now);
        if host.wake_at.is_none_or(|scheduled| at < scheduled) {
            host.wake_at = Some(at);
            let boot = host.boot;
            self.queue.schedule(at, Event::Wake { node: node as u32, boot });
        }
    }

    /// Takes the effects of a step out of the outbox. They come about when the step is done.
    fn absorb(&mut self, node: usize) {
        let mut out = mem::take(&mut self.scratch.outbox);
        let done = self.hosts[node].busy_until;
        for fact in out.facts.drain(..) {
            self.facts[fact as usize] += 1;
            self.trace.word(fact as u64);
            match fact {
                Fact::MemberDown | Fact::MemberUp => self.note_beliefs(node),
                Fact::LayoutAdopted => self.share_placement(node),
                _ => {}
            }
        }
        for request in out.syncs.drain(..) {
            let then = self.hosts[node].sync(request);
            if self.hosts[node].is_struck() {
                return self.strike(node);
            }
            self.go_on(node, done, then);
        }
        for (id, job) in out.jobs.drain(..) {
            self.hosts[node].begin_job(id, job);
            self.go_on(node, done, Then::Slice(id, Duration::ZERO));
        }
        self.send(node, done, &mut out);
        for Reply { tag, outcome } in out.replies.drain(..) {
            let (client, ordinal) = ((tag.0 >> 32) as u32, tag.0 as u32);
            self.note_promise(client, ordinal, &outcome);
            let at = done + self.clients[client as usize].latency();
            self.queue.schedule(at, Event::Answer { client, ordinal, outcome: Some(outcome.into()) });
        }
        out.addresses.clear();
        if let Some(halt) = out.halt.take() {
            self.halted(node, halt);
        }
        self.scratch.outbox = out;
        self.arm(node);
    }

    /// Whom a node takes for dead has changed.
    fn note_beliefs(&mut self, by: usize) {
        let (faults, effects, now) = (&self.faults, &self.effects, self.now);
        let well = fault::ill_since(faults, effects, by, self.scenario.news_within(), now);
        let disturbed = |whom| fault::disturbed(faults, effects, whom, now);
        self.membership.heard(by, &self.hosts, well, disturbed, now);
    }

    /// Computing a placement takes long, and each takes much room: what one node has found out, all are told.
    fn share_placement(&mut self, node: usize) {
        let placement = self.hosts[node].node.as_ref().and_then(|node| node.placement().cloned());
        if let Some(placement) = placement.filter(|placement| placement.layout().version > self.placed) {
            self.placed = placement.layout().version;
            let known = Known::new(placement);
            self.hosts.iter_mut().for_each(|host| host.learn(&known));
        }
    }

    pub(super) fn synced(&mut self, node: usize, sync: u64) {
        let host = &mut self.hosts[node];
        if host.is_up() && host.impairments.stalls() {
            return host.impairments.syncs.push(sync);
        }
        if host.doomed.is_some_and(|doom| doom.moment == Moment::Sync) && host.unsynced() > 0 {
            // The last moment before the disk would have it: whatever was promised too early is broken now.
            self.strike(node);
        } else if host.is_up() {
            let then = host.synced(sync);
            self.go_on(node, self.now, then);
        }
    }

    /// An acknowledgement leaves its node, whether or not its client still waits for it.
    fn note_promise(&mut self, client: u32, ordinal: u32, outcome: &Outcome) {
        let &Outcome::Written { dot, durable: disks, .. } = outcome else { return };
        let Client { open, group, .. } = &self.clients[client as usize];
        let Some(open) = open.as_ref().filter(|open| open.ordinal == ordinal) else { return };
        let Some(node) = &self.hosts[open.node].node else { return };
        let key = self.history[open.index].key.clone();
        let options = &self.scenario.clients[*group].options;
        let places = Places::asked(&self.scenario.nodes, open.node, options, node.replicas(&key));
        // What was on its way when a disk was harmed may have counted on it.
        let timeout = self.scenario.nodes[0].request_timeout;
        let harmed = self.ghost.harmed_within(self.now, timeout).count();
        let by_hint = Promise::is_by_hint(&self.scenario.nodes[open.node], options, disks);
        let hinted = if by_hint { node.replicas(&key) } else { &[] }.to_vec();
        let promise = Promise { key, dot, disks, places, hinted };
        self.audit.promise(promise.less(u8::try_from(harmed).unwrap_or(u8::MAX)));
    }

    fn go_on(&mut self, node: usize, from: Instant, then: Then) {
        let boot = self.hosts[node].boot;
        let number = node as u32;
        match then {
            Then::Input(input) => self.give(node, input),
            Then::Slice(job, after) => {
                self.queue.schedule(from + after, Event::Slice { node: number, boot, job });
            }
            Then::Sync(sync, after) => {
                self.queue.schedule(from + after, Event::Synced { node: number, boot, sync });
            }
        }
    }
}
