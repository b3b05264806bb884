//! What a node asks of its driver. The driver owns the buffers and drains them after every step; their capacity
//! stays, so that a step in the steady state allocates nothing here.

use alloc::vec::Vec;

use crate::base::id::{Address, ClientTag, NodeId};
use crate::disk::DiskError;
use crate::node::fact::Fact;
use crate::node::message::Message;
use crate::node::request::Outcome;
use crate::storage::SyncRequest;
use crate::storage::{Job, JobId};

/// The effects of one step, in the order in which they were caused, by kind.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    /// Frames to send. May be lost; the core expects nothing of the network.
    pub sends: Vec<Send>,
    /// Answers to clients.
    pub replies: Vec<Reply>,
    /// Syncs to do; each is answered by `Input::Synced`.
    pub syncs: Vec<SyncRequest>,
    /// Jobs to run beside the node; each is answered by `Input::JobDone`.
    pub jobs: Vec<(JobId, Job)>,
    /// Where peers are to be found, as learned by gossip.
    pub addresses: Vec<(NodeId, Address)>,
    /// What happened that is worth counting.
    pub facts: Vec<Fact>,
    /// The node cannot go on: stop it, and let it recover from its disk at its next start.
    pub halt: Option<Halt>,
}

impl Outbox {
    /// Empties every buffer, keeping capacity.
    pub fn clear(&mut self) {
        self.sends.clear();
        self.replies.clear();
        self.syncs.clear();
        self.jobs.clear();
        self.addresses.clear();
        self.facts.clear();
        self.halt = None;
    }
}

/// One frame to send.
#[derive(Clone, Debug, Hash)]
pub struct Send {
    pub to: Target,
    pub message: Message,
}

/// Whom to send to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    Node(NodeId),
    /// A seed whose identity is not known yet.
    Address(Address),
}

/// The answer to a client.
#[derive(Clone, Debug, Hash)]
pub struct Reply {
    pub tag: ClientTag,
    pub outcome: Outcome,
}

/// Why a node stops itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Halt {
    /// A write or sync of the log, the manifest or the directory failed: what is durable is no longer known.
    Storage(DiskError),
    /// Another process runs under this node's identity, with a newer generation.
    Superseded,
}
