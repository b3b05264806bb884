//! # Figures of the simulator
//!
//! `just bench-sim` (`cargo bench --bench simulator`) measures them: the bare event loop, each shipped scenario with
//! all faults and checks on, what the checks cost of it, copies of worlds, and threads. Rates are per second of
//! processor time of the thread that works.
//!
//! **Read them with care**: two cores were shared with other work for all of these but the table of scenarios, and
//! processor time too is longer then. Counts of instructions (callgrind) do not depend on that.
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
//! | scenario | events/s | messages/s | client operations/s | seeds/s | simulated : real | peak MB |
//! |---|---|---|---|---|---|---|
//! | asymmetric-partition | 239,000 | 122,000 | 24,800 | 1.25 | 60 | 37 |
//! | bit-rot | 144,000 | 71,000 | 14,600 | 0.27 | 16 | 73 |
//! | blackout | 268,000 | 126,000 | 39,300 | 1.51 | 48 | 42 |
//! | clock-faults | 205,000 | 103,000 | 21,700 | 0.43 | 26 | 74 |
//! | clock-pruning | 277,000 | 148,000 | 26,600 | 2.76 | 85 | 28 |
//! | concurrent-writers | 147,000 | 82,600 | 13,400 | 0.24 | 8 | 108 |
//! | counters-and-sets | 120,000 | 55,700 | 11,200 | 1.81 | 46 | 38 |
//! | crash-restart | 211,000 | 95,500 | 26,900 | 0.72 | 36 | 42 |
//! | dc-outage | 163,000 | 87,800 | 17,700 | 0.34 | 51 | 90 |
//! | deaf-node | 293,000 | 144,000 | 31,100 | 1.28 | 66 | 41 |
//! | disk-faults | 113,000 | 55,100 | 11,100 | 0.29 | 18 | 284 |
//! | eventual | 233,000 | 121,000 | 24,900 | 0.87 | 37 | 49 |
//! | flapping-links | 243,000 | 118,000 | 23,600 | 2.55 | 109 | 24 |
//! | hinted-handoff | 231,000 | 109,000 | 24,300 | 0.83 | 52 | 52 |
//! | kv679-amnesiac-replica | 209,000 | 87,000 | 17,100 | 6.58 | 204 | 17 |
//! | kv679-lost-disk | 264,000 | 118,000 | 29,100 | 3.78 | 92 | 23 |
//! | kv679-restored-backup | 187,000 | 83,700 | 20,700 | 2.69 | 65 | 23 |
//! | late-frames | 226,000 | 115,000 | 23,700 | 0.63 | 29 | 61 |
//! | lost-disk | 246,000 | 121,000 | 25,400 | 0.64 | 39 | 51 |
//! | one-writer-is-linearizable | 354,000 | 189,000 | 39,900 | 10.44 | 172 | 16 |
//! | partial-partition | 263,000 | 133,000 | 27,400 | 1.08 | 49 | 44 |
//! | partition | 218,000 | 109,000 | 23,600 | 0.49 | 38 | 62 |
//! | quorum-is-not-linearizable | 140,000 | 67,500 | 15,900 | 4.42 | 46 | 30 |
//! | read-repair | 303,000 | 151,000 | 36,000 | 2.79 | 140 | 26 |
//! | rolling-restart | 216,000 | 105,000 | 22,500 | 0.76 | 46 | 38 |
//! | rotten-log | 209,000 | 105,000 | 21,800 | 0.60 | 27 | 57 |
//! | sessions | 202,000 | 108,000 | 20,800 | 3.06 | 70 | 21 |
//! | slow-node | 221,000 | 111,000 | 22,700 | 0.64 | 32 | 61 |
//! | stale-context | 94,900 | 44,800 | 8,600 | 2.66 | 60 | 35 |
//! | storage-churn | 191,000 | 90,100 | 19,900 | 0.41 | 18 | 50 |
//! | swarm | 94,100 | 42,600 | 8,100 | 0.38 | 23 | 93 |
//! | two-nodes | 307,000 | 75,200 | 66,500 | 5.33 | 223 | 17 |
//! | write-any | 124,000 | 41,800 | 5,700 | 0.73 | 39 | 43 |
//!
//! A profile (`perf`) of partition at seed 42: the nodes' own steps are 42 %, the world around them 30 %, healed copies
//! 10 %, the final checks 9 %, audits 4 %. Before the checks looked up only what they need, healed copies were 17 % and
//! the final checks 14 %, and partition did 155,000 to 165,000 events a second. What remains to 300,000 would have to
//! come from the nodes and the world: without any check at all it would be 280,000.
//!
//! The table was measured before files of the simulated disk were shared by groups of chunks (every sync cloned the
//! list of all chunks of its file), and before invariants looked at the oldest operations only. The builds before
//! and after that, in alternation, five times each at seed 42: concurrent-writers 106,000 to 122,000 events/s
//! before and 175,000 to 227,000 after; partition, whose logs are short, 162,000 to 216,000 and 163,000 to 197,000.
//! By callgrind, partition needs 5.9 thousand million instructions for 418,500 events and those of its copies:
//! nodes' steps 47 % (of which reading the store 16, decoding 10, comparing trees 6), the outbox and the network 10
//! %, healed copies 9 %, audits 5 %, invariants 5 %, the final checks 5 %.
//!
//! `kvsim run scenarios/large/thousand-nodes.toml --seed 42`: 17 s of processor time (43 s before members had places
//! and names lay in place), 1.06 GB; the failure was known to all after 8 rounds of gossip (log2 of 1,000 is 10), the
//! return after 2.
//!
//! ## A thousand seeds
//!
//! `kvsim sweep FILE --seeds 1..1001` for each of the fourteen scenarios of replication (the nightly recipe does it for
//! all): 14,000 runs, all pass. Minutes are of one thread; builds differed in speed (some were optimised by profile),
//! and agree in every trace.
//!
//! | scenario | million events | million client operations | hours simulated | minutes |
//! |---|---|---|---|---|
//! | asymmetric-partition | 195 | 20.4 | 13 | 6 |
//! | clock-pruning | 99 | 9.5 | 9 | 3 |
//! | concurrent-writers | 623 | 57.0 | 9 | 23 |
//! | crash-restart | 277 | 36.9 | 14 | 12 |
//! | dc-outage | 468 | 52.6 | 42 | 29 |
//! | flapping-links | 96 | 9.8 | 12 | 4 |
//! | hinted-handoff | 277 | 29.7 | 17 | 11 |
//! | lost-disk | 420 | 44.4 | 17 | 17 |
//! | partition | 427 | 46.9 | 22 | 17 |
//! | rolling-restart | 344 | 37.6 | 17 | 16 |
//! | slow-node | 332 | 34.9 | 14 | 13 |
//! | stale-context | 35 | 3.3 | 6 | 2 |
//! | two-nodes | 62 | 13.3 | 12 | 2 |
//! | thousand-nodes | 557 | 1.7 | 18 | 210 |
//! | together | 4,212 | 398 | 222 | 365 |
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
