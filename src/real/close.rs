//! Closes removed files beside those who have work to do.
//!
//! Whoever closes the last descriptor of a removed file frees its blocks, and for a log or table of 8 MiB that took
//! ext4 up to 14 ms; a compaction removes a dozen of them at once, and writes stood still for that long. Now only the
//! name is taken away at once, which took a tenth of a millisecond, and the rest is done here. A crash before that
//! harms nothing: a file without a name is freed by the file system when it recovers.

use std::io;
use std::sync::mpsc::{self, Sender, SyncSender};
use std::thread;

/// Files that may wait to be closed. Each has a descriptor, of which a process has often no more than a thousand; who
/// removes more at once waits.
const WAITING_MAX: usize = 128;

enum Task<T> {
    Close(T),
    /// Tell when all that was given before is closed.
    Tell(Sender<()>),
}

/// The thread that closes. Dropping this waits until all is closed.
#[derive(Debug)]
pub struct Closer<T: Send + 'static>(SyncSender<Task<T>>);

impl<T: Send + 'static> Closer<T> {
    pub fn spawn() -> io::Result<Closer<T>> {
        let (sender, tasks) = mpsc::sync_channel(WAITING_MAX);
        thread::Builder::new().name("close".into()).spawn(move || {
            for task in tasks {
                match task {
                    Task::Close(file) => drop(file),
                    // Whoever does not wait any more need not be told.
                    Task::Tell(waiter) => drop(waiter.send(())),
                }
            }
        })?;
        Ok(Closer(sender))
    }

    /// Drops `file` on the thread.
    pub fn close(&self, file: T) {
        // The thread ends only after the sender; if it were gone, the file would be closed right here.
        let _closed = self.0.send(Task::Close(file));
    }

    /// Waits until all is closed that was given so far.
    pub fn wait(&self) {
        let (sender, told) = mpsc::channel();
        if self.0.send(Task::Tell(sender)).is_ok() {
            let _told = told.recv();
        }
    }
}

impl<T: Send + 'static> Drop for Closer<T> {
    fn drop(&mut self) {
        self.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread::ThreadId;
    use std::time::Duration;
    use std::vec::Vec;

    /// Says who dropped it, after a while.
    struct Slow(Sender<ThreadId>);

    impl Drop for Slow {
        fn drop(&mut self) {
            thread::sleep(Duration::from_millis(20));
            let _said = self.0.send(thread::current().id());
        }
    }

    #[test]
    fn files_are_closed_on_the_thread_and_whoever_waits_finds_them_closed() {
        let (sender, dropped) = mpsc::channel();
        let closer = Closer::spawn().expect("a thread");
        (0..3).for_each(|_| closer.close(Slow(sender.clone())));
        assert!(dropped.try_recv().is_err(), "closing is left to the thread");
        closer.wait();
        let mut by: Vec<ThreadId> = dropped.try_iter().collect();
        assert_eq!(by.len(), 3);
        closer.close(Slow(sender));
        drop(closer);
        by.extend(dropped.try_iter());
        assert_eq!(by.len(), 4, "who drops the closer waits");
        assert!(by.iter().all(|id| *id != thread::current().id()));
    }
}
