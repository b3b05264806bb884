//! Frames to peers over TCP: a connection for each direction, opened by the side that sends.
//! ([`peer`](crate::real::peer) is the other side.)
//!
//! The core expects nothing of the network, so this promises nothing: a frame that finds no room, no address
//! or no connection is dropped. What matters is that frames do not arrive *late*: what waited
//! for a connection that could not be made is dropped with the attempt, and a connection on which nothing is
//! acknowledged for [`SILENCE`] is given up, for after a long partition TCP would keep it waiting up to two
//! minutes more.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::vec::Vec;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tracing::{debug, info, warn};

use crate::base::id::{Address, ClusterId, NodeId};
use crate::base::limits::{FRAME_MAX, MEMBERS_MAX};
use crate::node::message::Message;
use crate::node::outbox::Target;
use crate::node::wire::{self, Sender};

/// Bytes of frames that may wait for one peer; what comes above is dropped.
const QUEUE_MAX: usize = 4 * FRAME_MAX;
/// The memory that an idle link keeps for the next frames.
const SPARE_MAX: usize = 64 << 10;
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);
/// The pause after a failed attempt, doubled with each up to the second one.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How long a connection may go without a sign of life from its other end.
const SILENCE: Duration = Duration::from_secs(10);

/// The way to all peers. Owned by the owner of the node.
#[derive(Debug)]
pub struct Links {
    cluster: ClusterId,
    runtime: Handle,
    nodes: BTreeMap<NodeId, Address>,
    links: BTreeMap<Address, Link>,
    /// Those that were given frames since the last flush.
    fresh: Vec<Arc<Queue>>,
}

#[derive(Debug)]
struct Link {
    queue: Arc<Queue>,
    task: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Encoded frames that wait for one peer, back to back.
#[derive(Debug, Default)]
struct Queue {
    frames: Mutex<Vec<u8>>,
    filled: Notify,
}

impl Queue {
    fn frames(&self) -> MutexGuard<'_, Vec<u8>> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_empty(&self) -> bool {
        self.frames().is_empty()
    }

    /// Waits until there are frames, and takes them all. Their place takes `spare`, so that two buffers serve
    /// a link for as long as it is not flooded.
    async fn take(&self, mut spare: Vec<u8>) -> Vec<u8> {
        spare.clear();
        spare.shrink_to(SPARE_MAX);
        while self.is_empty() {
            self.filled.notified().await;
        }
        core::mem::replace(&mut self.frames(), spare)
    }
}

impl Links {
    /// No links yet. Connections run on `runtime`.
    pub fn new(cluster: ClusterId, runtime: Handle) -> Links {
        let (nodes, links) = (BTreeMap::new(), BTreeMap::new());
        Links { cluster, runtime, nodes, links, fresh: Vec::new() }
    }

    /// Learns where `node` is. The link to where it was is given up.
    pub fn learn(&mut self, node: NodeId, address: &Address) {
        if self.nodes.len() >= MEMBERS_MAX && !self.nodes.contains_key(&node) {
            warn!("more than {MEMBERS_MAX} members: {node} is ignored");
            return;
        }
        let before = self.nodes.insert(node, address.clone());
        if let Some(before) = before.filter(|before| before != address)
            && !self.nodes.values().any(|used| *used == before)
        {
            self.links.remove(&before);
        }
    }

    /// Queues `message` of `sender`; false if it had to be dropped. The sender is not kept here: a node that learns
    /// of an earlier life raises its generation while it runs, and peers refuse what carries the one before.
    pub fn send(&mut self, sender: Sender, to: &Target, message: &Message) -> bool {
        let address = match to {
            Target::Address(address) => address,
            Target::Node(node) => match self.nodes.get(node) {
                Some(address) => address,
                None => return false,
            },
        };
        if !self.links.contains_key(address) {
            if self.links.len() >= 2 * MEMBERS_MAX {
                return false;
            }
            self.links.insert(address.clone(), Link::new(&self.runtime, address.clone()));
        }
        let queue = &self.links[address].queue;
        let mut frames = queue.frames();
        let before = frames.len();
        if before >= QUEUE_MAX {
            return false;
        }
        wire::encode(self.cluster, sender, message, &mut frames);
        drop(frames);
        if before == 0 {
            self.fresh.push(queue.clone());
        }
        true
    }

    /// Wakes the links that have frames. Called once for a batch of inputs, so that their frames leave in one
    /// write.
    pub fn flush(&mut self) {
        self.fresh.drain(..).for_each(|queue| queue.filled.notify_one());
    }
}

impl Link {
    fn new(runtime: &Handle, address: Address) -> Link {
        let queue = Arc::new(Queue::default());
        let task = runtime.spawn(drive(address, queue.clone())).abort_handle();
        Link { queue, task }
    }
}

/// Connects whenever there are frames, and writes them.
async fn drive(address: Address, queue: Arc<Queue>) {
    let mut pause = BACKOFF.0;
    loop {
        let frames = queue.take(Vec::new()).await;
        match connect(&address).await {
            Ok(stream) => {
                debug!("connected to {address}");
                pause = BACKOFF.0;
                if let Err(error) = carry(stream, frames, &queue).await {
                    info!("lost the connection to {address}: {error}");
                }
            }
            Err(error) => {
                debug!("cannot connect to {address}: {error}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(BACKOFF.1);
                // What gathered meanwhile is as old as the pause at most; it goes with the next attempt.
            }
        }
    }
}

async fn connect(address: &Address) -> io::Result<TcpStream> {
    let stream = tokio::time::timeout(CONNECT, TcpStream::connect(&*address.0)).await??;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(SILENCE / 2).with_interval(SILENCE / 4))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SILENCE))?;
    Ok(stream)
}

/// Writes `frames` and then whatever comes, until the connection ends. Our peers never answer on it, so that
/// reading from it tells only, and at once, that the peer has closed it.
async fn carry(mut stream: TcpStream, mut frames: Vec<u8>, queue: &Queue) -> io::Result<()> {
    let (mut read, mut write) = stream.split();
    let mut closed = [0u8; 1];
    loop {
        tokio::select! {
            written = tokio::time::timeout(SILENCE, write.write_all(&frames)) => written??,
            _ = read.read(&mut closed) => return Err(io::ErrorKind::ConnectionReset.into()),
        }
        frames = tokio::select! {
            frames = queue.take(frames) => frames,
            _ = read.read(&mut closed) => return Err(io::ErrorKind::ConnectionReset.into()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::Generation;
    use std::net::SocketAddr;
    use std::string::ToString;
    use tokio::net::TcpListener;

    const CLUSTER: ClusterId = ClusterId(7);
    const SENDER: Sender = Sender { node: NodeId(1), generation: Generation(2) };

    fn frame() -> Vec<u8> {
        let mut frame = Vec::new();
        wire::encode(CLUSTER, SENDER, &Message::LayoutWanted, &mut frame);
        frame
    }

    #[tokio::test]
    async fn a_full_queue_drops_what_comes() {
        let mut links = Links::new(CLUSTER, Handle::current());
        let to = Target::Address(Address("127.0.0.1:1".into()));
        assert!(
            !links.send(SENDER, &Target::Node(NodeId(9)), &Message::LayoutWanted),
            "nobody knows where that is"
        );
        // Nothing is written, because this test never lets the link run.
        let frames = (0..).take_while(|_| links.send(SENDER, &to, &Message::LayoutWanted)).count();
        let bytes = frames * frame().len();
        assert!((QUEUE_MAX..QUEUE_MAX + FRAME_MAX).contains(&bytes), "{bytes}");
    }

    async fn accepted(listener: &TcpListener, links: &mut Links, to: &Target) -> TcpStream {
        for _ in 0..2000 {
            links.send(SENDER, to, &Message::LayoutWanted);
            links.flush();
            tokio::select! {
                accepted = listener.accept() => return accepted.expect("a connection").0,
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
            }
        }
        panic!("no connection in ten seconds");
    }

    /// A peer that is not there yet, comes, crashes, and comes again elsewhere.
    #[tokio::test]
    async fn a_link_connects_again_and_follows_its_node_to_another_address() {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = TcpListener::bind(local).await.expect("a port");
        let address = first.local_addr().expect("it is bound");
        drop(first);
        let mut links = Links::new(CLUSTER, Handle::current());
        let to = Target::Node(NodeId(3));
        links.learn(NodeId(3), &Address(address.to_string().into()));
        links.send(SENDER, &to, &Message::LayoutWanted);
        links.flush();
        tokio::time::sleep(Duration::from_millis(20)).await;

        let listener = TcpListener::bind(address).await.expect("the same port");
        let mut stream = accepted(&listener, &mut links, &to).await;
        let mut bytes = std::vec![0; frame().len()];
        stream.read_exact(&mut bytes).await.expect("a frame");
        assert_eq!(bytes, frame());
        drop(stream);
        accepted(&listener, &mut links, &to).await;

        let second = TcpListener::bind(local).await.expect("a port");
        let moved = second.local_addr().expect("it is bound");
        links.learn(NodeId(3), &Address(moved.to_string().into()));
        assert!(links.links.is_empty(), "nobody is at the old address any more");
        accepted(&second, &mut links, &to).await;
    }
}
