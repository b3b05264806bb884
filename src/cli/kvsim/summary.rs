//! What many runs amount to: for a sweep, and for shards of one that are merged.

use std::collections::{BTreeMap, BTreeSet};
use std::string::{String, ToString};
use std::vec::Vec;
use std::{format, vec};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::ledger::{Head, Line, Source};
use super::record::{Fault, Record};
use crate::base::checksum::mix;
use crate::base::time::Duration;
use crate::node::fact::Fact;
use crate::sim::report::json;
use crate::sim::verdict::Verdict;

/// How many of the slowest runs are named.
const SLOWEST: usize = 3;
/// How many failures are told in full by the text. The JSON object has them all.
const TOLD: usize = 20;

/// All runs, by scenario and seed.
pub(super) struct Summary {
    pub scenarios: Vec<Source>,
    pub lines: Vec<Line>,
    /// How many runs there should be.
    planned: u64,
}

#[derive(Serialize)]
struct Object<'a> {
    scenario: String,
    /// Runs that have ended.
    seeds: u64,
    planned: u64,
    verdicts: BTreeMap<&'static str, u64>,
    /// Of all trace hashes, in the order of the runs.
    trace_hash: String,
    events: u64,
    scenarios: Vec<Part<'a>>,
    facts_never_reached: Vec<&'static str>,
    runs: Vec<&'a Record>,
}

/// One scenario.
#[derive(Serialize)]
struct Part<'a> {
    scenario: &'a str,
    path: &'a str,
    seeds: u64,
    verdicts: BTreeMap<&'static str, u64>,
    events: u64,
    faults: BTreeMap<&'a str, Fault>,
    /// Kinds of faults that had no effect in any run.
    faults_never_effective: Vec<&'a str>,
}

impl Summary {
    pub fn new(head: &Head, mut lines: Vec<Line>, planned: u64) -> Summary {
        let place =
            |line: &Line| head.scenarios.iter().position(|source| source.path == line.record.scenario);
        lines.sort_by_key(|line| (place(line), line.record.seed));
        Summary { scenarios: head.scenarios.clone(), lines, planned }
    }

    fn records(&self) -> impl Iterator<Item = &Record> {
        self.lines.iter().map(|line| &line.record)
    }

    pub fn of<'a>(&'a self, source: &'a Source) -> impl Iterator<Item = &'a Line> {
        self.lines.iter().filter(|line| line.record.scenario == source.path)
    }

    pub fn failures(&self) -> impl Iterator<Item = &Record> {
        self.records().filter(|record| !record.passed())
    }

    /// That of the worst verdict. No run at all proves nothing.
    pub fn exit_code(&self) -> u8 {
        let worst = self.records().map(|record| record.verdict).max_by_key(|verdict| verdict.severity());
        worst.unwrap_or(Verdict::Vacuous).exit_code()
    }

    fn object(&self) -> Object<'_> {
        let names: Vec<&str> = self.scenarios.iter().map(|source| source.name.as_str()).collect();
        let reached: BTreeSet<&str> =
            self.records().flat_map(|record| &record.facts).map(String::as_str).collect();
        let missed = Fact::ALL.iter().map(|fact| fact.name()).filter(|name| !reached.contains(name));
        let hash =
            |hash, record: &Record| mix(hash, u64::from_str_radix(&record.trace_hash, 16).unwrap_or(0));
        Object {
            scenario: names.join(", "),
            seeds: self.lines.len() as u64,
            planned: self.planned,
            verdicts: verdicts(self.records()),
            trace_hash: json::hash(self.records().fold(0, hash)),
            events: self.records().map(|record| record.events).sum(),
            scenarios: self.scenarios.iter().map(|source| self.part(source)).collect(),
            facts_never_reached: missed.collect(),
            runs: self.records().collect(),
        }
    }

    fn part<'a>(&'a self, source: &'a Source) -> Part<'a> {
        let records = || self.of(source).map(|line| &line.record);
        let mut faults: BTreeMap<&str, Fault> = BTreeMap::new();
        for (kind, count) in records().flat_map(|record| &record.faults) {
            let sum = faults.entry(kind).or_default();
            sum.attempted += count.attempted;
            sum.effective += count.effective;
        }
        let idle = faults.iter().filter(|(_, count)| count.effective == 0).map(|(kind, _)| *kind).collect();
        Part {
            scenario: &source.name,
            path: &source.path,
            seeds: records().count() as u64,
            verdicts: verdicts(records()),
            events: records().map(|record| record.events).sum(),
            faults_never_effective: idle,
            faults,
        }
    }

    /// One object. Nothing in it depends on the machine or the number of threads.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(&self.object()).expect("its maps have text for keys")
    }

    /// The table, and what a person should look at. Without a line break at its end.
    pub fn text(&self) -> String {
        let object = self.object();
        let mut text = table(&object);
        let mut section = |title: &str, lines: Vec<String>| {
            if !lines.is_empty() {
                text.push_str(&format!("\n\n{title}\n  {}", lines.join("\n  ")));
            }
        };
        let facts = if object.seeds == 0 { Vec::new() } else { wrapped(&object.facts_never_reached) };
        section("FACTS NEVER REACHED", facts);
        let idle = object.scenarios.iter().flat_map(|part| {
            part.faults_never_effective.iter().map(|kind| format!("{}: {kind}", part.scenario))
        });
        section("FAULTS THAT NEVER TOOK EFFECT", idle.collect());
        section("SLOWEST", self.slowest());
        let mut failures: Vec<String> = self.failures().take(TOLD).map(told).collect();
        let more = self.failures().count() - failures.len();
        if more > 0 {
            failures.push(format!("and {more} more"));
        }
        section("FAILURES", failures);
        if object.seeds < self.planned {
            text.push_str(&format!("\n\n{} of {} runs", object.seeds, self.planned));
        }
        text
    }

    fn slowest(&self) -> Vec<String> {
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by_key(|line| core::cmp::Reverse(line.wall_ns));
        let told = |line: &&Line| {
            let Record { events, replay, .. } = &line.record;
            format!("{}, {events} events: {replay}", Duration(line.wall_ns))
        };
        lines.iter().take(SLOWEST).map(told).collect()
    }
}

/// A failure, with its seed and the line that shows it again.
fn told(record: &Record) -> String {
    format!("seed {}: {}\n    {}", record.seed, record.reason, record.replay)
}

fn verdicts<'a>(records: impl Iterator<Item = &'a Record>) -> BTreeMap<&'static str, u64> {
    let mut verdicts = BTreeMap::new();
    for record in records {
        *verdicts.entry(record.verdict.name()).or_insert(0) += 1;
    }
    verdicts
}

/// One row for each scenario, one column for each verdict that occurred.
fn table(object: &Object) -> String {
    let occurred: Vec<&str> = Verdict::ALL
        .map(Verdict::name)
        .into_iter()
        .filter(|name| object.verdicts.contains_key(name))
        .collect();
    let mut table = Table::new();
    let header = ["scenario", "runs", "events"].into_iter().chain(occurred.iter().copied());
    table.load_style(presets::NOTHING).set_header(header);
    let row = |name: &str, seeds: u64, events: u64, verdicts: &BTreeMap<&'static str, u64>| {
        let counts = occurred.iter().map(|verdict| verdicts.get(verdict).map_or("-".into(), u64::to_string));
        vec![name.to_string(), seeds.to_string(), events.to_string()]
            .into_iter()
            .chain(counts)
            .collect::<Vec<_>>()
    };
    for part in &object.scenarios {
        table.add_row(row(part.scenario, part.seeds, part.events, &part.verdicts));
    }
    if object.scenarios.len() > 1 {
        table.add_row(row("all", object.seeds, object.events, &object.verdicts));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{}\n\ntraces {}", table.trim_fmt(), object.trace_hash)
}

/// Names in lines of some length.
fn wrapped(names: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for name in names {
        match lines.last_mut().filter(|line| line.len() + name.len() < 96) {
            Some(line) => line.push_str(&format!(", {name}")),
            None => lines.push((*name).into()),
        }
    }
    lines
}
