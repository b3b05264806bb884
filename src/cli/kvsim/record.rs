//! What is kept of one run of a sweep: enough to sum up, to compare and to see it again.

use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use super::load::{Loaded, replay_line};
use crate::sim::report::stats::{self, Classes};
use crate::sim::report::{json, text};
use crate::sim::run::Ended;
use crate::sim::verdict::Verdict;

/// One run. Everything in it follows from the scenario and the seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The path of the scenario, as it was typed.
    pub scenario: String,
    pub seed: u64,
    #[serde(with = "by_name")]
    pub verdict: Verdict,
    /// The verdict with its reasons; empty for a pass.
    pub reason: String,
    pub trace_hash: String,
    pub state_hash: String,
    pub events: u64,
    pub sim_ns: u64,
    pub ops: Ops,
    /// The checks that failed.
    pub failed: Vec<String>,
    /// The facts that were reached.
    pub facts: Vec<String>,
    pub faults: BTreeMap<String, Fault>,
    pub replay: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ops {
    pub ok: u64,
    pub rejected: u64,
    pub unknown: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fault {
    pub attempted: u64,
    pub effective: u64,
}

impl Record {
    pub fn new(loaded: &Loaded, ended: &Ended) -> Record {
        let world = &ended.world;
        let Classes { ok, rejected, unknown } = Classes::of(world.history());
        let faults = stats::faults(world).into_iter().map(|count| {
            let stats::FaultCount { kind, attempted, effective, .. } = count;
            (String::from(kind), Fault { attempted, effective })
        });
        let failed = ended.checks.iter().filter(|check| !check.ok);
        Record {
            scenario: loaded.path.display().to_string(),
            seed: ended.seed,
            verdict: ended.verdict,
            reason: if ended.verdict == Verdict::Pass { String::new() } else { text::verdict(ended) },
            trace_hash: json::hash(world.trace_hash()),
            state_hash: json::hash(ended.state_hash),
            events: world.events(),
            sim_ns: world.now().0,
            ops: Ops { ok, rejected, unknown },
            failed: failed.map(|check| check.name.to_string()).collect(),
            facts: world.facts().filter(|fact| fact.1 > 0).map(|(fact, _)| fact.name().into()).collect(),
            faults: faults.collect(),
            replay: replay_line(&loaded.path, ended.seed),
        }
    }

    pub fn passed(&self) -> bool {
        self.verdict == Verdict::Pass
    }
}

/// Verdicts as reports spell them.
mod by_name {
    use std::string::String;

    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    use crate::sim::verdict::Verdict;

    pub fn serialize<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(verdict.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Verdict, D::Error> {
        let name = String::deserialize(deserializer)?;
        Verdict::parse(&name).ok_or_else(|| D::Error::custom(std::format!("no verdict is {name}")))
    }
}
