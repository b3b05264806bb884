//! # Figures of the simulator
//!
//! `just bench-sim` (`cargo bench --bench simulator`) measures them: the bare event loop, each shipped scenario with
//! all faults and checks on, what the checks cost of it, copies of worlds, and threads. Rates are per second of
//! processor time of the thread that works.
//!
//! **Read them with care**: two cores were shared with other work for most of these, and processor time too is longer
//! then. Counts of instructions (callgrind) do not depend on that.
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
//! | asymmetric-partition | 183,000 | 93,100 | 18,900 | 46 | 40 |
//! | bit-rot | 111,000 | 54,900 | 11,300 | 13 | 82 |
//! | blackout | 184,000 | 86,600 | 26,900 | 33 | 44 |
//! | concurrent-writers | 131,000 | 73,900 | 12,000 | 7 | 112 |
//! | counters-and-sets | 104,000 | 48,500 | 9,800 | 40 | 38 |
//! | dc-outage | 170,000 | 83,600 | 21,300 | 46 | 62 |
//! | disk-faults | 71,000 | 34,400 | 7,000 | 11 | 286 |
//! | eventual | 178,000 | 92,600 | 19,000 | 28 | 50 |
//! | flapping-links | 134,000 | 65,100 | 13,000 | 60 | 25 |
//! | partition | 165,000 | 82,300 | 17,900 | 29 | 68 |
//! | rolling-restart | 129,000 | 62,700 | 13,500 | 27 | 42 |
//! | storage-churn | 114,000 | 53,800 | 11,900 | 10 | 57 |
//! | swarm | 68,000 | 30,800 | 5,900 | 17 | 95 |
//! | two-nodes | 188,000 | 46,100 | 40,800 | 137 | 18 |
//!
//! A profile (`perf`) of partition at seed 42: the nodes' own steps are 38 %, healed copies 17 % (most of it the check
//! of siblings, which reads the whole history for each copy), the final checks 14 %. An earlier state did 205,000
//! events a second; which of the changes since costs how much was not measured.
//!
//! `kvsim run scenarios/large/thousand-nodes.toml --seed 42`: 43 s of processor time, 1.1 GB; the failure was known to
//! all after 8 rounds of gossip (log2 of 1,000 is 10), the return after 2.
//!
//! ## Copies, threads, linearizability
//!
//! `cargo bench --bench simulator -- clone`: a world of five nodes with 10,000 keys is copied and dropped in 0.28 ms.
//! The copy pays when it is written to: its first 1,000 events took 12.1 ms, and 8.0 ms in a world that shares
//! nothing.
//!
//! `cargo bench --bench simulator -- jobs 6`: two threads did six seeds of partition in 9.2 and 8.3 s, one in 16.6 and
//! 18.3 s: 0.90 and 1.11 of linear.
//!
//! `just bench-lin 1`: operations a second of the linearizability checker, and of todc-utils 0.1.1 on the same
//! histories; the verdicts are the same.
//!
//! | history | ours | todc-utils | ratio |
//! |---|---|---|---|
//! | 100,000 operations, 100 keys, 5 clients | 906,000 | 55,000 | 16 |
//! | the same with stale reads | 1,550,000 | 50,500 | 31 |
//! | 10,000 operations, 1 key, 5 clients | 1,070,000 | 4,420 | 243 |
//! | the same with stale reads | 265,000 | 990 | 267 |
//! | 1,000 operations, 1 key, 10 clients | 1,580,000 | 3,530 | 448 |
//! | 10,000 operations, 1 key, 16 clients | 884,000 | | |
//! | the same with stale reads | 192,000 | | |
//!
//! ## Twins
//!
//! `kvsim run scenarios/partition.toml --seed 42` with and without `--check-determinism`, three times in alternation:
//! 4.2, 5.0 and 5.5 s of processor time against 1.8, 2.4 and 2.6 s, which is 2.1 times as long. (It was 7 times: 10.4 s
//! against 1.4 to 1.5 s, at a load of 1.) Those twins compared their states every five seconds; they do every ten
//! since.
