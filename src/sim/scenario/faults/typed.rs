//! What can be typed about faults.

use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::file::{Between, Spans};
use super::super::place::Spanned;
use super::super::text::As;
use crate::base::rng::Ppm;
use crate::base::time::Duration;

type Time = Spanned<As<Duration>>;
type Share = Spanned<As<Ppm>>;
type Names = Vec<Spanned<String>>;

/// One `[[fault]]`: a table with one key, the kind. (Tagged from outside, because places inside an internally tagged
/// enum are lost.)
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::sim::scenario) enum Fault {
    Partition(Partition),
    Delay(Delay),
    Loss(Shared),
    Duplication(Shared),
    Corruption(Shared),
    Reordering(Reordering),
    Bandwidth(Bandwidth),
    Clog(Clog),
    Crash(Crash),
    Restart(Restart),
    Rolling(Rolling),
    Pause(OfNode),
    Slow(Factor),
    Queue(Queue),
    Stall(OfNode),
    Lag(Factor),
    Error(Failing),
    Full(Full),
    Unreadable(Unreadable),
    Rot(Rot),
    LostWrite(LostWrite),
    Misdirect(Misdirect),
    Swap(Swap),
    Wipe(OfNode),
    Restore(Restore),
    Clock(Box<Clock>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Partition {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub groups: Option<Spanned<Vec<Names>>>,
    pub zones: Option<Spanned<Vec<Names>>>,
    #[serde(default)]
    pub one_way: bool,
    #[serde(default)]
    pub partial: bool,
    pub flap: Option<Spanned<Flap>>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Flap {
    pub cut: As<Duration>,
    pub whole: As<Duration>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Delay {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub from: Option<Names>,
    pub to: Option<Names>,
    pub by: Spans,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Shared {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub from: Option<Names>,
    pub to: Option<Names>,
    pub share: Share,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Reordering {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub from: Option<Names>,
    pub to: Option<Names>,
    pub share: Share,
    pub by: Time,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Bandwidth {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub from: Option<Names>,
    pub to: Option<Names>,
    pub bytes_per_second: Spanned<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Clog {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub from: Option<Names>,
    pub to: Option<Names>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Crash {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub node: Spanned<String>,
    #[serde(default)]
    pub lose: Lose,
    #[serde(default)]
    pub on: On,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::sim::scenario) enum Lose {
    #[default]
    Unsynced,
    Torn,
    Nothing,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::sim::scenario) enum On {
    #[default]
    Sync,
    Event,
    Disk,
    Job,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Restart {
    pub at: Time,
    pub node: Spanned<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Rolling {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Time,
    pub every: Time,
    pub nodes: Option<Names>,
    #[serde(default)]
    pub lose: Lose,
    #[serde(default)]
    pub on: On,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct OfNode {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub node: Spanned<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Factor {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub node: Spanned<String>,
    pub factor: Spanned<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Queue {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub node: Spanned<String>,
    pub limit: Spanned<u32>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Failing {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub node: Spanned<String>,
    pub on: Asked,
    pub share: Share,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::sim::scenario) enum Asked {
    Read,
    Write,
    Sync,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Full {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub node: Spanned<String>,
    #[serde(default)]
    pub free: u64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Unreadable {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub node: Spanned<String>,
    pub sectors: Option<Spanned<u32>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Rot {
    pub at: Time,
    pub node: Spanned<String>,
    pub bits: Option<Spanned<u32>>,
    #[serde(default)]
    pub files: Files,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct LostWrite {
    pub at: Time,
    pub node: Spanned<String>,
    pub sectors: Option<Spanned<u32>>,
    #[serde(default)]
    pub files: Files,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Misdirect {
    pub at: Time,
    pub node: Spanned<String>,
    #[serde(default)]
    pub files: Files,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::sim::scenario) enum Files {
    #[default]
    Tables,
    Any,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Swap {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub nodes: Spanned<Names>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Restore {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub node: Spanned<String>,
    pub age: Time,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Clock {
    pub at: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Time>,
    pub node: Spanned<String>,
    #[serde(default)]
    pub clock: Which,
    pub offset: Option<Spanned<String>>,
    pub jump: Option<Spanned<String>>,
    pub drift_ppm: Option<Spanned<i32>>,
    #[serde(default)]
    pub freeze: bool,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(in crate::sim::scenario) enum Which {
    #[default]
    Wall,
    Mono,
}

/// An entry of `[rates]`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Rate {
    pub every: Time,
    #[serde(rename = "for")]
    pub lasts: Option<Spanned<Between<As<Duration>>>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::sim::scenario) struct Swarm {
    pub kinds: Option<Names>,
    #[serde(default)]
    pub without: Names,
}
