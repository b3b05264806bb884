//! # operations
