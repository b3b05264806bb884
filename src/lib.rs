#![no_std]
//! kvsim: a Dynamo-style replicated key-value store, and the deterministic simulator that proves it.

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod base;
pub mod disk;
#[cfg(feature = "real")]
pub mod real;
#[cfg(feature = "sim")]
pub mod sim;
pub mod storage;
