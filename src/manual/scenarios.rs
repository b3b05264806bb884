//! # scenarios
