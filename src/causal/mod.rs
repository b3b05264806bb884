//! Layer 1: causality. Which version of a value knows of which other.

pub mod clock;
pub mod context;
pub mod done;
pub mod dot;
pub mod siblings;
pub mod types;
