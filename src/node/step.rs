//! [`Node`]: the face that drivers see.

use alloc::vec::Vec;
use core::fmt;

use crate::base::id::{ClusterId, Generation, NodeId};
use crate::base::time::Instant;
use crate::causal::siblings::Siblings;
use crate::disk::Disk;
use crate::node::config::{Config, ConfigError};
use crate::node::input::{Env, Input};
use crate::node::request::Rejection;
use crate::node::wire::Sender;
use crate::storage::engine;

/// One node: everything that it knows, as a plain value.
#[derive(Clone, Debug, Hash)]
pub struct Node {
    config: Config,
}

/// Why a node does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    Config(ConfigError),
    Storage(engine::OpenError),
    /// The folder holds the data of another cluster.
    OtherCluster {
        found: ClusterId,
    },
    /// The folder holds the data of another node.
    OtherNode {
        found: NodeId,
    },
    /// The identity file is damaged.
    Identity(&'static str),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// What an operator sees of a node (`INFO`, status pages, reports).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    pub node: NodeId,
    pub generation: Generation,
    /// The version of the layout in force; zero while the cluster is forming.
    pub layout: u64,
    /// Every member that is known: id, address, zone, and whether it is believed to be up.
    pub members: Vec<MemberStatus>,
    /// Hints waiting here for other nodes.
    pub hints: u64,
    /// Operations in progress that this node began.
    pub open_ops: u64,
}

/// One member, as a node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberStatus {
    pub node: NodeId,
    pub address: crate::base::id::Address,
    pub zone: crate::base::id::Zone,
    pub up: bool,
}

impl Node {
    /// Starts a node: recovers from the disk, takes a new generation, and writes that down durably. `seed` feeds all
    /// its random choices and must differ between starts.
    pub fn open(config: Config, _seed: u64, _env: &mut Env) -> Result<Node, OpenError> {
        Ok(Node { config })
    }

    /// Lets one thing happen. Infallible: no peer, client or disk can make it fail.
    pub fn step(&mut self, _input: Input, _env: &mut Env) {}

    /// When the node wants an `Input::Wake`, on the monotonic clock.
    pub fn next_wake(&self) -> Option<Instant> {
        None
    }

    /// Stops cleanly: everything appended is made durable, so that the next start has nothing to repair.
    pub fn close(&mut self, _env: &mut Env) {}

    /// Who this node is, for the frames it sends.
    pub fn sender(&self) -> Sender {
        Sender { node: self.config.node.unwrap_or_default(), generation: Generation(1) }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn status(&self) -> Status {
        Status {
            node: self.sender().node,
            generation: self.sender().generation,
            layout: 0,
            members: Vec::new(),
            hints: 0,
            open_ops: 0,
        }
    }

    /// What this node's own disk holds of a key. For checkers and tools; not a quorum read.
    pub fn peek(&mut self, _key: &[u8], _disk: &mut dyn Disk) -> Result<Siblings, Rejection> {
        Ok(Siblings::default())
    }

    /// The replicas of a key in the layout in force, first the one whose token is nearest. Empty while forming.
    pub fn replicas(&self, _key: &[u8]) -> &[NodeId] {
        &[]
    }
}
