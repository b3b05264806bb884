//! # Replication
//!
//! ## Where a key lives
//!
//! A key hashes to one of 16,384 slots (CRC16 with hash tags, as in Redis Cluster). Slots have fixed places on a
//! ring of 64-bit tokens; each node puts tokens on the ring, as many as its capacity says. The replicas of a slot
//! are the first N distinct nodes met clockwise, taking distinct zones first. That is a pure function of the
//! *layout*: the list of members with zone and capacity. The first layout is made by the founder, the node whose
//! address stands first in the seed list, once it has heard from as many members as the configuration says. Layouts
//! spread by gossip, the highest version wins, and every node keeps the one in force on its disk.
//!
//! ## A write
//!
//! Any node takes a write. A node that is no replica of the key forwards it, once, to the first usable replica. (One
//! that lets a forward run out of time is asked last for `suspect_after`, and then tried with one write: it may be a
//! replica that all others reach, so that nobody takes it for dead.) A forward takes along the zone in which the
//! client asked, so that `local-quorum` means the same wherever it is coordinated; seven eighths of the time that is
//! left, so that what the coordinator knows in the end arrives in time; and the generation of the replica that it is
//! meant for. A later life of that replica does not coordinate it (`stale_forward`), because it may be a second copy
//! of one that was coordinated before the restart: its fate is unknown, and the next one finds the new life. A
//! replica whose disk is in the way (full, damaged at that key, or lost) forwards as well. The coordinator
//!
//! 1. refuses at once, with nothing applied, what no usable replicas could satisfy;
//! 2. gives the write its *dot*, (actor, counter), and replaces the versions that the client's context covers;
//! 3. appends the new sibling set to its log, and sends it to the other replicas, who merge it into theirs;
//! 4. answers when W distinct replicas, itself included, have it **on disk** (or less, if DW asked for less);
//! 5. at the deadline, keeps a hint for every replica that has not acknowledged.
//!
//! For a replica that is believed to be down, a stand-in (the next usable node clockwise) gets a hint at once; if
//! there is none, the coordinator keeps it. A hint is durable, is handed over when its target is usable again, and is
//! deleted only after the target has it on disk. It never counts towards W, unless the request asked for `any`.
//!
//! At `any`, a write is taken even if no replica can be reached from where its client asked: that node numbers it, over
//! what hints it keeps of the key, and keeps it as a hint; other stand-ins get one for the other replicas
//! (`node/coordinate/stand_in.rs`, fact `stood_in`). It does not know what the replicas hold: without a context, the
//! write will stand beside that as a sibling. And nobody can read it until it is handed over. Because a stand-in does
//! not keep what it has handed over, its actor goes on only where its last write of the key is known, and a new one
//! begins else. With PW, DW or zones, or at any other level, such a write is refused.
//!
//! Hints have bounds, and what falls to them is counted (`hint_dropped`): bytes per node (`hints_bytes_max`), and age
//! (`hint_age_max`, by the wall clock, kept across restarts). What they held then comes by repair. (At `any`, a hint
//! may be the only copy there is: what falls to the bounds then is lost.) If the layout has taken the key from a
//! hint's target, the hint goes to a replica that has it now (`hint_rerouted`), be that the keeper itself, whether or
//! not the target is there. Hints wait for clients: how many may be on their way, to all targets together, halves in
//! every round in which a request that this node coordinates timed out, or in which nine of ten took more than twice
//! as long as they do while no hints are on their way; and grows by one in every other. A node that is stopped keeps
//! hints for the writes that are still open.
//!
//! ## How much is enough
//!
//! Each knob is a condition of its own on who has answered; all that are set must hold. A level is `one`, `quorum` (a
//! majority of the N replicas), `all`, `local-quorum` (a majority of the replicas in the zone of the node that the
//! client asked), `each-quorum` (a majority in every zone that has replicas), or a number.
//!
//! | knob | counts | note |
//! |---|---|---|
//! | R | replicas that answered a read | stand-ins never answer reads |
//! | PR | the same, as a floor | the higher of R and PR decides; 0: none |
//! | W | replicas that acknowledged a write | at `any`, and only there, hints count too |
//! | PW | the same without hints, as a floor | 0: none |
//! | DW | replicas that have a write on disk | `w` (as many as acknowledge), a level, or 0 |
//! | zones | distinct zones of those replicas | reads and writes; 0: none |
//! | sloppy, strict | | whether stand-ins keep hints |
//! | timeout | | when the client is told what is known |
//! | siblings | | whether a read shows all siblings, or (`lww`) the last writer's |
//!
//! With DW at `w`, the default, only a write on disk is acknowledged by anybody. With a DW below W, acknowledgements
//! count as soon as a replica has the write in memory, and DW of them must have it on disk; the reply says how many
//! do. A knob may be set by a request, by its connection, or for the node, and the nearest of the three is obeyed; a
//! forwarded write takes along what was resolved where its client asked. What no replicas could ever satisfy is
//! refused with the knob and the reason, and so is, before anything is applied, what those that are usable cannot.
//! `any` with `strict` is refused: it counts hints, and there would be none.
//!
//! ## A read
//!
//! Any node coordinates a read: it asks all N replicas and merges what they answer. "I do not have it" is an answer; a
//! damaged copy is not. A replica answers only with what is on its disk; a key that is being written is answered for
//! when the sync has ended. Only one whole copy is asked for: the coordinator's own if it is a replica, else that of
//! the replica that it prefers. The others send a fingerprint (or the whole, if that is small), and the whole only if
//! it differs. If the one that was asked for the whole is late, by the time in which 99 of 100 answers came lately,
//! the next is asked as well (`read_speculated`).
//!
//! Once there are R answers, what to show is fixed: their merge. If R of the replicas hold all of it, the client is
//! answered at once. If not, those that know less are sent it first, and the client is answered when R of them have
//! it on disk. So reads at R + R > N **never go back**: whatever one has shown, every later one meets, even if the
//! write that is shown failed and its coordinator is gone. The price is one more round trip and a sync where
//! replicas differ, and a rejected read where the others cannot take the repair in time.
//!
//! A node that has **lost its disk**, or was given an old copy of it, would be a replica that knows less than it has
//! promised: R answers might come from nodes that have never heard of what W of them acknowledged. It answers no reads,
//! and numbers no writes, until every other replica of its slots has told all that it has (`recalled`); see
//! [`amnesia`](crate::node::amnesia) for how it knows, what that costs, and the one case that it does not notice. In a
//! cluster of 300 (`scenarios/lost-disk-of-many.toml`, seeds 1 to 49) all was well 5 to 9 s after its return.
//!
//! A read with a context waits for answers that cover it (the client never sees less than it has seen, at any R, on
//! any node), and is rejected if no replica that answers does.
//!
//! The coordinator goes on listening, and when all have answered, or time is up, everybody who answered with less
//! than the merged set is sent that set. There is no vote: the replica that knows more is right.
//!
//! ## What a client is told
//!
//! - **found**: the values (none, one, or siblings) and a context.
//! - **written**: the dot, the number of acknowledgements, and a context that covers what the client had seen and
//!   this write, and nothing else.
//! - **rejected**: nothing was applied, and why.
//! - **unknown**: it may have been applied, now or later, with the number of acknowledgements that are known, and,
//!   unless it was forwarded, the dot and the context that the write has if it was.
//!
//! A *context* is an opaque token, bound by checksum to its key and cluster. A write with a context replaces
//! exactly the versions that the context covers. A write without one (a plain Redis `SET`) replaces what its
//! coordinator holds. A write with the empty context replaces nothing.
//!
//! ## Values that merge by themselves
//!
//! Counters (PN), sets (adding wins), registers (the last write shows) and maps of them leave no siblings: replicas
//! merge what was written at the same time. [`crate::causal::types`] tells how, in one table. What that means:
//!
//! - Edits take no context. They replace what their coordinator knows; what it does not know survives beside them.
//! - A key has one type, and so has a field of a map. Another is refused (`-WRONGTYPE`). Two sides of a split may still
//!   give a new key two types: a read then says so and shows neither (fact `types_mixed`), and a plain `SET` or `DEL`
//!   through a coordinator that knows both replaces both.
//! - `DEL`, `SET` and `HDEL` take away what their coordinator knows, of counters exactly that: a step that ran beside
//!   the delete still counts, and nothing from before it does. For that, a deleted counter leaves a total for each
//!   start of a node that had counted in it. A deleted set or register leaves nothing.
//! - A delete with a context of such a key is refused (*not known here yet*) where its coordinator does not know all
//!   that the context covers.
//! - Registers, and they alone, depend on clocks: which of two concurrent writes shows is a matter of stamps.
//! - All parts of a key together have 256 KiB (64 bytes each, and what they hold); a request has up to 256 edits.
//!
//! ## Trying again
//!
//! A client that got no answer, or *unknown*, does not know whether to try again. If it gives each of its requests a
//! name (two numbers: a random one that is its own, and a count) and uses it again when it tries again, it may:
//!
//! - A coordinator that knows the request does not write again (`request_repeated`). It sends what it has to all
//!   replicas once more, and answers as soon as the demands of the retry are met, with the dot of the first try;
//!   edits are told the counter's value, or that no member came or went. Every replica knows the last 64 named
//!   requests of each key.
//! - A coordinator that does not know it (the first one took it and told nobody) writes it again, under another dot.
//!   When the two meet, one of them is shown: of two plain values the one with the smaller dot; a member or an
//!   assigned value is the same twice; and a counter counts the request once, because each actor keeps the names of
//!   the last 128 requests that it counted ([`crate::causal::types::counter`]).
//! - If somebody has replaced one of the two meanwhile (or taken the member out), the request is replaced, and the
//!   other one goes as well, at the first merge or write that meets both. Else a replica that comes back from beyond
//!   a split would bring back what was acknowledged, and replaced, long ago.
//!
//! That last point holds for writes with a context, if the retry has the same one, and for others that took the
//! place of nothing. A write without a context, an assignment, or an addition of a member that was there has taken
//! the place of what its coordinator happened to hold. If it went, that would be lost, though nobody replaced it; so
//! it stays, as a sibling, or as a member that has to be taken out again.
//!
//! The bound, then: of one key, 64 later named requests; of one counter, 128 through the same coordinator since the
//! first try. A retry that comes later than that is a new write: a sibling of whatever replaced the first, or a step
//! that counts again. A client that gives up after a few seconds stays far within it, unless the key is very hot.
//! (Which requests are the last is a matter of their stamps, moved up where that is needed to lie above those that
//! the coordinator knew, so a clock that runs ahead does not push out the others'. Of two sides of a split, the one
//! whose clocks are behind is forgotten first.) Without a name, every try is a write of its own.
//!
//! ## Too much work
//!
//! Every queue in a node has a bound, and what is beyond it is refused at once, not after a time-out. Requests beyond
//! `ops_max` operations in progress, and writes beyond `backlog_max` that wait for the coordinator's disk, are
//! rejected as *overloaded*, with nothing applied. A replica on which as many requests of one coordinator wait for
//! the disk refuses more from that one; the coordinator counts it as failed, and owes it a hint.
//!
//! ## What keeps siblings few, and dots unique
//!
//! One dot for each value (a dotted version vector set), and clocks that are exact sets ([`crate::causal::clock`]): a
//! write discards what its client saw and nothing else, so there are never more siblings than truly concurrent writes.
//! Actors carry an epoch that is drawn at every start of a node ([`crate::node::identity`]), so a node that lost the
//! end of its log, or its whole disk, or was given an old copy of it, cannot give an old name to a new write. One that
//! turns out, while it runs, not to know a write of its own (its copy of one key was lost) goes on under a new epoch as
//! well (`actor_renewed`). And in case nobody tells it, each key has an epoch of its own: the first time that a node,
//! since its start, numbers a write of a key, it draws a part of the epoch anew
//! ([`Actor::for_key`](crate::causal::dot::Actor::for_key)); a key that is lost without a trace meets its former name
//! once in 65,536 times. A clock has no more entries for that.
//!
//! The price: the clock of a key names every start of a node that coordinated a write of it, and names it for ever. A
//! key takes [`ACTORS_MAX`](crate::base::limits::ACTORS_MAX) of them (1,024: with three replicas, some 340 restarts of
//! each, every one followed by a write of that key); then writes of it are rejected. It cannot be made less by what one
//! node knows. To drop an actor from a clock, every copy of every write that the actor named has to be gone or known
//! everywhere: on all replicas, in hints, in frames that are still under way, and in the contexts that clients hold.
//! One that is left would look new, and what it names would come back from the dead, or, in a counter, count again.
//! That is a question of who has left the cluster for good, so actors retire with changes of the layout.
//!
//! Dynamo dropped the oldest entries of a clock that had more than ten. `clock_length_max` does so, among lives of
//! nodes that are over (so that no dot is given twice), and is 0, never, by default, for this is what it costs
//! ([`prune`](crate::node::coordinate::prune)): a replica that was away brings back what was replaced, as a sibling
//! that no two writers ever made; a read with a context from before is refused, as nobody knows as much any more; and
//! replicas that agree on all values repair each other. In `scenarios/clock-pruning.toml` (seed 1, `--out`, and the
//! same without `clock_length_max` and `breaks`) a clock of three instead of all lives makes 1,305 of 5,209 reads meet
//! siblings instead of 248 of 5,218, and 2,806 read repairs instead of 417; a context has 73 bytes on average instead
//! of 75.
//!
//! ## Stamps
//!
//! Every version has a stamp of a hybrid logical clock: the coordinator's wall clock, moved up where that is needed
//! to lie above the versions that it had. Stamps decide one thing only: which sibling a reader gets who asked for the
//! last writer's (`lww`), equal stamps by dot. A stamp more than `clock_skew_max` ahead of the own clock is not
//! adopted (`stamp_refused`), so one clock that runs ahead does not move the others; its own writes win ties until
//! real time has caught up, or somebody overwrites them.
//!
//! ## Repair
//!
//! Three mechanisms, each sufficient where the others are too late: read repair (what is read), hints (what was
//! written while somebody was away), and the Merkle exchange (everything). For the last, each node keeps, per slot,
//! a small tree of hashes up to date as writes arrive; once in a while it sends the group hashes of the slots that
//! it shares with another node, and only where they differ do the two go down to slots, leaves, keys, and values.
//!
//! What a node's own disk has lost is not compared but fetched, from all other replicas, and before anything else
//! ([`crate::repair::refetch`]).
//!
//! ## Who is alive
//!
//! A node whose heartbeat stands still for `suspect_after` is *suspected* by whoever watches it, who then no longer
//! counts on it and accuses it in what it tells others; it is *down* when two distinct observers accuse it. Only who
//! says so in person counts, and only observers, and those who heard it from two, say so: one node that errs or lies
//! is one observer, and an echo none. Any later heartbeat refutes it. Suspicion changes no placement, and every member
//! is contacted for ever. In a cluster of two, one observer is enough.
//!
//! A node doubts itself first: when its own beats come late, when it hears nobody, when it is itself accused, it
//! waits up to nine times as long before it accuses (`accusation_withheld`); after a pause it gives everybody a new
//! start.
//!
//! A node that lost its disk counts its generations anew, and what it says is refused as of a process of the past. It
//! asks for gossip all the same, and is told of its later life, and nothing else; it raises its generation above that.
//!
//! What a node spends on gossip is bounded, whatever the size of the cluster: in each round (`gossip_every`) it tells
//! two members by chance, who answer, and, in clusters of more than nine, two of the eight that watch it. Each member
//! that is believed dead is contacted by eight in a round, on average, of however many: it may hear, and be heard by
//! nobody, and would have to answer all of them. Seeds at whose addresses nobody is known are contacted in each round.
//!
//! A message tells of 64 members at most: first whom the other asked about, then what is new, a number of times that
//! grows with the logarithm of the cluster's size, then whom both watch, then some by chance. A node asks about members
//! that its layout names and of whom it has not heard, 16 at a time: chance alone would find most of a thousand soon,
//! and the last few after minutes. From 16 nodes on, `suspect_after` is stretched by log2(members) / 4, as heartbeats
//! come by more detours.
//!
//! What is left: frames between nodes are not signed. A peer that lies can hide that somebody died, by inventing
//! heartbeats; shut somebody out, or stop it, by inventing a higher generation; and move data, by inventing a layout.
//!
//! ## What is not here yet
//!
//! Layouts do not change after the founding (joining nodes can coordinate, but own nothing). Tombstones are never
//! purged.
