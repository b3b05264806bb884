//! The report for tools: one JSON object. Fields are only ever added.

use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use serde::Serialize;

use super::Setting;
use super::stats::{self, Classes};
use crate::sim::percentiles;
use crate::sim::run::Ended;

#[derive(Serialize)]
struct Object<'a> {
    scenario: &'a str,
    seed: u64,
    verdict: &'static str,
    reasons: &'a [String],
    trace_hash: String,
    state_hash: String,
    events: u64,
    messages: u64,
    sim_ns: u64,
    wall_ns: u64,
    nodes: u64,
    ops: Ops,
    latency_ns: BTreeMap<&'static str, Percentiles>,
    staleness: Option<Staleness>,
    faults: Vec<Fault>,
    drawn: Vec<Drawn<'a>>,
    facts: BTreeMap<&'static str, u64>,
    checks: Vec<Check<'a>>,
    replay: &'a str,
}

#[derive(Serialize)]
struct Ops {
    ok: u64,
    rejected: u64,
    unknown: u64,
}

#[derive(Serialize)]
struct Staleness {
    reads: u64,
    stale: u64,
    versions: Percentiles,
    ns: Percentiles,
}

/// By name.
type Percentiles = BTreeMap<&'static str, u64>;

#[derive(Serialize)]
struct Fault {
    kind: &'static str,
    attempted: u64,
    effective: u64,
    refused: u64,
}

/// Something that the seed decided.
#[derive(Serialize)]
struct Drawn<'a> {
    name: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct Check<'a> {
    name: &'static str,
    ok: bool,
    detail: &'a str,
}

/// A hash as all reports print it.
pub fn hash(hash: u64) -> String {
    format!("{hash:016x}")
}

/// The object, on several lines.
pub fn render(ended: &Ended, setting: &Setting) -> String {
    let world = &ended.world;
    let Classes { ok, rejected, unknown } = Classes::of(world.history());
    let named = |of: percentiles::Percentiles| of.named().into();
    let kinds = stats::by_kind(world);
    let object = Object {
        scenario: &world.scenario().name,
        seed: ended.seed,
        verdict: ended.verdict.name(),
        reasons: &ended.reasons,
        trace_hash: hash(world.trace_hash()),
        state_hash: hash(ended.state_hash),
        events: world.events(),
        messages: world.network().counts().offered,
        sim_ns: world.now().0,
        wall_ns: setting.wall_ns,
        nodes: world.scenario().nodes.len() as u64,
        ops: Ops { ok, rejected, unknown },
        latency_ns: kinds.iter().filter_map(|of| Some((of.kind.name(), named(of.latency?)))).collect(),
        staleness: stats::staleness(world).map(|of| Staleness {
            reads: of.reads,
            stale: of.stale,
            versions: named(of.versions),
            ns: named(of.nanos),
        }),
        faults: stats::faults(world)
            .into_iter()
            .map(|stats::FaultCount { kind, attempted, effective, refused }| Fault {
                kind,
                attempted,
                effective,
                refused,
            })
            .collect(),
        drawn: world.drawn().iter().map(|drawn| Drawn { name: &drawn.name, value: &drawn.value }).collect(),
        facts: world.facts().filter(|fact| fact.1 > 0).map(|(fact, count)| (fact.name(), count)).collect(),
        checks: ended
            .checks
            .iter()
            .map(|check| Check { name: check.name, ok: check.ok, detail: &check.detail })
            .collect(),
        replay: &setting.replay,
    };
    serde_json::to_string_pretty(&object).expect("its maps have text for keys")
}
