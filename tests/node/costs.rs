//! What an operation costs on the wire and on the disks, against the least that its protocol needs. The manual's table
//! (`src/manual/operation_figures.rs`) is the one that is checked here.

use kvsim::base::bytes::Bytes;
use kvsim::base::id::ClusterId;
use kvsim::causal::clock::Clock;
use kvsim::causal::context;
use kvsim::causal::dot::{Actor, Dot};
use kvsim::causal::siblings::Siblings;
use kvsim::node::message::{Held, Message};
use kvsim::node::request::{Command, Options, Outcome, Request};
use kvsim::node::wire;

use crate::table::{CLUSTER, Table, get, put};

const MANUAL: &str = include_str!("../../src/manual/operation_figures.rs");

/// What an operation cost.
struct Cost {
    frames: usize,
    /// Frames that carry the value.
    values: usize,
    syncs: usize,
    bytes: usize,
    /// What the model has for the same frames, in bytes.
    least: usize,
    /// Bytes beyond that in the headers of frames. The others are in their bodies.
    in_headers: usize,
}

impl Cost {
    /// It was the `least`: frames, frames with the value, and syncs. The manual has that, and the bytes.
    fn check(&self, operation: &str, by: &str, least: [usize; 3]) {
        assert_eq!([self.frames, self.values, self.syncs], least, "{operation} by {by}");
        let counts = least.map(|count| format!("{count} | {count}")).join(" | ");
        let (ratio, excess) = (self.bytes as f64 / self.least as f64, self.bytes - self.least);
        let (bytes, least, header) = (grouped(self.bytes), grouped(self.least), self.in_headers);
        let body = excess - header;
        let row =
            format!("| {operation} | {by} | {counts} | {bytes} | {least} | {ratio:.2} | {header} | {body} |");
        println!("//! {row}");
        assert!(MANUAL.contains(&row), "the manual's table has no such row:\n//! {row}");
    }
}

/// In groups of three digits, as the manual writes numbers.
fn grouped(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}

// --- The model: how few bytes say what the frames of an operation have to say ---

/// Of a frame's header: the length, for streams have no frames; and a checksum, at its size here. Cluster, sender and
/// generation hold for all frames of a connection, and could be told as it begins.
fn least_framing(body: usize) -> usize {
    number((body + CHECKSUM) as u64) + CHECKSUM
}

const CHECKSUM: usize = 8;
/// Which message it is, and all that it says by one of few alternatives.
const KIND: usize = 1;
/// An operation's number. A node begins anywhere in 48 bits, so that no answer to an earlier life meets one of this.
const OPERATION: usize = 6;
/// 128 bits, as what is not equal must not look equal.
const DIGEST: usize = 16;
/// Nanoseconds since 1970.
const STAMP: usize = 8;
/// Of an actor's epoch, which is random so that none is used twice: 24 bits for the life, 16 for the key.
const RANDOM: usize = 5;
/// What a write is asked to wait for: W, PW and DW (one byte each), zones and sloppiness (one), milliseconds (two).
const WISHES: usize = 6;
/// Acknowledgements, and how many of them are durable: at most seven of each.
const TALLY: usize = 1;

/// A number that may be large but seldom is: seven bits in each byte, and one that says whether there are more.
fn number(number: u64) -> usize {
    (64 - number.max(1).leading_zeros()).div_ceil(7) as usize
}

/// Bytes that something follows. (What comes last ends with its frame.)
fn text(bytes: &[u8]) -> usize {
    number(bytes.len() as u64) + bytes.len()
}

/// How many entries; of each the node, its epoch, and the counter.
fn clock(clock: &Clock) -> usize {
    assert!(clock.cloud().is_empty(), "one write follows the other");
    let entry = |&(actor, counter): &(Actor, u64)| {
        number(actor.node.0) + RANDOM + number(actor.generation()) + number(counter)
    };
    number(clock.entries().len() as u64) + clock.entries().iter().map(entry).sum::<usize>()
}

/// A dot of which the clock is known: which entry of the clock, and how far behind it.
fn dot(clock: &Clock, dot: Dot) -> usize {
    let at = clock.entries().iter().position(|entry| entry.0 == dot.actor).expect("a clock covers its dots");
    number(at as u64) + number(clock.entries()[at].1 - dot.counter)
}

fn siblings(siblings: &Siblings) -> usize {
    let [version] = siblings.versions() else { panic!("one write follows the other") };
    let value = version.value.as_ref().map_or(0, |value| value.len());
    clock(siblings.clock()) + dot(siblings.clock(), version.dot) + STAMP + value
}

/// A token says no more than the clock in it, to a node that knows key and cluster.
fn token(token: &[u8]) -> Clock {
    context::open(ClusterId::of_name(CLUSTER), b"key", token).expect("a token of this key")
}

fn least_forward(request: &Request) -> usize {
    let (value, context) = match &request.command {
        Command::Put { value, context } => (value.len(), context),
        Command::Delete { context } => (0, context),
        other => panic!("{other:?} is not forwarded here"),
    };
    let context = context.as_ref().map_or(0, |context| clock(&token(context)));
    text(&request.key) + context + WISHES + value
}

/// What comes after the header, at least.
fn least_body(message: &Message) -> usize {
    let rest = match message {
        Message::Fetch { key, .. } => key.len(),
        Message::Fetched { held: Held::Digest(_), .. } => DIGEST,
        Message::Fetched { held: Held::Siblings(held), .. } => siblings(held),
        Message::Store { key, siblings: news, .. } => text(key) + siblings(news),
        Message::Stored { .. } => 0,
        Message::Forward { life, request, .. } => number(life.0) + least_forward(request),
        Message::Forwarded { outcome: Some(outcome), .. } => match &**outcome {
            Outcome::Written { dot: name, context, .. } => {
                let seen = token(context);
                clock(&seen) + dot(&seen, *name) + TALLY
            }
            other => panic!("{other:?} was not asked for"),
        },
        other => panic!("{other:?} is not needed"),
    };
    KIND + OPERATION + rest
}

// --- What is measured ---

fn is_of_an_operation(message: &Message) -> bool {
    !matches!(message, Message::Gossip(_) | Message::Exchange(_) | Message::LayoutWanted | Message::Layout(_))
}

fn carries_the_value(message: &Message) -> bool {
    match message {
        Message::Store { siblings, .. } | Message::Hint { siblings, .. } => siblings.value_bytes() > 0,
        Message::Forward { request, .. } => matches!(request.command, Command::Put { .. }),
        Message::Forwarded { outcome, .. } => matches!(outcome.as_deref(), Some(Outcome::Found { .. })),
        Message::Fetched { held, .. } => matches!(held, Held::Siblings(_)),
        _ => false,
    }
}

/// The cost of a request to `node` on a table where nothing else happens.
fn cost(table: &mut Table, node: u64, request: Request) -> Cost {
    table.delivered.clear();
    let syncs = table.syncs;
    let outcome = table.request(node, request);
    assert!(matches!(outcome, Some(Outcome::Written { .. } | Outcome::Found { .. })), "{outcome:?}");
    let syncs = table.syncs - syncs;
    let mut cost = Cost { frames: 0, values: 0, syncs, bytes: 0, least: 0, in_headers: 0 };
    for (from, _, message) in table.delivered.iter().filter(|sent| is_of_an_operation(&sent.2)) {
        let mut frame = Vec::new();
        wire::encode(ClusterId::of_name(CLUSTER), table.nodes[from].sender(), message, &mut frame);
        let body = least_body(message);
        let framing = least_framing(body);
        assert!(frame.len() >= wire::HEADER + body, "the model asks for more than was sent: {message:?}");
        cost.frames += 1;
        cost.values += usize::from(carries_the_value(message));
        cost.bytes += frame.len();
        cost.least += framing + body;
        cost.in_headers += wire::HEADER - framing;
        let said: String = format!("{message:?}").chars().take(100).collect();
        println!("{} bytes, at least {framing} + {body}: {said}", frame.len());
    }
    cost
}

/// Operations on a key that has a value of 1,000 bytes, by a replica and by another node.
fn costs(of: impl Fn(Bytes) -> Request) -> [Cost; 2] {
    let mut table = Table::new(5);
    let (replicas, others) = table.replicas("key");
    let value = "v".repeat(1000);
    table.put(replicas[0], "key", &value);
    let (_, context) = table.get(replicas[0], "key");
    [replicas[0], others[0]].map(|node| cost(&mut table.clone(), node, of(context.clone())))
}

/// All N replicas are asked and answer. By a replica no value crosses a wire; by another node one has to.
#[test]
fn a_read_costs_what_the_table_says() {
    let [local, elsewhere] = costs(|_| get("key"));
    local.check("get", "a replica", [4, 0, 0]);
    elsewhere.check("get", "another node", [6, 1, 0]);
}

/// All N replicas get the value and sync it. Another node forwards, and is told.
#[test]
fn a_write_costs_what_the_table_says() {
    let [local, elsewhere] = costs(|_| put("key", &"w".repeat(1000)));
    local.check("put", "a replica", [4, 2, 3]);
    elsewhere.check("put", "another node", [6, 3, 3]);
}

#[test]
fn a_delete_costs_what_the_table_says() {
    let [local, elsewhere] = costs(|context| Request {
        key: Bytes::from("key"),
        command: Command::Delete { context: Some(context) },
        options: Options::default(),
        id: None,
    });
    local.check("delete", "a replica", [4, 0, 3]);
    elsewhere.check("delete", "another node", [6, 0, 3]);
}
