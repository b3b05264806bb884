//! `kvsim`: what was typed, and what it means.

mod check;
mod load;
mod replay;
mod run;
mod sweep;

use core::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::string::String;
use std::vec::Vec;
use std::{eprintln, format};

use clap::{Args, Parser, Subcommand};

use crate::sim::check::guarantee::Guarantee;

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
    /// Run one scenario under many seeds.
    Sweep(Sweep),
    /// Run regressions (scenario files with a table `regression`), and compare with what they must give.
    Replay(Replay),
    /// Check a history (JSON lines) by itself, and say which guarantees it gives.
    Check(Check),
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
    /// Write run.json, report.txt and history.jsonl into this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Run a twin in lockstep, and name the first event at which they part.
    #[arg(long)]
    check_determinism: bool,
}

#[derive(Debug, Args)]
struct Sweep {
    /// The scenario (TOML).
    scenario: PathBuf,
    /// From A up to, but without, B.
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: Range<u64>,
    /// Threads. Without it, one for each processor.
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
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

fn seeds(text: &str) -> Result<Range<u64>, &'static str> {
    let seeds = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    seeds.filter(|seeds| !seeds.is_empty()).ok_or("two numbers such as 0..100, the second above the first")
}

/// Runs `kvsim` with the arguments of this process.
pub fn main() -> ExitCode {
    // Bad usage ends the process in here, with exit code 2.
    let result = match Typed::parse().command {
        Command::Run(typed) => run::run(&typed),
        Command::Sweep(typed) => sweep::sweep(&typed),
        Command::Replay(typed) => replay::replay(&typed),
        Command::Check(typed) => check::check(&typed),
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
}
