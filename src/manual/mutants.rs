//! # Planted bugs
//!
//! A check that never fails is worth nothing. `tests/mutants/` holds bugs of a line or two, each a patch with its story
//! and the scenarios that have to find it; `just mutants` applies them one by one to a copy of the tree, and runs those
//! scenarios seed by seed until one does not pass. (The same seed has to pass without the patch.) A mutant that
//! survives is a missing check. A test holds that every patch still fits the code.
//!
//! "Seed" is the first one that finds it, counted from 1. The verdict `vacuous` means that what the scenario is there
//! to show did not happen: the node that should have refused to start did start, for instance.
//!
//! | area | bug | found by | seed | verdict |
//! |---|---|---|---|---|
//! | replication | `acknowledged-before-sync` | partition | 1 | safety |
//! | replication | `amnesiac-answers-reads` | forgotten-quorum | 1 | safety |
//! | replication | `context-ignored` | concurrent-writers | 1 | safety |
//! | replication | `convicted-by-one-observer` | deaf-node | 1 | safety |
//! | replication | `delete-forgets-tombstone` | partition | 1 | safety |
//! | replication | `dot-given-twice` | partition | 1 | liveness |
//! | replication | `dw-ignored` | floors | 1 | safety |
//! | replication | `epoch-reused` | kv679-lost-key | 1 | safety |
//! | replication | `floor-ignored` | sessions | 1 | safety |
//! | replication | `forward-coordinated-twice` | partition | 1 | safety |
//! | replication | `forward-for-an-earlier-life` | doubled-forwards | 1 | vacuous |
//! | replication | `health-never-stretches` | gasping-node | 1 | safety |
//! | replication | `hint-counted-as-acknowledgement` | partition | 1 | safety |
//! | replication | `hint-forgotten-before-durable` | write-any | 1 | safety |
//! | replication | `hints-forgotten-at-restart` | write-any | 1 | safety |
//! | replication | `late-answers-dropped` | read-repair | 1 | liveness |
//! | replication | `local-quorum-of-the-coordinator` | local-quorum | 1 | safety |
//! | replication | `lower-generation-accepted` | late-frames | 1 | safety |
//! | replication | `member-added-under-its-old-name` | counters-and-sets | 1 | safety |
//! | replication | `merge-drops-what-the-other-lacks` | partition | 1 | safety |
//! | replication | `pause-convicts-others` | ill-observers | 2 | safety |
//! | replication | `pr-ignored` | floors | 1 | safety |
//! | replication | `pw-ignored` | floors | 1 | safety |
//! | replication | `quorum-of-half` | concurrent-writers | 1 | safety |
//! | replication | `read-not-durable` | blackout | 6 | safety |
//! | replication | `read-shown-before-repair` | concurrent-writers | 1 | safety |
//! | replication | `repaired-by-vote` | partition | 1 | safety |
//! | replication | `replaced-request-comes-back` | retries | 1 | safety |
//! | replication | `requests-remembered-by-the-clock` | retries | 1 | safety |
//! | replication | `retried-step-counted-twice` | counters-and-sets | 1 | safety |
//! | replication | `stand-in-acknowledges-before-sync` | write-any | 7 | safety |
//! | replication | `two-replicas-on-one-node` | partition | 1 | safety |
//! | replication | `zone-demand-ignored` | floors | 1 | safety |
//! | replication | `zones-ignored` | dc-outage | 1 | liveness |
//! | storage | `block-checksum-not-checked` | bit-rot | 1 | liveness |
//! | storage | `compaction-keeps-the-oldest` | storage-churn | 1 | liveness |
//! | storage | `failed-sync-ignored` | disk-faults | 1 | safety |
//! | storage | `filter-forgets-keys` | storage-churn | 1 | liveness |
//! | storage | `frozen-memtable-not-read` | storage-churn | 1 | liveness |
//! | storage | `log-floor-too-high` | storage-churn | 1 | liveness |
//! | storage | `log-name-not-synced` | blackout | 1 | safety |
//! | storage | `log-never-synced` | partition | 1 | liveness |
//! | storage | `manifest-installed-before-sync` | disk-faults | 20 | liveness |
//! | storage | `promise-not-checked` | rotten-log | 1 | vacuous |
//! | storage | `recovered-tail-not-copied` | blackout | 1 | safety |
//! | storage | `replay-stops-early` | blackout | 2 | safety |
//! | liveness | `compaction-never-finished` | disk-faults | 1 | liveness |
//! | liveness | `exchange-compares-what-is-equal` | lost-disk | 1 | liveness |
//! | liveness | `exchange-never-opened` | partition | 2 | liveness |
//! | liveness | `handoff-window-leaks` | partition | 1 | liveness |
//! | liveness | `hints-never-handed-off` | partition | 1 | liveness |
//! | liveness | `next-sync-forgotten` | partition | 1 | liveness |
//! | liveness | `requests-never-closed` | partition | 1 | safety |
//! | liveness | `silent-members-never-contacted` | partition | 1 | liveness |
//! | liveness | `silent-replica-asked-first` | partial-partition | 1 | safety |
//! | liveness | `stale-asker-not-told` | lost-disk-for-long | 1 | liveness |
//! | liveness | `strangers-left-to-chance` | lost-disk-of-many | 1 | liveness |
//! | liveness | `suspicion-for-ever` | partition | 1 | liveness |
//! | determinism | `chance-from-the-process` | partition | 1 | nondeterminism |
//!
//! All 59 are found, 53 of them by the first seed, after a median of 1 and at most 20 seeds. (Bugs of the area
//! `determinism` are looked for beside a twin.) One that no scenario finds is left to a test of nodes,
//! `what_can_be_read_beside_the_damage_is_not_lost_with_it`: replicas that do not tell each other what they can read
//! beside a damaged block lose it only if the same keys lie beside damage on all that have them.
//!
//! What surviving mutants have taught: hints were only ever one of three ways to the same end, until a scenario left
//! them alone (`write-any`); so were late answers to reads (`read-repair`). The simulator asked the node's own code how
//! many a quorum is, and judged a node that counted wrongly by that. Frames of a dead process are refused in two
//! places, and one fact stood for both. Two bugs were found only because a fact was missing; once they reported it, one
//! was found by its harm, and of the other no check saw any, until the receivers of such frames were held against
//! clones that never got them. Whom a node takes for dead was judged in one scenario only, and in none was the observer
//! the one who is ill. A node that goes on after a failed sync was found only where too few other disks had the write:
//! by luck, and one day by none of 40 seeds. Since then audits ask each disk for all that its node believes to be on
//! it.
