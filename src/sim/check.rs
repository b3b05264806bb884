//! What must hold after a run. Each check has a file and a promise, and says by name what broke it.
//!
//! [`recency`] and [`provenance`] judge what clients saw, and need nothing but a history; [`durable`], [`converge`] and
//! [`hints`] compare it with what the nodes hold in the end; [`membership`] judges how news of failures got around.

pub mod converge;
pub mod durable;
pub mod hints;
pub mod membership;
pub mod provenance;
pub mod recency;

#[cfg(test)]
pub(crate) mod sample;

use std::format;
use std::string::String;
use std::vec::Vec;

use crate::base::id::ClusterId;
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
    let mut checks = std::vec![provenance::check(history)];
    if overlaps {
        checks.push(recency::check(cluster, history));
    }
    checks
}

/// The promises that hold at any time: what clients saw, what nodes hold of it, and that no node gave up.
pub fn safety(
    scenario: &Scenario,
    history: &[Operation],
    probe: &Probe,
    violations: &[String],
) -> Vec<Check> {
    let cluster = scenario.nodes[0].cluster;
    let mut nodes = Findings::default();
    violations.iter().for_each(|violation| nodes.add(|| violation.clone()));
    let mut checks = std::vec![
        nodes.conclude("nodes", format!("{} nodes, none gave up or sent garbage", scenario.nodes.len())),
        durable::check(cluster, history, probe),
        provenance::held(history, probe),
    ];
    checks.extend(of_history(cluster, history, scenario.overlaps()));
    checks
}

/// What a cluster must reach in the end, if it is left in peace.
pub fn liveness(scenario: &Scenario, probe: &Probe) -> Vec<Check> {
    let replicas = usize::from(scenario.nodes[0].n);
    std::vec![converge::check(replicas, probe), hints::check(probe)]
}
