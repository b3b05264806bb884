//! The sync thread: does the fsyncs that the node asks for, one after the other, while the node goes on.
//!
//! One thread is enough: the core keeps one sync of the log in flight and lets the next cover all that
//! gathered meanwhile (group commit). A second thread would only make two flushes wait for one device.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::thread;

use crate::disk::Disk;
use crate::real::disk::RealDisk;
use crate::real::inbox::{Event, Inbox};
use crate::storage::SyncRequest;

/// Starts the thread. It ends when the sender is dropped.
pub fn spawn(mut disk: RealDisk, inbox: Inbox) -> io::Result<Sender<SyncRequest>> {
    let (sender, requests) = mpsc::channel::<SyncRequest>();
    thread::Builder::new().name("sync".into()).spawn(move || {
        let alarm = Alarm::new(inbox, "sync");
        for request in requests {
            let result = disk.sync(request.target);
            alarm.inbox.deliver(Event::Synced { ticket: request.ticket, result });
        }
    })?;
    Ok(sender)
}

/// Tells the owner if the thread that holds this panics. A node whose syncs never end would look alive and
/// acknowledge nothing.
#[derive(Debug)]
pub struct Alarm {
    pub inbox: Inbox,
    thread: &'static str,
}

impl Alarm {
    pub fn new(inbox: Inbox, thread: &'static str) -> Alarm {
        Alarm { inbox, thread }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            self.inbox.deliver(Event::Died(self.thread));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::real::inbox;

    #[test]
    fn the_owner_hears_of_a_thread_that_panics_and_not_of_one_that_ends() {
        let (inbox, outlet) = inbox::new();
        let quiet = Alarm::new(inbox.clone(), "quiet");
        let loud = Alarm::new(inbox, "loud");
        thread::spawn(move || drop(quiet)).join().expect("this one ends");
        let crashed = thread::spawn(move || {
            let _alarm = loud;
            std::panic::resume_unwind(std::boxed::Box::new(()));
        });
        assert!(crashed.join().is_err());
        assert!(matches!(outlet.take(None), Some(Event::Died("loud"))));
        assert!(outlet.take(Some(std::time::Duration::ZERO)).is_none());
    }
}
