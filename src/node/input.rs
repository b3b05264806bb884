//! What a driver feeds into a node.

use crate::base::id::ClientTag;
use crate::base::time::Now;
use crate::disk::{Disk, DiskError};
use crate::node::message::Message;
use crate::node::outbox::Outbox;
use crate::node::request::Request;
use crate::node::wire::Sender;
use crate::storage::engine::SyncTicket;
use crate::storage::job::{JobId, JobResult};

/// One thing that happened.
#[derive(Clone, Debug, Hash)]
pub enum Input {
    /// The time that `next_wake` named has come. Harmless at any other time.
    Wake,
    /// A frame of a peer, already checked and decoded by `wire::decode`.
    Peer { from: Sender, message: Message },
    /// A client's request. The reply will carry `tag`; tags of open requests must be distinct.
    Client { tag: ClientTag, request: Request },
    /// A sync that the outbox asked for has ended.
    Synced { ticket: SyncTicket, result: Result<(), DiskError> },
    /// A job that the outbox handed out has ended.
    JobDone { id: JobId, result: JobResult },
}

/// All that a step may touch besides the node itself.
pub struct Env<'a> {
    pub now: Now,
    pub disk: &'a mut dyn Disk,
    pub out: &'a mut Outbox,
}
