//! What an operation costs: frames, bytes, syncs, allocations and processor time. Prints one table for each part.
//!
//! ```text
//! cargo bench --bench operations -- [part] [number]
//! ```
//!
//! - `core [operations]`: five nodes, N = 3, R = W = 2, values of 1,000 bytes, one operation after the other. The nodes
//!   write real files; frames are encoded and decoded as both drivers do it, and carried by hand; a sync is answered at
//!   once. All that is counted is the nodes' own.
//! - `loopback [operations]`: three nodes as they are served, in this process, and one client on a connection. What is
//!   counted belongs to all three and their sockets; the client allocates nothing.
//! - `instructions [operations]`: so many gets, then as many puts, by a replica, for a profiler of instructions or of
//!   allocations.
//!
//! Without a part, the first two.

#![allow(clippy::print_stdout, reason = "a bench prints what it found")]

use std::alloc::System;
use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use kvsim::base::bytes::Bytes;
use kvsim::base::id::{Address, ClientTag, ClusterId, NodeId};
use kvsim::base::time::{Instant as Mono, Now, WallTime};
use kvsim::node::config::Config;
use kvsim::node::input::{Env, Input};
use kvsim::node::message::Message;
use kvsim::node::outbox::{Outbox, Target};
use kvsim::node::request::{Command, Options, Outcome, Request};
use kvsim::node::step::Node;
use kvsim::node::wire;
use kvsim::real::config::NodeConfig;
use kvsim::real::disk::RealDisk;
use kvsim::real::serve;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::sync::Notify;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const VALUE: usize = 1000;
/// Replicas of a key.
const N: u64 = 3;
const KEYS: usize = 500;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let number = |default: usize| {
        arguments.get(1).map_or(default, |text| text.parse().expect("the second argument is a number"))
    };
    match arguments.first().map(String::as_str) {
        Some("core") => core(number(5_000)),
        Some("loopback") => loopback(number(5_000)),
        Some("instructions") => instructions(number(1_000)),
        Some(other) => panic!("no part is {other}: core, loopback, instructions"),
        None => {
            core(5_000);
            loopback(5_000);
        }
    }
}

/// A folder that is removed with this.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("kvsim-bench-{name}-{}", std::process::id()));
        fs::create_dir(&path).expect("a new folder");
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left_behind = fs::remove_dir_all(&self.0);
    }
}

/// What was spent.
#[derive(Clone, Copy, Default)]
struct Spent {
    frames: u64,
    bytes: u64,
    syncs: u64,
    allocations: u64,
    allocated: u64,
    time: Duration,
}

/// What `work` gives; what it allocated and how long it took is added to `spent`.
fn spend<T>(spent: &mut Spent, work: impl FnOnce() -> T) -> T {
    let before = ALLOCATOR.stats();
    let began = Instant::now();
    let result = work();
    spent.time += began.elapsed();
    let after = ALLOCATOR.stats();
    let count = |stats: &stats_alloc::Stats| stats.allocations + stats.reallocations;
    spent.allocations += (count(&after) - count(&before)) as u64;
    spent.allocated += (after.bytes_allocated - before.bytes_allocated) as u64;
    result
}

// --- The nodes alone ---

const CLUSTER: &str = "bench";

/// Five nodes, the frames between them, and what each has spent.
struct Table {
    _folder: Scratch,
    now: Mono,
    nodes: Vec<(Node, RealDisk)>,
    out: Outbox,
    wire: VecDeque<(usize, Vec<u8>)>,
    /// Buffers of frames that have arrived.
    spare: Vec<Vec<u8>>,
    spent: Vec<Spent>,
    replies: Vec<Outcome>,
    next_tag: u64,
}

fn address(number: u64) -> Address {
    Address(format!("n{number}").as_str().into())
}

impl Table {
    fn new(count: u64) -> Table {
        let folder = Scratch::new("core");
        let mut table = Table {
            now: Mono(1_000_000_000),
            nodes: Vec::new(),
            out: Outbox::default(),
            wire: VecDeque::new(),
            spare: Vec::new(),
            spent: vec![Spent::default(); count as usize],
            replies: Vec::new(),
            next_tag: 0,
            _folder: folder,
        };
        for number in 1..=count {
            let mut config = Config::new(ClusterId::of_name(CLUSTER), address(number));
            config.node = Some(NodeId(number));
            config.seeds = (1..=count).map(address).collect();
            config.founders = count as u16;
            let mut disk = RealDisk::open(&table._folder.0.join(format!("n{number}"))).expect("a new folder");
            let now = table.clock();
            let mut env = Env { now, disk: &mut disk, out: &mut table.out };
            let node = Node::open(config, number, &mut env).expect("a fresh node opens");
            table.nodes.push((node, disk));
            table.drain(number as usize - 1);
        }
        while !table.nodes.iter().all(|(node, _)| node.status().layout == 1) {
            table.pass();
        }
        table
    }

    fn clock(&self) -> Now {
        Now { mono: self.now, wall: WallTime(self.now.0) }
    }

    /// Goes on to the next moment at which a node wants to be woken.
    fn pass(&mut self) {
        let wakes = self.nodes.iter().enumerate().filter_map(|(at, (node, _))| Some((node.next_wake()?, at)));
        let (at, node) = wakes.min().expect("nodes gossip");
        self.now = self.now.max(at);
        self.step(node, Input::Wake);
        self.deliver();
    }

    fn step(&mut self, at: usize, input: Input) {
        let now = self.clock();
        let (node, disk) = &mut self.nodes[at];
        let out = &mut self.out;
        spend(&mut self.spent[at], || node.step(input, &mut Env { now, disk, out }));
        self.drain(at);
    }

    fn drain(&mut self, at: usize) {
        let mut out = std::mem::take(&mut self.out);
        let sender = self.nodes[at].0.sender();
        for send in out.sends.drain(..) {
            let to = match send.to {
                Target::Node(node) => node.0,
                Target::Address(address) => address.0[1..].parse().expect("addresses are n1, n2, ..."),
            };
            let mut frame = self.spare.pop().unwrap_or_default();
            frame.clear();
            let spent = &mut self.spent[at];
            spend(spent, || wire::encode(ClusterId::of_name(CLUSTER), sender, &send.message, &mut frame));
            if is_of_an_operation(&send.message) {
                spent.frames += 1;
                spent.bytes += frame.len() as u64;
            }
            self.wire.push_back((to as usize - 1, frame));
        }
        self.replies.extend(out.replies.drain(..).map(|reply| reply.outcome));
        let tickets: Vec<_> = out.syncs.drain(..).map(|request| request.ticket).collect();
        assert!(out.jobs.is_empty(), "so little data needs no jobs");
        out.clear();
        self.out = out;
        for ticket in tickets {
            self.spent[at].syncs += 1;
            self.step(at, Input::Synced { ticket, result: Ok(()) });
        }
    }

    fn deliver(&mut self) {
        while let Some((to, frame)) = self.wire.pop_front() {
            let decode = || wire::decode(ClusterId::of_name(CLUSTER), &frame);
            let (from, message) = spend(&mut self.spent[to], decode).expect("a good frame");
            self.spare.push(frame);
            self.step(to, Input::Peer { from, message });
        }
    }

    /// Lets a request be answered, and everything that follows from it happen.
    fn request(&mut self, at: usize, request: Request) {
        self.next_tag += 1;
        self.step(at, Input::Client { tag: ClientTag(self.next_tag), request });
        self.deliver();
        let reply = self.replies.pop();
        assert!(matches!(reply, Some(Outcome::Written { .. } | Outcome::Found { .. })), "{reply:?}");
    }

    /// A replica of the key, or a node that is none.
    fn coordinator(&self, key: &str, is_replica: bool) -> usize {
        let replicas = self.nodes[0].0.replicas(key.as_bytes());
        let found = (1..=self.nodes.len() as u64)
            .find(|number| replicas.contains(&NodeId(*number)) == is_replica)
            .expect("of five nodes three are replicas");
        found as usize - 1
    }
}

fn is_of_an_operation(message: &Message) -> bool {
    !matches!(message, Message::Gossip(_) | Message::Exchange(_) | Message::LayoutWanted | Message::Layout(_))
}

#[derive(Clone, Copy)]
enum Operation {
    Get,
    Put,
    Delete,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Get => "get",
            Operation::Put => "put",
            Operation::Delete => "delete",
        }
    }

    fn request(self, key: &str) -> Request {
        let command = match self {
            Operation::Get => Command::Get { context: None },
            Operation::Put => Command::Put { value: Bytes::new(&[b'v'; VALUE]), context: None },
            Operation::Delete => Command::Delete { context: None },
        };
        Request { key: Bytes::from(key), command, options: Options::default(), id: None }
    }

    /// What has to be allocated, by all nodes: what is made here, outlives the step that makes it, and has no place of
    /// its own yet. What has a fixed size can lie in place, and what has several parts can lie in one piece. (Buffers
    /// and tables that stay are there already; so are a client's key and value.)
    fn least_allocations(self, is_replica: bool) -> u64 {
        const KEY: u64 = 1;
        const VALUE: u64 = 1;
        const SET: u64 = 1;
        const ANSWER: u64 = 1;
        match (self, is_replica) {
            // The copy that is read. Replicas that are asked for a fingerprint need not keep anything.
            (Operation::Get, true) => SET + VALUE + ANSWER,
            // The same copy once more, at the replica that is asked for it, until it is in a frame.
            (Operation::Get, false) => 2 * (SET + VALUE) + ANSWER,
            // Every replica notes the key until it is on disk. The set is one for all sends, and for the operation.
            (Operation::Put | Operation::Delete, true) => SET + ANSWER + (N - 1) * KEY,
            // The coordinator has everything from a frame, and the node that was asked has the answer from one.
            (Operation::Put, false) => SET + VALUE + 2 * ANSWER + N * KEY,
            (Operation::Delete, false) => SET + 2 * ANSWER + N * KEY,
        }
    }
}

fn key(number: usize) -> String {
    format!("key:{:012}", number % KEYS)
}

fn filled() -> Table {
    let mut table = Table::new(5);
    for number in 0..KEYS {
        table.request(table.coordinator(&key(number), true), Operation::Put.request(&key(number)));
    }
    table
}

fn core(operations: usize) {
    println!("nodes alone, per operation: all nodes, and of these the coordinator");
    println!(
        "{:8} {:14} {:>7} {:>7} {:>6} {:>12} {:>6} {:>15} {:>17} {:>13}",
        "",
        "by",
        "frames",
        "bytes",
        "syncs",
        "allocations",
        "least",
        "allocated bytes",
        "coordinator alloc",
        "its time"
    );
    let mut table = filled();
    for operation in [Operation::Get, Operation::Put, Operation::Delete] {
        for is_replica in [true, false] {
            let (mut all, mut own) = (Spent::default(), Spent::default());
            for number in 0..operations + KEYS {
                let key = key(number);
                let (at, request) = (table.coordinator(&key, is_replica), operation.request(&key));
                table.spent.fill(Spent::default());
                table.request(at, request);
                // The first round grows buffers and caches.
                if number >= KEYS {
                    table.spent.iter().for_each(|spent| all.add(spent));
                    own.add(&table.spent[at]);
                }
            }
            let per = |count: u64| count as f64 / operations as f64;
            let least = operation.least_allocations(is_replica);
            assert!(all.allocations >= least * operations as u64, "{} needs no {least}", operation.name());
            println!(
                "{:8} {:14} {:7.2} {:7.0} {:6.2} {:12.1} {least:6} {:15.0} {:17.1} {:10.2} us",
                operation.name(),
                if is_replica { "a replica" } else { "another node" },
                per(all.frames),
                per(all.bytes),
                per(all.syncs),
                per(all.allocations),
                per(all.allocated),
                per(own.allocations),
                own.time.as_secs_f64() * 1e6 / operations as f64,
            );
        }
    }
}

impl Spent {
    fn add(&mut self, other: &Spent) {
        self.frames += other.frames;
        self.bytes += other.bytes;
        self.syncs += other.syncs;
        self.allocations += other.allocations;
        self.allocated += other.allocated;
        self.time += other.time;
    }
}

fn instructions(operations: usize) {
    let mut table = filled();
    for operation in [Operation::Get, Operation::Put] {
        for number in 0..operations {
            let key = key(number);
            table.request(table.coordinator(&key, true), operation.request(&key));
        }
    }
}

// --- As they are served ---

/// Nodes in threads of this process, until this is dropped.
struct Served {
    stop: Arc<Notify>,
    threads: Vec<thread::JoinHandle<()>>,
    clients: Vec<SocketAddr>,
    _folder: Scratch,
}

impl Served {
    fn start(count: usize) -> Served {
        let folder = Scratch::new("loopback");
        let stop = Arc::new(Notify::new());
        let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let held: Vec<TcpListener> =
            (0..2 * count).map(|_| TcpListener::bind(local(0)).expect("a free port")).collect();
        let ports: Vec<u16> =
            held.iter().map(|held| held.local_addr().expect("it is bound").port()).collect();
        drop(held);
        let (clients, peers) = ports.split_at(count);
        let advertised = |port: &u16| Address(format!("127.0.0.1:{port}").as_str().into());
        let threads = clients.iter().zip(peers).enumerate().map(|(number, (&client, peer))| {
            let mut node = Config::new(ClusterId::of_name(CLUSTER), advertised(peer));
            node.seeds = peers.iter().map(advertised).collect();
            node.founders = count as u16;
            let data = folder.0.join(format!("n{number}"));
            let config =
                NodeConfig { node, data, client: local(client), peer: local(*peer), clients_max: 16 };
            let stop = stop.clone();
            thread::spawn(move || {
                serve::run(&config, || async move { stop.notified().await }).expect("it serves");
            })
        });
        let threads = threads.collect();
        Served { stop, threads, clients: clients.iter().map(|port| local(*port)).collect(), _folder: folder }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.notify_waiters();
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
    }
}

/// A connection that allocates nothing once it is there.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> Connection {
        let stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        };
        stream.set_nodelay(true).expect("TCP");
        Connection { stream, buffer: vec![0; 1 << 16] }
    }

    /// Sends a command and reads its whole reply.
    fn ask(&mut self, command: &[u8]) -> &[u8] {
        self.stream.write_all(command).expect("the node listens");
        let mut len = 0;
        loop {
            let more = self.stream.read(&mut self.buffer[len..]).expect("the node answers");
            assert!(more > 0, "the node has closed the connection");
            len += more;
            if is_whole(&self.buffer[..len]) {
                return &self.buffer[..len];
            }
        }
    }

    /// A number of `INFO`.
    fn counter(&mut self, name: &str) -> u64 {
        let text = String::from_utf8_lossy(self.ask(b"*1\r\n$4\r\nINFO\r\n")).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name} is in INFO"))
    }
}

/// Whether a reply is complete: one line, or a text of the length that its first line says.
fn is_whole(reply: &[u8]) -> bool {
    let Some(end) = reply.windows(2).position(|two| two == b"\r\n") else { return false };
    match (reply[0], std::str::from_utf8(&reply[1..end]).ok().and_then(|text| text.parse::<i64>().ok())) {
        (b'$', Some(length)) if length >= 0 => reply.len() == end + 2 + length as usize + 2,
        _ => true,
    }
}

fn command(parts: &[&[u8]]) -> Vec<u8> {
    let mut text = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        text.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        text.extend_from_slice(part);
        text.extend_from_slice(b"\r\n");
    }
    text
}

/// Processor time of this process in seconds. (Linux: in hundredths.)
fn processor_time() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn loopback(operations: usize) {
    let served = Served::start(3);
    let mut connections: Vec<Connection> = served.clients.iter().map(|at| Connection::open(*at)).collect();
    let value = [b'v'; VALUE];
    let keys: Vec<String> = (0..KEYS).map(key).collect();
    while !connections[0].ask(&command(&[b"SET", b"ready?", b"yes"])).starts_with(b"+OK") {
        thread::sleep(Duration::from_millis(50));
    }
    println!("\nthree nodes on loopback, one client, per operation: all nodes together, sockets included");
    println!(
        "{:8} {:>7} {:>6} {:>12} {:>15} {:>13} {:>10} {:>10}",
        "", "frames", "syncs", "allocations", "allocated bytes", "processor", "p50", "p99"
    );
    for (name, with_value) in [("SET", true), ("GET", false), ("DEL", false)] {
        let commands: Vec<Vec<u8>> = keys
            .iter()
            .map(|key| match with_value {
                true => command(&[name.as_bytes(), key.as_bytes(), &value]),
                false => command(&[name.as_bytes(), key.as_bytes()]),
            })
            .collect();
        for command in &commands {
            connections[0].ask(command);
        }
        let mut counters =
            |name: &str| connections.iter_mut().map(|connection| connection.counter(name)).sum::<u64>();
        let before = [counters("frames_sent"), counters("syncs")];
        let mut spans = Vec::with_capacity(operations);
        let (mut spent, processor) = (Spent::default(), processor_time());
        spend(&mut spent, || {
            for command in commands.iter().cycle().take(operations) {
                let began = Instant::now();
                let reply = connections[0].ask(command);
                assert!(reply[0] != b'-', "{}", reply.escape_ascii());
                spans.push(began.elapsed());
            }
        });
        let processor = processor_time() - processor;
        let mut counters =
            |name: &str| connections.iter_mut().map(|connection| connection.counter(name)).sum::<u64>();
        let after = [counters("frames_sent"), counters("syncs")];
        spans.sort_unstable();
        let per = |count: u64| count as f64 / operations as f64;
        println!(
            "{name:8} {:7.2} {:6.2} {:12.1} {:15.0} {:10.1} us {:>10.0?} {:>10.0?}",
            per(after[0] - before[0]),
            per(after[1] - before[1]),
            per(spent.allocations),
            per(spent.allocated),
            processor * 1e6 / operations as f64,
            spans[operations / 2],
            spans[operations * 99 / 100],
        );
    }
}
