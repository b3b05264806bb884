//! `kvsim sweep`: several scenarios, many seeds, all processors. Every run is a world of its own, so that the number of
//! threads changes nothing but the time it takes.

use std::collections::BTreeSet;
use std::string::String;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::vec::Vec;
use std::{eprintln, format, thread};

use indicatif::{ProgressBar, ProgressStyle};

use super::ledger::{Head, Ledger, Line};
use super::load::{self, Loaded};
use super::record::Record;
use super::summary::Summary;
use super::{Sweep, ci, save};
use crate::sim::run;

pub(super) fn sweep(typed: &Sweep) -> Result<u8, String> {
    let scenarios: Vec<Loaded> =
        typed.scenarios.iter().map(|path| load::scenario(path)).collect::<Result<_, _>>()?;
    let plan = Plan::new(typed, scenarios.len());
    if plan.runs() == 0 {
        return Err(format!("kvsim: shard {}/{} has no seed", plan.shard, plan.shards));
    }
    let head = Head::new(&scenarios, typed.seeds.clone(), typed.shard)?;
    let path = typed.results.clone().unwrap_or_else(|| head.default_path());
    let (ledger, lines) = match typed.resume {
        true => Ledger::resume(&path, &head)?,
        false => (Ledger::create(&path, &head)?, Vec::new()),
    };
    let mut lines = run_all(typed, &plan, &scenarios, (ledger, lines))?;
    if typed.fail_fast {
        plan.cut(&mut lines, &head);
    }
    let summary = Summary::new(&head, lines, plan.runs());
    if let Some(path) = &typed.junit {
        ci::write_junit(path, &summary)?;
    }
    if typed.json {
        say!("{}", summary.json());
    } else {
        say!("{}", summary.text());
        say!("\nresults {}", path.display());
        ci::annotate(&summary);
    }
    if typed.save {
        save_first_of_each_kind(&summary, &scenarios);
    }
    Ok(summary.exit_code())
}

/// Which runs there are, and in which order they begin: seed by seed, each with all scenarios, so that a sweep that
/// ends early has tried them all.
struct Plan {
    scenarios: u64,
    first: u64,
    seeds: u64,
    /// From 1.
    shard: u64,
    shards: u64,
}

impl Plan {
    fn new(typed: &Sweep, scenarios: usize) -> Plan {
        let (shard, shards) = typed.shard;
        let all = typed.seeds.end - typed.seeds.start;
        let seeds = all.saturating_sub(shard - 1).div_ceil(shards);
        Plan { scenarios: scenarios as u64, first: typed.seeds.start, seeds, shard, shards }
    }

    fn runs(&self) -> u64 {
        self.seeds.saturating_mul(self.scenarios)
    }

    /// Scenario and seed of a run.
    fn run(&self, place: u64) -> (usize, u64) {
        let seed = self.first + self.shard - 1 + place / self.scenarios * self.shards;
        ((place % self.scenarios) as usize, seed)
    }

    /// Where a run has its place.
    fn place(&self, head: &Head, record: &Record) -> Option<u64> {
        let scenario = head.scenarios.iter().position(|source| source.path == record.scenario)? as u64;
        Some((record.seed - self.first) / self.shards * self.scenarios + scenario)
    }

    /// Drops what comes after the first failure: how much of it has run depends on the number of threads.
    fn cut(&self, lines: &mut Vec<Line>, head: &Head) {
        let place = |line: &Line| self.place(head, &line.record);
        if let Some(first) = lines.iter().filter(|line| !line.record.passed()).map(place).min() {
            lines.retain(|line| place(line) <= first);
        }
    }
}

/// What the threads of a sweep share.
struct Shared {
    ledger: Ledger,
    lines: Vec<Line>,
    failures: u64,
    /// The ledger could not be written.
    broken: Option<String>,
}

/// Runs what is not in the ledger yet.
fn run_all(
    typed: &Sweep,
    plan: &Plan,
    scenarios: &[Loaded],
    (ledger, lines): (Ledger, Vec<Line>),
) -> Result<Vec<Line>, String> {
    let done: BTreeSet<(String, u64)> =
        lines.iter().map(|line| (line.record.scenario.clone(), line.record.seed)).collect();
    let failures = lines.iter().filter(|line| !line.record.passed()).count() as u64;
    let bar = progress_bar(plan.runs(), lines.len() as u64);
    let stop = AtomicBool::new(typed.fail_fast && failures > 0);
    let shared = Mutex::new(Shared { ledger, lines, failures, broken: None });
    let next = AtomicU64::new(0);
    let began = Instant::now();
    let work = || {
        loop {
            let late = typed.time.is_some_and(|time| began.elapsed() >= Duration::from_nanos(time.0));
            if late || stop.load(Ordering::Relaxed) {
                return;
            }
            // The counter passes the end once for each thread.
            let place = next.fetch_add(1, Ordering::Relaxed);
            if place >= plan.runs() {
                return;
            }
            let (scenario, seed) = plan.run(place);
            let loaded = &scenarios[scenario];
            if done.contains(&(format!("{}", loaded.path.display()), seed)) {
                continue;
            }
            let line = run_one(loaded, seed);
            let mut shared = shared.lock().expect("a panic of a run is caught inside it");
            shared.failures += u64::from(!line.record.passed());
            if let Err(complaint) = shared.ledger.append(&line) {
                shared.broken = Some(complaint);
            }
            if shared.broken.is_some() || typed.fail_fast && shared.failures > 0 {
                stop.store(true, Ordering::Relaxed);
            }
            shared.lines.push(line);
            bar.set_message(format!("{} failed", shared.failures));
            bar.inc(1);
        }
    };
    let jobs = match typed.jobs {
        Some(jobs) => usize::from(jobs),
        None => thread::available_parallelism().map_or(1, usize::from),
    };
    thread::scope(|scope| (0..jobs).for_each(|_| drop(scope.spawn(work))));
    bar.finish_and_clear();
    let shared = shared.into_inner().expect("all threads have ended well");
    shared.broken.map_or(Ok(shared.lines), Err)
}

fn run_one(loaded: &Loaded, seed: u64) -> Line {
    let began = Instant::now();
    let ended = run::run(loaded.scenario.clone(), seed, false, &mut |_| {});
    let wall_ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    Line { record: Record::new(loaded, &ended), wall_ns }
}

/// On standard error, and only if that is a terminal.
fn progress_bar(runs: u64, done: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} runs, {per_sec}, {msg}, {eta} left");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(runs).with_style(style).with_message("0 failed").with_position(done)
}

/// One file for each scenario and verdict: a sweep may fail a thousand times for one reason.
fn save_first_of_each_kind(summary: &Summary, scenarios: &[Loaded]) {
    let mut saved = BTreeSet::new();
    for record in summary.failures() {
        let loaded = scenarios.iter().find(|loaded| format!("{}", loaded.path.display()) == record.scenario);
        if let Some(loaded) = loaded.filter(|_| saved.insert((&record.scenario, record.verdict))) {
            match save::save(loaded, record) {
                Ok(path) => eprintln!("saved {}", path.display()),
                Err(complaint) => eprintln!("{complaint}"),
            }
        }
    }
}
