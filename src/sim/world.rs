//! [`World`]: a whole cluster, its network, its disks, its clocks and its clients, as one value.
//!
//! A world is plain data. It can be cloned between any two events, also with a job half done and a partition on, and
//! the clone goes on to the same end. Nothing in it reads a clock or draws from anything but the seed.
//!
//! Here is what it consists of, and which event goes where. What events do stands beside it, by whom they are about.

mod clients;
mod faults;
mod frames;
mod hosts;
mod stale;

use core::fmt;
use core::hash::{Hash, Hasher};
use std::collections::{BTreeMap, BTreeSet};
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;
use std::{format, vec};

use crate::base::checksum::state_hash;
use crate::base::rng::Stream;
use crate::base::time::{Duration, Instant};
use crate::node::fact::Fact;
use crate::node::outbox::Outbox;
use crate::sim::audit::Audit;
use crate::sim::disk::SimDisk;
use crate::sim::event::Event;
use crate::sim::fault::{Action, Effect, Fault};
use crate::sim::ghost::Ghost;
use crate::sim::history::{End, Operation};
use crate::sim::host::Host;
use crate::sim::membership::Membership;
use crate::sim::network::Network;
use crate::sim::queue::Queue;
use crate::sim::rates::{self, Drawn};
use crate::sim::scenario::Scenario;
use crate::sim::trace::Trace;
use crate::sim::workload::Client;

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
