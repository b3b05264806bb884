//! Being told to stop.

use std::io::Read;
use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing::warn;

/// Done at SIGTERM, SIGINT, or, if `until_eof`, at the end of standard input.
pub async fn stop(until_eof: bool) {
    let eof = end_of_input(until_eof);
    tokio::select! {
        () = of(SignalKind::terminate()) => {}
        () = of(SignalKind::interrupt()) => {}
        Ok(()) = eof => {}
    }
}

async fn of(kind: SignalKind) {
    match signal(kind) {
        Ok(mut stream) => {
            stream.recv().await;
        }
        Err(error) => {
            warn!("cannot listen for a signal: {error}");
            core::future::pending::<()>().await;
        }
    }
}

/// A thread of its own, because a read of standard input cannot be called off: the process would wait for it.
fn end_of_input(wanted: bool) -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    if wanted {
        thread::spawn(move || {
            let mut ignored = [0u8; 64];
            while std::io::stdin().read(&mut ignored).is_ok_and(|bytes| bytes > 0) {}
            let _stopped_otherwise = ended.send(());
        });
    }
    end
}
