//! Reading scenario files, and the command line that runs one again.

use std::fs;
use std::path::{Path, PathBuf};
use std::string::String;
use std::sync::Arc;
use std::{format, string::ToString};

use crate::cli::problem;
use crate::sim::scenario::{Regression, Scenario};

/// A scenario file that was read.
pub(super) struct Loaded {
    pub path: PathBuf,
    pub text: String,
    /// Without its table `regression`: what a run once gave is no part of the run, nor of its hashes.
    pub scenario: Arc<Scenario>,
    pub regression: Option<Regression>,
}

/// The scenario in the file, or what to print about it.
pub(super) fn scenario(path: &Path) -> Result<Loaded, String> {
    let text = text(path)?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().to_string()).unwrap_or_default();
    let mut scenario = Scenario::read(&text, &name).map_err(|wrong| {
        let path = path.display().to_string();
        problem::render(&path, &text, &wrong.message, wrong.span, wrong.allowed.as_deref())
    })?;
    let regression = scenario.regression.take();
    Ok(Loaded { path: path.into(), text, scenario: Arc::new(scenario), regression })
}

/// The text in the file, or what to print about it.
pub(super) fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| complain(path, &error))
}

/// What to print if the file at `path` cannot be read or written.
pub(super) fn complain(path: &Path, error: &std::io::Error) -> String {
    format!("kvsim: {}: {error}", path.display())
}

/// The command line that runs this again.
pub(super) fn replay_line(path: &Path, seed: u64) -> String {
    format!("kvsim run {} --seed {seed}", path.display())
}
