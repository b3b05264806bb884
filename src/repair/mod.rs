//! Layer 2: bringing replicas together again. Hints for what was written while somebody was away, Merkle trees for
//! everything else.

pub mod exchange;
pub mod hint;
pub mod merkle;
pub mod page;
