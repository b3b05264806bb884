//! Layer 2: bringing replicas together again. Hints for what was written while somebody was away, Merkle trees for
//! everything else, and the re-fetch of what a disk has lost.

pub mod exchange;
pub mod hint;
pub mod merkle;
pub mod page;
pub mod refetch;
