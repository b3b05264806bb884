//! The simulator as its users meet it: worlds that can be run twice and cloned, files with mistakes, and the command
//! line.

mod command;
mod damage;
mod faults;
mod problems;
mod pruning;
mod regressions;
mod scenarios;
mod sweeps;
mod twins;
mod worlds;

use std::path::PathBuf;

/// A file of these tests.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sim").join(name)
}
