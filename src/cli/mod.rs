//! Layer 5: the command lines. Each in two steps: what was typed, and what it means.

pub mod kvnode;
pub mod kvsim;
pub mod problem;
