//! Every bound on input, in one place, with the relations between them checked when this is compiled.

/// Slots of the key space, as in Redis Cluster, so that cluster-aware clients compute the same.
pub const SLOTS: u16 = 16_384;
/// The longest key, in bytes.
pub const KEY_MAX: usize = 1024;
/// The largest value that can be configured, in bytes. The default limit is [`VALUE_DEFAULT_MAX`].
pub const VALUE_MAX: usize = 1 << 20;
/// The largest value by default, in bytes (the mission's 10 KB).
pub const VALUE_DEFAULT_MAX: usize = 10 << 10;
/// Replicas of a key, at most.
pub const N_MAX: u8 = 7;
/// Members of a cluster, at most.
pub const MEMBERS_MAX: usize = 4096;
/// Siblings that one key may hold; a write that would add one more is refused.
pub const SIBLINGS_MAX: usize = 64;
/// The longest frame between nodes, in bytes, header included.
pub const FRAME_MAX: usize = 4 << 20;
/// The longest name of a zone, or address of a node, in bytes.
pub const NAME_MAX: usize = 256;

const _: () = {
    assert!(SLOTS.is_power_of_two());
    assert!(VALUE_DEFAULT_MAX <= VALUE_MAX);
    // One sibling of the largest size always fits into a frame with its key and clock.
    assert!(VALUE_MAX + KEY_MAX + (64 << 10) < FRAME_MAX);
    // What fits into a frame can be decoded.
    assert!(FRAME_MAX < crate::base::codec::DECODE_LIMIT);
    // A key's whole sibling set of default-sized values fits into a frame.
    assert!(SIBLINGS_MAX * VALUE_DEFAULT_MAX + KEY_MAX < FRAME_MAX);
};
