//! What nodes say to each other. Every message is bounded, and none is trusted: see [`Message::is_valid`].

use alloc::boxed::Box;
use alloc::sync::Arc;

use crate::base::bytes::Bytes;
use crate::base::codec::{Decode, Encode};
use crate::base::id::{Generation, NodeId, OpId, Zone};
use crate::base::limits::{KEY_MAX, VALUE_MAX};
use crate::causal::siblings::Siblings;
use crate::causal::types::edit::edits_are_valid;
use crate::member::gossip::Gossip;
use crate::node::request::{Command, Outcome, Request};
use crate::quorum::write::Ack;
use crate::repair::exchange::Exchange;
use crate::ring::layout::Layout;

/// One message. Small, because it is moved through queues: what is large lies behind a pointer that N sends share.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Message {
    /// Who lives, and which layout the sender knows.
    Gossip(Box<Gossip>),
    /// "Send me your layout."
    LayoutWanted,
    Layout(Box<Layout>),
    /// "You are a replica of this key: coordinate this write for me." Only that `life` of the addressee may: a later
    /// one does not know what was coordinated already. `hops` counts forwards, to end loops while layouts differ.
    /// `zone` is where the client asked, which is what `local-quorum` means.
    Forward {
        op: OpId,
        life: Generation,
        hops: u8,
        zone: Zone,
        request: Box<Request>,
    },
    /// `None`: it was meant for an earlier life of the sender, and nobody knows what that one made of it.
    Forwarded {
        op: OpId,
        outcome: Option<Box<Outcome>>,
    },
    /// "Merge this and tell me when it is on your disk", and if `early`, also when it is in memory. Writes, hand-offs
    /// and repairs are all this one message, because merging is idempotent.
    Store {
        op: OpId,
        key: Bytes,
        siblings: Arc<Siblings>,
        early: bool,
    },
    /// How far it has come at the sender; `None`: it was refused.
    Stored {
        op: OpId,
        ack: Option<Ack>,
    },
    /// "Keep this for `target`, which I cannot reach."
    Hint {
        op: OpId,
        target: NodeId,
        key: Bytes,
        siblings: Arc<Siblings>,
    },
    Hinted {
        op: OpId,
        durable: bool,
    },
    /// "What have you of this key on your disk?" With `digest`, a fingerprint of it is enough.
    Fetch {
        op: OpId,
        key: Bytes,
        digest: bool,
    },
    Fetched {
        op: OpId,
        held: Held,
    },
    Exchange(Box<Exchange>),
}

/// What a replica has of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Held {
    Siblings(Arc<Siblings>),
    /// Their fingerprint (`store::fingerprint`); `None`: nothing was ever written.
    Digest(Option<u128>),
    /// The copy is damaged, or too much is waiting here: that is no "not found".
    Refused,
}

const _: () = assert!(size_of::<Message>() <= 64, "messages are moved by value");

impl Message {
    /// Whether a correct node could have sent this. What is decoded from a frame is checked by this before anybody
    /// sees it; all later code relies on it.
    pub fn is_valid(&self) -> bool {
        match self {
            Message::Gossip(gossip) => gossip.is_valid(),
            Message::Layout(layout) => layout.validate().is_ok(),
            Message::Forward { zone, request, .. } => zone.0.is_valid() && request_is_valid(request),
            Message::Store { key, siblings, .. } | Message::Hint { key, siblings, .. } => {
                key_is_valid(key) && siblings.is_valid()
            }
            Message::Fetch { key, .. } => key_is_valid(key),
            Message::Fetched { held: Held::Siblings(siblings), .. } => siblings.is_valid(),
            Message::Exchange(exchange) => exchange.is_valid(),
            Message::LayoutWanted
            | Message::Fetched { held: Held::Digest(_) | Held::Refused, .. }
            | Message::Forwarded { .. }
            | Message::Stored { .. }
            | Message::Hinted { .. } => true,
        }
    }
}

/// Whether the key has an allowed length.
pub fn key_is_valid(key: &[u8]) -> bool {
    (1..=KEY_MAX).contains(&key.len())
}

fn request_is_valid(request: &Request) -> bool {
    let command = match &request.command {
        Command::Put { value, .. } => value.len() <= VALUE_MAX,
        Command::Edit { edits } => edits_are_valid(edits),
        Command::Get { .. } | Command::Delete { .. } => true,
    };
    key_is_valid(&request.key) && command && request.options.is_resolved()
}
