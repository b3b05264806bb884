//! Compaction: keeps the number of tables that a read must ask small, and drops what is overwritten or
//! deleted. `pick` decides (a pure function to a value), `merge` does the work; [`super::job::Job`] runs it
//! in slices.

pub mod merge;
pub mod pick;
