//! Frames from peers over TCP: connections that peers opened ([`link`](crate::real::link) is that side), read
//! into the inbox.
//!
//! Whoever reaches the port can connect, and the frames of whoever is no peer are refused only when they are
//! whole. So a connection holds memory for what has arrived and not for what was announced, and for a frame that
//! was begun no longer than [`FRAME_TIMEOUT`], however its bytes drip in.
//!
//! Frames are not signed, but a connection is one node's: the one that its first frame names. What is bounded for each
//! node (its share of the backlog) is so bounded for each connection too, and whoever would speak for many has to hold
//! a connection for each.

use std::fmt;
use std::io;
use std::string::ToString;
use std::time::Duration;
use std::vec::Vec;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use crate::base::id::{ClusterId, NodeId};
use crate::base::limits::MEMBERS_MAX;
use crate::node::wire::{self, WireError};
use crate::real::inbox::Inbox;
use crate::real::listen::Serve;

/// How long a frame may take from its first byte to its last, and a new connection to its first whole frame. The
/// sending side gives up on a write after the same time.
const FRAME_TIMEOUT: Duration = Duration::from_secs(10);
/// How much is read at a time.
const READ: usize = 64 << 10;
/// The memory that a connection keeps for the next frames.
const SPARE_MAX: usize = 2 * READ;

/// Serves peers: reads their frames into the inbox.
#[derive(Clone, Debug)]
pub struct Peers {
    pub cluster: ClusterId,
    pub inbox: Inbox,
}

impl Serve for Peers {
    fn max(&self) -> usize {
        MEMBERS_MAX
    }

    async fn serve(self, stream: TcpStream, mut stop: watch::Receiver<bool>) {
        let from = stream.peer_addr().ok();
        tokio::select! {
            received = self.receive(stream, FRAME_TIMEOUT) => {
                if let Err(error) = received {
                    info!(?from, "closed a peer connection: {error}");
                }
            }
            _ = stop.wait_for(|&stop| stop) => {}
        }
    }

    fn refuse(&self, _stream: TcpStream) {
        warn!("too many peer connections");
    }
}

/// Why a peer is not heard any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    Wire(WireError),
    /// A frame of another node than the one whose connection this is. (Of the same node, any generation may come: it
    /// raises its own when it learns of an earlier life.)
    Sender {
        first: NodeId,
        then: NodeId,
    },
}

impl From<WireError> for Refused {
    fn from(error: WireError) -> Refused {
        Refused::Wire(error)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Wire(error) => error.fmt(f),
            Refused::Sender { first, then } => write!(f, "a frame of {then} on the connection of {first}"),
        }
    }
}

impl Peers {
    /// Until the peer closes, or sends what no peer sends: then nothing that follows can be trusted either. A frame may
    /// take as long as `patience`.
    async fn receive(&self, mut stream: impl AsyncRead + Unpin, patience: Duration) -> io::Result<()> {
        let mut input = Vec::new();
        // A stranger that says nothing is not kept either: the first frame begins with the connection.
        let mut deadline = Some(Instant::now() + patience);
        let mut pinned = None;
        loop {
            // Grows by what has arrived, never by what a header announces.
            input.reserve(READ);
            let read = stream.read_buf(&mut input);
            let bytes = match deadline {
                Some(deadline) => timeout_at(deadline, read).await??,
                None => read.await?,
            };
            if bytes == 0 {
                return Ok(());
            }
            let took = self.take(&mut input, &mut pinned).map_err(|why| io::Error::other(why.to_string()))?;
            deadline = match deadline {
                _ if input.is_empty() => None,
                // More of the frame that was begun before: it is given no more time.
                Some(deadline) if !took => Some(deadline),
                _ => Some(Instant::now() + patience),
            };
        }
    }

    /// Takes the whole frames at the front of `input`, if there are any. All have to be of the node that is `pinned`,
    /// or which the first of them pins.
    fn take(&self, input: &mut Vec<u8>, pinned: &mut Option<NodeId>) -> Result<bool, Refused> {
        let mut used = 0;
        while let Some(length) = wire::frame_length(&input[used..])? {
            let Some(frame) = input.get(used..used + length) else { break };
            let (sender, message) = wire::decode(self.cluster, frame)?;
            let first = *pinned.get_or_insert(sender.node);
            if sender.node != first {
                return Err(Refused::Sender { first, then: sender.node });
            }
            // Without room the frame is lost, as on a bad network.
            let _lost = self.inbox.offer_peer(sender, message, length);
            used += length;
        }
        assert!(used <= input.len());
        if used > 0 {
            input.drain(..used);
            // One large frame must not cost its memory for as long as the connection lives.
            input.shrink_to(SPARE_MAX);
        }
        Ok(used > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::Generation;
    use crate::base::limits::FRAME_MAX;
    use crate::node::message::Message;
    use crate::node::wire::Sender;
    use crate::real::inbox::{self, Event, Outlet};
    use tokio::io::AsyncWriteExt;

    const CLUSTER: ClusterId = ClusterId(7);
    const SENDER: Sender = Sender { node: NodeId(1), generation: Generation(2) };

    fn frame(cluster: ClusterId) -> Vec<u8> {
        let mut frame = Vec::new();
        wire::encode(cluster, SENDER, &Message::LayoutWanted, &mut frame);
        frame
    }

    fn peers() -> (Peers, Outlet) {
        let (inbox, outlet) = inbox::new();
        (Peers { cluster: CLUSTER, inbox }, outlet)
    }

    fn received(outlet: &Outlet) -> usize {
        let events = std::iter::from_fn(|| outlet.take(Some(Duration::ZERO)));
        events.filter(|event| matches!(event, Event::Peer { from: SENDER, .. })).count()
    }

    #[test]
    fn frames_are_taken_whole_wherever_the_stream_was_cut() {
        let one = frame(CLUSTER);
        let three = one.repeat(3);
        for cut in 0..three.len() {
            let (peers, outlet) = peers();
            let mut input = three[..cut].to_vec();
            assert_eq!(peers.take(&mut input, &mut None), Ok(cut >= one.len()));
            assert_eq!(input, one[..cut % one.len()]);
            assert_eq!(received(&outlet), cut / one.len());
        }
    }

    #[test]
    fn a_frame_of_another_cluster_ends_the_connection() {
        let (peers, outlet) = peers();
        let mut both = [frame(CLUSTER), frame(ClusterId(8))].concat();
        assert_eq!(peers.take(&mut both, &mut None), Err(Refused::Wire(WireError::Cluster)));
        assert_eq!(received(&outlet), 1, "what came before it counts");
    }

    fn frame_of(node: u64, generation: u64) -> Vec<u8> {
        let sender = Sender { node: NodeId(node), generation: Generation(generation) };
        let mut frame = Vec::new();
        wire::encode(CLUSTER, sender, &Message::LayoutWanted, &mut frame);
        frame
    }

    /// A node that raises its generation goes on by its connection; one that speaks for another as well does not.
    #[tokio::test]
    async fn a_connection_is_of_one_node_whatever_its_generation() {
        let (peers, outlet) = peers();
        let (mut peer, stream) = tokio::io::duplex(1 << 10);
        let receiving = tokio::spawn(async move { peers.receive(stream, FRAME_TIMEOUT).await });
        for frame in [frame_of(1, 2), frame_of(1, 3), frame_of(1, 2), frame_of(2, 2), frame_of(1, 3)] {
            // Apart, so that what was pinned has to be remembered.
            let _closed = peer.write_all(&frame).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(peer);
        let ended = receiving.await.expect("it does not panic").expect_err("it was closed for a reason");
        assert_eq!(ended.to_string(), "a frame of n2 on the connection of n1");
        let taken = std::iter::from_fn(|| outlet.take(Some(Duration::ZERO))).map(|event| match event {
            Event::Peer { from, .. } => (from.node.0, from.generation.0),
            other => panic!("{other:?}"),
        });
        assert_eq!(taken.collect::<Vec<_>>(), [(1, 2), (1, 3), (1, 2)]);
    }

    #[test]
    fn a_large_frame_does_not_keep_its_memory() {
        let (peers, _outlet) = peers();
        let mut input = Vec::with_capacity(FRAME_MAX);
        input.extend(frame(CLUSTER));
        input.push(frame(CLUSTER)[0]);
        assert_eq!(peers.take(&mut input, &mut None), Ok(true));
        assert!(input.len() == 1 && input.capacity() <= SPARE_MAX, "{}", input.capacity());
    }

    /// A frame whose bytes come one by one, each well within the time that the whole may take. Were that counted from
    /// each byte, as it once was, a few thousand such connections could hold gigabytes for ever.
    #[tokio::test]
    async fn a_frame_that_drips_is_given_up_and_an_idle_connection_is_not() {
        let patience = Duration::from_millis(300);
        let (peers, outlet) = peers();
        let (mut peer, stream) = tokio::io::duplex(1 << 10);
        let drip = async {
            peer.write_all(&frame(CLUSTER)).await.expect("it is heard");
            tokio::time::sleep(patience * 2).await;
            let whole = frame(CLUSTER);
            for byte in &whole {
                peer.write_all(&[*byte]).await.expect("it is heard");
                tokio::time::sleep(patience / 10).await;
            }
        };
        assert!(frame(CLUSTER).len() > 20, "the drip takes twice the time at least");
        let begun = Instant::now();
        tokio::select! {
            ended = peers.receive(stream, patience) => {
                assert_eq!(ended.expect_err("it is not whole").kind(), io::ErrorKind::TimedOut);
            }
            () = drip => panic!("it was heard to its end"),
        }
        assert!(begun.elapsed() >= patience * 3, "idleness between frames is no fault");
        assert_eq!(received(&outlet), 1);
    }

    /// Each frame has a time of its own: a busy connection is never without a frame that was begun.
    #[tokio::test]
    async fn frames_that_overlap_are_each_given_their_time() {
        let patience = Duration::from_secs(1);
        let (peers, outlet) = peers();
        let (mut peer, stream) = tokio::io::duplex(1 << 10);
        let busy = async {
            let one = frame(CLUSTER);
            peer.write_all(&one[..9]).await.expect("it is heard");
            for _ in 0..4 {
                tokio::time::sleep(patience * 2 / 5).await;
                peer.write_all(&[&one[9..], &one[..9]].concat()).await.expect("it is heard");
            }
        };
        tokio::select! {
            ended = peers.receive(stream, patience) => panic!("{ended:?}"),
            () = busy => {}
        }
        assert!(received(&outlet) >= 3, "the last may not have been read yet");
    }

    #[tokio::test]
    async fn a_stranger_that_says_nothing_is_sent_away() {
        let (peers, _outlet) = peers();
        let (_silent, stream) = tokio::io::duplex(1 << 10);
        let ended = peers.receive(stream, Duration::from_millis(20)).await;
        assert_eq!(ended.expect_err("nothing came").kind(), io::ErrorKind::TimedOut);
    }
}
