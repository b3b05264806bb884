//! [`Inbox`]: the one queue into the node, and the bounds that keep a flood outside.
//!
//! The bounds are by number and by bytes. Clients get half of the room: if they could fill all of it, the
//! answers of peers would be dropped, requests in progress would time out, and an overload would become an
//! outage.

use std::boxed::Box;
use std::string::String;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::base::bytes::Bytes;
use crate::causal::siblings::Siblings;
use crate::causal::types::edit::Edit;
use crate::disk::DiskError;
use crate::node::message::Message;
use crate::node::request::{Command, Outcome, Rejection, Request};
use crate::node::wire::Sender;
use crate::storage::{JobId, JobResult, SyncTicket};

/// Inputs that may wait, all kinds together.
const EVENTS_MAX: usize = 8192;
/// Bytes of keys, values and frames that may wait, all kinds together.
const BYTES_MAX: usize = 64 << 20;
/// The part of either bound that clients may fill: one half.
const CLIENT_SHARE: usize = 2;
/// Requests of clients in progress, of all connections together, at which each is held to one at a time. A request
/// comes back as the answers of two or three peers, so that many of them at their peak still find room for the next.
const OPEN_MANY: usize = EVENTS_MAX / CLIENT_SHARE / 4;
/// What counts as a whole where a share of one is meant.
const WHOLE: usize = 1024;

const _: () = {
    // The largest frame always fits into an empty inbox, and so does the largest request in the clients'
    // share.
    assert!(crate::base::limits::FRAME_MAX < BYTES_MAX);
    assert!(super::resp::REQUEST_MAX < BYTES_MAX / CLIENT_SHARE);
};

/// One thing for the owner of the node to do.
#[derive(Debug)]
pub enum Event {
    Peer {
        from: Sender,
        message: Message,
    },
    Client {
        request: Request,
        ticket: Ticket,
    },
    Synced {
        ticket: SyncTicket,
        result: Result<(), DiskError>,
    },
    JobDone {
        id: JobId,
        result: JobResult,
    },
    /// What the node's own disk holds of a key.
    Peek {
        key: Bytes,
        ticket: Ticket,
    },
    /// The text of `INFO`.
    Info {
        ticket: Ticket,
    },
    /// A helper thread has panicked: the node cannot go on.
    Died(&'static str),
    /// Finish what is queued, close the node, end.
    Stop,
}

/// Where an answer goes: part `part` of command `seq` of one connection.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub seq: u64,
    pub part: u16,
    pub replies: UnboundedSender<(u64, u16, Answer)>,
}

impl Ticket {
    /// Delivers the answer. A connection that has gone does not hear it: its client cannot tell a lost reply
    /// from a lost request anyway.
    pub fn answer(self, answer: Answer) {
        let _gone = self.replies.send((self.seq, self.part, answer));
    }
}

/// What comes back for one part of a command.
#[derive(Clone, Debug)]
pub enum Answer {
    Outcome(Outcome),
    Peek(Box<Result<Siblings, Rejection>>),
    Info(String),
}

/// The inbox has no room. Nothing was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

struct Queued {
    event: Event,
    /// What it counts against [`BYTES_MAX`]; `None` if it was let in regardless of bounds.
    bytes: Option<usize>,
}

#[derive(Debug, Default)]
struct Load {
    events: AtomicUsize,
    bytes: AtomicUsize,
    /// Requests of clients that have not been answered.
    open: AtomicUsize,
    /// Requests of clients, and frames of peers, that found no room.
    refused_requests: AtomicU64,
    refused_frames: AtomicU64,
    /// Nanoseconds that a client should rest after a write.
    rest: AtomicU64,
    /// How many replicas a key has, as far as the layout shows.
    replicas: AtomicU8,
}

/// The sending side. Never blocks.
#[derive(Clone, Debug)]
pub struct Inbox {
    queue: mpsc::Sender<Queued>,
    load: Arc<Load>,
}

/// The owner's side.
#[derive(Debug)]
pub struct Outlet {
    queue: Receiver<Queued>,
    load: Arc<Load>,
}

/// A new, empty inbox.
pub fn new() -> (Inbox, Outlet) {
    let (sender, receiver) = mpsc::channel();
    let load = Arc::new(Load::default());
    (Inbox { queue: sender, load: load.clone() }, Outlet { queue: receiver, load })
}

impl Inbox {
    /// Queues a frame of a peer that was `bytes` long.
    pub fn offer_peer(&self, from: Sender, message: Message, bytes: usize) -> Result<(), Full> {
        let offered = self.offer(Event::Peer { from, message }, bytes, 1);
        self.load.refused_frames.fetch_add(u64::from(offered.is_err()), Ordering::Relaxed);
        offered
    }

    /// Queues what a client asks for.
    pub fn offer_client(&self, event: Event) -> Result<(), Full> {
        let bytes = match &event {
            Event::Client { request, .. } => request.key.len() + payload(&request.command),
            Event::Peek { key, .. } => key.len(),
            _ => 0,
        };
        let offered = self.offer(event, bytes, CLIENT_SHARE);
        self.load.refused_requests.fetch_add(u64::from(offered.is_err()), Ordering::Relaxed);
        offered
    }

    /// Counts requests that a connection has begun.
    pub fn begun(&self, requests: usize) {
        self.load.open.fetch_add(requests, Ordering::Relaxed);
    }

    /// Counts requests that were begun as answered, or as given up with their connection.
    pub fn ended(&self, requests: usize) {
        let before = self.load.open.fetch_sub(requests, Ordering::Relaxed);
        assert!(before >= requests, "what ends was begun");
    }

    /// How many of `max` requests one connection may have in progress now: all of them up to half of the load that
    /// there is room for, from there on fewer, and one however full it is. So pipelines wait for their own answers,
    /// and are not refused for being many; whoever has nothing in progress is never made to wait.
    pub fn depth(&self, max: usize) -> usize {
        let share = |count: &AtomicUsize, most: usize| count.load(Ordering::Relaxed).min(most) * WHOLE / most;
        let open = share(&self.load.open, OPEN_MANY);
        let events = share(&self.load.events, EVENTS_MAX / CLIENT_SHARE);
        let bytes = share(&self.load.bytes, BYTES_MAX / CLIENT_SHARE);
        let room = WHOLE - open.max(events).max(bytes);
        (2 * max * room / WHOLE).clamp(1, max)
    }

    /// How long a client should rest after each of its writes, before more is read of it: the node's disk is behind.
    pub fn rest(&self) -> Duration {
        Duration::from_nanos(self.load.rest.load(Ordering::Relaxed))
    }

    /// How many replicas a key has at least, by the layout that the node knows; 0 while there is none.
    pub fn replicas(&self) -> u8 {
        self.load.replicas.load(Ordering::Relaxed)
    }

    /// Queues what must not be lost: the ends of syncs and jobs, and the end of all.
    pub fn deliver(&self, event: Event) {
        // If the owner has ended, nobody waits for this any more.
        let _ended = self.queue.send(Queued { event, bytes: None });
    }

    fn offer(&self, event: Event, bytes: usize, share: usize) -> Result<(), Full> {
        // Count first, look afterwards: two senders that race for the last place may both be refused, never
        // both let in.
        let events = self.load.events.fetch_add(1, Ordering::Relaxed) + 1;
        let total = self.load.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let fits = events <= EVENTS_MAX / share && total <= BYTES_MAX / share;
        if fits && self.queue.send(Queued { event, bytes: Some(bytes) }).is_ok() {
            return Ok(());
        }
        self.load.remove(bytes);
        Err(Full)
    }
}

impl Load {
    fn remove(&self, bytes: usize) {
        self.events.fetch_sub(1, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Outlet {
    /// Tells all connections how long their clients should rest after a write.
    pub fn set_rest(&self, rest: Duration) {
        let nanos = u64::try_from(rest.as_nanos()).unwrap_or(u64::MAX);
        self.load.rest.store(nanos, Ordering::Relaxed);
    }

    /// Tells all connections how many replicas a key has.
    pub fn set_replicas(&self, replicas: u8) {
        self.load.replicas.store(replicas, Ordering::Relaxed);
    }

    /// How many requests of clients, and how many frames of peers, found no room so far.
    pub fn refused(&self) -> (u64, u64) {
        let count = |refused: &AtomicU64| refused.load(Ordering::Relaxed);
        (count(&self.load.refused_requests), count(&self.load.refused_frames))
    }

    /// The next event, waiting for it at most `wait` (for ever if `None`). `None` if none came.
    pub fn take(&self, wait: Option<Duration>) -> Option<Event> {
        let queued = match wait {
            None => self.queue.recv().ok(),
            Some(wait) if wait.is_zero() => self.queue.try_recv().ok(),
            Some(wait) => self.queue.recv_timeout(wait).ok(),
        };
        queued.map(|queued| {
            if let Some(bytes) = queued.bytes {
                self.load.remove(bytes);
            }
            queued.event
        })
    }
}

fn payload(command: &Command) -> usize {
    let len = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, |bytes| bytes.len());
    match command {
        Command::Put { value, context } => value.len() + len(context),
        Command::Get { context } | Command::Delete { context } => len(context),
        Command::Edit { edits } => {
            let field = |edit: &Edit| edit.field.as_ref().map_or(0, |field| field.len());
            edits.iter().map(|edit| edit.update.bytes() + field(edit)).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::request::Options;

    fn get(replies: &UnboundedSender<(u64, u16, Answer)>) -> Event {
        let request = Request {
            key: Bytes::from("key"),
            command: Command::Get { context: None },
            options: Options::default(),
            id: None,
        };
        Event::Client { request, ticket: Ticket { seq: 0, part: 0, replies: replies.clone() } }
    }

    #[test]
    fn clients_fill_half_of_the_inbox_and_peers_the_rest() {
        let (inbox, outlet) = new();
        let (replies, _answers) = tokio::sync::mpsc::unbounded_channel();
        let taken = (0..EVENTS_MAX).take_while(|_| inbox.offer_client(get(&replies)).is_ok()).count();
        assert_eq!(taken, EVENTS_MAX / 2);
        let peer = || inbox.offer(get(&replies), 100, 1);
        assert_eq!((0..EVENTS_MAX).take_while(|_| peer().is_ok()).count(), EVENTS_MAX / 2);
        assert_eq!(peer(), Err(Full));
        inbox.deliver(Event::Stop);

        let drained = std::iter::from_fn(|| outlet.take(Some(Duration::ZERO))).count();
        assert_eq!(drained, EVENTS_MAX + 1, "the end gets in although there is no room");
        assert_eq!(inbox.offer_client(get(&replies)), Ok(()), "and there is room again");
    }

    #[test]
    fn large_frames_are_counted_by_their_bytes() {
        let (inbox, outlet) = new();
        let (replies, _answers) = tokio::sync::mpsc::unbounded_channel();
        let offer = || inbox.offer(get(&replies), BYTES_MAX / 4, 1);
        assert_eq!((0..8).filter(|_| offer().is_ok()).count(), 4);
        outlet.take(None).expect("four are queued");
        assert_eq!(offer(), Ok(()));
        assert_eq!(offer(), Err(Full));
        assert_eq!(outlet.refused(), (0, 0), "these were offers of neither kind");
        assert_eq!(inbox.offer_client(get(&replies)), Err(Full));
        assert_eq!(outlet.refused(), (1, 0));
    }

    #[test]
    fn the_fuller_it_is_the_less_a_connection_may_have_in_progress() {
        let (inbox, outlet) = new();
        let (replies, _answers) = tokio::sync::mpsc::unbounded_channel();
        assert_eq!(inbox.depth(100), 100);
        for (open, depth) in [(OPEN_MANY / 2, 100), (OPEN_MANY / 4, 50), (OPEN_MANY / 4, 1), (OPEN_MANY, 1)] {
            inbox.begun(open);
            assert_eq!(inbox.depth(100), depth);
        }
        inbox.ended(2 * OPEN_MANY);
        assert_eq!(inbox.depth(100), 100);
        while inbox.offer(get(&replies), 0, CLIENT_SHARE).is_ok() {}
        assert_eq!(inbox.depth(100), 1, "full by number, whoever filled it");
        while outlet.take(Some(Duration::ZERO)).is_some() {}
        inbox.offer(get(&replies), BYTES_MAX * 3 / 8, 1).expect("it is empty");
        assert_eq!(inbox.depth(100), 50, "three quarters of what clients may fill");
    }
}
