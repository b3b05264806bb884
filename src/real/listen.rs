//! Accepting connections, up to a bound, until told to stop.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::string::{String, ToString};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::warn;

/// How long to wait after a failed accept. The usual reason is that the process has no file descriptors left;
/// asking again at once would only burn a core until a connection ends.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a connection may be idle before the system asks its other end whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A port that cannot be had.
#[derive(Debug)]
pub struct BindError {
    /// What it is for.
    pub what: &'static str,
    pub address: String,
    pub error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BindError { what, address, error } = self;
        write!(f, "cannot listen for {what} on {address}: {error}")
    }
}

/// Takes the port. Done before anything else, so that a second start of the same node changes nothing.
pub fn bind(what: &'static str, address: SocketAddr) -> Result<StdListener, BindError> {
    let bound = StdListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| BindError { what, address: address.to_string(), error })
}

/// What to do with connections.
pub trait Serve: Clone + Send + 'static {
    /// Connections at a time, at most.
    fn max(&self) -> usize;
    /// Talks to one, to its end.
    fn serve(self, stream: TcpStream, stop: watch::Receiver<bool>) -> impl Future<Output = ()> + Send;
    /// Turns one away that came above the bound.
    fn refuse(&self, stream: TcpStream);
}

/// Requests and replies are small, and wait for each other: Nagle's algorithm would delay them. And a peer or
/// client that vanished without a word must not keep its place for ever.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))
}

/// Serves connections until `stop`, and ends when the last of them has ended.
pub async fn accept<S: Serve>(listener: TcpListener, server: S, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_ended) = connections.join_next() => continue,
            _ = stop.wait_for(|&stop| stop) => break,
        };
        match accepted {
            Ok((stream, _)) if connections.len() >= server.max() => server.refuse(stream),
            Ok((stream, _)) => {
                let _cosmetic = tune(&stream);
                connections.spawn(server.clone().serve(stream, stop.clone()));
            }
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}
