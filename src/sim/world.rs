//! [`World`]: a whole cluster, its network, its disks, its clocks and its clients, as one value.
//!
//! A world is plain data. It can be cloned between any two events, also with a job half done and a partition on, and
//! the clone goes on to the same end. Nothing in it reads a clock or draws from anything but the seed.

mod faults;
mod stale;

use core::fmt;
use core::hash::{Hash, Hasher};
use core::mem;
use std::collections::{BTreeMap, BTreeSet};
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;
use std::{format, vec};

use crate::base::checksum::state_hash;
use crate::base::id::{ClientTag, ClusterId};
use crate::base::rng::Stream;
use crate::base::time::{Duration, Instant};
use crate::node::fact::Fact;
use crate::node::input::Input;
use crate::node::outbox::{Outbox, Reply, Target};
use crate::node::request::Outcome;
use crate::node::step::Node;
use crate::node::wire;
use crate::ring::placement::Known;
use crate::sim::audit::Audit;
use crate::sim::disk::SimDisk;
use crate::sim::event::Event;
use crate::sim::fault::{self, Action, Effect, Fault, Moment};
use crate::sim::ghost::Ghost;
use crate::sim::history::{End, Operation};
use crate::sim::host::{Host, Then};
use crate::sim::membership::Membership;
use crate::sim::network::{Fate, Network};
use crate::sim::promise::{Places, Promise};
use crate::sim::queue::Queue;
use crate::sim::rates::{self, Drawn};
use crate::sim::scenario::Scenario;
use crate::sim::trace::Trace;
use crate::sim::workload::Client;
use crate::storage::JobId;

/// Hosts are switched on within this time.
const START_WITHIN: Duration = Duration::from_millis(10);
/// An event as it is named to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    pub at: Instant,
    pub kind: &'static str,
    /// The node, client or fault that it is about, from 0.
    pub whom: u64,
}

#[derive(Clone, Debug, Hash)]
pub struct World {
    scenario: Arc<Scenario>,
    seed: u64,
    now: Instant,
    events: u64,
    queue: Queue<Event>,
    pub(super) hosts: Vec<Host>,
    pub(super) network: Network,
    pub(super) clients: Vec<Client>,
    /// Shared between copies of a world until one of them adds to it: most copies are only looked at.
    pub(super) history: Arc<Vec<Operation>>,
    /// Those of the scenario, and after them those that its rates drew.
    faults: Arc<[Fault]>,
    drawn: Arc<[Drawn]>,
    /// By fault.
    effects: Vec<Effect>,
    ghost: Ghost,
    /// Disks to be restored, by fault.
    copies: BTreeMap<usize, SimDisk>,
    /// Hosts that have each other's disks, and the fault that did it.
    swapped: Vec<(usize, usize, usize)>,
    /// Hosts of which a fault has ever begun: they are asked what they met.
    troubled: BTreeSet<usize>,
    /// By [`Fact`].
    facts: Vec<u64>,
    /// What no declared fault explains.
    violations: Vec<String>,
    audit: Audit,
    membership: Membership,
    /// The newest version of the layout whose placement all hosts know.
    placed: u64,
    trace: Trace,
    /// Clients have stopped, and everything has healed.
    calm: bool,
    scratch: Scratch,
}

/// A part of a world that can be told from another.
pub(super) trait Part: fmt::Debug {
    fn state_hash(&self) -> u64;
}

impl<T: fmt::Debug + Hash> Part for T {
    fn state_hash(&self) -> u64 {
        state_hash(self)
    }
}

/// Buffers that are empty between events, so that events allocate little.
#[derive(Clone, Debug, Default)]
struct Scratch {
    outbox: Outbox,
    frame: Vec<u8>,
    effective: Vec<usize>,
}

/// Nothing: these are empty between events.
impl Hash for Scratch {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl World {
    /// The world of a scenario at time zero. No node has started yet.
    pub fn new(scenario: Arc<Scenario>, seed: u64) -> World {
        let nodes = scenario.nodes.len();
        let host = |(number, config): (usize, &_)| {
            Host::new(Clone::clone(config), scenario.disk, &scenario.clocks, seed, number as u64 + 1)
        };
        let hosts = scenario.nodes.iter().enumerate().map(host).collect();
        let mut audit = Audit::default();
        if scenario.prunes() {
            audit.stop();
        }
        let rates::Plan { faults, drawn } = rates::plan(&scenario, seed);
        let network = Network::new(scenario.network, nodes, seed);
        let mut clients = Vec::new();
        for (group, plan) in scenario.clients.iter().enumerate() {
            for place in 0..plan.count {
                clients.push(Client::new(clients.len() as u32, group, place, plan, seed));
            }
        }
        let mut queue = Queue::default();
        for node in 0..nodes as u32 {
            let after = Stream::new(seed, "host.start", node.into()).between(Duration::ZERO, START_WITHIN);
            queue.schedule(Instant::ZERO + after, Event::Start { node });
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let at = client.next_at(&scenario.clients[client.group], Instant::ZERO);
            queue.schedule(at, Event::Issue { client: number as u32 });
        }
        for (index, fault) in faults.iter().enumerate() {
            if let Action::Restore { age, .. } = fault.action {
                queue.schedule(Instant(fault.at.0.saturating_sub(age.0)), Event::Copy { index });
            }
            queue.schedule(fault.at, Event::Fault { index });
        }
        queue.schedule(Instant::ZERO + scenario.duration, Event::Calm);
        World {
            now: Instant::ZERO,
            events: 0,
            queue,
            hosts,
            network,
            clients,
            history: Arc::default(),
            effects: vec![Effect::default(); faults.len()],
            faults: faults.into(),
            drawn: drawn.into(),
            ghost: Ghost::default(),
            copies: BTreeMap::new(),
            swapped: Vec::new(),
            troubled: BTreeSet::new(),
            seed,
            facts: vec![0; Fact::ALL.len()],
            violations: Vec::new(),
            audit,
            membership: Membership::new(nodes),
            placed: 0,
            trace: Trace::default(),
            calm: false,
            scratch: Scratch::default(),
            scenario,
        }
    }

    /// Lets the next event happen; `None` if there is none.
    pub fn step(&mut self) -> Option<Step> {
        let (at, event) = self.queue.pop()?;
        assert!(at >= self.now, "time does not run backwards");
        self.now = at;
        self.events += 1;
        event.trace(at, &mut self.trace);
        let (kind, whom) = event.label();
        let changes_disks = match event {
            Event::Fault { index } => self.faults[index].action.changes_disks(),
            Event::Calm => true,
            _ => false,
        };
        if changes_disks || self.audit.is_due(at) {
            self.audit.audit(&self.hosts, at);
        }
        self.happen(event);
        self.credit_hosts();
        Some(Step { at, kind, whom })
    }

    /// When the next event happens.
    pub fn next_at(&self) -> Option<Instant> {
        self.queue.next_at()
    }

    /// The next event, and when it happens.
    pub fn next_event(&self) -> Option<(Instant, &Event)> {
        self.queue.peek()
    }

    pub fn now(&self) -> Instant {
        self.now
    }

    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// How many events have happened.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// A host, for a test that lays hands on it.
    pub fn host_mut(&mut self, node: usize) -> &mut Host {
        &mut self.hosts[node]
    }

    pub fn network(&self) -> &Network {
        &self.network
    }

    pub fn history(&self) -> &[Operation] {
        &self.history
    }

    /// The faults of the scenario, and after them those that were drawn from the seed.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// What was drawn from the seed besides: the rates of a swarm.
    pub fn drawn(&self) -> &[Drawn] {
        &self.drawn
    }

    pub fn ghost(&self) -> &Ghost {
        &self.ghost
    }

    /// What each fault did, in the order of [`World::faults`].
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    pub fn facts(&self) -> impl Iterator<Item = (Fact, u64)> {
        Fact::ALL.iter().copied().zip(self.facts.iter().copied())
    }

    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    pub fn membership(&self) -> &Membership {
        &self.membership
    }

    /// No audits from now on: for measurements of what they cost, and for copies that are looked at in other ways.
    pub fn stop_audits(&mut self) {
        self.audit.stop();
    }

    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// The hash of everything: nodes, disks, frames on their way, clients, and the history.
    pub fn state_hash(&self) -> u64 {
        state_hash(self)
    }

    /// All that it is, part by part, for whoever must tell two worlds apart. What everybody is made of comes last.
    pub(super) fn parts(&self) -> Vec<(String, &dyn Part)> {
        // By name, so that a new field is not forgotten.
        #[rustfmt::skip]
        let World {
            scenario, seed, now, events, queue, hosts, network, clients, history, faults, drawn, effects, ghost,
            copies, swapped, troubled, facts, violations, audit, trace, calm, membership, placed, scratch: _,
        } = self;
        let mut parts: Vec<(String, &dyn Part)> = Vec::new();
        parts
            .extend(hosts.iter().enumerate().map(|(n, host)| (format!("node {}", n + 1), host as &dyn Part)));
        parts.extend(
            clients.iter().enumerate().map(|(n, client)| (format!("client {n}"), client as &dyn Part)),
        );
        let named: [(&str, &dyn Part); 21] = [
            ("network", network),
            ("history", history),
            ("facts", facts),
            ("effects", effects),
            ("ghost", ghost),
            ("copies", copies),
            ("swapped", swapped),
            ("troubled", troubled),
            ("violations", violations),
            ("audit", audit),
            ("queue", queue),
            ("now", now),
            ("events", events),
            ("calm", calm),
            ("trace", trace),
            ("faults", faults),
            ("drawn", drawn),
            ("membership", membership),
            ("placed", placed),
            ("seed", seed),
            ("scenario", scenario),
        ];
        parts.extend(named.map(|(name, part)| (name.into(), part)));
        parts
    }

    /// Jobs in progress on all hosts.
    pub fn jobs(&self) -> usize {
        self.hosts.iter().map(Host::jobs).sum()
    }

    /// Operations whose clients still wait.
    pub fn waiting(&self) -> usize {
        self.clients.iter().filter(|client| client.open.is_some()).count()
    }

    /// Operations whose clients still wait, as they stand in the history.
    pub fn open_operations(&self) -> impl Iterator<Item = &Operation> {
        self.clients.iter().filter_map(|client| Some(&self.history[client.open.as_ref()?.index]))
    }

    fn happen(&mut self, event: Event) {
        let current = |world: &World, node: u32, boot: u32| world.hosts[node as usize].boot == boot;
        match event {
            Event::Start { node } => {
                self.start(node as usize);
            }
            Event::Deliver { from, to, frame, .. } => self.deliver(from as usize, to as usize, &frame),
            Event::Garbled { from, to, frame, .. } => self.refuse(from as usize, to as usize, &frame),
            Event::Ready { node, boot } if current(self, node, boot) => self.ready(node as usize),
            Event::Wake { node, boot } if current(self, node, boot) => self.wake(node as usize),
            Event::Synced { node, boot, sync } if current(self, node, boot) => {
                self.synced(node as usize, sync);
            }
            Event::Slice { node, boot, job } if current(self, node, boot) => self.slice(node as usize, job),
            Event::Supervise { node, boot } if current(self, node, boot) => self.supervise(node as usize),
            // Of an earlier boot: it died with its node.
            Event::Ready { .. }
            | Event::Wake { .. }
            | Event::Synced { .. }
            | Event::Slice { .. }
            | Event::Supervise { .. } => {}
            Event::Issue { client } => self.issue(client),
            Event::Request { client, ordinal } => self.request(client, ordinal),
            Event::Answer { client, ordinal, outcome } => {
                let end = outcome.map_or(End::Rejected(None), |outcome| End::from(*outcome));
                self.answer(client, ordinal, end);
            }
            Event::Impatience { client } => self.impatience(client),
            // A copy that was healed before its time has faults still to come: they do not.
            Event::Fault { .. }
            | Event::Strike { .. }
            | Event::Copy { .. }
            | Event::Heal { .. }
            | Event::Calm
                if self.calm => {}
            Event::Fault { index } => {
                self.troubled.extend(self.faults[index].action.hosts().into_iter().flatten());
                self.fault(index);
            }
            Event::Strike { index } => {
                if let Action::Crash { node, .. } = self.faults[index].action
                    && self.hosts[node].doomed.is_some_and(|doom| doom.fault == index)
                {
                    self.strike(node);
                }
            }
            Event::Copy { index } => self.copy(index),
            Event::Heal { index } => self.heal(index),
            Event::Calm => self.grow_calm(),
        }
    }
}

/// Hosts.
impl World {
    /// Starts a node that does not run; whether it runs now.
    fn start(&mut self, node: usize) -> bool {
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
    fn give(&mut self, node: usize, input: Input) {
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

    fn ready(&mut self, node: usize) {
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

    fn slice(&mut self, node: usize, job: JobId) {
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

    fn wake(&mut self, node: usize) {
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
    fn arm(&mut self, node: usize) {
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

    fn synced(&mut self, node: usize, sync: u64) {
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
        let promise = Promise { key, dot, disks, places };
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

/// The network.
impl World {
    fn send(&mut self, from: usize, at: Instant, out: &mut Outbox) {
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

    fn deliver(&mut self, from: usize, to: usize, frame: &[u8]) {
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
    fn refuse(&mut self, from: usize, to: usize, frame: &[u8]) {
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

/// Clients.
impl World {
    fn issue(&mut self, number: u32) {
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

    fn request(&mut self, number: u32, ordinal: u32) {
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

    fn answer(&mut self, number: u32, ordinal: u32, end: End) {
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
    fn impatience(&mut self, number: u32) {
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
