//! Reading scenario files, and the command line that runs one again.

use std::fs;
use std::path::Path;
use std::string::String;
use std::sync::Arc;
use std::{format, string::ToString};

use crate::cli::problem;
use crate::sim::scenario::Scenario;

/// The scenario in the file, or what to print about it.
pub(super) fn scenario(path: &Path) -> Result<Arc<Scenario>, String> {
    let text = text(path)?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().to_string()).unwrap_or_default();
    Scenario::read(&text, &name).map(Arc::new).map_err(|wrong| {
        let path = path.display().to_string();
        problem::render(&path, &text, &wrong.message, wrong.span, wrong.allowed.as_deref())
    })
}

/// The text in the file, or what to print about it.
pub(super) fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("kvsim: {}: {error}", path.display()))
}

/// The command line that runs this again.
pub(super) fn replay_line(path: &Path, seed: u64) -> String {
    format!("kvsim run {} --seed {seed}", path.display())
}
