//! What must hold after a run. Each check has a file and a promise, and says by name what broke it.
//!
//! [`recency`], [`siblings`], [`types`] and [`provenance`] judge what clients saw, and need nothing but a history
//! (three of them also look at what the nodes hold in the end); [`durable`], [`converge`], [`placement`] and [`hints`]
//! compare it with what the nodes hold in the end, and [`storage`] looks at their disks. These every run must pass.
//! [`levels`] weighs what acknowledgements say.
//! What depends on the quorums and on what clients do is a [`guarantee`]: [`linear`] and [`session`] judge those.
//! [`membership`] judges how news of failures got around.

pub mod converge;
pub mod durable;
pub mod guarantee;
pub mod hints;
pub mod levels;
pub mod linear;
pub mod membership;
pub mod placement;
pub mod provenance;
pub mod recency;
pub mod session;
pub mod siblings;
pub mod staleness;
pub mod storage;
pub mod types;

#[cfg(test)]
pub(crate) mod sample;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use self::guarantee::Guarantee;
use crate::base::bytes::Bytes;
use crate::base::id::ClusterId;
use crate::base::map::Map;
use crate::node::config::Config;
use crate::sim::ghost::Ghost;
use crate::sim::history::Operation;
use crate::sim::probe::Probe;
use crate::sim::scenario::Scenario;

/// How many findings of one check are told in full.
const TOLD: usize = 3;

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub name: &'static str,
    pub ok: bool,
    /// What was looked at; if it failed, what was found.
    pub detail: String,
}

/// What a check finds while it looks.
#[derive(Clone, Debug, Default, Hash)]
pub struct Findings {
    told: Vec<String>,
    count: u64,
}

impl Findings {
    pub fn add(&mut self, finding: impl FnOnce() -> String) {
        if self.told.len() < TOLD {
            self.told.push(finding());
        }
        self.count += 1;
    }

    /// The check's outcome; `looked_at` says what the check looked at.
    pub fn conclude(self, name: &'static str, looked_at: String) -> Check {
        let more = self.count - self.told.len() as u64;
        let mut detail = self.told.join("; ");
        if more > 0 {
            detail.push_str(&format!("; and {more} more"));
        }
        let ok = self.count == 0;
        Check { name, ok, detail: if ok { looked_at } else { detail } }
    }
}

/// The checks that need only a history.
pub fn of_history(cluster: ClusterId, history: &[Operation], overlaps: bool) -> Vec<Check> {
    let mut checks = std::vec![provenance::check(history), siblings::check(cluster, history)];
    checks.extend(types::check(cluster, history));
    if overlaps {
        checks.push(recency::check(cluster, history));
    }
    checks
}

/// The operations of each key, in the order in which they stand in the history.
fn by_key(history: &[Operation]) -> BTreeMap<&Bytes, Vec<&Operation>> {
    let (mut numbers, mut keys) = (Map::default(), Vec::new());
    for operation in history {
        let number = *numbers.get_or_insert_with(&operation.key, || {
            keys.push((&operation.key, Vec::new()));
            keys.len() - 1
        });
        keys[number].1.push(operation);
    }
    keys.into_iter().collect()
}

/// What the failed ones among `checks` found.
pub fn failed(checks: &[Check]) -> Vec<String> {
    checks.iter().filter(|check| !check.ok).map(|check| format!("{}: {}", check.name, check.detail)).collect()
}

/// The promises that hold at any time: what clients saw, what nodes hold of it, and that no node gave up.
pub fn safety(
    scenario: &Scenario,
    history: &[Operation],
    probe: &Probe,
    violations: &[String],
    ghost: &Ghost,
) -> Vec<Check> {
    let mut checks = of_world(scenario, history, probe, violations, ghost);
    let cluster = scenario.nodes[0].cluster;
    checks.extend(of_history(cluster, history, false));
    checks.push(levels::check(scenario, history));
    checks.retain(|check| check.name != "siblings" || !shows_siblings(scenario));
    // Clocks that are pruned do not tell what a read knows.
    if scenario.overlaps() && !scenario.prunes() {
        checks.push(recency::check(cluster, &before_forgetting(history, ghost)));
    }
    checks
}

/// Those of them that look at the nodes.
pub fn of_world(
    scenario: &Scenario,
    history: &[Operation],
    probe: &Probe,
    violations: &[String],
    ghost: &Ghost,
) -> Vec<Check> {
    let cluster = scenario.nodes[0].cluster;
    let mut nodes = Findings::default();
    violations.iter().for_each(|violation| nodes.add(|| violation.clone()));
    let mut checks = std::vec![
        nodes.conclude("nodes", format!("{} nodes, none gave up or sent garbage", scenario.nodes.len())),
        durable::check(cluster, history, probe, ghost, scenario.prunes()),
        provenance::held(history, probe),
    ];
    checks.extend(types::held(history, probe));
    if !shows_siblings(scenario) {
        checks.push(siblings::held(cluster, history, probe));
    }
    checks
}

/// Whether the scenario is to show what becomes of siblings without exact clocks.
fn shows_siblings(scenario: &Scenario) -> bool {
    scenario.expect.breaks.contains(&Guarantee::Siblings)
}

/// The history without the reads that ended after some node had forgotten, without noticing, what it had promised to
/// know (its disk was replaced by an old copy), or after the last copy of something was destroyed: the node that a read
/// and a write quorum have in common may have been that one. A node whose disk is empty notices, and answers for
/// nothing.
fn before_forgetting<'a>(history: &'a [Operation], ghost: &Ghost) -> Cow<'a, [Operation]> {
    let Some(since) = ghost.forgets_since() else { return Cow::Borrowed(history) };
    let counts =
        |operation: &&Operation| operation.is_write() || operation.end.is_some_and(|end| end < since);
    Cow::Owned(history.iter().filter(counts).cloned().collect())
}

/// What a cluster must reach in the end, if it is left in peace.
pub fn liveness(scenario: &Scenario, probe: &Probe) -> Vec<Check> {
    let replicas = usize::from(scenario.nodes[0].n);
    let zone = |config: &Config| Some((config.node?, config.zone.clone()));
    let zones = scenario.nodes.iter().filter_map(zone).collect();
    std::vec![
        converge::check(replicas, probe),
        placement::check(replicas, &zones, probe),
        hints::check(probe)
    ]
}
