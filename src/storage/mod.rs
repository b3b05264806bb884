//! Layer 2: the storage engine of a node, a log-structured merge tree (O'Neil, Cheng, Gawlick, O'Neil 1996)
//! in the form LevelDB gave it. It knows neither rings nor quorums: keys and values are opaque bytes.
//!
//! How a write travels:
//!
//! 1. [`Engine::put`] enters it into the group of the commit log that will be its next frame (`wal`), and into the
//!    memtable. It is visible at once and durable later: [`Engine::durable`] is a number that follows
//!    [`Engine::appended`].
//! 2. A full memtable is frozen and its log is closed; a flush job writes it as a sorted table of level 0.
//! 3. Compaction jobs merge level 0 into a base level, and from level to level downwards whatever is too
//!    much for its level (`compaction/pick.rs`).
//!
//! The set of live tables and logs is what the manifest says, and nothing else. The order that makes a crash
//! harmless between any two disk operations is always the same: write the new file, sync it, sync its name,
//! append an edit to the manifest, sync the edit, and only then use the new file and remove the old ones. So
//! a crash leaves files that nothing refers to, which the next open removes, and never a reference to a file
//! that is not whole.
//!
//! Every byte on disk is under a checksum that is bound to its file and offset. What fails its checksum is
//! never served: a damaged log or manifest refuses to open, a damaged table block makes the reads that need
//! it fail with a [`ReadError`], and neither is ever taken for "not found".
//!
//! The engine does no waiting of its own. Syncs and jobs are handed out ([`Engine::poll_sync`],
//! [`Engine::poll_job`]) and their results handed back, so that a simulator can let a crash fall between any
//! two of them.

mod cache;
mod compaction;
mod config;
mod engine;
mod error;
mod frame;
pub mod inspect;
mod job;
mod manifest;
mod memtable;
mod record;
mod recovery;
mod reserve;
mod table;
mod version;
mod wal;

pub use config::Config;
pub use engine::damage::Suspect;
pub use engine::{DELAY_MAX, Engine, JobId, SyncRequest, SyncTicket};
pub use error::{OpenError, Operation, Poisoned, ReadError, RepairError, WriteError};
pub use job::{Job, JobError, JobOutput, JobResult, Progress};
pub use recovery::Recovery;
pub use reserve::release as release_reserve;
pub use table::KeyRange;
pub use wal::Position;

use crate::base::{codec, limits};

/// The longest key of the engine, in bytes: a client's key with room for what the node puts in front of it.
pub const KEY_MAX: usize = limits::KEY_MAX + 256;

/// The longest value of the engine, in bytes: whatever fits into one frame between nodes can be stored, so a
/// key's whole sibling set travels and rests as one piece.
pub const VALUE_MAX: usize = limits::FRAME_MAX;

/// File numbers, positions and edits stay below this. A store that claims more is damaged, and nothing that
/// counts on from there can overflow.
const NUMBER_MAX: u64 = 1 << 62;

const _: () = {
    // A log frame of one write can always be decoded again.
    assert!(KEY_MAX + VALUE_MAX + (64 << 10) < codec::DECODE_LIMIT);
    // A block entry stores its key lengths in 16 bits.
    assert!(KEY_MAX <= u16::MAX as usize);
};
