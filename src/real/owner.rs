//! The owner: the one thread that has the node, and turns inputs into steps and effects into deeds.

use std::collections::HashMap;
use std::fmt;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tracing::{info, warn};

use crate::base::bytes::Bytes;
use crate::base::id::ClientTag;
use crate::base::limits::N_MAX;
use crate::node::fact::Fact;
use crate::node::input::{Env, Input};
use crate::node::outbox::{Halt, Outbox};
use crate::node::step::Node;
use crate::real::clock::Clock;
use crate::real::disk::RealDisk;
use crate::real::inbox::{Answer, Event, Outlet, Ticket};
use crate::real::info::{self, Counters};
use crate::real::link::Links;
use crate::storage::{Job, JobId, SyncRequest};

/// Inputs that are taken before the frames they caused are sent off.
const BATCH: usize = 64;
/// Clients write side by side, so each rests for so many times the delay that the engine would have between two writes:
/// up to 32 ms.
const REST: u32 = 32;

/// The node with everything that a step needs.
#[derive(Debug)]
pub struct Owner {
    pub node: Node,
    pub disk: RealDisk,
    pub out: Outbox,
    pub clock: Clock,
    pub outlet: Outlet,
    pub links: Links,
    pub syncs: Sender<SyncRequest>,
    pub jobs: Sender<(JobId, Job)>,
    pub counters: Counters,
    /// Who waits for which reply.
    pub waiting: HashMap<ClientTag, Ticket>,
    pub next_tag: u64,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As asked, and everything is on the disk.
    Stopped,
    /// The node cannot go on.
    Halted(Halt),
    /// The named thread panicked.
    Died(&'static str),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Stopped => f.write_str("stopped"),
            Ended::Halted(Halt::Storage(error)) => write!(
                f,
                "the disk failed ({error}), and what is durable is not known; start again to recover what is"
            ),
            Ended::Halted(Halt::Superseded) => {
                f.write_str("another process runs as this node, with a newer generation")
            }
            Ended::Died(thread) => write!(f, "the {thread} thread panicked; this is a bug"),
        }
    }
}

impl Owner {
    /// Runs the node to its end.
    pub fn run(mut self) -> Ended {
        self.compare_replicas();
        // Opening the node has had effects already.
        let mut ended = self.drain();
        while ended.is_none() {
            self.links.flush();
            ended = self.turn();
        }
        self.links.flush();
        ended.expect("the loop ends with a reason")
    }

    /// Waits for something to happen, and does that and what else is there.
    fn turn(&mut self) -> Option<Ended> {
        let deadline = self.node.next_wake();
        let mut wait = deadline.map(|deadline| self.clock.until(deadline));
        if wait == Some(Duration::ZERO) {
            let ended = self.step(Input::Wake);
            if ended.is_some() {
                return ended;
            }
        }
        for _ in 0..BATCH {
            let event = self.outlet.take(wait)?;
            let ended = self.handle(event);
            if ended.is_some() {
                return ended;
            }
            wait = Some(Duration::ZERO);
        }
        None
    }

    fn handle(&mut self, event: Event) -> Option<Ended> {
        match event {
            Event::Peer { from, message } => self.step(Input::Peer { from, message }),
            Event::Client { request, ticket } => {
                let tag = ClientTag(self.next_tag);
                self.next_tag += 1;
                self.waiting.insert(tag, ticket);
                self.step(Input::Client { tag, request })
            }
            Event::Synced { ticket, result } => self.step(Input::Synced { ticket, result }),
            Event::JobDone { id, result } => self.step(Input::JobDone { id, result }),
            Event::Peek { key, ticket } => {
                self.peek(&key, ticket);
                None
            }
            Event::Info { ticket } => {
                (self.counters.ops_refused, self.counters.frames_refused) = self.outlet.refused();
                let uptime = self.clock.mono().since(Default::default());
                let text = info::text(&self.node.status(), &self.counters, uptime);
                ticket.answer(Answer::Info(text));
                None
            }
            Event::Died(thread) => Some(Ended::Died(thread)),
            Event::Stop => Some(self.stop()),
        }
    }

    fn peek(&mut self, key: &Bytes, ticket: Ticket) {
        let held = self.node.peek(key, &mut self.disk);
        ticket.answer(Answer::Peek(held.into()));
    }

    fn step(&mut self, input: Input) -> Option<Ended> {
        let mut env = Env { now: self.clock.now(), disk: &mut self.disk, out: &mut self.out };
        self.node.step(input, &mut env);
        let delay = Duration::from_nanos(self.node.write_delay().as_nanos());
        self.outlet.set_rest(delay.saturating_mul(REST));
        // Of any key: all have as many.
        self.outlet.set_replicas(u8::try_from(self.node.replicas(b"").len()).unwrap_or(N_MAX));
        self.drain()
    }

    /// Does what the node asked for. Of a step that halts only the replies leave: they say what is known to
    /// clients that would otherwise wait for their own timeout.
    fn drain(&mut self) -> Option<Ended> {
        self.drain_replies();
        if let Some(halt) = self.out.halt {
            return Some(Ended::Halted(halt));
        }
        for (node, address) in self.out.addresses.drain(..) {
            self.links.learn(node, &address);
        }
        // As of this step: it may have raised the generation.
        let sender = self.node.sender();
        for send in self.out.sends.drain(..) {
            match self.links.send(sender, &send.to, &send.message) {
                true => self.counters.frames_sent += 1,
                false => self.counters.frames_dropped += 1,
            }
        }
        let mut adopted = false;
        for fact in self.out.facts.drain(..) {
            self.counters.fact(fact);
            adopted |= fact == Fact::LayoutAdopted;
            if fact == Fact::GenerationRaised {
                let generation = sender.generation.0;
                info!(
                    generation,
                    "peers know an earlier life of this node; what was on its disk then comes from them"
                );
            }
        }
        if adopted {
            self.compare_replicas();
        }
        // If one of these threads has gone, its alarm is in the inbox.
        for request in self.out.syncs.drain(..) {
            self.counters.syncs += 1;
            let _died = self.syncs.send(request);
        }
        for job in self.out.jobs.drain(..) {
            let _died = self.jobs.send(job);
        }
        None
    }

    /// Says so if this node was told another number of replicas than the layout has: only the founder's counts.
    fn compare_replicas(&self) {
        let Some(placement) = self.node.placement() else { return };
        let (configured, in_force) = (self.node.config().n, placement.layout().n);
        if configured != in_force {
            warn!(
                configured,
                in_force, "replication.n of this node has no effect: the cluster was founded with another"
            );
        }
    }

    fn drain_replies(&mut self) {
        for reply in self.out.replies.drain(..) {
            self.counters.outcome(&reply.outcome);
            let ticket = self.waiting.remove(&reply.tag).expect("the node answers each request once");
            ticket.answer(Answer::Outcome(reply.outcome));
        }
    }

    /// Finishes what is queued, and closes the node.
    fn stop(&mut self) -> Ended {
        while let Some(event) = self.outlet.take(Some(Duration::ZERO)) {
            if !matches!(event, Event::Stop)
                && let Some(ended) = self.handle(event)
            {
                return ended;
            }
        }
        let mut env = Env { now: self.clock.now(), disk: &mut self.disk, out: &mut self.out };
        self.node.close(&mut env);
        self.drain().unwrap_or(Ended::Stopped)
    }
}
