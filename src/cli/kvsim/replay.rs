//! `kvsim replay`: regressions. Each is a scenario file that says with which seed it once failed, and what it must
//! give.

use std::fs;
use std::path::{Path, PathBuf};
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;
use std::{format, println};

use super::{Replay, load};
use crate::sim::report::{json, text};
use crate::sim::run::{self, Ended};
use crate::sim::scenario::{Regression, Scenario};

pub(super) fn replay(typed: &Replay) -> Result<u8, String> {
    let mut paths = Vec::new();
    for path in &typed.paths {
        collect(path, &mut paths)?;
    }
    // All files are read before the first runs: a bad one is told at once.
    let mut regressions = Vec::new();
    for path in paths {
        let scenario = load::scenario(&path)?;
        let Some(regression) = scenario.regression.clone() else {
            return Err(format!("kvsim: {}: a regression has a [regression] table", path.display()));
        };
        regressions.push((path, scenario, regression));
    }
    let mut failed = 0;
    for (path, scenario, regression) in &regressions {
        failed += usize::from(!replay_one(path, scenario, regression));
    }
    println!("{} regressions, {failed} not as expected", regressions.len());
    Ok(u8::from(failed > 0))
}

/// Runs one, and says whether it gave what it must.
fn replay_one(path: &Path, scenario: &Arc<Scenario>, regression: &Regression) -> bool {
    let ended = run::run(scenario.clone(), regression.seed, false, &mut |_| {});
    let differences = differences(&ended, regression);
    let word = if differences.is_empty() { "ok  " } else { "FAIL" };
    println!("{word} {} (seed {}): {}", path.display(), regression.seed, regression.story);
    for difference in &differences {
        println!("     {difference}");
    }
    if !differences.is_empty() {
        println!("     {}", text::verdict(&ended));
        println!("     {}", load::replay_line(path, regression.seed));
    }
    differences.is_empty()
}

fn differences(ended: &Ended, regression: &Regression) -> Vec<String> {
    let mut differences = Vec::new();
    if ended.verdict != regression.verdict {
        differences.push(format!("expected {}, got {}", regression.verdict, ended.verdict));
    }
    for (name, expected, got) in [
        ("trace hash", regression.trace_hash, ended.world.trace_hash()),
        ("state hash", regression.state_hash, ended.state_hash),
    ] {
        if let Some(expected) = expected.filter(|expected| *expected != got) {
            differences.push(format!("expected {name} {}, got {}", json::hash(expected), json::hash(got)));
        }
    }
    differences
}

/// The file, or all scenario files in the folder and below, in the order of their names.
fn collect(path: &Path, into: &mut Vec<PathBuf>) -> Result<(), String> {
    if !path.is_dir() {
        into.push(path.into());
        return Ok(());
    }
    let complain = |error: std::io::Error| format!("kvsim: {}: {error}", path.display());
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
