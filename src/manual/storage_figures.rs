//! # Figures of the storage engine
//!
//! `just bench-storage 300000 100` (`cargo bench --bench storage -- 300000 100 3`), against fjall 3.1.13 on ext4, two
//! cores that much other work shared (load 20 and more), medians of three rounds in alternation. Operations per
//! second. **The spread says that most rows prove little**: whoever waits for a core here waits for milliseconds.
//! Larger sizes were not measured since the log writes groups and the memtable has its own tree.
//!
//! | 300,000 × 100 B | ours | fjall | ratio | of the rounds |
//! |---|---|---|---|---|
//! | fill random | 110,000 | 17,000 | 6.44 | 3.87 to 12.24 |
//! | fill sequential | 236,000 | 41,000 | 5.74 | 3.87 to 7.15 |
//! | overwrite | 101,000 | 41,000 | 2.43 | 1.23 to 8.11 |
//! | one sync per put | 250 | 208 | 1.01 | 0.35 to 1.20 |
//! | synced groups of 64 | 116 | 86 | 0.92 | 0.45 to 3.66 |
//! | get, first time | 37,000 | 29,000 | 1.31 | 0.31 to 3.99 |
//! | get, cached | 42,000 | 22,000 | 1.90 | 0.57 to 5.30 |
//! | get, missing | 77,000 | 165,000 | 0.47 | 0.17 to 1.75 |
//! | seek and 100 next | 1,400 | 1,200 | 0.94 | 0.74 to 2.73 |
//! | full scan, entries | 244,000 | 143,000 | 1.22 | 1.04 to 4.82 |
//! | longest put, ms | 187 | 37 | 5.02 | 1.76 to 6.92 |
//! | peak memory, MB | 77 | 149 | 0.51 | 0.51 to 0.52 |
//! | disk after overwrite, MB | 65 | 76 | 0.85 | 0.82 to 1.33 |
//!
//! Processor time does not depend on who else waits: all rows of ours with 200,000 entries took 3.2 and 3.0 s of it
//! (`user` of `time`) with a B-tree of single allocations as memtable, and 1.7 and 1.8 s with the present one.
//!
//! What makes the longest put long: in a trace of system calls (`strace -T`) a put waited for up to 73 ms in a `write`
//! of 64 KiB to the log, and 44 ms in the `close` of a log that had been removed, which frees its blocks.
//! The first is the load of the machine or the file system, which of them is not known; the second is ours to move
//! to another thread, and is not yet.
//!
//! A put here is one copy into a group in memory, written at the latest when a sync begins; fjall calls `write` for
//! each put, so a process that is killed loses less with it. Neither loses what was synced.
