//! What can be typed into a scenario file. The manual's scenario reference explains each key. The JSON Schema for
//! editors (`schema.rs`) follows from these types.
//!
//! Values whose meaning is checked against others carry their place in the file (`Spanned`), so that the complaint can
//! point at them.

use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Problem;
use super::faults::typed;
use super::place::Spanned;
use super::text::{As, Hash64, split_expected};
use crate::base::rng::Ppm;
use crate::base::time::Duration;
use crate::quorum::tally::Level;

#[derive(Deserialize, JsonSchema)]
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
    pub clients: super::clients::Groups,
    #[serde(default)]
    pub fault: Vec<typed::Fault>,
    #[serde(default)]
    pub rates: BTreeMap<Spanned<String>, typed::Rate>,
    pub swarm: Option<typed::Swarm>,
    #[serde(default)]
    pub expect: super::expect::File,
    pub regression: Option<Regression>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cluster {
    pub nodes: Spanned<u16>,
    pub n: Option<Spanned<u8>>,
    pub r: Option<Spanned<As<Level>>>,
    pub w: Option<Spanned<As<Level>>>,
    pub sloppy: Option<bool>,
    pub clock_length_max: Option<u32>,
    pub zones: Option<Spanned<Vec<String>>>,
    pub capacities: Option<Spanned<Vec<u16>>>,
    pub request_timeout: Option<Spanned<As<Duration>>>,
    pub gossip_every: Option<Spanned<As<Duration>>>,
    pub suspect_after: Option<Spanned<As<Duration>>>,
    pub exchange_every: Option<Spanned<As<Duration>>>,
    pub scrub_every: Option<Spanned<As<Duration>>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    pub duration: Spanned<As<Duration>>,
    pub settle: Option<As<Duration>>,
    pub heal_every: Option<As<Duration>>,
    pub events_max: Option<u64>,
    #[serde(default)]
    pub unrestricted: bool,
}

#[derive(Default, Deserialize, JsonSchema)]
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
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Between<T> {
    pub min: T,
    pub max: T,
}

pub(super) type Spans = Spanned<Between<As<Duration>>>;

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Network {
    pub latency: Option<Spans>,
    pub tail: Option<As<Ppm>>,
    pub loss: Option<As<Ppm>>,
    pub duplication: Option<As<Ppm>>,
    pub shape: Option<Spanned<String>>,
    pub corruption: Option<As<Ppm>>,
    pub reordering: Option<Reordering>,
    pub bytes_per_second: Option<Spanned<u64>>,
}

/// A share of frames that are late by up to so much.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reordering {
    pub share: As<Ppm>,
    pub by: As<Duration>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Disk {
    pub sync: Option<Spans>,
    pub slow: Option<As<Ppm>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Clocks {
    pub offset: Option<Spanned<As<Duration>>>,
    pub drift_ppm: Option<Spanned<u32>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Regression {
    pub seed: u64,
    pub verdict: Spanned<String>,
    pub trace_hash: Option<As<Hash64>>,
    pub state_hash: Option<As<Hash64>>,
    pub recorded: Option<Recorded>,
    pub story: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Recorded {
    pub events: u64,
    pub ok: u64,
    pub rejected: u64,
    pub unknown: u64,
    pub failed: Vec<String>,
}

/// The file in `text`.
pub(super) fn read(text: &str) -> Result<File, Problem> {
    toml::from_str(text).map_err(|error| {
        let (message, allowed) = split_expected(error.message());
        Problem { message, span: error.span(), allowed }
    })
}
