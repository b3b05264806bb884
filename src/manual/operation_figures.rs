//! # What an operation costs
//!
//! ## Frames, syncs and bytes, against the least
//!
//! Frames between nodes, those of them that carry the value, syncs, and bytes of all frames, of one operation at N = 3,
//! R = W = 2, on a key of 3 bytes with a value of 1,000 bytes, while all replicas agree and nothing else happens; once
//! by a replica of the key, and once by another node. `tests/node/costs.rs` counts them in every run of the tests,
//! works out the least of the bytes, and compares each row with this table, so it cannot grow stale unnoticed. (`cargo
//! test --test node costs -- --nocapture` prints every frame.)
//!
//! | operation | by | frames | least | values | least | syncs | least | bytes | least | ratio | headers | bodies |
//! |---|---|---|---|---|---|---|---|---|---|---|---|---|
//! | get | a replica | 4 | 4 | 0 | 0 | 0 | 0 | 248 | 102 | 2.43 | 124 | 22 |
//! | get | another node | 6 | 6 | 1 | 1 | 0 | 0 | 1,394 | 1,157 | 1.20 | 185 | 52 |
//! | put | a replica | 4 | 4 | 2 | 2 | 3 | 3 | 2,294 | 2,112 | 1.09 | 122 | 60 |
//! | put | another node | 6 | 6 | 3 | 3 | 3 | 3 | 3,477 | 3,168 | 1.10 | 183 | 126 |
//! | delete | a replica | 4 | 4 | 0 | 0 | 3 | 3 | 288 | 110 | 2.62 | 124 | 54 |
//! | delete | another node | 6 | 6 | 0 | 0 | 3 | 3 | 491 | 174 | 2.82 | 186 | 131 |
//!
//! "Least" is what the protocol needs: all N replicas are asked and answer, because reads repair whom they find behind
//! and writes go to all; only one whole copy of what is read has to reach the coordinator, and each replica but the
//! coordinator has to be sent what is written. (A frame of a delete carries the clock, and no value.) The last two
//! columns say where the bytes beyond the least are: in the headers of frames, or in their bodies.
//!
//! The least of the bytes is that of the same frames in an encoding made for them alone. It counts
//!
//! - of a header the length and the checksum (8 bytes), 9 or 10 of 40. Cluster, sender, generation and version could be
//!   told once, when a connection begins. They are in every frame so that each can be judged by itself;
//! - the kind of the message, with all that has few alternatives: 1 byte;
//! - the operation's number: 6 bytes. Numbers begin anywhere in 48 bits, so that an answer to an earlier life of the
//!   asker meets nothing;
//! - key and value as they are. What comes last in a frame needs no length;
//! - for each actor of a clock its node, its epoch (5 random bytes, and the generation), and its counter. Small numbers
//!   have 7 bits in a byte;
//! - a dot as a place in the clock that comes with it, and how far it lies behind that: 2 bytes. A stamp: 8 bytes;
//! - a fingerprint: 16 bytes. Eight would be as good as a frame's checksum. But here chance is not all: clients choose
//!   what they write, and to search for two states with one fingerprint should not pay (2^64 tries);
//! - of a forward, the generation that it is for, the client's context as a clock, and the wishes that a write looks at
//!   (6 bytes). Of its answer the clock, the dot, and both counts in 1 byte.
//!
//! It does not count TCP and IP, nor gossip, nor what could be pressed further by remembering earlier frames: no key or
//! clock is taken for known because it was sent before.
//!
//! The bodies have more than that because the encoding is one for all types:
//!
//! | in each | bytes over | of these |
//! |---|---|---|
//! | question for a copy | 5 | operation's number 3, length of the key 1, whole or fingerprint 1 |
//! | fingerprint | 6 | operation's number 3, marks of variants 3 |
//! | copy, or write to store | 25 | the dot's actor again 9, epoch 3, operation's number 3, value's length 3, rest 7 |
//! | acknowledgement | 5 | operation's number 3, marks of variants 2 |
//! | forward | 36 | wishes 18, zone 8, operation's number 3, lengths and marks 7 |
//! | answer to it | 30 | the dot's actor again 9, seal of the context 9, epoch 3, operation's number 3, rest 6 |
//!
//! (A number of more than 32 bits takes 9 bytes. Without a value a write to store, and a forward, have 3 fewer. A
//! client's context, as the forward of this delete has one, is 14 more: its seal 9, epoch 3, lengths 2. Wishes go with
//! those of reads, each with a mark. The sender's zone is known from gossip already.)
//!
//! The N sends of a value share it in memory.
//!
//! ## Allocations and processor time
//!
//! `just bench-ops core 1000`: the same operations on keys of 16 bytes, on nodes that write real files. Allocations are
//! those of all nodes that take part, growing a buffer counted as one. Time is that of the coordinator's steps, with
//! encoding and decoding of its frames, and with the system's `write`.
//!
//! | operation | by | allocations | least | bytes allocated | of the coordinator | its time |
//! |---|---|---|---|---|---|---|
//! | get | a replica | 19 | 3 | 5,260 | 9 | 2.3 µs |
//! | get | another node | 24 | 5 | 6,570 | 9 | 2.5 µs |
//! | put | a replica | 25 | 4 | 9,310 | 9 | 6.2 µs |
//! | put | another node | 32 | 7 | 10,880 | 3 | 1.2 µs |
//! | delete | a replica | 20 | 4 | 1,420 | 8 | 4.1 µs |
//! | delete | another node | 26 | 6 | 1,910 | 3 | 1.0 µs |
//!
//! "Least" counts what is made by the operation, outlives the step that makes it, and has no place of its own yet. For
//! a get by a replica that is the value, the set of siblings around it, and the answer. For a put it is the set, which
//! N sends and the operation share, the context for the client, and at each other replica the key, which is noted until
//! it is on disk. Another node adds what comes in its frames: the copy that is read, at both ends; or key, value and
//! answer of what was forwarded. What has a fixed size (the operation's entry, a fingerprint) could lie in place, what
//! has several parts (a set with its clock and versions) in one piece, and what only a step needs in a buffer that
//! stays. So this is a floor, not a goal. The bench has it as a formula, and fails where fewer are counted.
//!
//! Where the rest goes, by a replica, all three replicas together (each call was traced):
//!
//! | allocations | get | put |
//! |---|---|---|
//! | the least | 3 | 4 |
//! | sets decoded, from the store or a frame, and dropped with the step | 8 | 17 |
//! | a copy of a clock; the empty set that answers are merged into | 1 | 1 |
//! | clock and versions of a set that stays, beside the set | 2 | 2 |
//! | keys decoded for one step | 2 | 0 |
//! | the context before it is shared, and the answer's list beside it | 2 | 1 |
//! | the operation's entry | 1 | 0 |
//! | together | 19 | 25 |
//!
//! They were 63 and 97 (in the other rows 71, 119, 86 and 101) before values, and keys of the engine, were encoded into
//! a buffer that stays, fingerprints were hashed as they are encoded, values were decoded from where they lie, lists of
//! replicas and fingerprints lay in their owner, and what replicas agree on was shared. Most of what is left follows
//! from one habit: a set is decoded as a whole, even where only its clock or its fingerprint is asked for.
//!
//! ## On loopback
//!
//! `just bench-ops loopback 3000`: three nodes as they are served, in one process, and one client that asks one thing
//! after the other through one of them; everything of all three counts, sockets and threads included (two cores, files
//! on ext4).
//!
//! | command | frames | syncs | allocations | bytes allocated | processor time | p50 | p99 |
//! |---|---|---|---|---|---|---|---|
//! | `SET` | 4.0 | 3.0 | 34 | 12,600 | 610 µs | 0.55 ms | 0.9 ms |
//! | `GET` | 4.0 | 0.0 | 27 | 6,800 | 250 µs | 0.20 ms | 0.3 ms |
//! | `DEL` | 4.0 | 3.0 | 28 | 3,500 | 540 µs | 0.49 ms | 0.7 ms |
//!
//! Sockets add 8 or 9 allocations to those of the nodes. The processor time is the system's: threads that wake each
//! other across sockets for one operation at a time, where under load one wake serves many.
