//! Real `kvnode` processes on loopback, talked to as a Redis client would.
//!
//! - `cluster`: three nodes through writes, a SIGKILL, a restart and a clean end.
//! - `lost_disk`: a node that begins again from an empty folder.
//! - `refusals`: starts that must fail, and change nothing.
//! - `knobs`: what a client and an operator say of consistency, to where it reaches the node (no processes).
//! - `types`: counters, sets, registers and maps.
//! - `garbage`: what does not belong on either port.

mod cluster;
mod garbage;
mod kit;
mod knobs;
mod lost_disk;
mod refusals;
mod types;
