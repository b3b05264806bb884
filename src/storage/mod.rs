pub mod engine;
pub mod job;

pub use engine::{SyncRequest, SyncTicket};
pub use job::{Job, JobId, JobResult, Progress};
