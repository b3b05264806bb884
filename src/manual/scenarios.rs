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
//! | `cluster.nodes` | how many, 1 to 1000 | |
//! | `cluster.n` | replicas of each key | 3, or all |
//! | `cluster.r`, `cluster.w` | answers a read needs, disks a write needs: a number, `"one"`, `"quorum"`, `"all"`, `"local-quorum"`, `"each-quorum"`, and for writes `"any"` | `"quorum"` |
//! | `cluster.sloppy` | whether stand-ins keep hints | `true` |
//! | `cluster.clock_length_max` | actors in a clock before writes drop the oldest ([`crate::node::coordinate::prune`]); then `recency` and `audit`, which go by exact clocks, are not judged | 0: none is dropped |
//! | `cluster.zones` | the zone of each node, in order | one for all |
//! | `cluster.capacities` | the capacity of each node, in order | 1 each |
//! | `cluster.request_timeout`, `gossip_every`, `suspect_after`, `exchange_every`, `scrub_every` | as in [`crate::node::config`] | as there |
//! | `run.duration` | how long clients work and faults happen | |
//! | `run.settle` | how long the cluster may take to recover after that | `"60s"` |
//! | `run.heal_every` | how often, at the least, a copy of the world is healed and must recover ([`crate::sim::heal`]); `"0s"` for never | `"20s"` |
//! | `run.events_max` | more events than this is the verdict `budget` | 1,000,000,000 |
//! | `run.unrestricted` | whether faults may destroy the last copy of an acknowledged version | `false` |
//! | `storage.memtable_bytes`, `table_bytes`, `block_bytes`, `cache_bytes`, `level0_tables`, `reserve_bytes` | as in [`crate::storage::Config`] | as there |
//! | `network.latency` | `{ min, max }` of one frame | 200us to 2ms |
//! | `network.tail` | share of frames that take ten times as long | 0.1% |
//! | `network.loss`, `network.duplication` | share of frames | none |
//! | `network.shape` | `"uniform"`, `"exponential"` (most are short) or `"long-tail"` (a few near `max`) | `"uniform"` |
//! | `network.corruption` | share of frames that arrive with wrong bits | none |
//! | `network.reordering` | `{ share, by }`: frames that are late by up to so much | none |
//! | `network.bytes_per_second` | what each link carries; the rest waits in line | no limit |
//! | `disk.sync` | `{ min, max }` of one sync | 100us to 400us |
//! | `disk.slow` | share of syncs that take twenty times as long | 0.5% |
//! | `clocks.offset` | the wall clocks are off by up to this, to either side | `"250ms"` |
//! | `clocks.drift_ppm` | the monotonic clocks are wrong by up to this rate | 100 |
//!
//! ## Clients
//!
//! `[clients]` is one group of clients; several `[[clients]]` are as many groups. All groups work on the same keys:
//! `k0`, `k1`, … hold plain values, `c0`, … counters, `s0`, … sets, and `m0`, … one or the other. A client waits for
//! its answer before it asks again, and every value is written only once.
//!
//! | key | meaning | default |
//! |---|---|---|
//! | `count` | clients in the group | 16 |
//! | `keys` | keys of each of those sorts, from 0 on | 1000 |
//! | `choice` | which of them: `"uniform"`; `"zipf"` (the n-th 1/n as often as the first); `"sequential"` (the clients of the group go through them together); `{ hot = { keys = 5, share = "90%" } }` | `"uniform"` |
//! | `start`, `stop` | when they begin, and when they begin nothing more | `"3s"`, the end of the run |
//! | `think` | `{ min, max }` between two actions: a closed loop, in which slow answers slow the clients | 1ms to 20ms |
//! | `rate` | actions per second of the whole group, instead of `think`: an open loop. Actions fall due as a Poisson process, whatever the answers do; what falls due while its client still waits begins after that, and its latency counts from when it was due | |
//! | `value_bytes` | `{ min, max }` of a value | 16 to 256 |
//! | `value_choice` | which of those sizes: `"uniform"`, or `"zipf"` (most are small) | `"uniform"` |
//! | `timeout` | when a client gives up waiting | `"3s"` |
//! | `mix` | weights of the actions below | `get` 50, `update` 25, `put` 15, `add` 5, `delete` 5 |
//! | `coordinators` | whom a client asks: `"any"` (it moves each time); `"home"` (always the same node); `"failover"` (the same until an operation does not succeed) | `"any"` |
//! | `nodes` | whom they ask, such as `["n1", "n2"]` | all |
//! | `r`, `w` | what their requests ask for | as `cluster.r`, `cluster.w` |
//! | `pr`, `pw` | replicas that must answer a read, or acknowledge a write, besides: a level, and no hint counts | none |
//! | `dw` | replicas that must have a write on disk: a level. Then all else counts what has it in memory | as many as acknowledge |
//! | `zones` | distinct zones that must answer or acknowledge: 1 to the number of zones, at most `cluster.n` | as it comes |
//! | `sloppy` | whether stand-ins keep hints of their writes | as `cluster.sloppy` |
//! | `sessions` | whether a get carries all that its client has seen of the key, so that it never shows less | `false` |
//! | `retry` | how often a write of unknown outcome is tried again at once, 0 to 10, through another node; every write then has a name, and its tries have the same | 0 |
//!
//! Actions: `get`; `update` (a get, then a put with its context); `put` (a put without a context, which replaces what
//! its coordinator holds); `add` (a put with the empty context, which replaces nothing); `delete` (a get, then a
//! delete with its context); `recreate` (a get, a delete with its context, and a put with the context of the delete);
//! `stale` (a put with the context of the client's own last write of the key, however old). On counters and sets:
//! `incr` (a step of up to a million, one in four of them down, then a get of the counter); `sadd` (a member comes to a
//! set: a new one, or, one in four, one that the client found there the last time); `srem` (a get of a set, and one of
//! the members that it found goes); `clash` (whichever falls of a get, a delete without a context, a step and a new
//! member: two sides of a split may make a counter and a set of the same key).
//!
//! ## What is expected
//!
//! Every run has to give what [`crate::manual::simulation`] lists. `[expect]` adds what this scenario is about:
//!
//! ```toml
//! [expect]
//! facts = ["hint_delivered"]              # must be reached (`crate::node::fact`)
//! never = ["member_down"]                 # must not be reached
//! news_rounds = 12                        # rounds of gossip in which news of crashes and restarts reach all
//! holds = ["causal"]                      # guarantees that the history must give
//! breaks = ["linearizable"]               # guarantees that it must not give: the scenario proves that
//! availability = "99%"                    # of all operations succeed, at least
//! latency = { get = { p99 = "20ms" } }    # at most; of get, put, del, incr, sadd, srem: p50, p90, p99, p999, max
//! staleness = { versions = { max = 3 }, time = { p99 = "100ms" } }
//! ```
//!
//! Guarantees are `linearizable`, `causal`, `read-your-writes`, `monotonic-reads`, `monotonic-writes` and
//! `writes-follow-reads`; and `siblings`, the check of that name, which every run must pass that does not say that it
//! is to break it. What is promised and not kept (`holds`, `never`, `availability`, `latency`, `staleness`) is the
//! verdict `safety`; what was to be shown and was not (`facts`, `breaks`) is `vacuous`. News that needs more than
//! `news_rounds`, or never reaches all, is `liveness`. (A node that is taken for dead though no fault of its own or of
//! a link has been on for as many rounds is `safety`, in every run; without `news_rounds`, for as long as silence has
//! to last and rumours take.)
//!
//! ## Faults
//!
//! Each `[[fault]]` is one table with one key, its kind. All have `at`; most have `for`, how long they last, and
//! without it they last until clients stop. A fault that had no effect makes the run `vacuous`.
//!
//! **Network.** `from` and `to` are lists of nodes; without them, all are meant.
//!
//! ```toml
//! partition   = { at = "20s", for = "20s", groups = [["n4", "n5"]] }
//! delay       = { at = "20s", for = "5s", from = ["n1"], by = { min = "50ms", max = "200ms" } }
//! loss        = { at = "20s", for = "5s", to = ["n1"], share = "20%" }
//! duplication = { at = "20s", for = "5s", share = "20%" }
//! corruption  = { at = "20s", for = "5s", share = "1%" }           # wrong bits; whoever takes such a frame fails
//! reordering  = { at = "20s", for = "5s", share = "20%", by = "100ms" }
//! bandwidth   = { at = "20s", for = "5s", bytes_per_second = 100000 }       # of each link
//! clog        = { at = "20s", for = "5s", from = ["n1"], to = ["n2"] }      # all is held, and arrives afterwards
//! ```
//!
//! A partition has `groups` of nodes or of `zones`. Nodes in no group are a side of their own, or, with
//! `partial = true`, see both sides. `one_way = true` cuts only what each group sends to later ones. With
//! `flap = { cut = "200ms", whole = "300ms" }` it comes and goes.
//!
//! **Processes.**
//!
//! ```toml
//! crash   = { at = "30s", for = "5s", node = "n2", lose = "unsynced", on = "sync" }
//! restart = { at = "36s", node = "n2" }                     # for a crash without `for`
//! rolling = { at = "30s", every = "6s", for = "2s" }        # a crash of all `nodes`, or of all, one after the other
//! pause   = { at = "30s", for = "5s", node = "n2" }         # nothing is handled, timers fire late; the disk goes on
//! slow    = { at = "30s", for = "5s", node = "n2", factor = 100 }           # computing takes so many times as long
//! queue   = { at = "30s", for = "5s", node = "n2", limit = 10 }             # inputs that may wait; more is dropped
//! ```
//!
//! A crash strikes within a second, at a moment that `on` names: just before a sync ends (`"sync"`), between two steps
//! (`"event"`), within a step between two operations on the disk (`"disk"`), between two slices of a job (`"job"`).
//! `lose` says what becomes of what is not synced: `"unsynced"`, all is lost; `"torn"`, each sector and each name by a
//! coin; `"nothing"`, only the process dies. Without `for` a node is started when calm begins.
//!
//! **Disks.**
//!
//! ```toml
//! stall      = { at = "30s", for = "5s", node = "n2" }                      # no sync ends
//! lag        = { at = "30s", for = "5s", node = "n2", factor = 50 }         # all takes so many times as long
//! error      = { at = "30s", for = "5s", node = "n2", on = "read", share = "1%" }     # or "write", "sync": EIO
//! full       = { at = "30s", for = "5s", node = "n2", free = 10000 }        # so many bytes more, and it is full
//! unreadable = { at = "30s", for = "5s", node = "n2", sectors = 4 }         # of tables
//! rot        = { at = "30s", node = "n2", bits = 8, files = "tables" }      # or "any": logs and manifests too
//! lost_write = { at = "30s", node = "n2", sectors = 1, files = "tables" }   # zeros where something was written
//! misdirect  = { at = "30s", node = "n2", files = "tables" }                # one sector lies where another should
//! swap       = { at = "30s", for = "5s", nodes = ["n1", "n2"] }             # both start, and must refuse
//! wipe       = { at = "30s", for = "5s", node = "n2" }                      # down, and back with an empty disk
//! restore    = { at = "30s", for = "5s", node = "n2", age = "10s" }         # … with a copy that is so old
//! ```
//!
//! A node that stops, or does not start, because its disk fails is started again two seconds later, as a supervisor
//! does. One that a fault has damaged so much that it refuses to start gets an empty disk.
//!
//! **Clocks.** Of one node, `clock = "wall"` (the default) or `"mono"`. One of:
//!
//! ```toml
//! clock = { at = "30s", for = "5s", node = "n2", offset = "-2s" }           # wall only; set right afterwards
//! clock = { at = "30s", node = "n2", jump = "+2m" }                         # for good; mono only forward
//! clock = { at = "30s", for = "5s", node = "n2", drift_ppm = 50000 }
//! clock = { at = "30s", for = "5s", node = "n2", freeze = true }
//! ```
//!
//! ## Rates and swarms
//!
//! ```toml
//! [rates]
//! crash = { every = "20s", for = { min = "500ms", max = "3s" } }
//! partition = { every = "10s" }
//!
//! [swarm]
//! kinds = ["crash", "delay", "rot"]       # all, if not given
//! without = ["wipe"]
//! ```
//!
//! A rate draws faults of a kind: `every` is the mean time between two, on each node, or, for faults of the network
//! and `swap`, in the cluster. Where and how strong they are is drawn too. A swarm draws for each kind whether there is
//! such a rate, with one fault in 8 to 60 seconds; the report says what was drawn. All of it is drawn before the run,
//! each kind from streams of its own: one kind more moves no draw of the others.
//!
//! ## The budget
//!
//! What destroys something on a disk (`wipe`, `restore`, `rot`, `lost_write`, `misdirect`, and `unreadable` too, for a
//! node writes anew what it cannot read) is done only if every acknowledged version has a whole copy on another disk
//! afterwards, and no other disk was harmed within the time of a request; otherwise it is counted as attempted and
//! refused. `run.unrestricted = true` lifts this: then the ghost
//! ([`crate::sim::ghost`]) predicts which versions are lost by each fault, and a loss that it predicted is a figure
//! in the report, while one that it did not is a finding. After a node was given an old copy of its disk, or has lost
//! the end of its log, overlapping quorums promise nothing any more (it may take part in them with what it has), so
//! `recency` judges only reads that ended before; and so it does after a last copy was lost. A disk that is empty is no
//! such thing: its node knows what it does not know ([`crate::node::amnesia`]).
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
