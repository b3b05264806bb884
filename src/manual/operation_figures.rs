//! # What an operation costs
//!
//! ## Frames and syncs, against the least
//!
//! Frames between nodes, and syncs, of one operation at N = 3, R = W = 2 on a key with a value of 1,000 bytes, while
//! all replicas agree and nothing else happens; once by a replica of the key, and once by another node.
//! `tests/node/costs.rs` counts them in every run of the tests (`cargo test --test node costs -- --nocapture` prints
//! the bytes too), so this table cannot grow stale unnoticed.
//!
//! | operation | by | frames | least | frames with the value | least | syncs | least | bytes |
//! |---|---|---|---|---|---|---|---|---|
//! | get | a replica | 4 | 4 | 0 | 0 | 0 | 0 | 248 |
//! | get | another node | 6 | 6 | 1 | 1 | 0 | 0 | 1,394 |
//! | put | a replica | 4 | 4 | 2 | 2 | 3 | 3 | 2,294 |
//! | put | another node | 6 | 6 | 3 | 3 | 3 | 3 | 3,477 |
//! | delete | a replica | 4 | 4 | 0 | 0 | 3 | 3 | 288 |
//! | delete | another node | 6 | 6 | 0 | 0 | 3 | 3 | 491 |
//!
//! "Least" is what the protocol needs: all N replicas are asked and answer, because reads repair whom they find behind
//! and writes go to all; only one whole copy of what is read has to reach the coordinator, and each replica but the
//! coordinator has to be sent what is written. (A frame of a delete carries the clock, and no value.)
//!
//! A frame is 40 bytes of header, and at most 44 more besides the value for key, clock and the rest. The N sends of a
//! value share it in memory.
//!
//! ## Allocations and processor time
//!
//! `just bench-ops core 1000`: the same operations on keys of 16 bytes, on nodes that write real files. Allocations are
//! those of all nodes that take part, growing a buffer counted as one. Time is that of the coordinator's steps, with
//! encoding and decoding of its frames, and with the system's `write`.
//!
//! | operation | by | allocations | bytes allocated | of the coordinator | its time |
//! |---|---|---|---|---|---|
//! | get | a replica | 27 | 5,800 | 15 | 2.1 µs |
//! | get | another node | 32 | 7,110 | 15 | 2.3 µs |
//! | put | a replica | 35 | 9,730 | 13 | 5.2 µs |
//! | put | another node | 42 | 11,380 | 3 | 0.9 µs |
//! | delete | a replica | 30 | 1,910 | 12 | 3.5 µs |
//! | delete | another node | 36 | 2,410 | 3 | 0.8 µs |
//!
//! They were 63, 71, 97, 119, 86 and 101 before values, and keys of the engine, were encoded into a buffer that stays,
//! fingerprints were hashed as they are encoded, values were decoded from where they lie, and lists of replicas lay in
//! their owner. What is left
//! is made of what lives on: a sibling set decoded from the disk (its list of versions, the clock's list, the value),
//! the answer's context, the shared copy that N sends need, and the key of each message.
//!
//! ## On loopback
//!
//! `just bench-ops loopback 3000`: three nodes as they are served, in one process, and one client that asks one thing
//! after the other through one of them; everything of all three counts, sockets and threads included (two cores, files
//! on ext4).
//!
//! | command | frames | syncs | allocations | bytes allocated | processor time | p50 | p99 |
//! |---|---|---|---|---|---|---|---|
//! | `SET` | 4.0 | 3.0 | 49 | 13,000 | 1,030 µs | 0.96 ms | 2 ms |
//! | `GET` | 4.0 | 0.0 | 39 | 6,700 | 450 µs | 0.35 ms | 0.6 ms |
//! | `DEL` | 4.0 | 3.0 | 44 | 3,900 | 980 µs | 0.92 ms | 3 ms |
//!
//! Sockets add 8 or 9 allocations to those of the nodes. The processor time is the system's: threads that wake each
//! other across sockets for one operation at a time, where under load one wake serves many.
