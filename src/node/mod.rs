//! Layer 3: the node, a pure state machine composed of all below it. Drivers live above.
//!
//! Read `step` first: it is the table of contents of what a node does.

pub mod amnesia;
pub mod background;
pub mod config;
pub mod consistency;
pub mod coordinate;
pub mod fact;
pub mod identity;
pub mod input;
pub mod invariant;
pub mod keyspace;
pub mod latency;
pub mod message;
pub mod outbox;
pub mod outlook;
pub mod refetch;
pub mod request;
pub mod serve;
pub mod step;
pub mod store;
pub mod timer;
pub mod wire;
