//! What can happen in a world.

use std::boxed::Box;
use std::sync::Arc;

use crate::base::time::Instant;
use crate::node::request::Outcome;
use crate::sim::trace::Trace;
use crate::storage::JobId;

/// One event. Nodes and clients go by their numbers, from 0. Events of a host carry the boot that they belong to: if
/// the node has crashed since, they mean nothing.
#[derive(Clone, Debug, Hash)]
pub enum Event {
    /// A host is switched on for the first time.
    Start { node: u32 },
    /// A frame arrives.
    /// `sum` is its checksum.
    Deliver { from: u32, to: u32, sum: u64, frame: Arc<[u8]> },
    /// A frame arrives with wrong bits.
    Garbled { from: u32, to: u32, sum: u64, frame: Arc<[u8]> },
    /// A processor is free for the next input in line.
    Ready { node: u32, boot: u32 },
    /// A deadline of a node may have come.
    Wake { node: u32, boot: u32 },
    /// A sync has ended.
    Synced { node: u32, boot: u32, sync: u64 },
    /// A job gets its next slice.
    Slice { node: u32, boot: u32, job: JobId },
    /// A client has thought.
    Issue { client: u32 },
    /// A client's request arrives at its node.
    Request { client: u32, ordinal: u32 },
    /// An answer arrives at its client. `None`: the node does not run, the connection was refused.
    Answer { client: u32, ordinal: u32, outcome: Option<Box<Outcome>> },
    /// A client looks at the clock.
    Impatience { client: u32 },
    /// A declared fault begins.
    Fault { index: usize },
    /// The power of a doomed node is lost at the latest now.
    Strike { index: usize },
    /// A fault ends.
    Heal { index: usize },
    /// A copy of a disk is laid by, for a fault to come.
    Copy { index: usize },
    /// A node that stopped because of its disk is started again.
    Supervise { node: u32, boot: u32 },
    /// Clients stop, everything heals, and all nodes run.
    Calm,
}

impl Event {
    /// What kind it is, and whom it is about: a node, a client or a fault.
    pub fn label(&self) -> (&'static str, u64) {
        match *self {
            Event::Start { node } => ("start", node.into()),
            Event::Deliver { to, .. } => ("deliver", to.into()),
            Event::Garbled { to, .. } => ("garbled", to.into()),
            Event::Ready { node, .. } => ("ready", node.into()),
            Event::Wake { node, .. } => ("wake", node.into()),
            Event::Synced { node, .. } => ("synced", node.into()),
            Event::Slice { node, .. } => ("slice", node.into()),
            Event::Issue { client } => ("issue", client.into()),
            Event::Request { client, .. } => ("request", client.into()),
            Event::Answer { client, .. } => ("answer", client.into()),
            Event::Impatience { client } => ("impatience", client.into()),
            Event::Fault { index } => ("fault", index as u64),
            Event::Strike { index } => ("strike", index as u64),
            Event::Heal { index } => ("heal", index as u64),
            Event::Copy { index } => ("copy", index as u64),
            Event::Supervise { node, .. } => ("supervise", node.into()),
            Event::Calm => ("calm", 0),
        }
    }

    /// Adds the event to the trace. Kinds have fixed numbers, so that the trace of an old seed survives new kinds.
    pub fn trace(&self, at: Instant, trace: &mut Trace) {
        let (kind, detail) = match self {
            Event::Start { .. } => (1, 0),
            Event::Deliver { from, sum, .. } => (2, *sum ^ u64::from(*from)),
            Event::Ready { boot, .. } => (3, u64::from(*boot)),
            Event::Wake { boot, .. } => (4, u64::from(*boot)),
            Event::Synced { sync, .. } => (5, *sync),
            Event::Slice { job, .. } => (6, job.0),
            Event::Issue { .. } => (7, 0),
            Event::Request { ordinal, .. } => (8, u64::from(*ordinal)),
            Event::Answer { outcome, .. } => {
                trace.value(outcome);
                (9, 0)
            }
            Event::Impatience { .. } => (10, 0),
            Event::Fault { .. } => (11, 0),
            Event::Heal { .. } => (12, 0),
            Event::Calm => (13, 0),
            Event::Strike { .. } => (14, 0),
            Event::Garbled { from, sum, .. } => (15, *sum ^ u64::from(*from)),
            Event::Copy { .. } => (16, 0),
            Event::Supervise { boot, .. } => (17, u64::from(*boot)),
        };
        let (_, whom) = self.label();
        trace.word(at.0);
        trace.word((kind << 32) | whom);
        trace.word(detail);
    }
}
