//! # Figures of the storage engine
//!
//! `just bench-storage 2000000 100 1` (`cargo bench --bench storage -- 2000000 100 1`), against fjall 3.1.13 on ext4,
//! two quiet cores, one round in alternation. Operations per second.
//!
//! | 2,000,000 × 100 B | ours | fjall | ratio |
//! |---|---|---|---|
//! | synced groups of 64 | 1,290 | 1,220 | 1.05 |
//! | one sync per put | 2,700 | 3,590 | 0.75 |
//! | fill sequential | 1,159,000 | 343,000 | 3.38 |
//! | fill random | 498,000 | 167,000 | 2.98 |
//! | overwrite | 331,000 | 132,000 | 2.50 |
//! | longest put, ms | 75.23 | 338 | 0.22 |
//! | disk after overwrite, MB | 159 | 365 | 0.44 |
//! | get, 64 MiB cache | 107,000 | 99,380 | 1.08 |
//! | get, missing | 1,410,000 | 1,024,000 | 1.38 |
//! | seek and 100 next | 13,040 | 9,540 | 1.37 |
//! | full scan, entries | 1,889,000 | 1,646,000 | 1.15 |
//! | peak memory, MB | 82.78 | 202 | 0.41 |
//! | get, all cached | 283,000 | 187,000 | 1.51 |
//! | disk compacted, MB | 145 | 154 | 0.94 |
//! | disk overwritten / compacted | 1.1 | 2.37 | 0.46 |
//!
//! `just bench-storage 1000000 1024 1`, the same way:
//!
//! | 1,000,000 × 1 KiB | ours | fjall | ratio |
//! |---|---|---|---|
//! | synced groups of 64 | 1,180 | 854 | 1.39 |
//! | one sync per put | 3,050 | 2,580 | 1.18 |
//! | fill sequential | 194,000 | 181,000 | 1.07 |
//! | fill random | 57,110 | 93,220 | 0.61 |
//! | overwrite | 35,500 | 78,820 | 0.45 |
//! | longest put, ms | 18.55 | 586 | 0.03 |
//! | disk after overwrite, MB | 603 | 3,000 | 0.20 |
//! | get, 64 MiB cache | 101,000 | 102,000 | 0.99 |
//! | get, missing | 1,288,000 | 1,956,000 | 0.66 |
//! | seek and 100 next | 5,390 | 5,660 | 0.95 |
//! | full scan, entries | 634,000 | 642,000 | 0.99 |
//! | peak memory, MB | 79.01 | 239 | 0.33 |
//! | get, all cached | 290,000 | 219,000 | 1.32 |
//! | disk compacted, MB | 545 | 582 | 0.94 |
//! | disk overwritten / compacted | 1.11 | 5.16 | 0.21 |
//!
//! On a machine that much other work shared (load 14, 300,000 × 100 B, medians of three rounds) the ratios were fill 8
//! to 9, overwrite 12, synced groups 1.05 (0.31 to 1.38), one sync per put 0.53 (0.41 to 1.03), get 1.4 and 2.1,
//! missing key 1.5, seek 1.85, scan 2.6; with so few cores to be had, rates prove little.
//!
//! **Large values in random order are written more slowly**: 0.61 of fjall's rate when they are filled in, 0.45 when
//! they are overwritten. What it costs shows in the row of the disk: after the overwrite our tables are compacted to
//! 1.11 of the least, fjall's take 5.16 times as much, and the work of bringing them down is still to be done. In a
//! profile of that bench with 400,000 values (`perf record`, all rows) our jobs take 28 % of all processor time,
//! fjall's workers 14 %: back-pressure keeps our debt small where fjall lets it grow. Compression is a seventh of what
//! the jobs do. Missing keys are looked up at 0.66 of fjall's rate there: each level that could hold the key costs a
//! look into the cache for its filter (on the reading thread the cache and the filters are three quarters of what the
//! engine's lookups take). Our rate is much the same for both sizes of values; fjall's is twice as high for these.
//!
//! **One sync per put of small values is slower than fjall's**, and not only by chance. fjall sets the length of its
//! journal ahead, so most of its syncs change no metadata; our log grows with every write, and each sync has to commit
//! the new length to the journal of the file system. Measured alone, `fdatasync` after appending 160 bytes took 217 µs
//! to a file that grows and 140 µs to one whose length was set ahead (medians of eight rounds of 300): a ratio of 0.65
//! for whoever syncs every write. A log with zeros at its end would need a recovery that tells laid-by space from a
//! lost frame; until it has one, a file here ends where its writes end. The rows of synced groups are the same cost
//! spread over 64.
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
