//! The history: every operation of every client, as the client saw it.
//!
//! As a file it is JSON lines, one operation each, in the order in which they began:
//!
//! ```text
//! {"client":3,"op":"put","key":"k17","value":"c3-9","context":"01…","node":2,"start_ns":…,"end_ns":…,
//!  "outcome":"ok","values":[],"context_out":"01…","dot":{"node":2,"epoch":0,"counter":5},"acks":2}
//! ```
//!
//! Values of convergent types are edited by `incr` (its `value` is the step), `sadd` and `srem` (the member); `result`
//! is what the edit was told: the counter's value, or how many members came or went. A counter is found as its value,
//! a set as its members. `request` is the name of a write, its client's and a number: tries of one request have the
//! same, and each stands in a line of its own.
//!
//! `acks` is how many nodes have acknowledged a write; of those, `durable` replicas have it on disk (all, if it is not
//! there).
//!
//! `context` and `context_out` are tokens in hexadecimal; `context` is null for a request without one. `end_ns` is null
//! if the client never learned how the operation ended. `outcome` is `ok`, `rejected` or `unknown`.
//!
//! Histories of other stores may leave out contexts and dots (then only what needs none is judged), and `node`. They
//! may also have the operation `cas`, a put that succeeds only where `expected` (null: nothing) is the value; one
//! that found another value is `rejected`.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::base::bytes::Bytes;
use crate::base::id::{NodeId, RequestId};
use crate::base::time::Instant;
use crate::causal::dot::{Actor, Dot};
use crate::causal::types::view::{Leaf, View};
use crate::node::request::{Outcome, Rejection};

/// What an operation asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Get,
    Put,
    #[serde(rename = "del")]
    Delete,
    /// A put on a condition. Nodes do not offer it; histories from elsewhere may have it.
    Cas,
    /// A step of a counter.
    Incr,
    /// A member of a set comes.
    Sadd,
    /// A member of a set goes.
    Srem,
}

impl Kind {
    /// Those that nodes offer.
    pub const ALL: [Kind; 6] = [Kind::Get, Kind::Put, Kind::Delete, Kind::Incr, Kind::Sadd, Kind::Srem];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Get => "get",
            Kind::Put => "put",
            Kind::Delete => "del",
            Kind::Cas => "cas",
            Kind::Incr => "incr",
            Kind::Sadd => "sadd",
            Kind::Srem => "srem",
        }
    }

    /// Whether it changes a value of a convergent type.
    pub fn is_edit(self) -> bool {
        matches!(self, Kind::Incr | Kind::Sadd | Kind::Srem)
    }
}

/// What the client knows of the operation's end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum End {
    Found {
        values: Vec<Bytes>,
        context: Bytes,
    },
    Written {
        dot: Dot,
        acks: u8,
        /// Of those, the replicas that have it on disk.
        durable: u8,
        context: Bytes,
        /// Of edits, as their coordinator saw it: the counter's value, or how many members came or went.
        result: i64,
    },
    /// A write that succeeded, in a history that tells no more.
    Done,
    /// Nothing was applied. `None`: the node did not take the connection.
    Rejected(Option<Rejection>),
    /// May have been applied, and the node said so.
    Unknown,
    /// No answer: may have been applied.
    Silence,
}

impl End {
    pub fn class(&self) -> Class {
        match self {
            End::Found { .. } | End::Written { .. } | End::Done => Class::Ok,
            End::Rejected(_) => Class::Rejected,
            End::Unknown | End::Silence => Class::Unknown,
        }
    }
}

impl From<Outcome> for End {
    fn from(outcome: Outcome) -> End {
        match outcome {
            Outcome::Found { values, context } => {
                End::Found { values: values.into_iter().map(|found| found.value).collect(), context }
            }
            Outcome::Typed { view, context } => End::Found { values: shown(&view), context },
            Outcome::Written { dot, acks, durable, context, result } => {
                End::Written { dot, acks, durable, context, result }
            }
            Outcome::Rejected(why) => End::Rejected(Some(why)),
            Outcome::Unknown { .. } => End::Unknown,
        }
    }
}

/// A value of a convergent type as texts: that of a counter or register, the members of a set, fields and values of a
/// map in turn.
fn shown(view: &View) -> Vec<Bytes> {
    let leaf = |leaf: &Leaf| match leaf {
        Leaf::Counter(value) => [Bytes::from(value.to_string().as_str())].into(),
        Leaf::Register(value) => [value.clone()].into(),
        Leaf::Set(members) => members.clone(),
    };
    match view {
        View::Leaf(one) => leaf(one),
        View::Map(fields) => {
            fields.iter().flat_map(|(field, of)| [field.clone()].into_iter().chain(leaf(of))).collect()
        }
    }
}

/// The three classes that a client must tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    Ok,
    Rejected,
    Unknown,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Operation {
    pub client: u32,
    pub kind: Kind,
    pub key: Bytes,
    /// What a put wrote, by how much a counter was to change, or the member of a set.
    pub value: Option<Bytes>,
    /// What had to be there, and nothing else, for a cas to succeed.
    pub expected: Option<Option<Bytes>>,
    pub context: Option<Bytes>,
    /// The client's name for the write: every try of one request has the same.
    pub request: Option<RequestId>,
    /// The coordinator's number, as in its name.
    pub node: u32,
    /// When it was to start. At an open loop it starts later if its client still waits for another; what people feel is
    /// the time from here.
    pub due: Instant,
    pub start: Instant,
    pub end: Option<Instant>,
    pub result: End,
}

impl Operation {
    pub fn class(&self) -> Class {
        self.result.class()
    }

    pub fn is_write(&self) -> bool {
        self.kind != Kind::Get
    }

    /// What it puts.
    pub fn put(&self) -> Option<&Bytes> {
        self.value.as_ref().filter(|_| !self.kind.is_edit())
    }

    /// The write's name, if its client learned it.
    pub fn dot(&self) -> Option<Dot> {
        if let End::Written { dot, .. } = self.result { Some(dot) } else { None }
    }
}

/// For messages: `put k17 by c3 at 12.5s`.
impl core::fmt::Display for Operation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let key = self.key.escape_ascii();
        write!(f, "{} {key} by c{} through n{} at {}", self.kind.name(), self.client, self.node, self.start)
    }
}

#[derive(Serialize, Deserialize)]
struct Line {
    client: u32,
    op: Kind,
    key: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(default)]
    context: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<(u64, u64)>,
    #[serde(default)]
    node: u32,
    /// Only where it is not the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_ns: Option<u64>,
    start_ns: u64,
    end_ns: Option<u64>,
    outcome: Class,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    context_out: Option<String>,
    #[serde(default)]
    dot: Option<LineDot>,
    #[serde(default)]
    acks: u8,
    /// Only where it is not all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    durable: Option<u8>,
    /// Only of edits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<i64>,
    /// Why it was rejected. For readers; not read back.
    #[serde(default, skip_deserializing)]
    why: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct LineDot {
    node: u64,
    epoch: u64,
    counter: u64,
}

/// The operation as a line of JSON, without the line break.
pub fn to_line(operation: &Operation) -> String {
    let mut line = Line {
        client: operation.client,
        op: operation.kind,
        key: text(&operation.key),
        value: operation.value.as_deref().map(text),
        expected: operation.expected.as_ref().and_then(Option::as_deref).map(text),
        context: operation.context.as_deref().map(hex),
        request: operation.request.map(|request| (request.client, request.number)),
        node: operation.node,
        due_ns: (operation.due != operation.start).then_some(operation.due.0),
        start_ns: operation.start.0,
        end_ns: operation.end.map(|end| end.0),
        outcome: operation.class(),
        values: Vec::new(),
        context_out: None,
        dot: None,
        acks: 0,
        durable: None,
        result: None,
        why: None,
    };
    match &operation.result {
        End::Found { values, context } => {
            line.values = values.iter().map(|value| text(value)).collect();
            line.context_out = Some(hex(context));
        }
        End::Written { dot, acks, durable, context, result } => {
            line.durable = (durable != acks).then_some(*durable);
            line.result = operation.kind.is_edit().then_some(*result);
            line.context_out = Some(hex(context));
            line.dot = Some(LineDot { node: dot.actor.node.0, epoch: dot.actor.epoch, counter: dot.counter });
            line.acks = *acks;
        }
        End::Rejected(why) => {
            line.why = Some(why.map_or_else(|| "connection refused".into(), |why| why.to_string()));
        }
        End::Done | End::Unknown | End::Silence => {}
    }
    serde_json::to_string(&line).expect("a line has no map with keys that are not text")
}

/// The operation in a line of JSON. The reason for a rejection is not read back.
pub fn from_line(line: &str) -> Result<Operation, String> {
    let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let context_out = line.context_out.as_deref().map(unhex).transpose()?;
    let result = match (line.outcome, line.op, context_out, line.dot) {
        (Class::Ok, Kind::Get, context, _) => End::Found {
            values: line.values.iter().map(|value| Bytes::from(value.as_str())).collect(),
            context: context.unwrap_or_default(),
        },
        (Class::Ok, _, None, None) => End::Done,
        (Class::Ok, _, Some(context), Some(dot)) => {
            let actor = Actor { node: NodeId(dot.node), epoch: dot.epoch };
            let (dot, acks) = (Dot { actor, counter: dot.counter }, line.acks);
            let (durable, result) = (line.durable.unwrap_or(acks), line.result.unwrap_or(0));
            End::Written { dot, acks, durable, context, result }
        }
        (Class::Ok, ..) => {
            return Err("an acknowledged write has both context_out and dot, or neither".into());
        }
        (Class::Rejected, ..) => End::Rejected(None),
        (Class::Unknown, ..) if line.end_ns.is_some() => End::Unknown,
        (Class::Unknown, ..) => End::Silence,
    };
    if line.end_ns.is_some_and(|end| end < line.start_ns) {
        return Err("it ends before it starts".into());
    }
    if line.outcome == Class::Ok && line.end_ns.is_none() {
        return Err("an operation whose outcome is ok has an end_ns".into());
    }
    if matches!(line.op, Kind::Get | Kind::Delete) == line.value.is_some() {
        return Err("a get or del, and nothing else, has no value".into());
    }
    if line.op == Kind::Incr && line.value.as_ref().is_none_or(|step| step.parse::<i64>().is_err()) {
        return Err("the value of an incr is a whole number".into());
    }
    if line.op != Kind::Cas && line.expected.is_some() {
        return Err("a cas, and nothing else, has an expected value".into());
    }
    Ok(Operation {
        client: line.client,
        kind: line.op,
        key: Bytes::from(line.key.as_str()),
        value: line.value.as_deref().map(Bytes::from),
        expected: (line.op == Kind::Cas).then(|| line.expected.as_deref().map(Bytes::from)),
        context: line.context.as_deref().map(unhex).transpose()?,
        request: line.request.map(|(client, number)| RequestId { client, number }),
        node: line.node,
        due: Instant(line.due_ns.unwrap_or(line.start_ns)),
        start: Instant(line.start_ns),
        end: line.end_ns.map(Instant),
        result,
    })
}

/// Keys and values of simulations are ASCII; others keep their identity as escapes.
fn text(bytes: &[u8]) -> String {
    match core::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<Bytes, String> {
    let malformed = || format!("\"{text}\" is not hexadecimal");
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) || !text.len().is_multiple_of(2) {
        return Err(malformed());
    }
    let bytes: Result<Vec<u8>, _> =
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16)).collect();
    bytes.map(Bytes::from).map_err(|_| malformed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn operation(kind: Kind, result: End) -> Operation {
        let end = (result != End::Silence).then_some(Instant(9));
        let value = match kind {
            Kind::Get | Kind::Delete => None,
            Kind::Incr => Some(Bytes::from("-7")),
            _ => Some(Bytes::from("v")),
        };
        let request = kind.is_edit().then_some(RequestId { client: 3, number: 17 });
        let expected = (kind == Kind::Cas).then(|| Some(Bytes::from("u")));
        let (key, context) = (Bytes::from("k"), Some(Bytes::new(&[1, 255])));
        let (due, start) = (Instant(4), Instant(5));
        let (client, node) = (3, 2);
        Operation { client, kind, key, value, expected, context, request, node, due, start, end, result }
    }

    #[test]
    fn every_kind_of_operation_reads_back_from_its_line() {
        let dot = Dot { actor: Actor { node: NodeId(2), epoch: u64::MAX }, counter: 5 };
        let context = Bytes::new(&[0, 16]);
        for (kind, result) in [
            (
                Kind::Get,
                End::Found { values: vec![Bytes::from("a"), Bytes::from("b")], context: context.clone() },
            ),
            (Kind::Incr, End::Written { dot, acks: 2, durable: 2, context: context.clone(), result: -7 }),
            (Kind::Srem, End::Silence),
            (Kind::Put, End::Written { dot, acks: 2, durable: 1, context, result: 0 }),
            (Kind::Put, End::Rejected(None)),
            (Kind::Delete, End::Unknown),
            (Kind::Delete, End::Silence),
            (Kind::Cas, End::Done),
        ] {
            let operation = operation(kind, result);
            assert_eq!(from_line(&to_line(&operation)), Ok(operation));
        }
    }

    #[test]
    fn a_line_that_contradicts_itself_is_refused() {
        let good = to_line(&operation(Kind::Put, End::Unknown));
        assert!(from_line(&good).is_ok());
        for (from, to) in [
            ("\"start_ns\":5", "\"start_ns\":10"),
            ("\"op\":\"put\"", "\"op\":\"put\",\"expected\":\"u\""),
            ("\"value\":\"v\"", "\"value\":null"),
            ("01ff", "01f"),
            ("01ff", "+1ff"),
            ("\"put\"", "\"incr\""),
            ("\"put\"", "\"append\""),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            assert!(from_line(&bad).is_err(), "{bad}");
        }
        let dot = Dot { actor: Actor { node: NodeId(2), epoch: 0 }, counter: 5 };
        let end = End::Written { dot, acks: 2, durable: 2, context: Bytes::new(&[1]), result: 0 };
        let half = to_line(&operation(Kind::Put, end)).replace("\"context_out\":\"01\",", "");
        assert!(half.contains("counter") && from_line(&half).is_err(), "{half}");
    }
}
