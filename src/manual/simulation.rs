//! # The simulator
//!
//! ```text
//! kvsim run SCENARIO --seed N [--json] [--out DIR] [--check-determinism]
//! kvsim sweep SCENARIO --seeds A..B [--jobs J] [--json]
//! kvsim replay PATH...          regression files, or folders of them
//! kvsim check HISTORY           the checkers that need nothing but a history
//! ```
//!
//! ## What a run is
//!
//! A *world* ([`crate::sim::world`]) is one plain value: the nodes, their disks and clocks, the frames on their
//! way, the clients, the history. It has one queue of events, ordered by virtual time and, at equal times, by when
//! they were scheduled. A run lets one event happen after the other; nothing else moves. Whatever a real driver
//! does on threads (a sync, a slice of a job, a frame) is an event of its own, so that a crash, or a clone, can
//! fall between any two.
//!
//! All chance comes from the seed, and each use of it from a stream of its own, named by what it is for and which
//! link, node or client it belongs to ([`crate::base::rng`]). So a fault more, or a changed rate, moves no other
//! draw.
//!
//! A run has two phases. While the scenario's `duration` lasts, clients work and faults happen. Then comes *calm*:
//! partitions heal, all nodes run, no frame is lost any more, and the cluster has `settle` to converge. If it does
//! not, the verdict is `liveness`, with what keeps it.
//!
//! ## What is simulated, and how faithfully
//!
//! - **Network**: real encoded frames. Each frame has a latency of its own, and may be lost or doubled; partitions
//!   cut directed links, also for frames already on their way.
//! - **Disk** ([`crate::sim::disk`]): appended bytes can be read at once, and survive a crash only if a sync
//!   covered them; names likewise. A crash loses all that is unsynced (`lose = "unsynced"`), or keeps each sector
//!   and each name by a coin (`lose = "torn"`). Syncs take time; what is appended meanwhile is not covered.
//! - **Processor**: a node does one thing at a time; a step costs some microseconds and the disk calls that it
//!   made, and what comes meanwhile waits.
//! - **Clocks**: wall and monotonic clock of each node are off in their own way.
//!
//! ## Determinism
//!
//! The *trace hash* folds in every event: time, kind, place, and the checksum of every frame. The *state hash*
//! covers the whole world at the end. Both are equal for equal seeds in debug and release builds, on any machine,
//! and for a clone that goes on from the middle. `--check-determinism` runs a twin beside the world and names the
//! first event at which the two part.
//!
//! ## What is checked
//!
//! | check | promise |
//! |---|---|
//! | `nodes` | no node failed to start, halted, sent garbage, or panicked |
//! | `audit` | if the power failed everywhere now, each acknowledged write would be on as many disks as was said |
//! | `durable` | in the end each acknowledged write is there, or was replaced by a write that could know it |
//! | `held` | nothing is stored that nobody wrote |
//! | `provenance` | a read returns only values that somebody wrote, to that key, and not in the future |
//! | `recency` | with R + W > N, a read knows every write acknowledged, and all that any read showed, before it began |
//! | `converge` | all replicas of each key hold equal siblings |
//! | `hints` | no hint is left |
//! | `membership` | where the scenario sets `news_rounds`: failures and returns get around in as many rounds, and nobody who runs is taken for dead |
//!
//! Clocks of versions are exact sets of writes, so "knows" errs to neither side.
//!
//! ## Verdicts and exit codes
//!
//! `pass` 0 · `safety` 1 (a promise was broken, or the core panicked) · `liveness` 1 · bad usage or a bad file 2 ·
//! `nondeterminism` 3 · `vacuous` 4 (a declared fault had no effect, a fact that the scenario expects was not
//! reached, or nothing was tested) · `budget` 5 (more events than the scenario allows).
//!
//! ## Regressions
//!
//! A seed that failed becomes a file in `sim-results/regressions/`: a scenario with a `[regression]` table that
//! names the seed, the verdict that it must give, and the story. CI replays them all, for ever.
//!
//! ## Results
//!
//! `sim-results/baseline/` holds the summary of each shipped scenario at seed 42 (`just baseline` writes it anew):
//! what changes there changed what the core does. `sim-results/runs/` is for what runs write with `--out`, and is
//! ignored.
//!
//! ## Speed
//!
//! `kvsim run scenarios/partition.toml --seed 42`, release build, five runs on one core of a shared 2-core machine:
//! 404,000 events and 214,000 messages in 0.90 to 0.97 s with all checks and audits on (415,000 to 450,000 events/s, 79
//! to 86 simulated seconds a second).
