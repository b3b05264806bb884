//! Layer 5: the command lines.

pub mod kvnode;
