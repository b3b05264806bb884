#![no_std]
//! kvsim: a Dynamo-style replicated key-value store, and the deterministic simulator that proves it.

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod base;
pub mod causal;
pub mod disk;
pub mod manual;
pub mod member;
pub mod node;
pub mod quorum;
pub mod repair;
pub mod ring;
pub mod storage;

#[cfg(feature = "sim")]
pub mod sim;

#[cfg(feature = "real")]
pub mod real;
