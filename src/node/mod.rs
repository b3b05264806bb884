//! Layer 3: the node, a pure state machine composed of all below it. Drivers live above.

pub mod config;
pub mod fact;
pub mod input;
pub mod message;
pub mod outbox;
pub mod request;
pub mod step;
pub mod wire;
