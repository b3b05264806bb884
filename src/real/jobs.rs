//! The job threads: run the node's long work (flush, compaction, Merkle builds) beside it.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::disk::Disk;
use crate::real::disk::RealDisk;
use crate::real::inbox::{Event, Inbox};
use crate::real::sync::Alarm;
use crate::storage::{Job, JobId, JobResult, Progress};

/// Two, so that a flush need not wait behind a long compaction.
const THREADS: usize = 2;
/// Bytes that a job may read or write in one slice. Only the simulator needs slices (it crashes between
/// them); here they cost nothing.
const SLICE: u32 = 256 << 10;

/// Starts the threads. They end when the sender is dropped.
pub fn spawn(disk: &RealDisk, inbox: &Inbox) -> io::Result<Sender<(JobId, Job)>> {
    let (sender, jobs) = mpsc::channel::<(JobId, Job)>();
    let jobs = Arc::new(Mutex::new(jobs));
    for _ in 0..THREADS {
        let (jobs, mut disk) = (jobs.clone(), disk.clone());
        let alarm = Alarm::new(inbox.clone(), "job");
        thread::Builder::new().name("job".into()).spawn(move || {
            while let Some((id, job)) = next(&jobs) {
                let result = run(job, &mut disk);
                alarm.inbox.deliver(Event::JobDone { id, result });
            }
        })?;
    }
    Ok(sender)
}

/// The thread that waits for a job holds the lock, and the others wait for the lock: either way they sleep.
fn next(jobs: &Mutex<Receiver<(JobId, Job)>>) -> Option<(JobId, Job)> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn run(mut job: Job, disk: &mut dyn Disk) -> JobResult {
    loop {
        match job.step(disk, SLICE) {
            Progress::More => {}
            Progress::Sync(target) => {
                let result = disk.sync(target);
                job.synced(result);
            }
            Progress::Done(result) => return result,
        }
    }
}
