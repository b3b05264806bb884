//! # What an operation costs
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
//! | put | another node | 6 | 6 | 3 | 3 | 3 | 3 | 3,467 |
//! | delete | a replica | 4 | 4 | 0 | 0 | 3 | 3 | 288 |
//! | delete | another node | 6 | 6 | 0 | 0 | 3 | 3 | 481 |
//!
//! "Least" is what the protocol needs: all N replicas are asked and answer, because reads repair whom they find behind
//! and writes go to all; only one whole copy of what is read has to reach the coordinator, and each replica but the
//! coordinator has to be sent what is written. (A frame of a delete carries the clock, and no value.)
//!
//! A frame is 40 bytes of header, and at most 44 more besides the value for key, clock and the rest. The N sends of a
//! value share it in memory.
//!
//! Not measured: allocations, the coordinator's instructions, and all of it on loopback.
