//! Layer 2: who is in the cluster, and who of them lives.

pub mod detector;
pub mod gossip;
pub mod view;
