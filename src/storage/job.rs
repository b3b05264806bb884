use crate::disk::{Disk, DiskError, SyncTarget};
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobOutput;
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobError;
pub type JobResult = Result<JobOutput, JobError>;
#[derive(Clone, Debug, Hash)]
pub struct Job;
pub enum Progress {
    More,
    Sync(SyncTarget),
    Done(JobResult),
}
impl Job {
    pub fn step(&mut self, _disk: &mut dyn Disk, _budget: u32) -> Progress {
        Progress::Done(Ok(JobOutput))
    }
    pub fn synced(&mut self, _result: Result<(), DiskError>) {}
}
