//! Flip bits.
