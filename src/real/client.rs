//! The clients' port: sockets around [`Session`].

use std::io;
use std::sync::Arc;
use std::time::Duration;
use std::vec::Vec;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::node::config::Config;
use crate::real::inbox::{Answer, Inbox};
use crate::real::listen::Serve;
use crate::real::resp::REQUEST_MAX;
use crate::real::session::Session;

/// How much is read at a time. The buffer grows only by what has arrived, never by what was announced.
const READ: usize = 16 << 10;
/// How long a client may let its replies lie. One that stopped reading would hold their memory for ever.
const WRITE_STALL: Duration = Duration::from_secs(30);

/// Serves clients.
#[derive(Clone, Debug)]
pub struct Clients {
    pub inbox: Inbox,
    pub max: usize,
    /// Of the node that they ask.
    pub node: Arc<Config>,
}

impl Serve for Clients {
    fn max(&self) -> usize {
        self.max
    }

    async fn serve(self, mut stream: TcpStream, stop: watch::Receiver<bool>) {
        let (replies, answers) = unbounded_channel();
        let (read, write) = stream.split();
        let connection = Connection {
            session: Session::new(self.inbox, replies, self.node),
            answers,
            read,
            write,
            input: Vec::new(),
            output: Vec::new(),
            written: 0,
            ended: false,
            rests_until: None,
        };
        // An error here is a client that left, or one that does not read: nothing to report and nobody to
        // tell.
        let _left = connection.run(stop).await;
    }

    fn refuse(&self, stream: TcpStream) {
        let _best_effort = stream.try_write(b"-ERR max number of clients reached\r\n");
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    if let Some(deadline) = deadline {
        tokio::time::sleep_until(deadline).await;
    }
}

struct Connection<'a> {
    session: Session,
    answers: UnboundedReceiver<(u64, u16, Answer)>,
    read: ReadHalf<'a>,
    write: WriteHalf<'a>,
    /// Read, and not yet taken by the session.
    input: Vec<u8>,
    /// Replies to be written, of which the first `written` bytes have been.
    output: Vec<u8>,
    written: usize,
    /// The client will send nothing more.
    ended: bool,
    /// Nothing is read before, because the client writes faster than the disk takes it.
    rests_until: Option<Instant>,
}

impl Connection<'_> {
    async fn run(mut self, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        loop {
            self.turn();
            let rest = self.session.rest();
            if !rest.is_zero() {
                self.rests_until = Some(Instant::now() + rest);
            }
            // A client may end its side first (`nc` does) and still wait for its replies.
            let over = self.session.is_closing() || self.ended;
            if over && self.session.is_idle() && self.output.is_empty() {
                return self.write.shutdown().await;
            }
            // One request in full, with a header to spare, always fits: a session that waits for the rest of
            // one is never left without room for it.
            let room = self.input.len() < REQUEST_MAX + READ && !over && self.rests_until.is_none();
            self.input.reserve(if room { READ } else { 0 });
            tokio::select! {
                // In this order: what is finished leaves before more is taken in.
                biased;
                written = self.write.write(&self.output[self.written..]), if !self.output.is_empty() => {
                    self.wrote(written?);
                }
                Some((seq, part, answer)) = self.answers.recv() => {
                    self.session.answer(seq, part, answer);
                    while let Ok((seq, part, answer)) = self.answers.try_recv() {
                        self.session.answer(seq, part, answer);
                    }
                }
                () = sleep_until(self.rests_until), if self.rests_until.is_some() => self.rests_until = None,
                read = self.read.read_buf(&mut self.input), if room => {
                    self.ended = read? == 0;
                }
                _ = stop.wait_for(|&stop| stop), if !self.session.is_closing() => self.session.close(),
                () = tokio::time::sleep(WRITE_STALL), if !self.output.is_empty() => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
        }
    }

    /// Lets the session take what it can and give what is ready, until neither moves.
    fn turn(&mut self) {
        let mut used = 0;
        loop {
            let taken = self.session.feed(&self.input[used..], self.output.len());
            used += taken;
            let before = self.output.len();
            self.session.write(&mut self.output);
            if taken == 0 && self.output.len() == before {
                break;
            }
        }
        self.input.drain(..used);
        if self.input.is_empty() && self.input.capacity() > 4 * READ {
            // One large value must not cost its memory for as long as the connection lives.
            self.input = Vec::new();
        }
    }

    fn wrote(&mut self, bytes: usize) {
        self.written += bytes;
        assert!(self.written <= self.output.len());
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
            if self.output.capacity() > 4 * READ {
                self.output = Vec::new();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::bytes::Bytes;
    use crate::node::request::Outcome;
    use crate::real::inbox::{self, Event, Outlet};
    use tokio::net::TcpListener;

    /// A client of its own connection to clients served with this inbox.
    async fn connect(inbox: &Inbox, stop: &watch::Receiver<bool>) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
        let (served, _) = listener.accept().await.expect("it has connected");
        let node = Config::new(Default::default(), crate::base::id::Address("a:1".into()));
        let clients = Clients { inbox: inbox.clone(), max: 10, node: node.into() };
        tokio::spawn(clients.serve(served, stop.clone()));
        client
    }

    /// The key of the next request, which is answered.
    async fn next(outlet: &Outlet) -> Bytes {
        loop {
            match outlet.take(Some(Duration::ZERO)) {
                Some(Event::Client { request, ticket }) => {
                    let found = Outcome::Found { values: [].into(), context: Bytes::default() };
                    ticket.answer(Answer::Outcome(found));
                    return request.key;
                }
                Some(other) => panic!("{other:?}"),
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    }

    /// The disk is behind. Whoever writes is read again only after a rest, in proportion to its writes; whoever reads
    /// does not notice, and neither does anybody else.
    #[tokio::test]
    async fn a_client_that_writes_rests_when_the_disk_is_behind_and_a_reader_does_not() {
        let (inbox, outlet) = inbox::new();
        let (_keep, stop) = watch::channel(false);
        let mut writer = connect(&inbox, &stop).await;
        let mut reader = connect(&inbox, &stop).await;
        let rest = Duration::from_millis(60);
        outlet.set_rest(rest);
        let begun = std::time::Instant::now();
        writer.write_all(b"SET a v\r\nSET b v\r\n").await.expect("open");
        assert_eq!((&*next(&outlet).await, &*next(&outlet).await), (&b"a"[..], &b"b"[..]));
        writer.write_all(b"SET c v\r\n").await.expect("open");
        for _ in 0..5 {
            reader.write_all(b"GET r\r\n").await.expect("open");
            assert_eq!(&*next(&outlet).await, b"r", "a reader is heard at once, before the writer");
        }
        assert_eq!(&*next(&outlet).await, b"c");
        assert!(begun.elapsed() >= rest * 2, "two writes, two rests: {:?}", begun.elapsed());
        // The debt is paid: nobody rests any more.
        outlet.set_rest(Duration::ZERO);
        tokio::time::sleep(rest * 2).await;
        writer.write_all(b"SET d v\r\n").await.expect("open");
        assert_eq!(&*next(&outlet).await, b"d");
        writer.write_all(b"SET e v\r\n").await.expect("open");
        reader.write_all(b"GET r\r\n").await.expect("open");
        let both = [next(&outlet).await, next(&outlet).await];
        assert!(both.contains(&Bytes::from("e")) && begun.elapsed() < rest * 20, "{both:?}");
    }
}
