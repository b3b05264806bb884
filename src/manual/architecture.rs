//! # Architecture
//!
//! One node core, two drivers. The core ([`crate::node::step::Node`]) is a total function from an input and a state
//! to a new state and effects. It does no input or output, reads no clock, starts no thread, and draws its random
//! choices from a seed that it is given. The drivers do all that: [`crate::sim`] in one process with virtual time,
//! [`crate::real`] with sockets, files and threads.
//!
//! ## A step
//!
//! ```text
//! driver: read both clocks ─▶ node.step(input, Env { now, disk, out }) ─▶ drain out ─▶ wait for the next input,
//!                                                                         or until node.next_wake()
//! ```
//!
//! Inputs ([`crate::node::input::Input`]): a wake-up, a peer's message, a client's request, the end of a sync, the
//! end of a job. Effects ([`crate::node::outbox::Outbox`]): frames to send, replies, syncs to do, jobs to run,
//! addresses learned, facts, and, at worst, a halt.
//!
//! *Reads are synchronous*: a step may read from its disk, and the simulator charges that as busy time of the node.
//! *Syncs are not*: the core asks for one and goes on; whoever must wait for it stands in a queue by log position.
//! *Long work is a job*: flush and compaction are plain values that make one bounded slice of progress at a time,
//! on a small thread pool in the real driver, one slice an event in the simulator.
//!
//! ## Layers
//!
//! ```text
//! 5  cli
//! 4  sim · real                      they never meet; each has a twin for the other's parts
//! 3  node                            composes everything below
//! 2  storage · quorum · member · repair     strangers to each other
//! 1  causal · ring · disk            strangers to each other
//! 0  base
//! ```
//!
//! A lower layer never imports a higher one, and folders of one layer do not import each other; `tests/tidy.rs`
//! holds the table and fails on a violation. That the core is pure is compiled: `cargo check --lib
//! --no-default-features` builds it as `no_std`, so that clocks, files, threads and randomly seeded maps are out of
//! reach.
//!
//! ## Where is …
//!
//! | mechanism | file |
//! |---|---|
//! | slot of a key, tokens, placement, preference list | `ring/{token, layout, placement, preference}.rs` |
//! | version vector, dot, siblings, context token | `causal/{clock, dot, siblings, context}.rs` |
//! | R and W | `quorum/{tally, read, write}.rs` |
//! | coordinating reads, writes, forwards, hand-offs | `node/coordinate/` |
//! | serving peers | `node/serve.rs` |
//! | gossip, founding, Merkle rounds | `node/background.rs` |
//! | failure detection | `member/{gossip, view, detector}.rs` |
//! | hints, Merkle trees, exchange | `repair/{hint, merkle, exchange}.rs` |
//! | log, memtable, tables, manifest, compaction | `storage/` |
//! | what counts as having happened | `node/fact.rs` |
