//! How fast the simulator is. Prints one table for each part; all rates are per second of processor time of the thread
//! that did the work, so that what else the machine does matters little.
//!
//! ```text
//! cargo bench --bench simulator -- [part] [number]
//! ```
//!
//! - `loop [messages]`: the bare event loop. Five nodes, each with one request under way to each other, 1 to 10 ms of
//!   latency, 1 % loss, a new request when one is not answered within 100 ms; on the queue, the network, the events and
//!   the trace of a world.
//! - `scenarios [seeds]`: each shipped scenario with all faults and checks; each in a process of its own, whose peak of
//!   memory is what one world needs.
//! - `oracles [seeds]`: what audits, healed copies and final checks cost, and what a twin does.
//! - `clone`: copying a world of five nodes with 10,000 keys.
//! - `jobs [seeds]`: one thread and two.
//!
//! Without a part, all of them.

#![allow(clippy::print_stdout, reason = "a bench prints what it found")]

use std::collections::BTreeSet;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant as RealInstant;

use kvsim::base::checksum::checksum;
use kvsim::base::rng::Ppm;
use kvsim::base::time::{Duration, Instant};
use kvsim::sim::event::Event;
use kvsim::sim::network::{Fate, Network, NetworkPlan, Shape};
use kvsim::sim::queue::Queue;
use kvsim::sim::run;
use kvsim::sim::scenario::Scenario;
use kvsim::sim::trace::Trace;
use kvsim::sim::world::World;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let part = arguments.first().map(String::as_str);
    let number = |default: u64| {
        arguments.get(1).map_or(default, |text| text.parse().expect("the second argument is a number"))
    };
    match part {
        Some("loop") => event_loop(number(1_000_000)),
        Some("scenarios") => scenarios(number(5)),
        Some("scenario") => scenario(Path::new(&arguments[2]), number(5)),
        Some("oracles") => oracles(number(5)),
        Some("clone") => clone(),
        Some("jobs") => jobs(number(12)),
        Some(other) => panic!("no part is {other}: loop, scenarios, oracles, clone, jobs"),
        None => {
            (0..3).for_each(|_| event_loop(1_000_000));
            scenarios(5);
            oracles(5);
            clone();
            jobs(12);
        }
    }
}

/// Processor time of this thread in seconds. (Linux; elsewhere the wall clock has to do.)
fn processor_time() -> f64 {
    static BEGAN: std::sync::OnceLock<RealInstant> = std::sync::OnceLock::new();
    let began = *BEGAN.get_or_init(RealInstant::now);
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = text.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    nanos.map_or_else(|| began.elapsed().as_secs_f64(), |nanos| nanos / 1e9)
}

/// What `work` gives, and the processor time that it took.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let began = processor_time();
    let result = work();
    (result, processor_time() - began)
}

fn shipped() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("scenarios").map(|entry| entry.expect("readable").path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths
}

fn read(path: &Path) -> Arc<Scenario> {
    let text = fs::read_to_string(path).expect("a scenario");
    let name = path.file_stem().expect("a name").to_string_lossy();
    Arc::new(Scenario::read(&text, &name).expect("a good scenario"))
}

// --- The bare event loop ---

const NODES: usize = 5;
const RETRY: Duration = Duration::from_millis(100);

/// A node of the ping-pong: to each other node one request, and when to give it up.
#[derive(Clone, Default)]
struct Pinger {
    next: u64,
    pending: [(u64, Instant); NODES],
    /// When it is woken, as far as an event is scheduled for it.
    wake_at: Option<Instant>,
}

struct Loop {
    now: Instant,
    queue: Queue<Event>,
    network: Network,
    trace: Trace,
    nodes: Vec<Pinger>,
}

impl Loop {
    fn send(&mut self, from: usize, to: usize, kind: u8, id: u64) {
        let mut frame = [0u8; 32];
        frame[0] = kind;
        frame[8..16].copy_from_slice(&id.to_le_bytes());
        let Fate::Arrives { after, .. } = self.network.send(from, to, self.now, frame.len()) else {
            return;
        };
        let (sum, frame) = (checksum(0, &frame), Arc::from(frame.as_slice()));
        let event = Event::Deliver { from: from as u32, to: to as u32, sum, frame };
        self.queue.schedule(self.now + after, event);
    }

    fn request(&mut self, from: usize, to: usize) {
        let node = &mut self.nodes[from];
        node.next += 1;
        let id = node.next;
        node.pending[to] = (id, self.now + RETRY);
        self.send(from, to, 0, id);
    }

    /// As a world does it: one event for the next deadline, unless there is one that comes early enough.
    fn arm(&mut self, me: usize) {
        let node = &mut self.nodes[me];
        let others = node.pending.iter().enumerate().filter(|&(to, _)| to != me);
        let at = others.map(|(_, pending)| pending.1).min().expect("there are others");
        if node.wake_at.is_none_or(|scheduled| at < scheduled) {
            node.wake_at = Some(at);
            self.queue.schedule(at, Event::Wake { node: me as u32, boot: 0 });
        }
    }

    /// The next event; whether it was a message.
    fn step(&mut self) -> bool {
        let (at, event) = self.queue.pop().expect("there are always deadlines");
        self.now = at;
        event.trace(at, &mut self.trace);
        match event {
            Event::Deliver { from, to, frame, .. } => {
                let (from, to) = (from as usize, to as usize);
                let id = u64::from_le_bytes(frame[8..16].try_into().expect("eight bytes"));
                if frame[0] == 0 {
                    self.send(to, from, 1, id);
                } else if self.nodes[to].pending[from].0 == id {
                    self.request(to, from);
                    self.arm(to);
                }
                true
            }
            Event::Wake { node, .. } => {
                let me = node as usize;
                self.nodes[me].wake_at = None;
                for to in (0..NODES).filter(|&to| to != me) {
                    if self.nodes[me].pending[to].1 <= at {
                        self.request(me, to);
                    }
                }
                self.arm(me);
                false
            }
            _ => unreachable!("nothing else is scheduled"),
        }
    }
}

fn event_loop(messages: u64) {
    let plan = NetworkPlan {
        latency_min: Duration::from_millis(1),
        latency_max: Duration::from_millis(10),
        tail: Ppm::NEVER,
        loss: Ppm(10_000),
        duplication: Ppm::NEVER,
        shape: Shape::Uniform,
    };
    let mut world = Loop {
        now: Instant::ZERO,
        queue: Queue::default(),
        network: Network::new(plan, NODES, 1),
        trace: Trace::default(),
        nodes: vec![Pinger::default(); NODES],
    };
    let ((delivered, events), seconds) = timed(|| {
        for from in 0..NODES {
            (0..NODES).filter(|&to| to != from).for_each(|to| world.request(from, to));
            world.arm(from);
        }
        let (mut delivered, mut events) = (0, 0);
        while delivered < messages {
            delivered += u64::from(world.step());
            events += 1;
        }
        (delivered, events)
    });
    let rate = delivered as f64 / seconds;
    println!(
        "loop: {delivered} messages and {events} events in {seconds:.3} s, {rate:.0} messages/s, {:.0} : 1, trace {:016x}",
        world.now.0 as f64 / 1e9 / seconds,
        world.trace.hash()
    );
}

// --- Scenarios ---

fn scenarios(seeds: u64) {
    println!(
        "\n{:<22}{:>10}{:>12}{:>9}{:>8}{:>10}{:>9}",
        "scenario", "events/s", "messages/s", "ops/s", "seeds/s", "simulated", "peak MB"
    );
    for path in shipped() {
        let bench = std::env::current_exe().expect("a program has a file");
        let status =
            Command::new(bench).args(["scenario", &seeds.to_string()]).arg(path).status().expect("it starts");
        assert!(status.success());
    }
}

/// One row, in a process of its own.
fn scenario(path: &Path, seeds: u64) {
    let scenario = read(path);
    let (mut events, mut messages, mut operations, mut simulated) = (0, 0, 0, 0);
    let ((), seconds) = timed(|| {
        for seed in 1..=seeds {
            let ended = run::run(scenario.clone(), seed, false, &mut |_| {});
            events += ended.world.events() + ended.heals.effort().1;
            messages += ended.world.network().counts().offered;
            operations += ended.world.history().len();
            simulated += ended.world.now().0;
        }
    });
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(f64::NAN);
    println!(
        "{:<22}{:>10.0}{:>12.0}{:>9.0}{:>8.2}{:>7.0} : 1{:>7.0}",
        scenario.name,
        events as f64 / seconds,
        messages as f64 / seconds,
        operations as f64 / seconds,
        seeds as f64 / seconds,
        simulated as f64 / 1e9 / seconds,
        peak / 1024.0
    );
}

/// Shares of a run: the world alone, with audits, with copies healed, with the final checks; and with a twin.
fn oracles(seeds: u64) {
    println!("\n{:<22}{:>9}{:>9}{:>9}{:>9}{:>9}", "scenario", "world", "audits", "heals", "checks", "twin");
    for path in shipped() {
        let scenario = read(&path);
        let unhealed = {
            let mut scenario = Scenario::clone(&scenario);
            scenario.heal.every = Duration::ZERO;
            Arc::new(scenario)
        };
        let mut sums = [0.0; 5];
        for seed in 1..=seeds {
            let run = |scenario: &Arc<Scenario>, twin| run::run(scenario.clone(), seed, twin, &mut |_| {});
            let (ended, whole) = timed(|| run(&scenario, false));
            let (_, unhealed) = timed(|| run(&unhealed, false));
            let (_, twins) = timed(|| run(&scenario, true));
            let advance = |mut world: World| {
                while world.next_at().is_some_and(|at| at <= ended.world.now()) {
                    world.step();
                }
            };
            let mut unaudited = World::new(scenario.clone(), seed);
            unaudited.stop_audits();
            let ((), bare) = timed(|| advance(unaudited));
            let ((), audited) = timed(|| advance(World::new(scenario.clone(), seed)));
            let parts = [bare, audited - bare, whole - unhealed, unhealed - audited, twins];
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
        }
        let whole = sums[..4].iter().sum::<f64>();
        let [world, audits, heals, checks, twin] = sums.map(|sum| sum / whole * 100.0);
        let name = &scenario.name;
        println!("{name:<22}{world:>7.0} %{audits:>7.1} %{heals:>7.1} %{checks:>7.1} %{twin:>7.0} %");
    }
}

// --- Copies, and threads ---

/// A world of five nodes that has at least 10,000 keys.
fn large() -> World {
    let text = "[cluster]\nnodes = 5\n[run]\nduration = \"60s\"\n[clients]\ncount = 64\nkeys = 40000\n\
                think = { min = \"1ms\", max = \"5ms\" }\nmix = { put = 1 }\n";
    let mut world = World::new(Arc::new(Scenario::read(text, "large").expect("a scenario")), 1);
    let keys = |world: &World| {
        world.history().iter().map(|operation| operation.key.clone()).collect::<BTreeSet<_>>().len()
    };
    while keys(&world) < 10_000 {
        (0..50_000).for_each(|_| assert!(world.step().is_some()));
    }
    world
}

fn clone() {
    let world = large();
    // The kernel counts processor time in steps of some milliseconds, so many copies are timed together.
    const COPIES: u32 = 2_000;
    let (_, together) = timed(|| (0..COPIES).for_each(|_| drop(black_box(world.clone()))));
    // A copy shares what it can until it is written to, and pays for that then.
    let events = |mut world: World| timed(|| (0..1000).for_each(|_| assert!(world.step().is_some()))).1 * 1e3;
    let (alone, copied) = (events(large()), (0..50).map(|_| events(world.clone())).sum::<f64>() / 50.0);
    println!(
        "\nclone: {:.3} ms, dropping included; the first 1,000 events of a copy take {copied:.1} ms, and {alone:.1} ms \
         of a world that shares nothing",
        together * 1e3 / f64::from(COPIES)
    );
}

fn jobs(seeds: u64) {
    let scenario = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/partition.toml"));
    let sweep = |jobs: usize| {
        let next = AtomicU64::new(0);
        let began = RealInstant::now();
        let work = || {
            timed(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    black_box(run::run(scenario.clone(), seed, false, &mut |_| {}));
                }
            })
            .1
        };
        let processor: f64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends well")).sum()
        });
        (began.elapsed().as_secs_f64(), processor)
    };
    println!();
    for round in 1..=3 {
        let ((alone, alone_cpu), (together, together_cpu)) = (sweep(1), sweep(2));
        println!(
            "jobs, round {round}: {seeds} seeds in {alone:.1} s alone and {together:.1} s by two threads: {:.2} of \
             linear; by processor time {:.2}",
            alone / together / 2.0,
            alone_cpu / together_cpu
        );
    }
}
