//! `kvsim`: what was typed, and what it means.

mod check;
mod ci;
mod ledger;
mod load;
mod merge;
mod record;
mod replay;
mod run;
mod save;
mod scenarios;
mod summary;
mod sweep;

use core::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::string::String;
use std::vec::Vec;
use std::{eprintln, format};

use clap::{Args, Parser, Subcommand};

use crate::base::time::Duration;
use crate::sim::check::guarantee::Guarantee;
use crate::sim::scenario::parse_span;

/// Bad usage, a bad scenario file, or a file that cannot be read or written.
const BAD_INPUT: u8 = 2;

/// Runs a whole cluster in virtual time, injects faults that a seed decides, and checks every promise.
///
/// Exit codes: 0 pass; 1 safety or liveness; 2 bad usage or a bad file; 3 nondeterminism; 4 vacuous; 5 budget.
#[derive(Debug, Parser)]
#[command(name = "kvsim", version, arg_required_else_help = true)]
struct Typed {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run one scenario under one seed, and tell what happened.
    Run(Run),
    /// Run scenarios under many seeds.
    Sweep(Sweep),
    /// Join the results of shards of a sweep, run anywhere.
    Merge(Merge),
    /// Run regressions (scenario files with a table `regression`), and say whether they still give what they gave.
    Replay(Replay),
    /// Check a history (JSON lines) by itself, and say which guarantees it gives.
    Check(Check),
    /// Write a commented scenario that passes, to begin with.
    New(New),
    /// Show scenarios, and what each proves.
    List(List),
    /// Print the JSON Schema of scenario files, for editors.
    Schema,
}

#[derive(Debug, Args)]
struct Run {
    /// The scenario (TOML).
    scenario: PathBuf,
    /// What all chance is drawn from.
    #[arg(long, value_name = "N")]
    seed: u64,
    /// Print one JSON object instead of a report.
    #[arg(long)]
    json: bool,
    /// Write the report as one self-contained page for a browser.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write run.json, report.txt and history.jsonl into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// If it fails, write a regression file into sim-results/regressions.
    #[arg(long)]
    save: bool,
    /// Run a twin in lockstep, and name the first event at which they part.
    #[arg(long)]
    check_determinism: bool,
}

#[derive(Debug, Args)]
struct Sweep {
    /// The scenarios (TOML).
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
    /// From A up to, but without, B.
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: Range<u64>,
    /// Threads. Without it, one for each processor.
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Begin no run after this time, such as 90s or 10m.
    #[arg(long, value_name = "TIME", value_parser = span)]
    time: Option<Duration>,
    /// End with the first failure.
    #[arg(long)]
    fail_fast: bool,
    /// Only part I of N, from 1/N to N/N: every Nth seed.
    #[arg(long, value_name = "I/N", value_parser = shard, default_value = "1/1")]
    shard: (u64, u64),
    /// Where each run is written as it ends. Without it, a file for this sweep in sim-results/runs.
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Go on with what an earlier sweep, killed or out of time, has written there.
    #[arg(long)]
    resume: bool,
    /// Write a regression file into sim-results/regressions for the first failure of each scenario and verdict.
    #[arg(long)]
    save: bool,
    /// Write JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Merge {
    /// What `kvsim sweep --shard I/N --results FILE` wrote.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write JUnit XML.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Replay {
    /// Regression files, or folders of them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct Check {
    /// The history, one operation on each line.
    history: PathBuf,
    /// The cluster's name, to which its context tokens are bound.
    #[arg(long, value_name = "NAME", default_value = crate::sim::scenario::CLUSTER)]
    cluster: String,
    /// The history is of a cluster in which R + W is not above N: a read need not know earlier writes.
    #[arg(long)]
    eventual: bool,
    /// A guarantee that must hold, or the exit code is 1. May be given several times.
    #[arg(long, value_name = "GUARANTEE", value_parser = check::guarantee)]
    holds: Vec<Guarantee>,
    /// Print one JSON object instead of a report.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct New {
    /// A name, for a file in the folder `scenarios`; or a path.
    name: PathBuf,
}

#[derive(Debug, Args)]
struct List {
    /// Scenario files, or folders of them. Without any, the folder `scenarios`.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print a JSON array instead of a table.
    #[arg(long)]
    json: bool,
}

fn seeds(text: &str) -> Result<Range<u64>, &'static str> {
    let seeds = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    seeds.filter(|seeds| !seeds.is_empty()).ok_or("two numbers such as 0..100, the second above the first")
}

fn shard(text: &str) -> Result<(u64, u64), &'static str> {
    let shard = text.split_once('/').and_then(|(this, all)| Some((this.parse().ok()?, all.parse().ok()?)));
    shard.filter(|(this, all)| (1..=*all).contains(this)).ok_or("two numbers such as 1/4, from 1/4 to 4/4")
}

fn span(text: &str) -> Result<Duration, &'static str> {
    parse_span(text).ok_or("a whole number and a unit, such as 90s or 10m")
}

/// Runs `kvsim` with the arguments of this process.
pub fn main() -> ExitCode {
    // Bad usage ends the process in here, with exit code 2.
    let result = match Typed::parse().command {
        Command::Run(typed) => run::run(&typed),
        Command::Sweep(typed) => sweep::sweep(&typed),
        Command::Merge(typed) => merge::merge(&typed),
        Command::Replay(typed) => replay::replay(&typed),
        Command::Check(typed) => check::check(&typed),
        Command::New(typed) => scenarios::new(&typed),
        Command::List(typed) => scenarios::list(&typed),
        Command::Schema => scenarios::schema(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(complaint) => {
            eprintln!("{complaint}");
            ExitCode::from(BAD_INPUT)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        <Typed as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn seeds_are_a_range_that_is_not_empty() {
        assert_eq!(seeds("3..7"), Ok(3..7));
        for bad in ["", "3", "7..3", "3..3", "a..b", "-1..3", "3...7"] {
            assert!(seeds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_shard_is_one_of_those_there_are() {
        assert_eq!((shard("1/1"), shard("3/4")), (Ok((1, 1)), Ok((3, 4))));
        for bad in ["", "1", "0/4", "5/4", "1/0", "a/4", "1/4/2"] {
            assert!(shard(bad).is_err(), "{bad}");
        }
    }
}
