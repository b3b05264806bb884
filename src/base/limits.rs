//! Every bound on input, in one place, with the relations between them checked when this is compiled.

/// Slots of the key space, as in Redis Cluster, so that cluster-aware clients compute the same.
pub const SLOTS: u16 = 16_384;
/// The longest key, in bytes.
pub const KEY_MAX: usize = 1024;
/// The largest value that can be configured, in bytes. The default limit is [`VALUE_DEFAULT_MAX`].
pub const VALUE_MAX: usize = 128 << 10;
/// The largest value by default, in bytes (the mission's 10 KB).
pub const VALUE_DEFAULT_MAX: usize = 10 << 10;
/// Replicas of a key, at most.
pub const N_MAX: u8 = 7;

/// A list with at most one entry for each replica of a key, which needs no allocation.
pub type PerReplica<T> = arrayvec::ArrayVec<T, { N_MAX as usize }>;
/// Members of a cluster, at most.
pub const MEMBERS_MAX: usize = 4096;
/// Siblings that a coordinator lets a key have; a write that would leave more is refused.
pub const SIBLINGS_MAX: usize = 64;
/// Bytes of values that a coordinator lets the siblings of a key have together.
pub const SIBLINGS_BYTES_MAX: usize = 256 << 10;
/// Siblings that a merge may leave: each of the replicas may have coordinated its share before they met.
pub const SIBLINGS_MERGED_MAX: usize = SIBLINGS_MAX * N_MAX as usize;
/// Bytes of values that a merge may leave.
pub const SIBLINGS_MERGED_BYTES_MAX: usize = SIBLINGS_BYTES_MAX * N_MAX as usize;
/// Actors that a clock may name, and single writes that its cloud may hold.
pub const ACTORS_MAX: usize = 1024;
/// Requests that a key remembers, to know their retries.
pub const DONE_MAX: usize = 64;
/// Edits of one request to a value of a convergent type.
pub const EDITS_MAX: usize = 256;
/// The longest encoded sibling set, in bytes, with room for clock and dots: what the storage engine must hold.
pub const STORED_MAX: usize = SIBLINGS_MERGED_BYTES_MAX + (256 << 10);
/// The longest frame between nodes, in bytes, header included.
pub const FRAME_MAX: usize = 4 << 20;
/// The longest name of a zone, or address of a node, in bytes.
pub const NAME_MAX: usize = 256;
/// The largest capacity of a member, as a multiple of the smallest.
pub const CAPACITY_MAX: u16 = 1000;

const _: () = {
    assert!(SLOTS.is_power_of_two());
    assert!(VALUE_DEFAULT_MAX <= VALUE_MAX);
    // A key can always hold one value of the largest size, and a second one beside it.
    assert!(2 * VALUE_MAX <= SIBLINGS_BYTES_MAX);
    // Dots and stamps of the most siblings (at most 40 bytes each), the largest clock (at most 60 bytes for each actor
    // or dot) and the requests that are remembered (at most 80 bytes each) fit into the room left for them. Parts of
    // convergent types count with all their bytes as values do.
    assert!(
        SIBLINGS_MERGED_MAX * 40 + 2 * ACTORS_MAX * 60 + DONE_MAX * 80
            <= STORED_MAX - SIBLINGS_MERGED_BYTES_MAX
    );
    // Every stored sibling set fits into a frame with its key, and every frame can be decoded.
    assert!(STORED_MAX + KEY_MAX + 1024 < FRAME_MAX);
    assert!(2 * FRAME_MAX <= crate::base::codec::DECODE_LIMIT);
};
