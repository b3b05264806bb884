//! `kvsim replay`: regressions. Each is a scenario file that says with which seed it once failed, and what it must
//! give.
//!
//! The verdict must be the one recorded. Hashes and counts are told, and no more: any change of the core changes them.

use std::format;
use std::fs;
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;

use super::Replay;
use super::load::{self, Loaded};
use super::record::{Ops, Record};
use crate::sim::report::json;
use crate::sim::run;
use crate::sim::scenario::{Recorded, Regression};
use crate::sim::verdict::Verdict;

pub(super) fn replay(typed: &Replay) -> Result<u8, String> {
    let mut paths = Vec::new();
    for path in &typed.paths {
        collect(path, &mut paths)?;
    }
    // All files are read before the first runs: a bad one is told at once.
    let mut regressions = Vec::new();
    for path in paths {
        let mut loaded = load::scenario(&path)?;
        let Some(regression) = loaded.regression.take() else {
            return Err(format!("kvsim: {}: a regression has a [regression] table", path.display()));
        };
        regressions.push((loaded, regression));
    }
    let mut failed = 0;
    for (loaded, regression) in &regressions {
        failed += usize::from(!replay_one(loaded, regression));
    }
    say!("{} regressions, {failed} not as expected", regressions.len());
    Ok(u8::from(failed > 0))
}

/// Runs one, and says whether it gave what it must.
fn replay_one(loaded: &Loaded, regression: &Regression) -> bool {
    let ended = run::run(loaded.scenario.clone(), regression.seed, false, &mut |_| {});
    let now = Record::new(loaded, &ended);
    let as_expected = now.verdict == regression.verdict;
    let word = if as_expected { "ok  " } else { "FAIL" };
    say!("{word} {} (seed {}): {}", loaded.path.display(), regression.seed, regression.story);
    say!("     {}", outcome(&now, regression));
    for change in changes(&now, regression) {
        say!("     {change}");
    }
    if !as_expected {
        if !now.passed() {
            say!("     {}", now.reason);
        }
        say!("     {}", now.replay);
    }
    as_expected
}

/// The verdict, against the one recorded.
fn outcome(now: &Record, regression: &Regression) -> String {
    let (is, was) = (now.verdict, regression.verdict);
    let hashes = [(regression.trace_hash, &now.trace_hash), (regression.state_hash, &now.state_hash)];
    let recorded = hashes.iter().any(|(was, _)| was.is_some());
    let differs = hashes.iter().any(|(was, is)| was.is_some_and(|was| json::hash(was) != **is));
    let run = match (recorded, differs) {
        (false, _) => "",
        (true, true) => ", but the run differs",
        (true, false) => ", and the run is the one recorded",
    };
    match (is, was) {
        _ if is == was && is == Verdict::Pass => format!("still fixed{run}"),
        _ if is == was => format!("still failing ({is}){run}"),
        (Verdict::Pass, _) => {
            format!("expected {was}, got pass: if that is a fix, make the verdict in the file \"pass\"")
        }
        (_, Verdict::Pass) => format!("expected pass, got {is}: it fails again"),
        _ => format!("expected {was}, got {is}: it fails in another way"),
    }
}

/// What differs from the run recorded, in words.
fn changes(now: &Record, regression: &Regression) -> Vec<String> {
    let mut changes = Vec::new();
    for (name, was, is) in
        [("trace", regression.trace_hash, &now.trace_hash), ("state", regression.state_hash, &now.state_hash)]
    {
        if let Some(was) = was.map(json::hash).filter(|was| was != is) {
            changes.push(format!("{name} hash: {was} then, {is} now"));
        }
    }
    let Some(Recorded { events, ok, rejected, unknown, failed }) = &regression.recorded else {
        return changes;
    };
    let Ops { ok: ok_now, rejected: rejected_now, unknown: unknown_now } = now.ops;
    for (name, was, is) in [
        ("events", *events, now.events),
        ("operations ok", *ok, ok_now),
        ("operations rejected", *rejected, rejected_now),
        ("operations unknown", *unknown, unknown_now),
    ] {
        if was != is {
            changes.push(format!("{name}: {was} then, {is} now"));
        }
    }
    for check in failed.iter().filter(|check| !now.failed.contains(check)) {
        changes.push(format!("check {check}: failed then, does not now"));
    }
    for check in now.failed.iter().filter(|check| !failed.contains(check)) {
        changes.push(format!("check {check}: did not fail then, does now"));
    }
    changes
}

/// The file, or all scenario files in the folder and below, in the order of their names.
pub(super) fn collect(path: &Path, into: &mut Vec<PathBuf>) -> Result<(), String> {
    if !path.is_dir() {
        into.push(path.into());
        return Ok(());
    }
    let complain = |error: std::io::Error| load::complain(path, &error);
    let entries: Result<Vec<_>, _> = fs::read_dir(path).map_err(complain)?.collect();
    let mut inside: Vec<PathBuf> = entries.map_err(complain)?.into_iter().map(|entry| entry.path()).collect();
    inside.sort();
    for path in inside {
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "toml") {
            collect(&path, into)?;
        }
    }
    Ok(())
}
