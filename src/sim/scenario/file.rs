//! What can be typed into a scenario file. The manual's scenario reference explains each key.
//!
//! Values whose meaning is checked against others carry their place in the file (`Spanned`), so that the complaint can
//! point at them.

use std::string::String;
use std::vec::Vec;

use serde::Deserialize;
use toml::Spanned;

use super::Problem;
use super::text::{As, Hash64, split_expected};
use crate::base::rng::Ppm;
use crate::base::time::Duration;
use crate::quorum::tally::Level;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub name: Option<String>,
    pub cluster: Cluster,
    pub run: Run,
    #[serde(default)]
    pub storage: Storage,
    #[serde(default)]
    pub network: Network,
    #[serde(default)]
    pub disk: Disk,
    #[serde(default)]
    pub clocks: Clocks,
    #[serde(default)]
    pub clients: Clients,
    #[serde(default)]
    pub fault: Vec<Fault>,
    #[serde(default)]
    pub expect: Expect,
    pub regression: Option<Regression>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cluster {
    pub nodes: Spanned<u16>,
    pub n: Option<Spanned<u8>>,
    pub r: Option<Spanned<As<Level>>>,
    pub w: Option<Spanned<As<Level>>>,
    pub sloppy: Option<bool>,
    pub zones: Option<Spanned<Vec<String>>>,
    pub capacities: Option<Spanned<Vec<u16>>>,
    pub request_timeout: Option<Spanned<As<Duration>>>,
    pub gossip_every: Option<Spanned<As<Duration>>>,
    pub suspect_after: Option<Spanned<As<Duration>>>,
    pub exchange_every: Option<Spanned<As<Duration>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    pub duration: Spanned<As<Duration>>,
    pub settle: Option<As<Duration>>,
    pub events_max: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Storage {
    pub memtable_bytes: Option<Spanned<u64>>,
    pub table_bytes: Option<Spanned<u64>>,
    pub block_bytes: Option<Spanned<u32>>,
    pub cache_bytes: Option<u64>,
    pub level0_tables: Option<Spanned<u32>>,
    pub reserve_bytes: Option<Spanned<u64>>,
}

/// From `min` to `max`, both included.
#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Between<T> {
    pub min: T,
    pub max: T,
}

pub(super) type Spans = Spanned<Between<As<Duration>>>;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Network {
    pub latency: Option<Spans>,
    pub tail: Option<As<Ppm>>,
    pub loss: Option<As<Ppm>>,
    pub duplication: Option<As<Ppm>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Disk {
    pub sync: Option<Spans>,
    pub slow: Option<As<Ppm>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Clocks {
    pub offset: Option<Spanned<As<Duration>>>,
    pub drift_ppm: Option<Spanned<u32>>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Clients {
    pub count: Option<Spanned<u32>>,
    pub keys: Option<Spanned<u64>>,
    pub start: Option<Spanned<As<Duration>>>,
    pub think: Option<Spans>,
    pub value_bytes: Option<Spanned<Between<u32>>>,
    pub timeout: Option<Spanned<As<Duration>>>,
    pub mix: Option<Spanned<Mix>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Mix {
    pub get: u32,
    pub update: u32,
    pub put: u32,
    pub add: u32,
    pub delete: u32,
}

/// One `[[fault]]`: a table with one key, the kind. (Tagged from outside, because places inside an internally tagged
/// enum are lost.)
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fault {
    Partition(Partition),
    Crash(Crash),
    Restart(Restart),
    Pause(Pause),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Partition {
    pub at: Spanned<As<Duration>>,
    #[serde(rename = "for")]
    pub lasts: Option<Spanned<As<Duration>>>,
    pub groups: Spanned<Vec<Vec<Spanned<String>>>>,
    #[serde(default)]
    pub one_way: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Crash {
    pub at: Spanned<As<Duration>>,
    pub node: Spanned<String>,
    #[serde(default)]
    pub lose: Lose,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Lose {
    #[default]
    Unsynced,
    Torn,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Restart {
    pub at: Spanned<As<Duration>>,
    pub node: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pause {
    pub at: Spanned<As<Duration>>,
    #[serde(rename = "for")]
    pub lasts: Spanned<As<Duration>>,
    pub node: Spanned<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Expect {
    pub facts: Vec<Spanned<String>>,
    pub news_rounds: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Regression {
    pub seed: u64,
    pub verdict: Spanned<String>,
    pub trace_hash: Option<As<Hash64>>,
    pub state_hash: Option<As<Hash64>>,
    pub story: String,
}

/// The file in `text`.
pub(super) fn read(text: &str) -> Result<File, Problem> {
    toml::from_str(text).map_err(|error| {
        let (message, allowed) = split_expected(error.message());
        Problem { message, span: error.span(), allowed }
    })
}
