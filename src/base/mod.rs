//! Layer 0: the vocabulary that every other layer shares. Nothing here knows what a key or a node does.

pub mod bytes;
pub mod checksum;
pub mod codec;
pub mod few;
pub mod id;
pub mod invariant;
pub mod limits;
pub mod map;
pub mod name;
pub mod rng;
pub mod time;
