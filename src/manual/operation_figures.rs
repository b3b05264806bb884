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
//! | get | a replica | 6 | 3 | 2,510 | 4 | 2.4 µs |
//! | get | another node | 9 | 5 | 3,840 | 4 | 2.5 µs |
//! | put | a replica | 8 | 4 | 6,020 | 2 | 6.4 µs |
//! | put | another node | 15 | 7 | 7,600 | 3 | 1.2 µs |
//! | delete | a replica | 6 | 4 | 980 | 2 | 4.4 µs |
//! | delete | another node | 12 | 6 | 1,510 | 3 | 1.1 µs |
//!
//! "Least" counts what is made by the operation, outlives the step that makes it, and has no place of its own yet. For
//! a get by a replica that is the value, the set of siblings around it, and the context for the client. For a put it is
//! the set, which N sends and the operation share, the context, and at each other replica the key, which is noted until
//! it is on disk. Another node adds what comes in its frames: the copy that is read, at both ends; or key, value and
//! answer of what was forwarded. What has a fixed size could lie in place, what has several parts in one piece, and
//! what only a step needs in a buffer that stays. The bench has it as a formula, and fails where fewer are counted.
//!
//! What is beyond the least, as the counts of each node show:
//!
//! - get: the operation's entry, a box, because a read holds what all replicas have answered, and moves less so; and at
//!   each other replica the key in the question;
//! - put, delete: at each other replica the set that came in a frame, and its value. They are dropped with the step, as
//!   is the key of a question. But frames are decoded by the tasks of the connections, and handed over to the node's
//!   thread, so no buffer of the connection can hold them: it takes in the next frame meanwhile;
//! - by another node: the request and its outcome, boxed at each end, so that messages stay small.
//!
//! Nothing is allocated for what a write replaces, nor by a replica that is asked for a fingerprint, but for the key:
//! what is stored is looked at where it lies (`SiblingsRef` in `causal/siblings.rs`). One version of a key, and three
//! entries of its clock, lie in place (`base/few.rs`).
//!
//! They were 19, 24, 25, 32, 20 and 26 while sets were decoded as a whole even where only the clock was asked for; and
//! 63, 71, 97, 119, 86 and 101 before values, and keys of the engine, were encoded into a buffer that stays. Fewer is
//! not always faster: by the last of these steps the coordinator's time rose by 4 % (get) and 6 % (put; medians of four
//! alternations), because a set with room for its parts is larger and moved more slowly. Keys of up to 22 bytes in
//! place would save two or three more, and were tried: everything that holds a key grows, and the simulator lost a
//! tenth of its events a second.
//!
//! ## On loopback
//!
//! `just bench-ops loopback 3000`: three nodes as they are served, in one process, and one client that asks one thing
//! after the other through one of them; everything of all three counts, sockets and threads included (two cores, files
//! on ext4).
//!
//! | command | frames | syncs | allocations | bytes allocated | processor time | p50 | p99 |
//! |---|---|---|---|---|---|---|---|
//! | `SET` | 4.0 | 3.0 | 17 | 9,520 | 550 µs | 0.49 ms | 0.8 ms |
//! | `GET` | 4.0 | 0.0 | 14 | 4,290 | 240 µs | 0.19 ms | 0.4 ms |
//! | `DEL` | 4.0 | 3.0 | 14 | 3,460 | 490 µs | 0.45 ms | 0.6 ms |
//!
//! Sockets add 8 or 9 allocations to those of the nodes. The processor time is the system's: threads that wake each
//! other across sockets for one operation at a time, where under load one wake serves many.
