//! # Files
//!
//! A data folder holds, besides the real driver's `LOCK`, flat files named by kind and number
//! ([`crate::disk::FileName`]):
//!
//! | file | content | rewritten |
//! |---|---|---|
//! | `identity-0000000000` | cluster, node, generation, birth, memory | at every start, by rename |
//! | `current-0000000000` | which manifest is the newest | when a manifest begins, by rename |
//! | `manifest-N` | the log of edits to the set of live logs and tables | appended to |
//! | `wal-N` | the commit log of one memtable | appended to, removed after its flush |
//! | `table-N` | a sorted table | never |
//! | `temp-N` | being written, to be renamed | removed at the next start |
//! | `reserve-0000000000` | nothing: space for the day when the disk is full | removed then, made again later |
//!
//! All integers are little-endian, except inside keys, where big-endian keeps them in order. Structured payloads
//! are encoded by [`crate::base::codec`]. Every format carries a version number (frames: 3, tables: 2), and every
//! byte is under a checksum that is bound to its file and offset.
//!
//! ## Identity
//!
//! ```text
//! checksum u64 · format u8 · encoded { cluster u64, node u64, generation u64, birth u64,
//!                                        memory u8 }
//! ```
//!
//! Why it exists: [`crate::node::identity`], and for the last two fields [`crate::node::amnesia`].
//!
//! ## Frames: commit log, manifest, current
//!
//! ```text
//!  0  checksum u64   of all that follows, bound to file and offset
//!  8  magic    u32
//! 12  version  u16
//! 14  kind     u8    1 start, 2 data, 3 end
//! 15  zero     u8
//! 16  file     u64   the number of the file
//! 24  offset   u64   of the frame in its file
//! 32  length   u32   of the payload
//! 36  count    u32   records in the payload
//! 40  first    u64   sequence number of the first record
//! 48  synced   u64   every record up to this one was synced when the frame was written
//! 56  payload        zeros up to a multiple of 8
//! ```
//!
//! `synced` tells a torn tail from damage: a bad frame is cut off only if no later frame promises that it had been
//! synced. If one does, the node refuses to start, and says where the damage is.
//!
//! A data frame of the commit log holds a group: all writes that gathered since the last one, in order.
//!
//! ```text
//! write: key length u16 | value length u32 (u32::MAX: deleted) | key | value
//! ```
//!
//! ## What damage costs
//!
//! | damaged or missing | the node |
//! |---|---|
//! | a data block of a table | starts; the keys of that block are unknown |
//! | footer, index or file of a table | starts; all keys from the first to the last of that table are unknown |
//! | the filter of a table | starts; look-ups in that table take longer |
//! | a log or the manifest, before what was promised to be synced | refuses to start |
//! | a log or the manifest, behind that | starts, without what nobody was told is safe |
//! | a table, and the manifest has lost its end too | refuses: the end was what made that table obsolete |
//! | `current`, `identity` | refuses to start |
//!
//! Unknown keys are noted in the manifest (an edit with the places of the damage), so that a restart does not
//! forget them, and fetched from the replicas ([`crate::manual::durability`]). A node that refuses has changed nothing;
//! it says which file, and is replaced like one whose disk is gone. There is one manifest and no copy of it: all that a
//! second one would save is this node's share, of which the replicas have a copy each.
//!
//! ## Tables
//!
//! ```text
//! data block … data block | filter | index block | footer
//! ```
//!
//! The checksum of every part lies in its parent: of the footer in the manifest, of filter and index in the footer,
//! of a data block in the index. A block that was never written, or written elsewhere, fails like a flipped bit.
//!
//! ```text
//! part:  bytes | 0 u8, or LZ4 block | length of the bytes u32 | 1 u8 (data blocks, where it saves an eighth)
//! block: entry … entry | restart offset u32 … | number of restarts u32
//! entry: shared u16 | rest u16 | value length u32 (u32::MAX: deleted) | rest of the key | value
//! ```
//!
//! Keys are prefix-compressed, with a whole key every 16 entries. The filter is a Bloom filter of 10 bits for each
//! key.
//!
//! Tables lie in seven levels. Level 0 takes what is flushed, in any order; in each other level the tables do not
//! overlap. The last level holds almost everything, each level above it a tenth of the one below; levels that would be
//! too small for that are empty. Which table lies where, the manifest says.
//!
//! ## Keys of the engine
//!
//! ```text
//! 00 · slot u16 big-endian · key        the encoded sibling set of a key
//! 01 · target u64 big-endian · key      a hint
//! 02 · "layout"                         the layout in force
//! ```
//!
//! A slot is one contiguous range, so building a Merkle tree or moving a slot is a scan. Every value begins with
//! its format version, now 2 (hints: since when, and the siblings).
//!
//! ## Looking at a folder
//!
//! `kvnode data verify DIR` checks every checksum from `current` down to the last block, and names damaged files,
//! offsets and the keys that they make unknown; exit code 1 if there is damage. `kvnode data dump DIR` lists files,
//! levels, sizes and key ranges. Both take `--json`, change nothing, and read damaged folders too; the node must not
//! run.
