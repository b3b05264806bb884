//! Crash at every disk operation.
