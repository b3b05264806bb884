//! Layer 4: the real runtime.

pub mod disk;
