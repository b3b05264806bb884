pub mod engine;
pub mod job;
pub use engine::{SyncRequest, SyncTicket};
pub use job::{Job, JobError, JobId, JobOutput, JobResult, Progress};
