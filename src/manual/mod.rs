//! The manual. Documentation-only modules, so that `cargo doc` is the book.
//!
//! - [`architecture`]: the parts, who may know whom, and what a step is.
//! - [`replication`]: what happens to a read and a write, and what a client is told.
//! - [`pitfalls`]: what others got wrong, and which tests keep it out of this store.
//! - [`durability`]: what "on disk" means, and why each acknowledgement may leave.
//! - [`disk_format`]: every file, byte by byte.
//! - [`wire_protocol`]: frames between nodes, and the commands for clients.
//! - [`simulation`]: how a run works, what is injected, what is checked, and how to read a report.
//! - [`simulation_figures`]: how fast that is.
//! - [`mutants`]: bugs planted on purpose, and which scenario finds each.
//! - [`scenarios`]: the reference of scenario files.
//! - [`operations`]: running real nodes.
//! - [`operation_figures`]: what each operation costs, against the least.
//! - [`storage_figures`]: the storage engine, measured against another.

pub mod architecture;
pub mod disk_format;
pub mod durability;
pub mod mutants;
pub mod operation_figures;
pub mod operations;
pub mod pitfalls;
pub mod replication;
pub mod scenarios;
pub mod simulation;
pub mod simulation_figures;
pub mod storage_figures;
pub mod wire_protocol;
