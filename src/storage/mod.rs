pub mod engine;
pub mod job;
