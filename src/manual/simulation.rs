//! # The simulator
//!
//! ```text
//! kvsim run SCENARIO --seed N [--json] [--html FILE] [--out DIR] [--events FILE] [--save] [--check-determinism]
//! kvsim sweep SCENARIO... --seeds A..B [--jobs J] [--time 10m] [--fail-fast] [--shard I/N] [--results FILE] [--resume]
//!                               [--save] [--junit FILE] [--json]
//! kvsim merge FILE... [--junit FILE] [--json]
//! kvsim replay PATH...          regression files, or folders of them
//! kvsim check HISTORY [--holds GUARANTEE]... [--json]     the checkers that need nothing but a history
//! kvsim new NAME                a commented scenario that passes, to begin with
//! kvsim list [PATH...] [--json] scenarios, and what each proves
//! kvsim schema                  the JSON Schema of scenario files
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
//! One calm at the end shows little: what is stuck in the middle may be freed by a later write or restart. So while
//! faults happen, copies of the world are *healed* ([`crate::sim::heal`]): after each fault that begins or ends,
//! and at a cadence (`run.heal_every`), the world is cloned, and the clone has its calm at once. It must come to
//! rest within `settle`, and nothing acknowledged may be missing in it. Then it is dropped; the run goes on as if
//! it had never been.
//!
//! A cluster that does not come to rest is told with the reasons ([`crate::sim::stuck`]): which slot differs
//! between which replicas, by which leaf of their Merkle trees and which keys and clocks; which hints stay, for
//! whom, and the first of their keys; which clients still wait; and for every node concerned what it believes: who
//! is up, suspected or down and accused by whom, what it keeps for others, what it has open, and who waits for its
//! disk.
//!
//! ## What is simulated, and how faithfully
//!
//! - **Network**: real encoded frames. Each frame has a latency of its own, and may be lost, doubled, late or garbled;
//!   links have a bandwidth and may be clogged; partitions cut directed links, also for frames already on their way.
//! - **Disk** ([`crate::sim::disk`]): appended bytes can be read at once, and survive a crash only if a sync
//!   covered them; names likewise. A crash loses all that is unsynced (`lose = "unsynced"`), or keeps each sector
//!   and each name by a coin (`lose = "torn"`). Syncs take time; what is appended meanwhile is not covered. Disks fail,
//!   run full, rot, get lost and come back as they were ([`crate::manual::scenarios`] lists all faults).
//! - **Processor**: a node does one thing at a time; a step costs some microseconds and the disk calls that it
//!   made, and what comes meanwhile waits.
//! - **Clocks**: wall and monotonic clock of each node are off in their own way, and faults make them jump, drift or
//!   stand still apart from each other.
//!
//! Each fault is counted as attempted, and as effective if it changed something: frames met it, an input waited, bytes
//! were lost. What would destroy the last copy of something acknowledged is refused ([`crate::sim::budget`]).
//!
//! ## Determinism
//!
//! The *trace hash* folds in every event: time, kind, place, and the checksum of every frame. The *state hash*
//! covers the whole world at the end. Both are equal for equal seeds in debug and release builds, on any machine,
//! and for a clone that goes on from the middle.
//!
//! `--check-determinism` lets a twin happen beside the world ([`crate::sim::twin`]): traces are compared after
//! every event, whole states every ten simulated seconds and at the end. If they part, copies of both from the
//! last time that they were equal are let happen once more, in halves, until one event is left; told are that
//! event, and the first field that it made different, by its path: `event 1500 (wake 2 at 1.61s) had two outcomes:
//! node 3 / node / store / engine / wal / appended: 7 in one world, 8 in its twin`.
//!
//! ## What is checked
//!
//! | check | promise |
//! |---|---|
//! | `nodes` | no node failed to start, halted, sent garbage, panicked, broke an invariant of its own after a step, or acted on a frame of a process that it knows to be replaced |
//! | `heal` | every copy that was healed on the way recovered, with all that was acknowledged |
//! | `levels` | each acknowledgement says that as many nodes have the write, and as many disks, as its client asked for |
//! | `audit` | if the power failed everywhere now, each acknowledged write would be on as many disks as was said, and on those of the zones that were asked for |
//! | `durable` | in the end each acknowledged write is there, or was replaced by a write that could know it |
//! | `siblings` | what was replaced or deleted is never read again, and of siblings none was written by somebody who had seen another: there are never more than writes that were truly concurrent |
//! | `replaced` | the same of what is held in the end |
//! | `types`, `types-held` | a counter has each step that its reader knows of, once, whatever became of its tries; a set what was added and not taken out, and nothing else: in reads, and in the end |
//! | `storage` | in the end every byte on every disk matches its checksums: what faults have damaged is mended in time |
//! | `held` | nothing is stored that nobody wrote |
//! | `provenance` | a read returns only values that somebody wrote, to that key, and not in the future |
//! | `recency` | with R + W > N, a read knows every write acknowledged, and all that any read showed, before it began |
//! | `converge` | all replicas of each key hold equal siblings |
//! | `placement` | the replicas of each key are distinct nodes in as many zones as there can be, by layout and on disk |
//! | `hints` | no hint is left |
//! | `convictions` | nobody is taken for dead who runs, and whom no fault of its own or of a link has touched for longer than news takes ([`crate::sim::membership`]) |
//! | `membership` | where the scenario sets `news_rounds`: failures and returns get around in as many rounds |
//!
//! Clocks of versions are exact sets of writes, so "knows" errs to neither side.
//!
//! ## Guarantees
//!
//! What clients may rely on beyond that depends on the quorums and on what they do. A scenario says which guarantees it
//! expects to hold or to be broken; `kvsim check HISTORY` judges all of them, offline, and `--holds` asks for some.
//!
//! | guarantee | meaning |
//! |---|---|
//! | `linearizable` | all operations on a key fit into one order that a single copy could have taken, in real time |
//! | `causal` | a read knows everything in its causal past, over all keys and sessions |
//! | `read-your-writes` | a read knows what its session has written to the key |
//! | `monotonic-reads` | a read knows what the session's earlier reads of the key knew |
//! | `monotonic-writes` | who knows a write knows what its session had written to the key before |
//! | `writes-follow-reads` | who knows a write knows what its session had read of the key before |
//!
//! One copy of a key, in the sense of `linearizable`, is a set of values: a put without a context replaces them all,
//! one with a context replaces what that covers, and a get shows them all ([`crate::sim::check::linear`]). A history
//! without contexts, of whatever store, is judged as that of a register (with `put`, `get`, `del` and `cas`); the
//! others need contexts, and are `undecided` without.
//!
//! R + W > N gives causality and the session guarantees, not linearizability, and no fault is needed to see it
//! (`scenarios/quorum-is-not-linearizable.toml`). With one writer for each key it is linearizable, under faults
//! (`scenarios/one-writer-is-linearizable.toml`).
//!
//! *Staleness* is how far reads are behind: how many writes that were acknowledged before a read began it does not
//! know, and how long ago the first of them was acknowledged. Reports give percentiles of both.
//!
//! ## Verdicts and exit codes
//!
//! `pass` 0 · `safety` 1 (a promise was broken, or the core panicked) · `liveness` 1 · bad usage or a bad file 2 ·
//! `nondeterminism` 3 · `vacuous` 4 (a declared fault had no effect, a fact that the scenario expects was not
//! reached, a guarantee that it expects to be broken was not, or nothing was tested) · `budget` 5 (more events than
//! the scenario allows).
//!
//! ## The report
//!
//! Text for a person, `--json` for a tool, and `--html FILE` for a browser: one page that fetches nothing and runs no
//! script. It draws faults, availability, throughput and the percentiles of latency one below the other over one axis
//! of time, in at most 160 slices; the pointer on a slice or a fault shows its figures. Below are checks, operations,
//! faults, facts, and every option that was drawn. It follows the browser's light or dark.
//!
//! With `--events FILE` a run is told as it happens, one line for each event with the message or the answer in it
//! ([`crate::sim::narrate`]): `grep 'OpId(12)'` follows a request, `grep ' n3 '` a node. The run is the same run, hash
//! for hash.
//!
//! ## Sweeps
//!
//! A sweep runs scenarios under many seeds on all processors, or on `--jobs J` threads. It goes seed by seed, each
//! with every scenario, so that one that ends early (`--time`, `--fail-fast`) has tried them all. Nothing that it says
//! depends on the number of threads, except how long runs took: with `--fail-fast` it counts the runs up to the first
//! failure in that order, also if others had ended before.
//!
//! Each run is appended to a *ledger* as it ends: `--results FILE`, or a file of this sweep in `sim-results/runs/`.
//! A sweep that was killed goes on with `--resume`, and runs only what is missing; a ledger of another build, of a
//! scenario that has changed since, or of other seeds is refused. Without `--resume` the sweep begins anew.
//!
//! `--shard I/N` runs every Nth seed, from the Ith, and `kvsim merge` joins the ledgers of all shards, wherever they
//! ran, into what the whole sweep would have said. It exits with 2 if runs are missing, and calls two shards that do
//! not agree on one run `nondeterminism`. `deploy/sweep/` has a Kubernetes Indexed Job, a Slurm array and a CI matrix.
//!
//! At its end stands a table of verdicts; facts that no run reached; faults that took effect in no run of their
//! scenario; the slowest runs; each failure with its reason and the line that shows it again. The exit code is that of
//! the worst verdict. `--junit FILE` writes a test suite for each scenario with a case for each seed. Where
//! `GITHUB_ACTIONS` is set, the first ten failures are also printed as annotations (not with `--json`).
//!
//! ## Regressions
//!
//! A seed that failed becomes a file in `sim-results/regressions/`: a scenario with a `[regression]` table that
//! names the seed, the verdict that it must give, and the story. CI replays them all, for ever.
//!
//! `--save` writes such a file: of a run that did not pass; of a sweep, for the first failure of each scenario and
//! verdict. It holds the scenario as it was, the verdict, both hashes and the counts. A file that is there already is
//! never replaced. `kvsim replay` then says "still failing", and once the cause is gone, that the verdict in the file
//! should become `pass`; from then on "still fixed". The verdict decides. Hashes and counts are told if they differ,
//! which only means that the run is another one: any change of the core does that.
//!
//! ## Results
//!
//! `sim-results/baseline/` holds the summary of each shipped scenario at seed 42 (`just baseline` writes it anew):
//! what changes there changed what the core does. `sim-results/runs/` is for what runs write with `--out`, and is
//! ignored.
//!
//! ## Speed
//!
//! See [`crate::manual::simulation_figures`].
