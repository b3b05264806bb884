//! Layer 2: who is in the cluster, and who of them lives.

pub mod detector;
pub mod gossip;
pub mod health;
pub mod roster;
pub mod rumour;
pub mod view;
pub mod watch;

#[cfg(test)]
mod party;
