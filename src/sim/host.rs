//! A host: one node's machine. Its disk, its clocks, its one processor, and the node while it runs.
//!
//! A host is busy for the time that a step costs: some microseconds of computing and what the disk took. Inputs that
//! arrive meanwhile wait in line. What a step sends leaves when the step is done.

use std::collections::{BTreeMap, VecDeque};
use std::vec::Vec;

use crate::base::id::Zone;
use crate::base::rng::{Ppm, Stream};
use crate::base::time::{Duration, Instant};
use crate::disk::{Disk, DiskError, SyncTarget};
use crate::node::config::Config;
use crate::node::input::{Env, Input};
use crate::node::outbox::Outbox;
use crate::node::step::{Node, OpenError};
use crate::node::store::Store;
use crate::ring::placement::Known;
use crate::sim::clock::{Clock, ClockPlan};
use crate::sim::disk::{Cost, SimDisk, SyncMark, Unsynced};
use crate::sim::fault::Moment;
use crate::sim::impair::Impairments;
use crate::storage::{self, Job, JobId, Progress, SyncRequest, SyncTicket};

/// Computing per step: between these, drawn once for each node. One node is always the slowest.
const CPU_MIN: Duration = Duration::from_micros(2);
const CPU_MAX: Duration = Duration::from_micros(6);
/// What a read or an append costs besides its bytes. Most hit the page cache.
const DISK_CALL: Duration = Duration::from_nanos(500);
/// 1 GB/s.
const DISK_BYTE: u64 = 1;
/// A slow sync takes so many times as long.
const SLOW_SYNC_FACTOR: u64 = 20;
/// What a job may read and write in one slice, in bytes.
const SLICE: u32 = 64 << 10;

/// How the disks of a scenario behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DiskPlan {
    pub sync_min: Duration,
    pub sync_max: Duration,
    /// The chance that a sync takes twenty times as long as it was drawn to take.
    pub slow: Ppm,
}

/// Whose sync it is, and what it will have made durable.
#[derive(Clone, Debug, Hash)]
struct Sync {
    mark: SyncMark,
    by: By,
}

#[derive(Clone, Copy, Debug, Hash)]
enum By {
    Node(SyncTicket),
    Job(JobId),
}

/// What a host does next because something ended.
#[derive(Clone, Debug)]
pub enum Then {
    /// The node is to hear of it.
    Input(Input),
    /// The job goes on after this time.
    Slice(JobId, Duration),
    /// A sync began, and ends after this time.
    Sync(u64, Duration),
}

/// The declared crash that is to hit a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Doom {
    pub fault: usize,
    pub moment: Moment,
    /// Steps, or slices of jobs, that it still has.
    pub left: u64,
}

#[derive(Clone, Debug, Hash)]
pub struct Host {
    pub node: Option<Node>,
    pub disk: SimDisk,
    pub clock: Clock,
    /// How often it was started. Events of earlier starts mean nothing.
    pub boot: u32,
    /// Until when the processor is busy.
    pub busy_until: Instant,
    /// Inputs that wait for the processor.
    pub inbox: VecDeque<Input>,
    /// When the node is to be woken, as far as an event is scheduled for it.
    pub wake_at: Option<Instant>,
    /// Whether an event is scheduled at which the next input in line has its turn.
    pub turn: bool,
    pub doomed: Option<Doom>,
    pub impairments: Impairments,
    /// A fault of its disk was met since it was started: a halt, or a start that fails, is no surprise.
    pub hurt: bool,
    /// A fault changed what is on its disk: what it does not know any more is no surprise.
    pub harmed: bool,
    config: Config,
    plan: DiskPlan,
    cpu: Duration,
    syncs: BTreeMap<u64, Sync>,
    next_sync: u64,
    jobs: BTreeMap<JobId, Job>,
    boots: Stream,
    sync_latency: Stream,
    slow_syncs: Stream,
    torn: Stream,
}

impl Host {
    /// Where it is.
    pub fn zone(&self) -> &Zone {
        &self.config.zone
    }

    pub fn new(config: Config, plan: DiskPlan, clocks: &ClockPlan, seed: u64, number: u64) -> Host {
        let stream = |purpose| Stream::new(seed, purpose, number);
        Host {
            node: None,
            disk: SimDisk::new(),
            clock: Clock::draw(clocks, seed, number),
            boot: 0,
            busy_until: Instant::ZERO,
            inbox: VecDeque::new(),
            wake_at: None,
            turn: false,
            doomed: None,
            impairments: Impairments::default(),
            hurt: false,
            harmed: false,
            config,
            plan,
            cpu: stream("host.cpu").between(CPU_MIN, CPU_MAX),
            syncs: BTreeMap::new(),
            next_sync: 0,
            jobs: BTreeMap::new(),
            boots: stream("host.boot"),
            sync_latency: stream("disk.sync"),
            slow_syncs: stream("disk.slow"),
            torn: stream("disk.torn"),
        }
    }

    pub fn is_up(&self) -> bool {
        self.node.is_some()
    }

    /// What one step costs in computing.
    pub fn cpu(&self) -> Duration {
        self.cpu
    }

    /// Jobs that are not done.
    pub fn jobs(&self) -> usize {
        self.jobs.len()
    }

    /// Whether an input would have to wait.
    pub fn is_busy(&mut self, now: Instant) -> bool {
        self.impairments.pauses() || self.busy_until > now || !self.inbox.is_empty()
    }

    /// Hands over the faults that were met since the last call, with repetitions.
    pub fn take_met(&mut self, into: &mut Vec<usize>) {
        self.hurt |= !self.disk.met().is_empty();
        into.append(self.disk.met());
        into.append(self.impairments.met());
    }

    /// Whether a fault of its disk was met since it was started.
    pub fn is_hurt(&mut self) -> bool {
        self.hurt |= !self.disk.met().is_empty();
        self.hurt
    }

    /// Whether the crash that was to hit it within an operation on its disk has done so.
    pub fn is_struck(&self) -> bool {
        self.doomed.is_some() && self.disk.is_failing()
    }

    /// Starts the node from what is on the disk.
    pub fn open(&mut self, now: Instant, out: &mut Outbox) -> Result<(), OpenError> {
        assert!(self.node.is_none(), "a node that runs is not started");
        self.boot += 1;
        self.hurt = !self.disk.met().is_empty();
        let seed = self.boots.at(u64::from(self.boot));
        let mut env = Env { now: self.clock.read(now), disk: &mut self.disk, out };
        let opened = Node::open(self.config.clone(), seed, &mut env);
        self.charge(now);
        self.node = Some(opened?);
        Ok(())
    }

    /// Lets the node have one input now.
    pub fn step(&mut self, input: Input, now: Instant, out: &mut Outbox) {
        debug_assert!(self.busy_until <= now, "one thing after the other");
        let Some(node) = &mut self.node else { return };
        self.impairments.met().extend(self.clock.faults());
        let mut env = Env { now: self.clock.read(now), disk: &mut self.disk, out };
        node.step(input, &mut env);
        self.charge(now);
    }

    /// Takes over a placement that another host's node has computed, for this node and for later starts.
    pub fn learn(&mut self, known: &Known) {
        self.config.known = known.clone();
        if let Some(node) = &mut self.node {
            node.learn(known.clone());
        }
    }

    /// When the node wants to be woken, in virtual time.
    pub fn next_wake(&self) -> Option<Instant> {
        self.node.as_ref()?.next_wake().and_then(|mono| self.clock.when(mono))
    }

    /// The node stops without a word, and the disk loses power.
    pub fn crash(&mut self, unsynced: Unsynced) {
        self.stop();
        self.disk.crash(unsynced, &mut self.torn);
    }

    /// How many bytes a loss of power would take now. (Files whose removal is not durable yet would come back; they
    /// make up for nothing.)
    pub fn unsynced(&self) -> u64 {
        let mut now = self.disk.clone();
        let mut then = self.disk.clone();
        then.crash(Unsynced::Lost, &mut self.torn.clone());
        let files = now.list().unwrap_or_default();
        let mut taken = |file| now.len(file).unwrap_or(0).saturating_sub(then.len(file).unwrap_or(0));
        files.into_iter().map(&mut taken).sum()
    }

    /// What this disk still held after a power failure now, with that disk. `None` if no store would open on it.
    pub fn after_power_loss(&self) -> Option<(Store, SimDisk)> {
        self.opened_on(self.disk.clone())
    }

    /// The same, if what is on its disk were this. Errors of the disk that will end do not count.
    pub fn opened_on(&self, mut disk: SimDisk) -> Option<(Store, SimDisk)> {
        disk.end_faults();
        disk.crash(Unsynced::Lost, &mut self.torn.clone());
        // Nothing will be written that could need the reserve.
        let config = storage::Config { reserve_bytes: 0, ..self.config.storage.clone() };
        let store = Store::look(config, &mut disk).ok()?;
        Some((store, disk))
    }

    /// The node stops; its disk goes on.
    pub fn stop(&mut self) {
        self.node = None;
        self.inbox.clear();
        self.syncs.clear();
        self.jobs.clear();
        self.impairments.forget();
        self.turn = false;
        self.wake_at = None;
        self.doomed = None;
    }

    /// Begins a sync that the node asked for.
    pub fn sync(&mut self, request: SyncRequest) -> Then {
        match self.begin_sync(request.target, By::Node(request.ticket)) {
            Ok((sync, after)) => Then::Sync(sync, after),
            Err(error) => Then::Input(Input::Synced { ticket: request.ticket, result: Err(error) }),
        }
    }

    /// Ends a sync.
    pub fn synced(&mut self, sync: u64) -> Then {
        let Sync { mark, by } = self.syncs.remove(&sync).expect("a sync ends once");
        self.disk.finish_sync(mark);
        match by {
            By::Node(ticket) => Then::Input(Input::Synced { ticket, result: Ok(()) }),
            By::Job(id) => {
                self.jobs.get_mut(&id).expect("a job waits for its sync").synced(Ok(()));
                Then::Slice(id, Duration::ZERO)
            }
        }
    }

    /// Begins a job, which runs beside the node.
    pub fn begin_job(&mut self, id: JobId, job: Job) {
        let earlier = self.jobs.insert(id, job);
        assert!(earlier.is_none(), "a node numbers its jobs once");
    }

    /// Runs one slice of a job. It does not keep the processor from the node: the real driver runs jobs on threads of
    /// their own.
    pub fn slice(&mut self, id: JobId) -> Then {
        let job = self.jobs.get_mut(&id).expect("a job that is not done");
        let progress = job.step(&mut self.disk, SLICE);
        let cost = self.disk.take_cost();
        let cost = self.impairments.disk(Duration(cost_of(cost))).0 + self.impairments.computing(self.cpu).0;
        match progress {
            Progress::More => Then::Slice(id, Duration(cost)),
            Progress::Done(result) => {
                self.jobs.remove(&id);
                Then::Input(Input::JobDone { id, result })
            }
            Progress::Sync(target) => match self.begin_sync(target, By::Job(id)) {
                Ok((sync, after)) => Then::Sync(sync, Duration(cost + after.0)),
                Err(error) => {
                    self.jobs.get_mut(&id).expect("still there").synced(Err(error));
                    Then::Slice(id, Duration(cost))
                }
            },
        }
    }

    fn begin_sync(&mut self, target: SyncTarget, by: By) -> Result<(u64, Duration), DiskError> {
        let after = self.sync_latency.between(self.plan.sync_min, self.plan.sync_max);
        let factor = if self.slow_syncs.chance(self.plan.slow) { SLOW_SYNC_FACTOR } else { 1 };
        let mark = self.disk.begin_sync(target);
        // Nobody waits for this one, so it costs no time of the processor.
        self.disk.take_cost();
        let mark = mark?;
        let sync = self.next_sync;
        self.next_sync += 1;
        self.syncs.insert(sync, Sync { mark, by });
        Ok((sync, self.impairments.disk(after.saturating_mul(factor))))
    }

    /// Keeps the processor busy for what was just done.
    fn charge(&mut self, now: Instant) {
        let cost = self.disk.take_cost();
        let waiting = self.plan.sync_min.saturating_mul(cost.syncs);
        let disk = self.impairments.disk(Duration(cost_of(cost) + waiting.0));
        self.busy_until = now + self.impairments.computing(self.cpu) + disk;
    }
}

fn cost_of(cost: Cost) -> u64 {
    let calls = DISK_CALL.saturating_mul(cost.reads + cost.appends);
    calls.0 + (cost.read_bytes + cost.append_bytes) * DISK_BYTE
}
