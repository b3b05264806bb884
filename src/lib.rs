//! kvsim: a Dynamo-style replicated key-value store, and the deterministic simulator that proves it.
//!
//! One node core, a pure state machine ([`node`]), runs unchanged under two drivers: [`sim`], a whole cluster in one
//! process with virtual time and injected faults, and [`real`], one node with TCP, files and fsync. Start with
//! [`manual::architecture`].
#![no_std]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

// In the order of their layers: none imports a later one.
pub mod base;

pub mod causal;
pub mod disk;
pub mod ring;

pub mod member;
pub mod quorum;
pub mod repair;
pub mod storage;

pub mod node;

#[cfg(feature = "real")]
pub mod real;
#[cfg(feature = "sim")]
pub mod sim;

#[cfg(all(feature = "sim", feature = "real"))]
pub mod cli;

pub mod manual;
