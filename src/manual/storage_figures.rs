//! # Figures of the storage engine
//!
//! `just bench-storage 300000 100` (`cargo bench --bench storage -- 300000 100 3`), against fjall 3.1.13 on ext4, two
//! cores that much other work shared (load 14), medians of three rounds in alternation. Operations per second. **The
//! rates prove little**: whoever waits for a core here waits for tens of milliseconds. The ratios, and the sizes, say
//! more.
//!
//! | 300,000 × 100 B | ours | fjall | ratio | of the rounds |
//! |---|---|---|---|---|
//! | synced groups of 64 | 475 | 585 | 1.05 | 0.31 to 1.38 |
//! | one sync per put | 2,540 | 4,750 | 0.53 | 0.41 to 1.03 |
//! | fill sequential | 425,000 | 63,000 | 9.30 | 4.70 to 10.43 |
//! | fill random | 238,000 | 27,900 | 8.38 | 5.65 to 12.21 |
//! | overwrite | 208,000 | 28,300 | 11.90 | 7.36 to 14.33 |
//! | longest put, ms | 72 | 60 | 1.20 | 0.61 to 1.40 |
//! | disk after overwrite, MB | 26.6 | 76.2 | 0.35 | 0.34 to 0.35 |
//! | get, 64 MiB cache | 55,600 | 37,800 | 1.38 | 1.03 to 3.77 |
//! | get, missing | 450,000 | 257,000 | 1.52 | 1.00 to 3.50 |
//! | seek and 100 next | 4,060 | 2,000 | 1.85 | 1.53 to 4.95 |
//! | full scan, entries | 575,000 | 245,000 | 2.59 | 1.29 to 4.82 |
//! | peak memory, MB | 53 | 149 | 0.35 | 0.34 to 0.36 |
//! | get, all cached | 66,400 | 38,000 | 2.07 | 1.56 to 2.19 |
//! | disk compacted, MB | 21.9 | 23.1 | 0.95 | 0.95 to 0.95 |
//! | disk overwritten / compacted | 1.21 | 3.31 | 0.37 | 0.37 to 0.37 |
//!
//! `just bench-storage 2000000 100 1`, one round at the same load:
//!
//! | 2,000,000 × 100 B | ours | fjall | ratio |
//! |---|---|---|---|
//! | synced groups of 64 | 384 | 189 | 2.03 |
//! | one sync per put | 740 | 944 | 0.78 |
//! | fill sequential | 322,000 | 61,500 | 5.25 |
//! | fill random | 115,000 | 20,800 | 5.55 |
//! | overwrite | 104,000 | 27,400 | 3.79 |
//! | longest put, ms | 93 | 2,547 | 0.04 |
//! | disk after overwrite, MB | 160 | 665 | 0.24 |
//! | get, 64 MiB cache | 19,400 | 16,900 | 1.15 |
//! | get, missing | 286,000 | 224,000 | 1.27 |
//! | seek and 100 next | 2,530 | 2,390 | 1.06 |
//! | full scan, entries | 544,000 | 404,000 | 1.35 |
//! | peak memory, MB | 82 | 282 | 0.29 |
//! | get, all cached | 38,600 | 28,700 | 1.34 |
//! | disk compacted, MB | 145 | 154 | 0.94 |
//! | disk overwritten / compacted | 1.10 | 4.32 | 0.25 |
//!
//! With values of 1 KiB (`cargo bench --bench storage -- 150000 1024 1`, load 4) four rows are behind: overwrite 0.62,
//! full scan 0.58, seek and 100 next 0.80, one sync per put 0.96; the others are ahead, the longest put took 15 ms
//! (fjall's 187). A scan copies each value out of its block, and that of a store larger than the cache reads, verifies
//! and unpacks a block for every four entries; which of these costs how much was not measured yet.
//!
//! **One sync per put is slower than fjall's**, and not only by chance. fjall sets the length of its journal ahead, so
//! most of its syncs change no metadata; our log grows with every write, and each sync has to commit the new length to
//! the journal of the file system. Measured alone, `fdatasync` after appending 160 bytes took 217 µs to a file that
//! grows and 140 µs to one whose length was set ahead (medians of eight rounds of 300): a ratio of 0.65 for whoever
//! syncs every write. A log with zeros at its end would need a recovery that tells laid-by space from a lost frame;
//! until it has one, a file here ends where its writes end. The rows of synced groups are the same cost spread over 64.
//!
//! **What makes the longest put long.** It was the `close` of removed logs and tables, which frees their blocks: up to
//! 14 ms each under `strace -T`, and a compaction removes a dozen. Since a thread closes them (`real/close.rs`) the
//! owner's longest `close` was 4 ms and its longest `unlink` 8 ms. Of six million puts at load 13 (2,000,000 × 100 B,
//! three fills) none that took more than 5 ms had been refused for a time. The longest call of
//! [`put`](crate::storage::Engine::put) took 32 ms, 18 of them waiting for a core (`run_delay` in
//! `/proc/thread-self/schedstat`); the longest without such waits 23 ms, in which it can only have written to the log.
//! What the tables show beyond that are waits for a core.
//!
//! Processor time does not depend on who else waits: all rows of ours with 200,000 entries took 3.2 and 3.0 s of it
//! (`user` of `time`) with a B-tree of single allocations as memtable, and 1.7 and 1.8 s with the present one (with the
//! rows that the bench had then).
//!
//! A put here is one copy into a group in memory, written at the latest when a sync begins; fjall calls `write` for
//! each put, so a process that is killed loses less with it. Neither loses what was synced.
