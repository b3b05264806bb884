//! # Figures of the storage engine
//!
//! `just bench-storage 1000000 100` (`cargo bench --bench storage -- 1000000 100 3`), against fjall 3.1.13 on ext4, two
//! cores that other work shared (load 4 to 5), medians of three rounds in alternation. Operations per second; read
//! the ratios, and their spread first. Rows that wait for fsync move by more than ten times with what else writes.
//!
//! | 1,000,000 × 100 B | ours | fjall | ratio | of the rounds |
//! |---|---|---|---|---|
//! | fill random | 259,000 | 188,000 | 1.25 | 0.87 to 1.37 |
//! | fill sequential | 364,000 | 459,000 | 0.91 | 0.70 to 1.05 |
//! | overwrite | 201,000 | 143,000 | 1.32 | 1.11 to 1.76 |
//! | one sync per put | 268 | 280 | 0.92 | 0.05 to 0.98 |
//! | synced groups of 64 | 185 | 262 | 0.66 | 0.07 to 0.90 |
//! | get, first time | 333,000 | 205,000 | 1.62 | 1.38 to 2.04 |
//! | get, cached | 990,000 | 460,000 | 2.15 | 1.39 to 2.63 |
//! | get, missing | 4,370,000 | 2,210,000 | 1.98 | 1.21 to 2.22 |
//! | seek and 100 next | 36,600 | 17,900 | 2.04 | 1.36 to 2.09 |
//! | full scan, entries | 4,220,000 | 2,320,000 | 1.81 | 1.28 to 1.89 |
//! | longest put, ms | 69 | 251 | 0.28 | 0.21 to 0.50 |
//! | peak memory, MB | 76 | 197 | 0.38 | 0.38 to 0.39 |
//! | disk after overwrite, MB | 80 | 158 | 0.51 | 0.50 to 0.53 |
//!
//! Where it is slower: every put is one `write` to the log, where fjall fills a buffer; in a profile of a whole run
//! of both engines 18 % of all samples were in `write`. Put latencies were not profiled: what makes the longest put
//! long is not known. The rows with a sync in them were measured with the disk under other load, and say little.
