//! Layer 4: the real driver. The same core as in the simulator, over TCP with files and fsync.
//!
//! One thread ([`owner`]) owns the node and its disk handle; nothing else touches them, so the core runs here
//! as it does in the simulator, one input after the other. Everything else brings inputs or carries effects
//! away:
//!
//! ```text
//! clients --RESP--> client + session --+                  +--> link --frames--> peers
//! peers  --frames--> peer -------------+--> inbox --> owner --> sync (one thread) ---+
//!                                      |                  +--> jobs (two threads) ---+
//!                                      +<-- Synced, JobDone -------------------------+
//! ```
//!
//! Beside them one thread closes removed files ([`close`]), so that the owner need not wait while their blocks are
//! freed.
//!
//! Every queue has a bound, and says what happens at it: clients are told `-OVERLOADED`, frames of peers are
//! dropped (the core expects nothing of the network). Only the ends of syncs and jobs always get in, and of
//! those the core has few in flight.

pub mod client;
pub mod clock;
pub mod close;
pub mod command;
pub mod config;
pub mod data;
pub mod dev;
pub mod disk;
pub mod folder;
pub mod full;
pub mod inbox;
pub mod info;
pub mod jobs;
pub mod link;
pub mod listen;
pub mod options;
pub mod owner;
pub mod peer;
pub mod reply;
pub mod resp;
pub mod serve;
pub mod session;
pub mod signal;
pub mod sync;
pub mod typed;
