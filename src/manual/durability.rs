//! # Durability
//!
//! **Durable means synced.** No acknowledgement leaves a node before the bytes that it stands for were covered by a
//! successful sync, unless the request itself asked for less (`DW` below `W`, see
//! [`crate::node::consistency::Durability`]). That holds for a coordinator's own copy, for `Stored` and for `Hinted`.
//!
//! The mechanism is one number. The storage engine gives each write a position in the log, and keeps `appended >=
//! written >= syncing >= durable`. One sync is in flight at a time; what comes meanwhile gathers in memory, and
//! becomes one frame of the log, which the next sync covers: group commit. So a process that is killed loses what a
//! machine that loses power does: what no sync had covered, and nobody was told to be durable. Whoever has to wait is
//! queued with a position ([`crate::node::step`], `wait_for`), and at the end of every step the queue is served up to
//! `durable`. There is no other way out for an acknowledgement.
//!
//! A merge that changes nothing waits too: what is known in memory may not be durable yet.
//!
//! **A failed sync is never retried.** After it nobody knows what is on the disk: the kernel may have dropped the
//! dirty pages and will report the next sync as a success. The engine is poisoned, the node answers its open
//! requests with what is known (`unknown`), and halts. Its next start recovers from what is really there.
//!
//! **Damage at rest makes keys unknown, not missing.** A block of a table that fails its checksum, or cannot be read,
//! is read once more; then the keys that it can hold are suspect: reads of them fail, all others go on, compaction
//! leaves the table alone. A scrub reads one table a minute. The engine names the suspect ranges
//! (`storage/engine/damage.rs`), and the node asks every other replica for all that it has of them
//! (`damage_found`). When all have told (`damage_refetched`), the table is written anew with that, and when the new
//! table is durable its keys count as known again (`damage_repaired`). A replica that is away is waited for: it may be
//! the only one that has what this one had promised to have. One that is damaged in the same part tells what it can
//! read, and what a third one has in whole counts for the rest (`damage_shared`): two that waited for each other would
//! wait for ever, and what only they had is lost in any case. Before anything is replaced the damaged places are read
//! once more: what can be read by then was never lost (`damage_passed`). From then on the node numbers its writes under
//! a new actor, since the lost ones may have had numbers that nobody else knows yet. See [`crate::node::refetch`].
//!
//! **A torn tail is compared at once.** What a crash leaves half-written at the end of the log is cut off; nobody had
//! been told that it was safe (`torn_tail_cut`). Only damage to the last writes that were synced looks the same, and
//! there the word of the replicas counts: the node compares itself with all of them in its next rounds of exchange
//! (`tail_exchanged`) and not with one at a time. It answers meanwhile, with what it has, and numbers its writes
//! under a new actor as after every start.
//!
//! **A full disk is no failure.** Writes are refused (`the disk of this node is full`), and the half frame that found
//! no space is cut off again. It gives back a reserve file, in whose space what was already taken becomes durable,
//! and flushes, edits of the manifest and a restart can end. Reads go on. Every refused write lays a piece of the
//! reserve by again; when it is whole, writes are taken. Only a sync of the log, the manifest or the folder that
//! fails for lack of space stops the node, as every failed sync does: a file system that gives out space late has
//! dropped what it could not place, and a second sync would say that all is well. Other writes already lie behind it.
//! See `storage/reserve.rs`.
//!
//! **Identity is durable first.** At every start the generation is raised and synced before anything is served
//! ([`crate::node::identity`]).
//!
//! What survives a crash: every write that was acknowledged by a quorum is on the disks of W replicas. A crash of
//! one loses only what it had not synced, which it had not acknowledged.
