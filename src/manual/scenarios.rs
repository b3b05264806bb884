//! # Scenario files
//!
//! TOML. Unknown keys, wrong types, and values that do not fit together are refused with file, line, column, and
//! what is allowed there. Spans of time are strings such as `"20s"`, `"150ms"`, `"400us"`; shares are strings such
//! as `"0.5%"`. Nodes are called `n1`, `n2`, … Only `cluster.nodes` and `run.duration` have no default.
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `name` | in reports | the file's name |
//! | `cluster.nodes` | how many, 1 to 1000 | |
//! | `cluster.n` | replicas of each key | 3, or all |
//! | `cluster.r`, `cluster.w` | answers a read needs, disks a write needs: a number, `"one"`, `"quorum"`, `"all"` | `"quorum"` |
//! | `cluster.sloppy` | whether stand-ins keep hints | `true` |
//! | `cluster.zones` | the zone of each node, in order | one for all |
//! | `cluster.capacities` | the capacity of each node, in order | 1 each |
//! | `cluster.request_timeout`, `gossip_every`, `suspect_after`, `exchange_every` | as in [`crate::node::config`] | as there |
//! | `run.duration` | how long clients work and faults happen | |
//! | `run.settle` | how long the cluster may take to recover after that | `"60s"` |
//! | `run.events_max` | more events than this is the verdict `budget` | 1,000,000,000 |
//! | `storage.memtable_bytes`, `table_bytes`, `block_bytes`, `cache_bytes`, `level0_tables`, `reserve_bytes` | as in [`crate::storage::Config`] | as there |
//! | `network.latency` | `{ min, max }` of one frame | 200us to 2ms |
//! | `network.tail` | share of frames that take ten times as long | 0.1% |
//! | `network.loss`, `network.duplication` | share of frames | none |
//! | `disk.sync` | `{ min, max }` of one sync | 100us to 400us |
//! | `disk.slow` | share of syncs that take twenty times as long | 0.5% |
//! | `clocks.offset` | the wall clocks are off by up to this, to either side | `"250ms"` |
//! | `clocks.drift_ppm` | the monotonic clocks are wrong by up to this rate | 100 |
//! | `clients.count` | clients; each waits for its answer before it asks again | 16 |
//! | `clients.keys` | keys, drawn evenly | 1000 |
//! | `clients.start` | when they begin | `"3s"` |
//! | `clients.think` | `{ min, max }` between two operations | 1ms to 20ms |
//! | `clients.value_bytes` | `{ min, max }` of a value | 16 to 256 |
//! | `clients.timeout` | when a client gives up waiting | `"3s"` |
//! | `clients.mix` | weights of `get`, `update` (a read, then a write with its context), `put` (a write without a context), `add` (a write with the empty context), `delete` (a read, then a delete with its context) | 50 25 15 5 5 |
//! | `expect.news_rounds` | rounds of gossip in which the news of each crash and each restart must have got around to all nodes that run; besides, nobody may take a node for dead that runs, is not paused, and has not been cut off for that long. Not checked unless it is given | |
//! | `expect.facts` | facts ([`crate::node::fact`]) that must be reached, or the run is `vacuous` | none |
//!
//! ## Faults
//!
//! Each `[[fault]]` is one of:
//!
//! ```toml
//! partition = { at = "20s", for = "20s", groups = [["n4", "n5"]], one_way = false }
//! crash     = { at = "30s", node = "n2", lose = "unsynced" }       # or "torn"
//! restart   = { at = "36s", node = "n2" }
//! pause     = { at = "40s", for = "3s", node = "n3" }              # it does not run; what it was sent waits
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
//! trace_hash = "…"      # optional: then the run must be that very run
//! state_hash = "…"
//! ```
