//! The table on which the nodes lie: their disks, the frames between them, and one clock for all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kvsim::base::bytes::Bytes;
use kvsim::base::id::{Address, ClientTag, ClusterId, NodeId, OpId, Zone};
use kvsim::base::rng::Stream;
use kvsim::base::time::{Duration, Instant, Now, WallTime};
use kvsim::causal::siblings::Siblings;
use kvsim::causal::types::edit::{Edit, Update};
use kvsim::disk::DiskError;
use kvsim::node::config::Config;
use kvsim::node::fact::Fact;
use kvsim::node::input::{Env, Input};
use kvsim::node::message::Message;
use kvsim::node::outbox::{Halt, Outbox, Target};
use kvsim::node::request::{Command, Options, Outcome, Request};
use kvsim::node::step::{Node, OpenError};
use kvsim::node::wire::Sender;
use kvsim::quorum::need::Knob;
use kvsim::quorum::tally::Level;
use kvsim::sim::disk::{SimDisk, Unsynced};
use kvsim::storage::Progress;
use kvsim::storage::SyncRequest;

pub const CLUSTER: &str = "table";

#[derive(Clone)]
pub struct Table {
    pub now: Instant,
    pub nodes: BTreeMap<u64, Node>,
    pub disks: BTreeMap<u64, SimDisk>,
    boots: u64,
    wire: VecDeque<(Sender, u64, Message)>,
    /// Pairs that cannot hear each other.
    pub cut: BTreeSet<(u64, u64)>,
    /// Nodes whose syncs are kept back until `release_syncs`.
    pub slow_disks: BTreeSet<u64>,
    /// Nodes that do not run for a while; what they are sent waits for them.
    asleep: BTreeSet<u64>,
    unread: Vec<(Sender, u64, Message)>,
    /// How far the wall clocks of nodes run ahead.
    pub ahead: BTreeMap<u64, Duration>,
    held: Vec<(u64, SyncRequest)>,
    /// Syncs that have ended.
    pub syncs: usize,
    pub replies: BTreeMap<u64, Outcome>,
    pub facts: Vec<(u64, Fact)>,
    pub halts: BTreeMap<u64, Halt>,
    /// Every message that was delivered: from, to, message.
    pub delivered: Vec<(u64, u64, Message)>,
    next_tag: u64,
    /// Reads that were sent, whether they arrive or not: by whom, and their names.
    sent: Vec<(u64, OpId)>,
}

pub fn config(node: u64, nodes: u64) -> Config {
    let address = |node| Address(format!("n{node}").as_str().into());
    let mut config = Config::new(ClusterId::of_name(CLUSTER), address(node));
    config.node = Some(NodeId(node));
    config.seeds = (1..=nodes).map(address).collect();
    config.founders = nodes as u16;
    config
}

impl Table {
    /// A table with `nodes` nodes that have formed a cluster.
    pub fn new(nodes: u64) -> Table {
        Table::with(nodes, |_| {})
    }

    /// The same, with something else in the configuration of each node.
    pub fn with(nodes: u64, tweak: impl Fn(&mut Config)) -> Table {
        let mut table = Table::booted(nodes, tweak);
        table.advance(Duration::from_secs(4));
        assert!(table.nodes.values().all(|node| node.status().layout == 1), "the cluster has formed");
        table
    }

    /// Nodes that have been started, and have not met yet.
    pub fn forming(nodes: u64) -> Table {
        Table::booted(nodes, |_| {})
    }

    fn booted(nodes: u64, tweak: impl Fn(&mut Config)) -> Table {
        let mut table = Table {
            now: Instant(1_000_000_000),
            nodes: BTreeMap::new(),
            disks: (1..=nodes).map(|node| (node, SimDisk::new())).collect(),
            boots: 0,
            wire: VecDeque::new(),
            cut: BTreeSet::new(),
            slow_disks: BTreeSet::new(),
            asleep: BTreeSet::new(),
            unread: Vec::new(),
            ahead: BTreeMap::new(),
            held: Vec::new(),
            syncs: 0,
            replies: BTreeMap::new(),
            facts: Vec::new(),
            halts: BTreeMap::new(),
            delivered: Vec::new(),
            next_tag: 0,
            sent: Vec::new(),
        };
        for node in 1..=nodes {
            let mut config = config(node, nodes);
            tweak(&mut config);
            table.boot(config).expect("a fresh node opens");
        }
        table
    }

    pub fn boot(&mut self, config: Config) -> Result<(), OpenError> {
        let id = config.node.expect("nodes on the table have numbers").0;
        self.boots += 1;
        let mut out = Outbox::default();
        let now = Now { mono: self.now, wall: WallTime(self.now.0) };
        let disk = self.disks.get_mut(&id).expect("a disk");
        let node = Node::open(config, self.boots, &mut Env { now, disk, out: &mut out })?;
        self.nodes.insert(id, node);
        self.drain(id, out);
        Ok(())
    }

    /// The process dies, and with it everything that was not synced.
    pub fn crash(&mut self, node: u64) -> Config {
        let config = self.nodes.remove(&node).expect("it runs").config().clone();
        self.held.retain(|held| held.0 != node);
        self.disks.get_mut(&node).expect("a disk").crash(Unsynced::Lost, &mut Stream::new(0, "crash", node));
        config
    }

    /// The node is stopped in an orderly way.
    pub fn close(&mut self, id: u64) {
        let mut out = Outbox::default();
        let now = Now { mono: self.now, wall: WallTime(self.now.0) };
        let disk = self.disks.get_mut(&id).expect("a disk");
        self.nodes.get_mut(&id).expect("it runs").close(&mut Env { now, disk, out: &mut out });
        self.drain(id, out);
    }

    /// A table of `nodes` nodes in `zones` zones, dealt out in turn.
    pub fn zoned(nodes: u64, zones: u64, tweak: impl Fn(&mut Config)) -> Table {
        Table::with(nodes, |config| {
            config.zone = zone(config.node.expect("nodes on the table have numbers").0, zones);
            tweak(config);
        })
    }

    /// The name of the read that `node` has last asked others for.
    pub fn open_read(&self, node: u64) -> OpId {
        let asked = self.sent.iter().rev().find(|(from, _)| *from == node);
        asked.map(|(_, op)| *op).expect("it has asked somebody")
    }

    /// Cuts `side` off from everybody else.
    pub fn partition(&mut self, side: &[u64]) {
        let all: Vec<u64> = self.disks.keys().copied().collect();
        for &a in side {
            for &b in all.iter().filter(|b| !side.contains(b)) {
                self.cut.extend([(a, b), (b, a)]);
            }
        }
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// Lets time pass: every node wakes when it wants to, every frame arrives at once.
    pub fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.deliver();
            let awake = self.nodes.iter().filter(|(id, _)| !self.asleep.contains(id));
            let next = awake.filter_map(|(&id, node)| Some((node.next_wake()?, id))).min();
            match next {
                Some((at, id)) if at <= end => {
                    self.now = self.now.max(at);
                    self.step(id, Input::Wake);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    /// Delivers frames until none is under way.
    pub fn deliver(&mut self) {
        while let Some((from, to, message)) = self.wire.pop_front() {
            if self.cut.contains(&(from.node.0, to)) || !self.nodes.contains_key(&to) {
                continue;
            }
            if self.asleep.contains(&to) {
                self.unread.push((from, to, message));
                continue;
            }
            self.delivered.push((from.node.0, to, message.clone()));
            self.step(to, Input::Peer { from, message });
        }
    }

    /// The process of `node` stands still, as a virtual machine does while it is moved.
    pub fn put_to_sleep(&mut self, node: u64) {
        self.asleep.insert(node);
    }

    /// It goes on, and finds all that it was sent meanwhile.
    pub fn wake(&mut self, node: u64) {
        self.asleep.remove(&node);
        let (now, later) = std::mem::take(&mut self.unread).into_iter().partition(|unread| unread.1 == node);
        self.unread = later;
        self.wire.extend::<Vec<_>>(now);
        self.deliver();
    }

    /// Lets the syncs that were kept back at `node` end. Those that begin then end at once.
    pub fn release_syncs(&mut self, node: u64, result: Result<(), DiskError>) {
        self.slow_disks.remove(&node);
        self.end_held(node, result);
    }

    /// Lets the syncs that were kept back at `node` end. Those that begin then are kept back as well.
    pub fn end_syncs(&mut self, node: u64) {
        self.end_held(node, Ok(()));
    }

    fn end_held(&mut self, node: u64, result: Result<(), DiskError>) {
        let (now, later) = std::mem::take(&mut self.held).into_iter().partition(|held| held.0 == node);
        self.held = later;
        for (id, request) in now {
            self.finish_sync(id, request, result);
        }
        self.deliver();
    }

    pub fn step(&mut self, id: u64, input: Input) {
        let mut out = Outbox::default();
        let ahead = self.ahead.get(&id).copied().unwrap_or_default();
        let now = Now { mono: self.now, wall: WallTime((self.now + ahead).0) };
        let (Some(node), Some(disk)) = (self.nodes.get_mut(&id), self.disks.get_mut(&id)) else { return };
        node.step(input, &mut Env { now, disk, out: &mut out });
        self.drain(id, out);
    }

    fn drain(&mut self, id: u64, out: Outbox) {
        let Some(sender) = self.nodes.get(&id).map(Node::sender) else { return };
        for send in out.sends {
            let to = match send.to {
                Target::Node(node) => node.0,
                Target::Address(address) => address.0[1..].parse().expect("addresses are n1, n2, ..."),
            };
            if let Message::Fetch { op, .. } = send.message {
                self.sent.push((id, op));
            }
            self.wire.push_back((sender, to, send.message));
        }
        self.facts.extend(out.facts.into_iter().map(|fact| (id, fact)));
        self.replies.extend(out.replies.into_iter().map(|reply| (reply.tag.0, reply.outcome)));
        self.halts.extend(out.halt.map(|halt| (id, halt)));
        for request in out.syncs {
            if self.slow_disks.contains(&id) {
                self.held.push((id, request));
            } else {
                self.finish_sync(id, request, Ok(()));
            }
        }
        for (job, mut work) in out.jobs {
            let disk = self.disks.get_mut(&id).expect("a disk");
            let result = loop {
                match work.step(disk, 1 << 20) {
                    Progress::More => {}
                    Progress::Sync(target) => {
                        let mark = disk.begin_sync(target).expect("the disk is whole");
                        disk.finish_sync(mark);
                        work.synced(Ok(()));
                    }
                    Progress::Done(result) => break result,
                }
            };
            self.step(id, Input::JobDone { id: job, result });
        }
    }

    fn finish_sync(&mut self, id: u64, request: SyncRequest, result: Result<(), DiskError>) {
        let disk = self.disks.get_mut(&id).expect("a disk");
        self.syncs += 1;
        if result.is_ok() {
            let mark = disk.begin_sync(request.target).expect("the disk is whole");
            disk.finish_sync(mark);
        }
        self.step(id, Input::Synced { ticket: request.ticket, result });
    }

    /// Sends a request to `node` without waiting for anything; the answer's tag.
    pub fn ask(&mut self, node: u64, request: Request) -> u64 {
        self.next_tag += 1;
        self.step(node, Input::Client { tag: ClientTag(self.next_tag), request });
        self.next_tag
    }

    /// Sends a request and delivers frames until none is under way: the outcome, if there is one by then.
    pub fn request(&mut self, node: u64, request: Request) -> Option<Outcome> {
        let tag = self.ask(node, request);
        self.deliver();
        self.replies.get(&tag).cloned()
    }

    pub fn put(&mut self, node: u64, key: &str, value: &str) -> Option<Outcome> {
        self.request(node, put(key, value))
    }

    /// The values and the context that a quorum read gives.
    pub fn get(&mut self, node: u64, key: &str) -> (Vec<String>, Bytes) {
        match self.request(node, get(key)) {
            Some(Outcome::Found { values, context }) => {
                let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
                (values.iter().map(|found| text(&found.value)).collect(), context)
            }
            other => panic!("{other:?}"),
        }
    }

    /// What the disk of `node` holds.
    pub fn peek(&mut self, node: u64, key: &str) -> Siblings {
        let disk = self.disks.get_mut(&node).expect("a disk");
        self.nodes.get_mut(&node).expect("it runs").peek(key.as_bytes(), disk).expect("readable")
    }

    /// The replicas of a key, and the other nodes.
    pub fn replicas(&self, key: &str) -> (Vec<u64>, Vec<u64>) {
        let first = self.nodes.values().next().expect("a node");
        let replicas: Vec<u64> = first.replicas(key.as_bytes()).iter().map(|node| node.0).collect();
        let others = self.disks.keys().copied().filter(|node| !replicas.contains(node)).collect();
        (replicas, others)
    }

    pub fn count(&self, fact: Fact) -> usize {
        self.facts.iter().filter(|seen| seen.1 == fact).count()
    }
}

/// The zone of a node of a table with so many zones.
pub fn zone(node: u64, zones: u64) -> Zone {
    Zone(format!("z{}", node % zones).as_str().into())
}

pub fn get(key: &str) -> Request {
    Request {
        key: Bytes::from(key),
        command: Command::Get { context: None },
        options: Options::default(),
        id: None,
    }
}

pub fn put(key: &str, value: &str) -> Request {
    put_with(key, value, None)
}

pub fn put_with(key: &str, value: &str, context: Option<Bytes>) -> Request {
    let command = Command::Put { value: Bytes::from(value), context };
    Request { key: Bytes::from(key), command, options: Options::default(), id: None }
}

pub fn edit(key: &str, field: Option<&str>, update: Update) -> Request {
    let edits = vec![Edit { field: field.map(Bytes::from), update }];
    let command = Command::Edit { edits };
    Request { key: Bytes::from(key), command, options: Options::default(), id: None }
}

pub fn at(mut request: Request, level: Level) -> Request {
    request.options.r = Some(level);
    request.options.w = Some(level);
    request
}

/// Whether the write is told to be unknown for want of W.
pub fn is_unknown(outcome: &Outcome, acknowledged: u8, wanted: u8) -> bool {
    matches!(outcome, Outcome::Unknown { acks, needed, unmet: Knob::W, .. }
        if (*acks, *needed) == (acknowledged, wanted))
}
