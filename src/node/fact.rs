//! Facts: the core's own marks that something happened. One list, three uses: the simulator counts them and a scenario
//! may demand them, the real node exports them as metrics, and a reader finds here what a node can do.

macro_rules! facts {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Something that happened in a node.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fact {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Fact {
            /// All facts, in the order of their declaration.
            pub const ALL: &[Fact] = &[$(Fact::$variant,)+];

            /// The name in reports and metrics.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Fact::$variant => $name,)+
                }
            }
        }
    };
}

facts! {
    /// The founder proposed the first layout.
    ClusterFounded = "cluster_founded",
    /// A layout was adopted.
    LayoutAdopted = "layout_adopted",
    /// A request went on to a replica of its key.
    RequestForwarded = "request_forwarded",
    /// A write met its quorum.
    WriteAcknowledged = "write_acknowledged",
    /// A write timed out, and its client was told that its fate is unknown.
    WriteUnknown = "write_unknown",
    /// A request was turned away.
    RequestRejected = "request_rejected",
    /// A client read more than one value.
    SiblingsRead = "siblings_read",
    /// A read met its quorum.
    ReadAnswered = "read_answered",
    /// A read found a stale replica and sent it what it lacked.
    ReadRepaired = "read_repaired",
    /// A write left concurrent versions standing.
    SiblingCreated = "sibling_created",
    /// A version's stamp lay too far in the future to be adopted: some node's clock runs ahead.
    StampRefused = "stamp_refused",
    /// A hint was stored for a replica that could not be reached.
    HintStored = "hint_stored",
    /// There was no room for a hint, or it grew too old; only repair will bring the write to its replica.
    HintDropped = "hint_dropped",
    /// A hint's target is no replica of the key any more; it goes to one that is.
    HintRerouted = "hint_rerouted",
    /// A hint reached its replica's disk and was deleted.
    HintDelivered = "hint_delivered",
    /// A Merkle exchange found a difference.
    ExchangeDiffered = "exchange_differed",
    /// A repair by another replica brought news of a key.
    Repaired = "repaired",
    /// A read waited too long for a whole copy, and asked one more replica for it.
    ReadSpeculated = "read_speculated",
    /// A member was convicted by two observers.
    MemberDown = "member_down",
    /// A convicted member came back.
    MemberUp = "member_up",
    /// A node saw another silent, but was itself in bad health, and kept it to itself for longer.
    AccusationWithheld = "accusation_withheld",
    /// A node with a new disk, or an old copy of its own, raised its generation above that of its earlier life.
    GenerationRaised = "generation_raised",
    /// A node that had lost its disk, or was given an old copy of it, was told all that the other replicas have.
    Recalled = "recalled",
    /// A frame was refused, because a newer process runs in its sender's place.
    StaleFrame = "stale_frame",
    /// A forward was meant for an earlier life of this node, which may have coordinated it.
    StaleForward = "stale_forward",
    /// News of a generation that is over were refused.
    StaleGeneration = "stale_generation",
    /// Somebody knew writes of this node that it did not know itself; it goes on under a new epoch.
    ActorRenewed = "actor_renewed",
    /// A request that had been coordinated came again, and was not coordinated again.
    RequestRepeated = "request_repeated",
    /// A read met a key that clients had made with several types at the same time.
    TypesMixed = "types_mixed",
    /// A node was started with a disk that held its data.
    Recovered = "recovered",
    /// A node refused to start: bytes that its disk had promised to keep are damaged or missing.
    StartRefused = "start_refused",
    /// Recovery cut a torn tail off the log.
    TornTailCut = "torn_tail_cut",
    /// A memtable became a table.
    MemtableFlushed = "memtable_flushed",
    /// Tables were compacted.
    TablesCompacted = "tables_compacted",
    /// One sync made several writes durable.
    GroupCommitted = "group_committed",
    /// A write was refused because the disk is full.
    DiskFull = "disk_full",
    /// A read met bytes that fail their checksum, and refused to answer for them.
    DamageRefused = "damage_refused",
    /// A flush or a compaction found the disk full. The next is tried later, and later still if that fails too.
    JobsPaused = "jobs_paused",
    /// After a torn tail was cut off, this node has opened a comparison with every other replica.
    TailExchanged = "tail_exchanged",
    /// A table is damaged, and the other replicas are asked for what it held.
    DamageFound = "damage_found",
    /// All other replicas have told everything that they have of a damaged part.
    DamageRefetched = "damage_refetched",
    /// What could not be read, twice, can be read after all.
    DamagePassed = "damage_passed",
    /// A damaged table is written anew with what some replicas have told, while another was damaged in the same part:
    /// what only those two had is lost.
    DamageShared = "damage_shared",
    /// A damaged table was written anew, and its keys are known again.
    DamageRepaired = "damage_repaired",
    /// A clock was too long, and has lost its oldest actors.
    ClockPruned = "clock_pruned",
    /// No replica could be reached, and a write that any disk may hold was taken by this node, which is none.
    StoodIn = "stood_in",
}
