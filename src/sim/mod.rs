//! Layer 4: the simulator.

pub mod disk;
