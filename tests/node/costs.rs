//! What an operation costs on the wire and on the disks, against the least that its protocol needs. The manual's table
//! (`src/manual/operation_figures.rs`) is the one that is checked here.

use kvsim::base::bytes::Bytes;
use kvsim::base::id::ClusterId;
use kvsim::node::message::{Held, Message};
use kvsim::node::request::{Command, Options, Outcome, Request};
use kvsim::node::wire;

use crate::table::{CLUSTER, Table, get, put};

/// Frames, syncs, and frames that carry the value.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    messages: usize,
    syncs: usize,
    values: usize,
}

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
    let sent = table.delivered.iter().filter(|sent| is_of_an_operation(&sent.2));
    let mut frame = Vec::new();
    for (from, _, message) in sent.clone() {
        wire::encode(ClusterId::of_name(CLUSTER), table.nodes[from].sender(), message, &mut frame);
    }
    let messages = sent.clone().count();
    let values = sent.filter(|sent| carries_the_value(&sent.2)).count();
    println!("{messages} messages, {} bytes", frame.len());
    // The header is 40 bytes. Key, context, clocks, consistency and the rest have to fit into 44 more.
    let value = if frame.len() < 1000 { 0 } else { 1000 * values };
    assert!((value..=value + 84 * messages).contains(&frame.len()), "{} bytes", frame.len());
    Cost { messages, syncs: table.syncs - syncs, values }
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
    assert_eq!(local, Cost { messages: 4, syncs: 0, values: 0 });
    assert_eq!(elsewhere, Cost { messages: 6, syncs: 0, values: 1 });
}

/// All N replicas get the value and sync it. Another node forwards, and is told.
#[test]
fn a_write_costs_what_the_table_says() {
    let [local, elsewhere] = costs(|_| put("key", &"w".repeat(1000)));
    assert_eq!(local, Cost { messages: 4, syncs: 3, values: 2 });
    assert_eq!(elsewhere, Cost { messages: 6, syncs: 3, values: 3 });
}

#[test]
fn a_delete_costs_what_the_table_says() {
    let [local, elsewhere] = costs(|context| Request {
        key: Bytes::from("key"),
        command: Command::Delete { context: Some(context) },
        options: Options::default(),
        id: None,
    });
    assert_eq!(local, Cost { messages: 4, syncs: 3, values: 0 });
    assert_eq!(elsewhere, Cost { messages: 6, syncs: 3, values: 0 });
}
