//! [`Scenario`]: what a run is about, as read from a TOML file.
//!
//! Reading takes two steps: `file` is what can be typed, `meaning` is what it means. Whatever is wrong becomes a
//! [`Problem`] that points into the file and says what is allowed there.

mod clients;
mod expect;
mod faults;
mod file;
mod meaning;
mod place;
mod schema;
mod text;

use core::ops::Range;
#[cfg(test)]
use std::format;
use std::string::String;
use std::vec::Vec;

use crate::base::id::Address;
use crate::base::time::Duration;
use crate::node::config::Config;
use crate::node::consistency::{Durability, Options};
use crate::quorum::tally::Level;
use crate::sim::clock::ClockPlan;
use crate::sim::expect::Expect;
use crate::sim::fault::Fault;
use crate::sim::heal::HealPlan;
use crate::sim::host::DiskPlan;
use crate::sim::network::NetworkPlan;
use crate::sim::rates::Rate;
use crate::sim::verdict::Verdict;
use crate::sim::workload::plan::ClientPlan;

pub use clients::tell as tell_clients;
pub use schema::schema;
pub use text::parse_span;

/// The name of every simulated cluster. Context tokens are bound to it.
pub const CLUSTER: &str = "kvsim";

/// A scenario whose parts fit together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scenario {
    pub name: String,
    /// One for each node: n1, n2, and so on.
    pub nodes: Vec<Config>,
    /// How long clients work, and faults happen.
    pub duration: Duration,
    /// How long the cluster may take to recover after that.
    pub settle: Duration,
    /// A run ends after so many events, whatever happens.
    pub events_max: u64,
    /// How often a copy of the world is healed on the way.
    pub heal: HealPlan,
    pub network: NetworkPlan,
    pub disk: DiskPlan,
    pub clocks: ClockPlan,
    /// Groups of clients.
    pub clients: Vec<ClientPlan>,
    pub faults: Vec<Fault>,
    pub rates: Vec<Rate>,
    /// Kinds of faults of which a swarm draws.
    pub swarm: Vec<&'static str>,
    /// Whether faults may destroy the last copy of an acknowledged version.
    pub unrestricted: bool,
    pub expect: Expect,
    pub regression: Option<Regression>,
}

/// What a run of a scenario once gave, and must give again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Regression {
    pub seed: u64,
    pub verdict: Verdict,
    pub trace_hash: Option<u64>,
    pub state_hash: Option<u64>,
    pub recorded: Option<Recorded>,
    /// What went wrong then, for whoever meets it again.
    pub story: String,
}

/// More of what that run gave: whoever replays it is told what has changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recorded {
    pub events: u64,
    /// Operations by outcome.
    pub ok: u64,
    pub rejected: u64,
    pub unknown: u64,
    /// The checks that failed.
    pub failed: Vec<String>,
}

/// What is wrong with a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub message: String,
    /// Where, in bytes of the file.
    pub span: Option<Range<usize>>,
    /// What may stand there.
    pub allowed: Option<String>,
}

impl Scenario {
    /// The scenario in `text`; `name` is what it is called if it has no name of its own.
    pub fn read(text: &str, name: &str) -> Result<Scenario, Problem> {
        meaning::check(file::read(text)?, name)
    }

    /// The number, from 0, of the node at `address`.
    pub fn number(&self, address: &Address) -> Option<usize> {
        self.nodes.iter().position(|config| config.address == *address)
    }

    /// Whether clocks are pruned, so that what they do not cover may be known all the same.
    pub fn prunes(&self) -> bool {
        self.nodes[0].clock_length_max > 0
    }

    /// How long news of a failure or a return may be on its way. Who acts on what was true longer ago is wrong.
    pub fn news_within(&self) -> Duration {
        let config = &self.nodes[0];
        let every = |rounds: u32| config.gossip_every.saturating_mul(rounds.into());
        let doublings = usize::BITS - self.nodes.len().saturating_sub(1).leading_zeros();
        // It begins with whoever notices, and rumours double those who know; twice that, because frames get lost.
        self.expect
            .news_rounds
            .map_or_else(|| Duration(config.suspect_after.0 + every(2 * doublings + 4).0), every)
    }

    /// Whether every read quorum meets every write quorum, so that a read must see what was acknowledged before. What
    /// counts is the weakest that any group of clients asks for.
    pub fn overlaps(&self) -> bool {
        let config = &self.nodes[0];
        let asked = self.clients.iter().map(|plan| Asked::of(&plan.options, config));
        let weakest = asked.map(|asked| (asked.read, asked.disks));
        let weakest = weakest.reduce(|one, other| (one.0.min(other.0), one.1.min(other.1)));
        weakest.is_some_and(|(read, disks)| read + disks > config.n)
    }
}

/// What a request asks for: the fewest of each kind, as the simulator counts them. What levels of zones ask for depends
/// on the key ([`Places`](crate::sim::promise::Places)), and is 1 here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// That answered a read.
    pub read: u8,
    /// Or stand-ins, that acknowledged a write.
    pub acks: u8,
    /// That have a write on disk.
    pub disks: u8,
}

impl Asked {
    /// What `options` ask of nodes with this `config`.
    pub fn of(options: &Options, config: &Config) -> Asked {
        let default = config.consistency();
        let count = |level: Option<Level>, default| fewest(level.unwrap_or(default), config.n);
        let zones = options.zones.unwrap_or(default.zones);
        let read = count(options.r, default.r).max(count(options.pr, default.pr)).max(zones);
        let floors = count(options.pw, default.pw).max(zones);
        let w = options.w.unwrap_or(default.w);
        let disks = match options.dw.unwrap_or(default.dw) {
            Durability::AsAcknowledged => fewest(w, config.n).max(floors),
            // What acknowledges, has it in memory.
            Durability::Replicas(level) => fewest(level, config.n),
        };
        // At `any` it may be a stand-in.
        let acks = fewest(w, config.n).max(floors).max(u8::from(w == Level::Any));
        Asked { read, acks, disks }
    }
}

/// The fewest replicas that a level may mean, which for the levels of zones depends on the layout. The nodes count for
/// themselves; what judges them must not go by their count.
fn fewest(level: Level, n: u8) -> u8 {
    match level {
        Level::One | Level::LocalQuorum | Level::EachQuorum => 1,
        Level::Any => 0,
        Level::Quorum => n / 2 + 1,
        Level::All => n,
        Level::Count(count) => count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quorums_overlap_where_every_group_asks_for_enough() {
        let overlaps = |cluster: &str, clients: &str| {
            let text = format!("[cluster]\nnodes = 5\n{cluster}\n[run]\nduration = \"9s\"\n{clients}");
            Scenario::read(&text, "levels").expect("a scenario").overlaps()
        };
        assert!(overlaps("", ""));
        assert!(overlaps("r = 1\nw = \"all\"", ""));
        assert!(!overlaps("r = 1", ""));
        assert!(!overlaps("w = \"any\"", ""));
        assert!(!overlaps("n = 4\nr = 2\nw = 2", ""));
        assert!(!overlaps("", "[[clients]]\n[[clients]]\nr = \"local-quorum\""));
        assert!(overlaps("r = 1\nw = 1", "[clients]\nr = 2\nw = 2"));
        // Floors count, and what is in memory only does not.
        assert!(overlaps("", "[clients]\nr = 1\npr = 2"));
        assert!(overlaps("", "[clients]\nw = \"any\"\npw = \"quorum\""));
        assert!(!overlaps("", "[clients]\nw = \"any\"\npw = 1"));
        assert!(!overlaps("", "[clients]\nw = \"all\"\ndw = 1"));
        assert!(!overlaps("", "[clients]\npw = \"all\"\ndw = \"local-quorum\""));
        assert!(overlaps("", "[clients]\nw = 1\ndw = \"quorum\""));
        let zones = "zones = [\"a\", \"a\", \"b\", \"b\", \"c\"]";
        assert!(overlaps(zones, "[clients]\nr = 1\nw = 1\nzones = 2"));
        assert!(!overlaps(zones, "[clients]\nr = 1\nw = 2\nzones = 1"));
        assert!(!overlaps(zones, "[clients]\nr = 1\ndw = 1\nzones = 2"));
        // The reads of one group need not meet its own writes only.
        assert!(!overlaps("", "[[clients]]\nr = 3\nw = 1\n[[clients]]\nr = 1\nw = 3"));
    }
}
