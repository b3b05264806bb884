//! # simulation
