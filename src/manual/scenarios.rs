//! # Scenario files
//!
//! TOML. Unknown keys, wrong types, and values that do not fit together are refused with file, line, column, and
//! what is allowed there. Spans of time are strings such as `"20s"`, `"150ms"`, `"400us"`; shares are strings such
//! as `"0.5%"`. Nodes are called `n1`, `n2`, … Only `cluster.nodes` and `run.duration` have no default.
//!
//! `kvsim new NAME` writes a commented file that passes. Its first comment says what the scenario proves, and `kvsim
//! list` shows that. `kvsim schema > scenario.schema.json` gives editors what they need to complete and check keys;
//! with the TOML extensions that read such a line, put `#:schema scenario.schema.json` at the top of the file. The
//! schema follows from the types that the parser fills; what only several keys together show, only a run tells.
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `name` | in reports | the file's name |
//! | `cluster.nodes` | how many, 1 to 100 | |
//! | `cluster.n` | replicas of each key | 3, or all |
//! | `cluster.r`, `cluster.w` | answers a read needs, disks a write needs: a number, `"one"`, `"quorum"`, `"all"` | `"quorum"` |
//! | `cluster.sloppy` | whether stand-ins keep hints | `true` |
//! | `cluster.zones` | the zone of each node, in order | one for all |
//! | `cluster.capacities` | the capacity of each node, in order | 1 each |
//! | `cluster.request_timeout`, `gossip_every`, `suspect_after`, `exchange_every` | as in [`crate::node::config`] | as there |
//! | `run.duration` | how long clients work and faults happen | |
//! | `run.settle` | how long the cluster may take to recover after that | `"60s"` |
//! | `run.heal_every` | how often, at the least, a copy of the world is healed and must recover ([`crate::sim::heal`]); `"0s"` for never | `"20s"` |
//! | `run.events_max` | more events than this is the verdict `budget` | 1,000,000,000 |
//! | `storage.memtable_bytes`, `table_bytes`, `block_bytes`, `cache_bytes`, `level0_tables` | as in [`crate::storage::Config`] | as there |
//! | `network.latency` | `{ min, max }` of one frame | 200us to 2ms |
//! | `network.tail` | share of frames that take ten times as long | 0.1% |
//! | `network.loss`, `network.duplication` | share of frames | none |
//! | `disk.sync` | `{ min, max }` of one sync | 100us to 400us |
//! | `disk.slow` | share of syncs that take twenty times as long | 0.5% |
//! | `clocks.offset` | the wall clocks are off by up to this, to either side | `"250ms"` |
//! | `clocks.drift_ppm` | the monotonic clocks are wrong by up to this rate | 100 |
//!
//! ## Clients
//!
//! `[clients]` is one group of clients; several `[[clients]]` are as many groups. All groups work on the same keys
//! (`k0`, `k1`, …). A client waits for its answer before it asks again, and every value is written only once.
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `count` | clients in the group | 16 |
//! | `keys` | keys, from `k0` on | 1000 |
//! | `choice` | which of them: `"uniform"`; `"zipf"` (the n-th 1/n as often as the first); `"sequential"` (the clients of the group go through them together); `{ hot = { keys = 5, share = "90%" } }` | `"uniform"` |
//! | `start` | when they begin | `"3s"` |
//! | `think` | `{ min, max }` between two actions: a closed loop, in which slow answers slow the clients | 1ms to 20ms |
//! | `rate` | actions per second of the whole group, instead of `think`: an open loop. Actions fall due as a Poisson process, whatever the answers do; what falls due while its client still waits begins after that, and its latency counts from when it was due | |
//! | `value_bytes` | `{ min, max }` of a value | 16 to 256 |
//! | `value_choice` | which of those sizes: `"uniform"`, or `"zipf"` (most are small) | `"uniform"` |
//! | `timeout` | when a client gives up waiting | `"3s"` |
//! | `mix` | weights of the actions below | 50 25 15 5 5 0 0 |
//! | `coordinators` | whom a client asks: `"any"` (it moves each time); `"home"` (always the same node); `"failover"` (the same until an operation does not succeed) | `"any"` |
//! | `sessions` | whether a get carries all that its client has seen of the key, so that it never shows less | `false` |
//!
//! Actions: `get`; `update` (a get, then a put with its context); `put` (a put without a context, which replaces what
//! its coordinator holds); `add` (a put with the empty context, which replaces nothing); `delete` (a get, then a
//! delete with its context); `recreate` (a get, a delete with its context, and a put with the context of the delete);
//! `stale` (a put with the context of the client's own last write of the key, however old).
//!
//! ## What is expected
//!
//! Every run has to give what [`crate::manual::simulation`] lists. `[expect]` adds what this scenario is about:
//!
//! ```toml
//! [expect]
//! facts = ["hint_delivered"]              # must be reached (`crate::node::fact`)
//! holds = ["causal"]                      # guarantees that the history must give
//! breaks = ["linearizable"]               # guarantees that it must not give: the scenario proves that
//! availability = "99%"                    # of all operations succeed, at least
//! latency = { get = { p99 = "20ms" } }    # at most; of get, put, del: p50, p90, p99, p999, max
//! staleness = { versions = { max = 3 }, time = { p99 = "100ms" } }
//! ```
//!
//! Guarantees are `linearizable`, `causal`, `read-your-writes`, `monotonic-reads`, `monotonic-writes` and
//! `writes-follow-reads`. What is promised and not kept (`holds`, `availability`, `latency`, `staleness`) is the
//! verdict `safety`; what was to be shown and was not (`facts`, `breaks`) is `vacuous`.
//!
//! ## Faults
//!
//! Each `[[fault]]` is one of:
//!
//! ```toml
//! partition = { at = "20s", for = "20s", groups = [["n4", "n5"]], one_way = false }
//! crash     = { at = "30s", node = "n2", lose = "unsynced" }       # or "torn"
//! restart   = { at = "36s", node = "n2" }
//! ```
//!
//! Nodes in no group of a partition are a side of their own. `one_way` cuts only what each group sends to later
//! ones. Without `for` a partition lasts to the end of the run. A node that crashed and is not restarted is started
//! when calm begins.
//!
//! ## Regressions
//!
//! ```toml
//! [regression]
//! seed = 7
//! verdict = "pass"
//! story = "what went wrong, and why this seed shows it"
//! trace_hash = "…"      # optional, as all below: `kvsim replay` tells what has changed
//! state_hash = "…"
//! recorded = { events = 1000, ok = 100, rejected = 1, unknown = 0, failed = ["converge"] }
//! ```
