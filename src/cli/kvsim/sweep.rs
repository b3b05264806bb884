//! `kvsim sweep`: one scenario, many seeds, all processors. Every run is a world of its own, so that the number of
//! threads changes nothing but the time it takes.

use std::collections::BTreeMap;
use std::string::String;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::vec::Vec;
use std::{format, println, thread};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{Sweep, load};
use crate::base::checksum::mix;
use crate::sim::report::{json, text};
use crate::sim::run;
use crate::sim::scenario::Scenario;
use crate::sim::verdict::Verdict;

/// What is kept of one run.
#[derive(Serialize)]
struct Seed {
    seed: u64,
    verdict: &'static str,
    reason: String,
    trace_hash: String,
    state_hash: String,
    events: u64,
    replay: String,
    #[serde(skip)]
    outcome: (Verdict, u64),
}

#[derive(Serialize)]
struct Object<'a> {
    scenario: &'a str,
    seeds: u64,
    verdicts: BTreeMap<&'static str, u64>,
    /// Of all trace hashes, in the order of the seeds.
    trace_hash: String,
    events: u64,
    runs: &'a [Seed],
}

pub(super) fn sweep(typed: &Sweep) -> Result<u8, String> {
    let scenario = load::scenario(&typed.scenario)?;
    let jobs = match typed.jobs {
        Some(jobs) => usize::from(jobs),
        None => thread::available_parallelism().map_or(1, usize::from),
    };
    let runs = run_all(typed, &scenario, jobs);
    let worst = runs.iter().map(|run| run.outcome.0).max_by_key(|verdict| verdict.severity());
    let mut verdicts = BTreeMap::new();
    for run in &runs {
        *verdicts.entry(run.verdict).or_insert(0) += 1;
    }
    let object = Object {
        scenario: &scenario.name,
        seeds: runs.len() as u64,
        verdicts,
        trace_hash: json::hash(runs.iter().fold(0, |hash, run| mix(hash, run.outcome.1))),
        events: runs.iter().map(|run| run.events).sum(),
        runs: &runs,
    };
    if typed.json {
        println!("{}", serde_json::to_string_pretty(&object).expect("its maps have text for keys"));
    } else {
        println!("{}", table(&object));
    }
    Ok(worst.map_or(0, Verdict::exit_code))
}

/// All runs, in the order of their seeds.
fn run_all(typed: &Sweep, scenario: &Arc<Scenario>, jobs: usize) -> Vec<Seed> {
    let next = AtomicU64::new(typed.seeds.start);
    let done = Mutex::new(Vec::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            // The counter passes the end once for each thread, and may wrap after the last seed there is.
            if !typed.seeds.contains(&seed) {
                return;
            }
            let run = run_one(typed, scenario, seed);
            done.lock().expect("a panic of a run is caught inside it").push(run);
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(work);
        }
    });
    let mut runs = done.into_inner().expect("all threads have ended well");
    runs.sort_by_key(|run| run.seed);
    runs
}

fn run_one(typed: &Sweep, scenario: &Arc<Scenario>, seed: u64) -> Seed {
    let ended = run::run(scenario.clone(), seed, false, &mut |_| {});
    Seed {
        seed,
        verdict: ended.verdict.name(),
        reason: if ended.verdict == Verdict::Pass { String::new() } else { text::verdict(&ended) },
        trace_hash: json::hash(ended.world.trace_hash()),
        state_hash: json::hash(ended.state_hash),
        events: ended.world.events(),
        replay: load::replay_line(&typed.scenario, seed),
        outcome: (ended.verdict, ended.world.trace_hash()),
    }
}

fn table(object: &Object) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["verdict", "seeds"]);
    for (verdict, seeds) in &object.verdicts {
        table.add_row([String::from(*verdict), format!("{seeds}")]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = format!("{}: {} seeds, {} events\n\n", object.scenario, object.seeds, object.events);
    text.push_str(&format!("{}\n\ntraces  {}", table.trim_fmt(), object.trace_hash));
    for run in object.runs.iter().filter(|run| run.outcome.0 != Verdict::Pass) {
        text.push_str(&format!("\n\nseed {}: {}\n  {}", run.seed, run.reason, run.replay));
    }
    text
}
