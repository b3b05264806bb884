#![no_std]
//! kvsim: a Dynamo-style replicated key-value store, and the deterministic simulator that proves it.

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod base;
pub mod disk;
