//! [`Node`]: one total function from inputs to effects. This file is the table of contents of what a node does.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::fmt;

use crate::base::id::{Address, ClusterId, Generation, NodeId, OpId, Slot, Zone};
use crate::base::invariant::{Broken, holds};
use crate::base::rng::Stream;
use crate::base::time::{Duration, Instant, WallTime};
use crate::causal::clock::Clock;
use crate::causal::dot::Actor;
use crate::causal::siblings::Siblings;
use crate::disk::{Disk, DiskError};
use crate::member::gossip::Card;
use crate::member::view::View;
use crate::node::amnesia::Recall;
use crate::node::background::Seed;
use crate::node::config::{Config, ConfigError};
use crate::node::coordinate::forward::Forwards;
use crate::node::coordinate::stand_in::LastGiven;
use crate::node::coordinate::{Asker, Op};
use crate::node::fact::Fact;
use crate::node::identity::{self, Identity, IdentityError};
use crate::node::input::{Env, Input};
use crate::node::latency::{Foreground, Latencies};
use crate::node::message::{Held, Message};
use crate::node::outbox::{Halt, Send, Target};
use crate::node::refetch::Mending;
use crate::node::request::Rejection;
use crate::node::store::{Found, Store};
use crate::node::timer::{Timer, Timers};
use crate::node::wire::Sender;
use crate::quorum::write::Ack;
use crate::repair::hint::HintIndex;
use crate::ring::layout::Layout;
use crate::ring::placement::{Known, Placement};
use crate::ring::token::slot_of;
use crate::storage::Position;
use crate::storage::{self, Engine};

/// The number of no operation: nobody waits for the answer.
pub(super) const NO_OP: OpId = OpId(0);

/// One node: everything that it knows, as a plain value.
#[derive(Clone, Debug, Hash)]
pub struct Node {
    pub(super) config: Config,
    pub(super) identity: Identity,
    /// Where the epochs of actors come from.
    epochs: Stream,
    pub(super) rng: Stream,
    pub(super) view: View,
    /// The seeds but this node itself.
    pub(super) seeds: Vec<Seed>,
    /// `None` while the cluster is forming.
    pub(super) placement: Option<Placement>,
    /// The highest version of a layout that anybody has named.
    pub(super) layout_heard: u64,
    pub(super) store: Store,
    pub(super) hints: HintIndex,
    /// After the loss of the disk: what the others are being asked for.
    pub(super) recall: Option<Recall>,
    /// The damaged table that is being mended.
    pub(super) mending: Option<Mending>,
    /// After a torn tail: whom this node has compared itself with since.
    pub(super) uncertain: Option<BTreeSet<NodeId>>,
    /// Flushes and compactions in a row that found the disk full.
    pub(super) failed_jobs: u32,
    /// Slots whose entries changed past the Merkle forest.
    pub(super) recount: BTreeSet<Slot>,
    pub(super) ops: BTreeMap<OpId, Op>,
    pub(super) forwards: Forwards,
    pub(super) last_given: LastGiven,
    pub(super) next_op: u64,
    /// How long replicas take to answer reads.
    pub(super) answers: Latencies,
    pub(super) timers: Timers,
    /// What to do when the log is durable up to a position; positions never fall.
    waiting: VecDeque<(Position, Waiter)>,
    /// How many of them are for whom.
    backlog: BTreeMap<NodeId, u32>,
    /// How long the requests take that this node coordinates.
    pub(super) foreground: Foreground,
    /// Whether a request that this node took has run out of time since the last look at the hints.
    pub(super) timed_out: bool,
    /// The last stamp given to a write.
    last_stamp: WallTime,
    /// Nothing moves any more.
    halted: bool,
}

/// Who waits for the disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Waiter {
    /// The own copy of a write that this node coordinates.
    Write(OpId),
    /// A peer's `Store`.
    Stored { to: NodeId, op: OpId },
    /// A peer's `Hint`.
    Hinted { to: NodeId, op: OpId },
    /// A `Fetch` by a peer or by this node itself.
    Fetched { to: NodeId, op: OpId, held: Held },
    /// The own copy, brought up to what a read is about to show.
    Repaired(OpId),
    /// All that others have told this node after the loss of its disk.
    Recalled,
}

impl Waiter {
    /// On whose account it waits.
    fn for_whom(&self, me: NodeId) -> NodeId {
        match self {
            Waiter::Write(_) | Waiter::Repaired(_) | Waiter::Recalled => me,
            Waiter::Stored { to, .. } | Waiter::Hinted { to, .. } | Waiter::Fetched { to, .. } => *to,
        }
    }
}

/// Why a node does not start. Nothing was changed, except by a disk that failed half-way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    Config(ConfigError),
    /// The folder holds the data of another cluster.
    OtherCluster {
        found: ClusterId,
    },
    /// The folder holds the data of another node.
    OtherNode {
        found: NodeId,
    },
    /// The identity file cannot be used.
    Identity(&'static str),
    /// The disk failed while the identity was read or written.
    Disk(DiskError),
    Storage(storage::OpenError),
    /// The engine opened, but a first scan of it failed.
    Scan(storage::ReadError),
}

impl From<IdentityError> for OpenError {
    fn from(error: IdentityError) -> OpenError {
        match error {
            IdentityError::Disk(error) => OpenError::Disk(error),
            IdentityError::OtherCluster { found } => OpenError::OtherCluster { found },
            IdentityError::OtherNode { found } => OpenError::OtherNode { found },
            IdentityError::Damaged => OpenError::Identity("its bytes are damaged"),
            IdentityError::Format => OpenError::Identity("another version of this program wrote it"),
            IdentityError::Missing => OpenError::Identity("it is missing, but there is data beside it"),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Config(error) => write!(f, "{error}"),
            OpenError::OtherCluster { found } => {
                write!(f, "the data belongs to another cluster (id {:016x})", found.0)
            }
            OpenError::OtherNode { found } => write!(f, "the data belongs to another node ({found})"),
            OpenError::Identity(what) => write!(f, "the identity file cannot be used: {what}"),
            OpenError::Disk(error) => write!(f, "the disk failed at the identity file: {error}"),
            OpenError::Storage(error) => write!(f, "{error}"),
            OpenError::Scan(error) => write!(f, "the data cannot be read: {error}"),
        }
    }
}

/// The timers that are always set, spread by chance, so that nodes started together do not act in step for ever.
fn first_timers(config: &Config, now: Instant, rng: &mut Stream) -> Timers {
    let mut timers = Timers::default();
    let mut first = |every: Duration| now + rng.between(Duration::ZERO, every);
    timers.set(first(config.gossip_every.divided(4)), Timer::Gossip);
    timers.set(first(config.exchange_every), Timer::Exchange);
    timers.set(first(config.gossip_every), Timer::Handoff);
    timers.set(first(config.scrub_every), Timer::Scrub);
    timers
}

/// What an operator sees of a node (`INFO`, status pages, reports).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    pub node: NodeId,
    pub generation: Generation,
    /// The version of the layout in force; zero while the cluster is forming.
    pub layout: u64,
    /// Every member that is known.
    pub members: Vec<MemberStatus>,
    /// Hints waiting here for other nodes.
    pub hints: u64,
    /// Operations in progress that this node began.
    pub open_ops: u64,
    /// Tables with damage, whose keys are unknown until they are repaired.
    pub damaged_tables: u64,
    /// Whether this node has lost its disk, or does not know better, and answers for nothing until it is told what
    /// others have.
    pub amnesiac: bool,
}

/// One member, as a node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberStatus {
    pub node: NodeId,
    pub address: Address,
    pub zone: Zone,
    pub up: bool,
}

impl Node {
    /// Starts a node: recovers from the disk, takes a new generation, and writes that down durably. `seed` feeds all
    /// its random choices and must differ between starts.
    pub fn open(config: Config, seed: u64, env: &mut Env) -> Result<Node, OpenError> {
        config.validate().map_err(OpenError::Config)?;
        let mut rng = Stream::new(seed, "node", 0);
        let identity = match identity::take(config.cluster, config.node, &mut rng, env.disk) {
            // A full disk should not keep a node from serving reads.
            Err(IdentityError::Disk(DiskError::Full)) if storage::release_reserve(env.disk) => {
                identity::take(config.cluster, config.node, &mut rng, env.disk)
            }
            taken => taken,
        }?;
        let (engine, recovery) = match Engine::open(config.storage.clone(), env.disk) {
            Ok(opened) => opened,
            Err(error) => {
                let is_damage = matches!(error, storage::OpenError::Corrupt { .. });
                env.out.facts.extend(is_damage.then_some(Fact::StartRefused));
                return Err(OpenError::Storage(error));
            }
        };
        let mut epochs = Stream::new(seed, "node.epoch", 0);
        let life = identity.new_life(&mut epochs);
        let (store, Found { hints, layout }) = Store::new(engine, life, env.disk).map_err(OpenError::Scan)?;
        if identity.generation > Generation(1) {
            env.out.facts.push(Fact::Recovered);
        }
        if recovery.is_tail_uncertain() {
            env.out.facts.push(Fact::TornTailCut);
        }
        let card = Card {
            node: identity.node,
            generation: identity.generation,
            birth: identity.birth,
            address: config.address.clone(),
            zone: config.zone.clone(),
            capacity: config.capacity,
        };
        let mut view = View::new(card, config.gossip_every, config.suspect_after, env.now.mono);
        view.expect(layout.iter().flat_map(Layout::nodes));
        let timers = first_timers(&config, env.now.mono, &mut rng);
        Ok(Node {
            seeds: Seed::all(&config),
            epochs,
            view,
            placement: layout.as_ref().map(|layout| config.known.of(layout)),
            layout_heard: layout.as_ref().map_or(0, |layout| layout.version),
            // Not among the numbers of an earlier start, even one that the disk has forgotten: a late answer to one of
            // those must not count for a new operation. (They are 48 bits of chance apart.)
            next_op: (Stream::new(seed, "node.op", 0).next() >> 16).max(1),
            config,
            identity,
            rng,
            store,
            hints,
            recall: None,
            mending: None,
            uncertain: recovery.is_tail_uncertain().then(BTreeSet::new),
            failed_jobs: 0,
            recount: BTreeSet::new(),
            ops: BTreeMap::new(),
            answers: Latencies::default(),
            foreground: Foreground::default(),
            forwards: Forwards::default(),
            last_given: LastGiven::default(),
            timers,
            waiting: VecDeque::new(),
            backlog: BTreeMap::new(),
            timed_out: false,
            last_stamp: WallTime::default(),
            halted: false,
        })
    }

    /// Lets one thing happen. Infallible: no peer, client or disk can make it fail.
    pub fn step(&mut self, input: Input, env: &mut Env) {
        if self.halted {
            return;
        }
        match input {
            Input::Wake => {}
            Input::Peer { from, message } => self.on_peer(from, message, env),
            Input::Client { tag, request } => {
                let zone = self.zone().clone();
                self.begin(Asker::Client(tag), 0, &zone, request, env);
            }
            Input::Synced { ticket, result } => {
                let before = self.store.engine.durable();
                if let Err(poisoned) = self.store.engine.synced(ticket, result, env.disk) {
                    return self.halt(Halt::Storage(poisoned.why), env);
                }
                if self.store.engine.durable().0 > before.0 + 1 {
                    env.out.facts.push(Fact::GroupCommitted);
                }
            }
            Input::JobDone { id, result } => {
                let is_flush = self.store.engine.is_flush(id);
                if result.is_ok() {
                    env.out.facts.push(if is_flush { Fact::MemtableFlushed } else { Fact::TablesCompacted });
                }
                self.pace_jobs(&result, env);
                if let Err(poisoned) = self.store.engine.job_done(id, result, env.disk) {
                    return self.halt(Halt::Storage(poisoned.why), env);
                }
            }
        }
        while let Some(timer) = self.timers.pop_due(env.now.mono) {
            self.on_timer(timer, env);
        }
        // A write that fails poisons the engine in the middle of a step, and no sync or job may ever come to tell: the
        // node would go on, refuse every write, and never be started again.
        if let Some(poisoned) = self.store.engine.poisoned().filter(|_| !self.halted) {
            return self.halt(Halt::Storage(poisoned.why), env);
        }
        self.settle(env);
        // An append that failed tells nobody but the write that it was for.
        if let Some(poisoned) = self.store.engine.poisoned() {
            self.halt(Halt::Storage(poisoned.why), env);
        }
    }

    /// When the node wants an `Input::Wake`, on the monotonic clock.
    pub fn next_wake(&self) -> Option<Instant> {
        if self.halted { None } else { self.timers.next() }
    }

    /// How long the driver should let this node rest after a write, because its disk is behind.
    pub fn write_delay(&self) -> Duration {
        self.store.engine.delay()
    }

    /// Stops cleanly: everything appended is made durable, so that the next start has nothing to repair.
    pub fn close(&mut self, env: &mut Env) {
        if self.halted {
            return;
        }
        self.hint_open_writes(env);
        self.abandon_ops(env);
        self.halted = true;
        if let Err(poisoned) = self.store.engine.close(env.disk) {
            env.out.halt = Some(Halt::Storage(poisoned.why));
        }
    }

    /// Who this node is, for the frames it sends.
    pub fn sender(&self) -> Sender {
        Sender { node: self.identity.node, generation: self.identity.generation }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The placement in force; `None` while forming.
    pub fn placement(&self) -> Option<&Placement> {
        self.placement.as_ref()
    }

    /// Tells the node a placement that was computed elsewhere in the process, in case it needs it. See [`Known`].
    pub fn learn(&mut self, known: Known) {
        self.config.known = known;
    }

    /// Hints waiting here for other nodes.
    pub fn hints(&self) -> u64 {
        self.hints.len() as u64
    }

    /// Whether this node has heard of another.
    pub fn knows(&self, node: NodeId) -> bool {
        self.view.generation(node).is_some()
    }

    /// The members that this node takes for dead.
    pub fn down(&self) -> impl Iterator<Item = NodeId> {
        self.view.down()
    }

    pub fn status(&self) -> Status {
        let members = self.view.members().into_iter().map(|(card, up)| MemberStatus {
            node: card.node,
            address: card.address.clone(),
            zone: card.zone.clone(),
            up,
        });
        Status {
            node: self.identity.node,
            generation: self.identity.generation,
            layout: self.layout(),
            members: members.collect(),
            hints: self.hints(),
            open_ops: self.ops.len() as u64,
            damaged_tables: self.store.engine.damaged_tables(),
            amnesiac: self.is_amnesiac(),
        }
    }

    /// The last write of this node's store that a power failure would leave, as the node believes. For checkers.
    pub fn durable(&self) -> Position {
        self.store.engine.durable()
    }

    /// What this node's own disk holds of a key. For checkers and tools; not a quorum read.
    pub fn peek(&mut self, key: &[u8], disk: &mut dyn Disk) -> Result<Siblings, Rejection> {
        self.store.load(key, disk).map_err(|_| Rejection::Damaged)
    }

    /// The replicas of a key in the layout in force, in ring order. Empty while forming.
    pub fn replicas(&self, key: &[u8]) -> &[NodeId] {
        self.placement.as_ref().map_or(&[], |placement| placement.replicas(slot_of(key)))
    }

    pub(super) fn me(&self) -> NodeId {
        self.identity.node
    }

    /// Whether it makes sense to count on `node`: this one, or one that is neither suspected nor convicted.
    pub(super) fn usable(&self, node: NodeId) -> bool {
        node == self.me() || self.view.usable(node)
    }

    pub(super) fn send(&self, to: Target, message: Message, env: &mut Env) {
        debug_assert!(to != Target::Node(self.me()), "a node does not write to itself");
        env.out.sends.push(Send { to, message });
    }

    /// The actor that numbers the next write of a key of which `known` is known here: one of this life, or of a new
    /// one, if somebody knows writes of this one that are not known here: then its counts cannot be trusted.
    pub(super) fn actor(&mut self, known: &Clock, env: &mut Env) -> Actor {
        if self.store.forgot {
            self.store.forgot = false;
            self.store.life = self.identity.new_life(&mut self.epochs);
            env.out.facts.push(Fact::ActorRenewed);
        }
        let life = self.store.life;
        known.of_life(life).max().unwrap_or_else(|| life.for_key(self.epochs.next()))
    }

    /// An actor for a key of which this node is no replica, as nobody was before: of a life of its own, so that the
    /// writes of this node as a replica are not measured by it. (Two are alike with a chance of 2^-40.)
    pub(super) fn passing_actor(&mut self) -> Actor {
        let life = self.identity.new_life(&mut self.epochs);
        life.for_key(self.epochs.next())
    }

    /// A stamp above all that this node has given, and above `seen`: the wall clock as long as that runs forward (a
    /// hybrid logical clock after Kulkarni et al., "Logical Physical Clocks", 2014, with one 64-bit part).
    ///
    /// A stamp from too far in the future is not adopted: one node whose clock ran ahead would otherwise drag the
    /// clocks of all along, and what any of them wrote meanwhile would win every tie until real time has caught up.
    /// Stamps only decide ties between concurrent versions, so a write with a lower stamp than the version that it
    /// replaces still replaces it.
    pub(super) fn stamp(&mut self, seen: WallTime, env: &mut Env) -> WallTime {
        let ceiling = WallTime(env.now.wall.0.saturating_add(self.config.clock_skew_max.0));
        if seen > ceiling {
            env.out.facts.push(Fact::StampRefused);
        }
        // The own last stamp as well: the wall clock may have been ahead, and been put right.
        let adopted = [seen, self.last_stamp].into_iter().filter(|&stamp| stamp <= ceiling).max();
        let floor = adopted.map_or(0, |stamp| stamp.0.saturating_add(1));
        self.last_stamp = WallTime(floor.max(env.now.wall.0));
        self.last_stamp
    }

    /// Does what `waiter` waits for as soon as the log is durable up to `position`.
    pub(super) fn wait_for(&mut self, position: Position, waiter: Waiter) {
        assert!(self.waiting.back().is_none_or(|last| last.0 <= position), "log positions never fall");
        *self.backlog.entry(waiter.for_whom(self.me())).or_default() += 1;
        self.waiting.push_back((position, waiter));
    }

    /// Whether as much waits for the disk here, for that node, as may. Each node has its own share, so that one that
    /// floods its peers takes nothing from the others.
    pub(super) fn is_backlogged(&self, node: NodeId) -> bool {
        self.backlog.get(&node).is_some_and(|&count| count >= self.config.backlog_max)
    }

    /// Who waits for the disk, in the order of the log.
    pub(super) fn waiting(&self) -> &VecDeque<(Position, Waiter)> {
        &self.waiting
    }

    /// Whoever waits for the disk is counted to somebody's share, and nobody else is.
    pub(super) fn shares(&self) -> Result<(), Broken> {
        let counted: u64 = self.backlog.values().map(|&count| u64::from(count)).sum();
        holds(counted == self.waiting.len() as u64, "the shares of the disk's line are those who wait in it")
    }

    fn next_durable(&mut self, durable: Position) -> Option<Waiter> {
        let (_, waiter) = self.waiting.pop_front_if(|waiting| waiting.0 <= durable)?;
        let whose = waiter.for_whom(self.me());
        let count = self.backlog.get_mut(&whose).expect("whoever waits is counted");
        *count -= 1;
        if *count == 0 {
            self.backlog.remove(&whose);
        }
        Some(waiter)
    }

    /// The end of every step: whoever's bytes have become durable is told, and the disk gets its next work. No
    /// acknowledgement of anything on disk leaves a node by another way.
    fn settle(&mut self, env: &mut Env) {
        let durable = self.store.engine.durable();
        self.store.note_durable(durable);
        while let Some(waiter) = self.next_durable(durable) {
            match waiter {
                Waiter::Write(op) => self.write_stored(op, self.me(), Some(Ack::OnDisk), env),
                Waiter::Stored { to, op } => {
                    let ack = Some(Ack::OnDisk);
                    self.send(Target::Node(to), Message::Stored { op, ack }, env);
                }
                Waiter::Fetched { to, op, held } => self.tell(to, op, held, env),
                Waiter::Repaired(op) => self.read_repaired(op, self.me(), Some(Ack::OnDisk), env),
                Waiter::Recalled => self.recalled(env),
                Waiter::Hinted { to, op } if to == self.me() => self.write_hinted(op, to, true, env),
                Waiter::Hinted { to, op } => {
                    self.send(Target::Node(to), Message::Hinted { op, durable: true }, env);
                }
            }
        }
        loop {
            match self.store.engine.poll_sync(env.disk) {
                Ok(Some(request)) => env.out.syncs.push(request),
                Ok(None) => break,
                Err(poisoned) => return self.halt(Halt::Storage(poisoned.why), env),
            }
        }
        self.mend(env);
        while let Some(job) = self.store.engine.poll_job() {
            env.out.jobs.push(job);
        }
        assert!(self.store.engine.appended() >= self.store.engine.durable(), "durable bytes were appended");
    }

    /// Stops for good. What is durable is no longer known, so open requests get the honest answer.
    pub(super) fn halt(&mut self, why: Halt, env: &mut Env) {
        self.abandon_ops(env);
        self.waiting.clear();
        self.backlog.clear();
        self.halted = true;
        env.out.halt = Some(why);
    }
}
