//! Layer 5: the command lines.

pub mod kvsim;
pub mod problem;
