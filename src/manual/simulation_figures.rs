//! # Figures of the simulator
//!
//! `just bench-sim` (`cargo bench --bench simulator`) measures them: the bare event loop, each shipped scenario with
//! all faults and checks on, what the checks cost of it, copies of worlds, and threads. Rates are per second of
//! processor time of the thread that works.
//!
//! **Read them with care**: two cores were shared with a load of 20 to 30 while these were taken. One and the same
//! build took 1.4 to 1.5 s of processor time for the partition scenario at a load of 1, and 1.9 to 2.6 s at 25. Counts
//! of instructions (callgrind) do not depend on that.
//!
//! ## The bare event loop
//!
//! `cargo bench --bench simulator -- loop 1000000`, three runs: five nodes, one request from each to each other under
//! way, 1 to 10 ms of latency, 1 % loss; on a world's queue, network, events and trace.
//!
//! | | messages/s | instructions/message |
//! |---|---|---|
//! | a world's loop | 5.6 to 6.4 million | 1,082 |
//! | a bare heap without trace, checksums or keyed chance | 5.7 to 7.4 million | 896 |
//!
//! Instructions are the difference of runs with 60,000 and 20,000 messages, divided by 40,000. Of them a fifth is the
//! heap, 15 % ChaCha, 13 % the network's decisions.
//!
//! ## Scenarios
//!
//! `cargo bench --bench simulator -- scenarios 1` (seed 1, all faults, audits, healed copies and checks; the events of
//! copies count):
//!
//! | scenario | events/s | messages/s | client operations/s | simulated : real | peak MB |
//! |---|---|---|---|---|---|
//! | asymmetric-partition | 208,000 | 110,000 | 24,300 | 39 | 47 |
//! | blackout | 181,000 | 85,700 | 27,800 | 35 | 41 |
//! | concurrent-writers | 212,000 | 122,000 | 19,900 | 11 | 105 |
//! | dc-outage | 206,000 | 107,000 | 27,300 | 58 | 58 |
//! | eventual | 246,000 | 135,000 | 26,800 | 44 | 39 |
//! | flapping-links | 183,000 | 93,100 | 18,800 | 90 | 23 |
//! | partition | 205,000 | 108,000 | 23,200 | 38 | 64 |
//! | rolling-restart | 156,000 | 79,600 | 17,100 | 37 | 38 |
//! | two-nodes | 254,000 | 62,700 | 54,800 | 180 | 16 |
//!
//! Partition at seed 1 is 409,000 events in 7.01 billion instructions, 17,100 an event. Healed copies are 8.8 % of them
//! (five copies), audits 5.6 %, invariants after each step 3.0 %, the final checks of safety 3.0 %. The node's own
//! steps are 57 %; a tenth was the disk's appends, which copied a chunk of 16 kB after each sync that began: chunks
//! have 4 kB since, and room for what comes next.
//!
//! ## Twins
//!
//! `kvsim run scenarios/partition.toml --seed 42` with and without `--check-determinism`, three times in alternation:
//! 4.2, 5.0 and 5.5 s of processor time against 1.8, 2.4 and 2.6 s, which is 2.1 times as long. (It was 7 times: 10.4 s
//! against 1.4 to 1.5 s, at a load of 1.) Those twins compared their states every five seconds; they do every ten
//! since.
