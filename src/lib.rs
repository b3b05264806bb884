#![no_std]
//! kvsim: a Dynamo-style replicated key-value store, and the deterministic simulator that proves it.

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod base;
pub mod causal;
#[cfg(all(feature = "sim", feature = "real"))]
pub mod cli;
pub mod disk;
pub mod node;
pub mod quorum;
#[cfg(feature = "sim")]
pub mod sim;
pub mod storage;
