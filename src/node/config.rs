//! What an operator, or a scenario, decides about a node.

use alloc::vec::Vec;
use core::fmt;

use crate::base::id::{Address, ClusterId, NodeId, Zone};
use crate::base::limits::{CAPACITY_MAX, N_MAX, VALUE_DEFAULT_MAX, VALUE_MAX};
use crate::base::time::Duration;
use crate::node::consistency::{Consistency, Durability, OnSiblings, TIMEOUT_MAX};
use crate::quorum::tally::Level;
use crate::ring::placement::Known;
use crate::storage;

/// One node's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// The cluster this node belongs to; frames of others are refused.
    pub cluster: ClusterId,
    /// This node's identity; `None` mints one at the first start.
    pub node: Option<NodeId>,
    /// Where peers find this node.
    pub address: Address,
    /// The failure domain. Replicas of a key are placed in distinct zones while there are enough.
    pub zone: Zone,
    /// The share of the data, relative to the other nodes. At least 1.
    pub capacity: u16,
    /// Where to find the first peers. The node whose own address stands first founds the cluster.
    pub seeds: Vec<Address>,
    /// How many members found the cluster: the founder waits until it sees so many.
    pub founders: u16,
    /// Replicas of each key.
    pub n: u8,
    /// Replicas that must answer a read, unless the request says otherwise.
    pub r: Level,
    /// Replicas that must have a write on disk, unless the request says otherwise.
    pub w: Level,
    /// Whether stand-ins keep hints for replicas that are down, unless the request says otherwise.
    pub sloppy: bool,
    /// Replicas that must answer a read besides `r`, unless the request says otherwise. See [`Consistency`].
    pub pr: Level,
    /// Replicas that must acknowledge a write besides `w`, unless the request says otherwise.
    pub pw: Level,
    /// Whose disks a write waits for, unless the request says otherwise.
    pub dw: Durability,
    /// Distinct zones that must answer or acknowledge, unless the request says otherwise.
    pub zones: u8,
    /// What a read shows of a key with siblings, unless the request says otherwise.
    pub siblings: OnSiblings,
    /// Bytes of hints that this node keeps for others, at most. Beyond that new hints are dropped, visibly, and only
    /// repair brings the writes to their replicas.
    pub hints_bytes_max: u32,
    /// How long a hint is kept. Whoever was away for longer gets what it missed by repair, which by then is cheaper.
    pub hint_age_max: Duration,
    /// Operations that this node has in progress, at most. Beyond that it refuses requests, early and clearly.
    pub ops_max: u32,
    /// Requests of each peer, and of this node itself, that may wait for the disk here. Beyond that they are refused.
    pub backlog_max: u32,
    /// How far a version's stamp may lie ahead of this node's wall clock and still move the stamps of later writes.
    pub clock_skew_max: Duration,
    /// Actors that a clock may name before a write drops the oldest; 0, the default: none is ever dropped. What it
    /// costs tells [`prune`](crate::node::coordinate::prune).
    pub clock_length_max: u32,
    /// The largest value, in bytes.
    pub value_max: u32,
    /// When a request that has no quorum is answered with what is known.
    pub request_timeout: Duration,
    /// How often a node gossips, and beats its heart.
    pub gossip_every: Duration,
    /// How long a heartbeat may stand still before this node suspects its owner.
    pub suspect_after: Duration,
    /// How often a node compares its Merkle trees with another replica.
    pub exchange_every: Duration,
    /// How often a node verifies one of its tables, for damage that nobody reads: with a minute, all of 100 GB in
    /// tables of 8 MB in about nine days.
    pub scrub_every: Duration,
    pub storage: storage::Config,
    /// The placement that the driver knows already; no decision, and without any influence on one.
    pub known: Known,
}

impl Config {
    /// The defaults for a node of `cluster` at `address`: one zone, N = 3, quorum reads and writes.
    pub fn new(cluster: ClusterId, address: Address) -> Config {
        Config {
            cluster,
            node: None,
            zone: Zone("default".into()),
            capacity: 1,
            seeds: alloc::vec![address.clone()],
            address,
            founders: 1,
            n: 3,
            r: Level::Quorum,
            w: Level::Quorum,
            sloppy: true,
            pr: Level::Count(0),
            pw: Level::Count(0),
            dw: Durability::AsAcknowledged,
            zones: 0,
            siblings: OnSiblings::All,
            hints_bytes_max: 256 << 20,
            hint_age_max: Duration::from_secs(3 * 3600),
            ops_max: 16_384,
            backlog_max: 4_096,
            clock_skew_max: Duration::from_secs(1),
            clock_length_max: 0,
            value_max: VALUE_DEFAULT_MAX as u32,
            request_timeout: Duration::from_secs(2),
            gossip_every: Duration::from_secs(1),
            suspect_after: Duration::from_secs(5),
            exchange_every: Duration::from_secs(1),
            scrub_every: Duration::from_secs(60),
            storage: storage::Config::default(),
            known: Known::default(),
        }
    }

    /// What a request gets that says nothing, by a connection that says nothing.
    pub fn consistency(&self) -> Consistency {
        Consistency {
            r: self.r,
            w: self.w,
            pr: self.pr,
            pw: self.pw,
            dw: self.dw,
            zones: self.zones,
            sloppy: self.sloppy,
            timeout: self.request_timeout,
            siblings: self.siblings,
        }
    }

    /// Refuses what cannot work, naming the field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |field, allowed| Err(ConfigError { field, allowed });
        if self.n == 0 || self.n > N_MAX {
            return refuse("n", "1 to 7");
        }
        self.validate_levels()?;
        if !(1..=CAPACITY_MAX).contains(&self.capacity) {
            return refuse("capacity", "1 to 1000");
        }
        if self.seeds.is_empty() {
            return refuse("seeds", "at least one address");
        }
        if self.founders == 0 {
            return refuse("founders", "at least 1");
        }
        let names = self.seeds.iter().map(|seed| &seed.0).chain([&self.address.0, &self.zone.0]);
        if names.into_iter().any(|name| !name.is_valid()) {
            return refuse("address, zone or seeds", "names of 1 to 256 bytes");
        }
        if self.value_max == 0 || self.value_max as usize > VALUE_MAX {
            return refuse("value_max", "1 byte to 128 KiB");
        }
        if self.ops_max == 0 || self.backlog_max == 0 {
            return refuse("ops_max or backlog_max", "at least 1");
        }
        let Config { request_timeout, gossip_every, suspect_after, exchange_every, scrub_every, .. } = self;
        if [request_timeout, gossip_every, suspect_after, exchange_every, scrub_every]
            .contains(&&Duration::ZERO)
        {
            return refuse(
                "request_timeout, gossip_every, suspect_after, exchange_every or scrub_every",
                "more than zero",
            );
        }
        if self.suspect_after <= self.gossip_every {
            return refuse("suspect_after", "longer than gossip_every");
        }
        if self.request_timeout > TIMEOUT_MAX {
            return refuse("request_timeout", "at most 60s");
        }
        Ok(())
    }

    /// What can be told of the levels without a layout. Whether there are enough zones shows with each request.
    fn validate_levels(&self) -> Result<(), ConfigError> {
        let refuse = |field, allowed| Err(ConfigError { field, allowed });
        if self.r.needed(self.n).is_err() || self.r == Level::Any {
            return refuse("r", "one, quorum, all, local-quorum, each-quorum, or a number from 1 to n");
        }
        if self.w.needed(self.n).is_err() {
            return refuse("w", "one, quorum, all, local-quorum, each-quorum, any, or a number from 1 to n");
        }
        if self.w == Level::Any && !self.sloppy {
            return refuse("w", "any level but \"any\", as sloppy is false and no hints are kept");
        }
        let floor =
            |level: Level| level == Level::Count(0) || (level != Level::Any && level.needed(self.n).is_ok());
        let dw = match self.dw {
            Durability::AsAcknowledged => true,
            Durability::Replicas(level) => floor(level),
        };
        for (field, possible) in [("pr", floor(self.pr)), ("pw", floor(self.pw)), ("dw", dw)] {
            if !possible {
                return refuse(field, "one, quorum, all, local-quorum, each-quorum, or a number from 0 to n");
            }
        }
        if self.zones > self.n {
            return refuse("zones", "0 to n");
        }
        Ok(())
    }
}

/// A configuration that cannot work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The field, as it is called in files.
    pub field: &'static str,
    /// What it may be.
    pub allowed: &'static str,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: allowed is {}", self.field, self.allowed)
    }
}
