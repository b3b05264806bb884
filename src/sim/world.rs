//! [`World`]: a whole cluster, its network, its disks, its clocks and its clients, as one value.
//!
//! A world is plain data. It can be cloned between any two events, also with a job half done and a partition on, and
//! the clone goes on to the same end. Nothing in it reads a clock or draws from anything but the seed.

use core::hash::{Hash, Hasher};
use core::mem;
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
use crate::node::wire;
use crate::ring::placement::Known;
use crate::sim::audit::{Audit, Promise};
use crate::sim::event::Event;
use crate::sim::fault::{Action, Effect};
use crate::sim::history::{End, Operation};
use crate::sim::host::{Host, Then};
use crate::sim::membership::Membership;
use crate::sim::network::{Fate, Network};
use crate::sim::queue::Queue;
use crate::sim::scenario::Scenario;
use crate::sim::trace::Trace;
use crate::sim::workload::Client;

/// Hosts are switched on within this time.
const START_WITHIN: Duration = Duration::from_millis(10);
/// A crash waits so long for the end of a sync, to fall just before it: a crash that finds nothing unsynced proves
/// little.
const CRASH_WITHIN: Duration = Duration::from_secs(1);

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
    now: Instant,
    events: u64,
    queue: Queue<Event>,
    pub(super) hosts: Vec<Host>,
    network: Network,
    clients: Vec<Client>,
    history: Vec<Operation>,
    effects: Vec<Effect>,
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
        let network = Network::new(scenario.network, nodes, seed);
        let mut clients: Vec<Client> =
            (0..scenario.clients.count).map(|number| Client::new(number, seed)).collect();
        let mut queue = Queue::default();
        for node in 0..nodes as u32 {
            let after = Stream::new(seed, "host.start", node.into()).between(Duration::ZERO, START_WITHIN);
            queue.schedule(Instant::ZERO + after, Event::Start { node });
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let at = scenario.clients.start + client.think(&scenario.clients);
            queue.schedule(at, Event::Issue { client: number as u32 });
        }
        for (index, fault) in scenario.faults.iter().enumerate() {
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
            history: Vec::new(),
            effects: vec![Effect::default(); scenario.faults.len()],
            facts: vec![0; Fact::ALL.len()],
            violations: Vec::new(),
            audit: Audit::default(),
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
        if self.audit.is_due(at) || matches!(event, Event::Fault { .. } | Event::Calm) {
            self.audit.audit(&self.hosts, at);
        }
        self.happen(event);
        Some(Step { at, kind, whom })
    }

    /// When the next event happens.
    pub fn next_at(&self) -> Option<Instant> {
        self.queue.next_at()
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

    pub fn network(&self) -> &Network {
        &self.network
    }

    pub fn history(&self) -> &[Operation] {
        &self.history
    }

    /// What each declared fault did, in the order of the scenario.
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

    /// Jobs in progress on all hosts.
    pub fn jobs(&self) -> usize {
        self.hosts.iter().map(Host::jobs).sum()
    }

    /// Operations whose clients still wait.
    pub fn waiting(&self) -> usize {
        self.clients.iter().filter(|client| client.open.is_some()).count()
    }

    fn happen(&mut self, event: Event) {
        let current = |world: &World, node: u32, boot: u32| world.hosts[node as usize].boot == boot;
        match event {
            Event::Start { node } => {
                self.start(node as usize);
            }
            Event::Deliver { from, to, frame, .. } => self.deliver(from as usize, to as usize, &frame),
            Event::Ready { node, boot } if current(self, node, boot) => self.ready(node as usize),
            Event::Wake { node, boot } if current(self, node, boot) => self.wake(node as usize),
            Event::Synced { node, boot, sync } if current(self, node, boot) => {
                self.synced(node as usize, sync);
            }
            Event::Slice { node, boot, job } if current(self, node, boot) => {
                if self.hosts[node as usize].is_up() {
                    let then = self.hosts[node as usize].slice(job);
                    self.go_on(node as usize, self.now, then);
                }
            }
            // Of an earlier boot: it died with its node.
            Event::Ready { .. } | Event::Wake { .. } | Event::Synced { .. } | Event::Slice { .. } => {}
            Event::Issue { client } => self.issue(client),
            Event::Request { client, ordinal } => self.request(client, ordinal),
            Event::Answer { client, ordinal, outcome } => {
                let end = outcome.map_or(End::Rejected(None), |outcome| End::from(*outcome));
                self.answer(client, ordinal, end);
            }
            Event::Impatience { client } => self.impatience(client),
            Event::Fault { index } => self.fault(index),
            Event::Strike { index } => {
                if let Action::Crash { node, .. } = self.scenario.faults[index].action
                    && self.hosts[node].doomed == Some(index)
                {
                    self.strike(node);
                }
            }
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
        if let Err(error) = &opened {
            self.violations.push(format!("n{} did not start at {}: {error}", node + 1, self.now));
        }
        self.membership.started(node, &self.hosts, self.now);
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
        host.inbox.push_back(input);
        if host.inbox.len() == 1 {
            let (at, boot) = (host.busy_until, host.boot);
            self.queue.schedule(at, Event::Ready { node: node as u32, boot });
        }
    }

    fn ready(&mut self, node: usize) {
        let host = &self.hosts[node];
        if host.busy_until > self.now {
            // Paused meanwhile.
            self.queue.schedule(host.busy_until, Event::Ready { node: node as u32, boot: host.boot });
            return;
        }
        let Some(input) = self.hosts[node].inbox.pop_front() else { return };
        let more = !self.hosts[node].inbox.is_empty();
        self.feed(node, input);
        // The node may have halted meanwhile, and forgotten its inbox.
        let host = &self.hosts[node];
        if more && host.is_up() {
            self.queue.schedule(host.busy_until, Event::Ready { node: node as u32, boot: host.boot });
        }
    }

    fn feed(&mut self, node: usize, input: Input) {
        self.hosts[node].step(input, self.now, &mut self.scratch.outbox);
        self.absorb(node);
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
                Fact::MemberDown | Fact::MemberUp => self.membership.heard(node, &self.hosts, self.now),
                Fact::LayoutAdopted => self.share_placement(node),
                _ => {}
            }
        }
        for request in out.syncs.drain(..) {
            let then = self.hosts[node].sync(request);
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
            self.violations.push(format!("n{} halted at {}: {halt:?}", node + 1, self.now));
            self.hosts[node].stop();
        }
        self.scratch.outbox = out;
        self.arm(node);
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
        if host.doomed.is_some() && host.unsynced() > 0 {
            // The last moment before the disk would have it: whatever was promised too early is broken now.
            self.strike(node);
        } else if host.is_up() {
            let then = host.synced(sync);
            self.go_on(node, self.now, then);
        }
    }

    /// An acknowledgement leaves its node, whether or not its client still waits for it.
    fn note_promise(&mut self, client: u32, ordinal: u32, outcome: &Outcome) {
        let Outcome::Written { dot, durable, .. } = outcome else { return };
        let open = self.clients[client as usize].open.as_ref().filter(|open| open.ordinal == ordinal);
        if let Some(open) = open {
            let key = self.history[open.index].key.clone();
            self.audit.promise(Promise { key, dot: *dot, disks: *durable });
        }
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
        let Some(sender) = self.hosts[from].node.as_ref().map(super::super::node::step::Node::sender) else {
            return;
        };
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
            let Fate::Arrives { after, again } = self.network.send(from, to) else { continue };
            let frame: Arc<[u8]> = self.scratch.frame.as_slice().into();
            let (from, to) = (from as u32, to as u32);
            if let Some(again) = again {
                self.queue.schedule(at + again, Event::Deliver { from, to, sum, frame: frame.clone() });
            }
            self.queue.schedule(at + after, Event::Deliver { from, to, sum, frame });
        }
        self.credit();
    }

    fn deliver(&mut self, from: usize, to: usize, frame: &[u8]) {
        if self.network.is_cut(from, to) {
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
        if self.calm {
            return;
        }
        let (index, nodes) = (self.history.len(), self.hosts.len());
        let client = &mut self.clients[number as usize];
        let operation = client.begin(&self.scenario.clients, nodes, index, self.now);
        self.history.push(operation);
        let ordinal = client.open.as_ref().map_or(0, |open| open.ordinal);
        self.queue.schedule(self.now + client.latency(), Event::Request { client: number, ordinal });
        if !mem::replace(&mut client.watched, true) {
            let at = self.now + self.scenario.clients.timeout;
            self.queue.schedule(at, Event::Impatience { client: number });
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
        let operation = &mut self.history[open.index];
        operation.end = Some(self.now);
        client.end(&operation.key, &end);
        operation.result = end;
        self.think(number);
    }

    /// Gives up on an operation that has lasted too long.
    fn impatience(&mut self, number: u32) {
        let client = &mut self.clients[number as usize];
        client.watched = false;
        let Some(open) = &client.open else { return };
        let at = open.started + self.scenario.clients.timeout;
        if at > self.now {
            client.watched = true;
            self.queue.schedule(at, Event::Impatience { client: number });
            return;
        }
        let key = self.history[open.index].key.clone();
        client.end(&key, &End::Silence);
        self.think(number);
    }

    fn think(&mut self, number: u32) {
        if self.calm {
            return;
        }
        let client = &mut self.clients[number as usize];
        let pause = if client.is_in_action() { Duration::ZERO } else { client.think(&self.scenario.clients) };
        self.queue.schedule(self.now + pause, Event::Issue { client: number });
    }
}

/// Faults.
impl World {
    fn fault(&mut self, index: usize) {
        let scenario = self.scenario.clone();
        self.effects[index].began = Some(self.now);
        match &scenario.faults[index].action {
            Action::Partition { lasts, links, .. } => {
                self.network.cut(index, links);
                self.membership.parted(Instant(u64::MAX));
                if let Some(lasts) = *lasts {
                    self.queue.schedule(self.now + lasts, Event::Heal { index });
                }
            }
            Action::Crash { node, .. } if !self.hosts[*node].is_up() => {}
            Action::Crash { node, .. } => {
                self.hosts[*node].doomed = Some(index);
                self.queue.schedule(self.now + CRASH_WITHIN, Event::Strike { index });
            }
            Action::Restart { node } => {
                self.strike(*node);
                self.effects[index].effective = !self.hosts[*node].is_up() && self.start(*node);
            }
            Action::Pause { node, lasts } => {
                let (until, host) = (self.now + *lasts, &mut self.hosts[*node]);
                self.effects[index].effective = host.is_up();
                self.effects[index].ended = Some(until);
                host.busy_until = host.busy_until.max(until);
                self.membership.disturbed(*node, until);
            }
        }
    }

    /// A doomed node dies.
    fn strike(&mut self, node: usize) {
        let Some(index) = self.hosts[node].doomed.take() else { return };
        let Action::Crash { lose, .. } = self.scenario.faults[index].action else { return };
        let amount = self.hosts[node].unsynced();
        self.effects[index] = Effect { began: Some(self.now), ended: None, effective: true, amount };
        self.hosts[node].crash(lose);
        self.membership.failed(node, self.now);
    }

    fn heal(&mut self, index: usize) {
        self.network.heal(index);
        if self.network.is_whole() {
            self.membership.parted(self.now);
        }
        self.effects[index].ended = Some(self.now);
    }

    /// The end of the faults: what follows is only waiting until the cluster has recovered.
    fn grow_calm(&mut self) {
        self.calm = true;
        self.network.calm();
        self.membership.parted(self.now);
        self.clients.iter_mut().for_each(Client::stop);
        for (fault, effect) in self.scenario.faults.iter().zip(&mut self.effects) {
            if matches!(fault.action, Action::Partition { .. }) && effect.began.is_some() {
                effect.ended = effect.ended.or(Some(self.now));
            }
        }
        for node in 0..self.hosts.len() {
            self.strike(node);
            if !self.hosts[node].is_up() {
                self.start(node);
            }
        }
    }
}
