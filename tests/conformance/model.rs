//! Random operations, crashes and restarts against a model.

use std::collections::VecDeque;

use kvsim::base::checksum::state_hash;
use kvsim::base::rng::Stream;
use kvsim::sim::disk::{SimDisk, SyncMark, Unsynced};
use kvsim::storage::{Job, JobId, Progress, SyncTicket};
use proptest::prelude::*;

use crate::driver::{Store, small};
use crate::history::History;

#[derive(Clone, Debug)]
enum Op {
    Put(u8, u8),
    Delete(u8),
    Get(u8),
    Scan(u8, u8, u8),
    /// Begin all syncs that are asked for.
    BeginSyncs,
    /// End the oldest one.
    EndSync,
    /// Start all jobs that are handed out.
    StartJobs,
    /// Run one slice of each, of so many bytes.
    StepJobs(u16),
    Crash(bool, u64),
    /// The process ends and starts again; the page cache stays, what gathered in memory is gone.
    Restart,
    Close,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (0u8..24, any::<u8>()).prop_map(|(key, len)| Op::Put(key, len)),
        3 => (0u8..24).prop_map(Op::Delete),
        4 => (0u8..24).prop_map(Op::Get),
        2 => (0u8..24, 0u8..25, 0u8..30).prop_map(|(from, to, limit)| Op::Scan(from, to, limit)),
        5 => Just(Op::BeginSyncs),
        6 => Just(Op::EndSync),
        4 => Just(Op::StartJobs),
        10 => (1u16..2000).prop_map(Op::StepJobs),
        1 => (any::<bool>(), any::<u64>()).prop_map(|(torn, seed)| Op::Crash(torn, seed)),
        1 => Just(Op::Restart),
        1 => Just(Op::Close),
    ]
}

struct World {
    store: Store<SimDisk>,
    history: History,
    syncs: VecDeque<(SyncTicket, SyncMark)>,
    jobs: Vec<(JobId, Job)>,
}

fn key(n: u8) -> String {
    format!("prefix/{n:02}")
}

impl World {
    fn new() -> World {
        let store = Store::must_open(small(), SimDisk::new());
        World { store, history: History::default(), syncs: VecDeque::new(), jobs: Vec::new() }
    }

    fn reopen(self, disk: SimDisk) -> World {
        let mut store = Store::must_open(small(), disk);
        let mut history = self.history;
        history.recovered(&mut store);
        World { store, history, syncs: VecDeque::new(), jobs: Vec::new() }
    }

    fn step_jobs(&mut self, budget: u32) {
        let Store { engine, disk, .. } = &mut self.store;
        self.jobs.retain_mut(|(id, job)| match job.step(disk, budget) {
            Progress::More => true,
            Progress::Sync(target) => {
                job.synced(kvsim::disk::Disk::sync(disk, target));
                true
            }
            Progress::Done(result) => {
                engine.job_done(*id, result, disk).expect("the disk works");
                false
            }
        });
    }

    fn apply(mut self, op: Op) -> World {
        let Store { engine, disk, .. } = &mut self.store;
        match op {
            Op::Put(n, len) => {
                let value = format!("{}:{}", self.history.writes.len(), "x".repeat(usize::from(len)));
                assert!(self.history.put(&mut self.store, &key(n), Some(value)));
            }
            Op::Delete(n) => assert!(self.history.put(&mut self.store, &key(n), None)),
            Op::Get(n) => {
                let model = self.history.after(self.history.writes.len());
                assert_eq!(self.store.get(&key(n)).as_ref(), model.get(&key(n)));
            }
            Op::Scan(from, to, limit) => {
                let model = self.history.after(self.history.writes.len());
                let (from, to) = (key(from), key(to));
                let found = engine.scan(from.as_bytes(), to.as_bytes(), limit.into(), disk).expect("works");
                let expected = model.iter().filter(|(key, _)| **key >= from && **key < to);
                let expected: Vec<_> = expected.take(limit.into()).collect();
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(expected) {
                    assert_eq!((&*found.0, &*found.1), (expected.0.as_bytes(), expected.1.as_bytes()));
                }
            }
            Op::BeginSyncs => {
                while let Some(request) = engine.poll_sync(disk).expect("works") {
                    let mark = disk.begin_sync(request.target).expect("the disk works");
                    self.syncs.push_back((request.ticket, mark));
                }
            }
            Op::EndSync => {
                if let Some((ticket, mark)) = self.syncs.pop_front() {
                    disk.finish_sync(mark);
                    engine.synced(ticket, Ok(()), disk).expect("the disk works");
                }
            }
            Op::StartJobs => self.jobs.extend(core::iter::from_fn(|| engine.poll_job())),
            Op::StepJobs(budget) => self.step_jobs(budget.into()),
            Op::Crash(torn, seed) => {
                let unsynced = if torn { Unsynced::Torn } else { Unsynced::Lost };
                let mut disk = disk.clone();
                disk.crash(unsynced, &mut Stream::new(seed, "test.crash", 0));
                return self.reopen(disk);
            }
            Op::Restart => {
                self.history.durable = engine.written().0 as usize;
                let disk = disk.clone();
                let world = self.reopen(disk);
                assert_eq!(world.history.writes.len(), world.history.durable);
                return world;
            }
            Op::Close => {
                engine.close(disk).expect("the disk works");
                self.history.durable = self.history.writes.len();
                let disk = disk.clone();
                let world = self.reopen(disk);
                assert!(world.store.recovery.clean);
                return world;
            }
        }
        self.history.observe(&self.store);
        self
    }
}

/// A few hundred cases have some tens of thousands of operations. The nightly recipe runs millions.
fn cases() -> u32 {
    let asked = std::env::var("KVSIM_MODEL_CASES").ok();
    asked.map_or(96, |cases| cases.parse().expect("KVSIM_MODEL_CASES is a number"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn a_store_is_its_model_through_crashes_and_restarts(ops in proptest::collection::vec(op(), 1..250)) {
        let world = ops.into_iter().fold(World::new(), World::apply);
        let disk = world.store.disk.clone();
        world.reopen(disk);
    }
}

#[test]
fn a_clone_goes_on_exactly_like_its_original() {
    let mut store = Store::must_open(small(), SimDisk::new());
    let mut history = History::default();
    let drive = |store: &mut Store<SimDisk>, history: &mut History, range: std::ops::Range<u32>| {
        for n in range {
            assert!(history.put(store, &key((n * 7 % 24) as u8), Some(format!("value-{n}"))));
            if n % 5 == 0 {
                store.pump().expect("works");
            }
        }
    };
    drive(&mut store, &mut history, 0..123);
    let mut clone =
        Store { engine: store.engine.clone(), disk: store.disk.clone(), recovery: store.recovery };
    let mut clone_history = history.clone();
    let hash = |store: &Store<SimDisk>| (state_hash(&store.engine), state_hash(&store.disk));
    let before = hash(&store);
    drive(&mut clone, &mut clone_history, 123..300);
    assert_eq!(hash(&store), before, "the clone went on, not the original");
    drive(&mut store, &mut history, 123..300);
    assert_eq!(hash(&store), hash(&clone));
}
