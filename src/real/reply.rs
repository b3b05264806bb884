//! From outcomes to replies.

use std::boxed::Box;
use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::few::Few;
use crate::causal::siblings::Siblings;
use crate::causal::types::part::{Content, Part};
use crate::node::request::{Found, Outcome, Rejection};
use crate::real::full;
use crate::real::inbox::Answer;
use crate::real::options::Taker;
use crate::real::resp::Value;
use crate::real::typed;

/// What a command makes of its outcomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The value, or nil. Siblings are an error, unless the node chose one of them as the connection wants.
    Get,
    /// `OK`.
    Set,
    /// How many keys were deleted, whether or not they existed: a delete asks nobody first.
    Del,
    /// How many of the keys exist.
    Exists,
    /// The context, then every sibling.
    KvGet,
    /// The context, the write's dot, the number of acknowledgements, and of disks among them.
    KvWrite,
    /// What edits did: the value of the counter, or how many members or fields came, or went.
    Result,
    /// The members of a set.
    Members,
    /// How many there are.
    Card,
    /// Whether this is one.
    IsMember(Bytes),
    /// One field of a map.
    Field(Bytes),
    /// All fields and their values.
    Fields,
    /// What one disk holds.
    Peek,
    /// The text of `INFO`.
    Info,
    /// All that is known of a command on one key that replies in this shape otherwise.
    Full(Box<Shape>),
}

impl Shape {
    /// Which options have an effect on a command that replies so and has so many `keys`.
    pub fn taker(&self, keys: usize) -> Taker {
        match self {
            Shape::KvGet => Taker::KvGet,
            Shape::Get | Shape::Exists if keys > 1 => Taker::Gets,
            Shape::Get | Shape::Exists => Taker::Get,
            Shape::Members | Shape::Card | Shape::IsMember(_) | Shape::Field(_) | Shape::Fields => {
                Taker::Look
            }
            Shape::KvWrite => Taker::KvWrite,
            Shape::Set | Shape::Del | Shape::Result if keys > 1 => Taker::Writes,
            Shape::Set | Shape::Del | Shape::Result => Taker::Write,
            Shape::Full(shape) => shape.taker(keys),
            Shape::Peek | Shape::Info => unreachable!("these are no requests, and have no options"),
        }
    }
}

/// The reply to a command of `shape` whose parts were answered by `answers`.
pub fn reply(shape: &Shape, answers: Vec<Answer>) -> Value {
    if let Shape::Full(shape) = shape {
        return full::reply(shape, answers);
    }
    assert!(!answers.is_empty(), "a command that asked nothing waits for nothing");
    let parts = answers.len();
    let mut yes = 0;
    let mut written = 0;
    let mut failure = None;
    for answer in answers {
        match answer {
            Answer::Info(text) => return Value::bulk(&text),
            Answer::Peek(held) => return peeked(*held),
            Answer::Outcome(Outcome::Found { values, context }) => match shape {
                Shape::Get => return single(values),
                Shape::KvGet => {
                    let values = values.into_iter().map(|found| Value::Bulk(found.value));
                    return Value::Array([Value::Bulk(context)].into_iter().chain(values).collect());
                }
                Shape::Exists => yes += i64::from(!values.is_empty()),
                _ if values.is_empty() => return typed::reply(shape, None),
                _ => return typed::plain(),
            },
            Answer::Outcome(Outcome::Typed { view, context }) => match shape {
                Shape::KvGet => {
                    return Value::Array(
                        [Value::Bulk(context)].into_iter().chain(typed::flat(view)).collect(),
                    );
                }
                Shape::Exists => yes += 1,
                _ => return typed::reply(shape, Some(view)),
            },
            Answer::Outcome(Outcome::Written { result, .. }) if *shape == Shape::Result => {
                return Value::Integer(result);
            }
            Answer::Outcome(Outcome::Written { dot, acks, durable, context, .. }) => {
                if *shape == Shape::KvWrite {
                    let counts = [acks, durable].map(|count| Value::Integer(count.into()));
                    let name = [Value::Bulk(context), Value::bulk(&dot.to_string())];
                    return Value::Array(name.into_iter().chain(counts).collect());
                }
                (yes, written) = (yes + 1, written + 1);
            }
            // Of several failures the client hears the gravest: one that may have changed something.
            Answer::Outcome(other) => match failure {
                Some(Outcome::Unknown { .. }) => {}
                _ => failure = Some(other),
            },
        }
    }
    match failure {
        Some(outcome) => Value::Error(failed(&outcome, written, parts)),
        None if *shape == Shape::Set => Value::Simple("OK"),
        None => Value::Integer(yes),
    }
}

/// One value has room in a reply to a plain `GET`. To pick one of several in silence would lose a write.
fn single(mut values: Few<Found, 1>) -> Value {
    if values.len() > 1 {
        let count = values.len();
        return Value::Error(format!(
            "SIBLINGS the key has {count} concurrent values: KV.GET shows them, KV.DEFAULTS SIBLINGS lww picks the last"
        ));
    }
    values.pop().map_or(Value::Null, |found| Value::Bulk(found.value))
}

/// The error of a command of which `written` of `parts` parts were applied. Once anything was, "rejected"
/// would be a lie about the whole.
fn failed(outcome: &Outcome, written: usize, parts: usize) -> String {
    let error = error(outcome);
    if written == 0 {
        error
    } else {
        format!("UNKNOWN {written} of {parts} keys are done; the rest: {error}")
    }
}

/// `REJECTED` and `OVERLOADED`: nothing was applied. `UNKNOWN`: something may have been.
fn error(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Rejected(Rejection::Overloaded) => format!("OVERLOADED {}", Rejection::Overloaded),
        Outcome::Rejected(rejection @ Rejection::Type { .. }) => format!("WRONGTYPE {rejection}"),
        Outcome::Rejected(rejection) => format!("REJECTED {rejection}"),
        Outcome::Unknown { acks, needed, unmet, write } => {
            let name = write.as_ref().map_or_else(String::new, |(dot, _)| format!(" as {dot}"));
            let context =
                write.as_ref().map_or_else(String::new, |(_, token)| format!(", context {}", hex(token)));
            format!("UNKNOWN applied{name} by {acks}, {unmet} needs {needed}, may still be applied{context}")
        }
        Outcome::Found { .. } | Outcome::Typed { .. } | Outcome::Written { .. } => {
            unreachable!("only failures come here")
        }
    }
}

fn peeked(held: Result<Siblings, Rejection>) -> Value {
    match held {
        Err(rejection) => Value::Error(error(&Outcome::Rejected(rejection))),
        Ok(siblings) => {
            let versions = siblings.versions().iter().map(peeked_version);
            Value::Array(versions.chain(siblings.parts().iter().map(peeked_part)).collect())
        }
    }
}

/// A part of a convergent type as a version: its field, if it has one, and what it adds to the value.
fn peeked_part(part: &Part) -> Value {
    let stamp = i64::try_from(part.stamp.0).unwrap_or(i64::MAX);
    let content = match &part.content {
        Content::Member(bytes) | Content::Assigned(bytes) => Value::Bulk(bytes.clone()),
        Content::Counted(counted) => Value::bulk(&format!("counted {}", counted.total)),
        Content::Cleared(cleared) => Value::bulk(&format!("cleared for {} actors", cleared.len())),
    };
    let field = part.field.clone().map(Value::Bulk);
    let start = [Value::bulk(&part.dot.to_string()), Value::Integer(stamp)].into_iter();
    Value::Array(start.chain(field).chain([content]).collect())
}

/// Text has no room for bytes.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn peeked_version(version: &crate::causal::siblings::Version) -> Value {
    let stamp = i64::try_from(version.stamp.0).unwrap_or(i64::MAX);
    let value = version.value.clone().map_or(Value::Null, Value::Bulk);
    Value::Array(vec![Value::bulk(&version.dot.to_string()), Value::Integer(stamp), value])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::NodeId;
    use crate::base::time::WallTime;
    use crate::causal::dot::{Actor, Dot};

    fn dot(node: u64) -> Dot {
        Dot { actor: Actor { node: NodeId(node), epoch: 0 }, counter: 1 }
    }

    fn found(values: &[(&str, u64, u64)]) -> Answer {
        let values = values.iter().map(|&(value, stamp, node)| Found {
            value: Bytes::from(value),
            stamp: WallTime(stamp),
            dot: dot(node),
        });
        Answer::Outcome(Outcome::Found { values: values.collect(), context: Bytes::from("token") })
    }

    fn written() -> Answer {
        Answer::Outcome(Outcome::Written {
            dot: dot(1),
            acks: 2,
            durable: 1,
            context: Bytes::from("token"),
            result: 0,
        })
    }

    fn unknown(acks: u8, dot: Option<Dot>) -> Answer {
        let unmet = crate::quorum::need::Knob::W;
        let write = dot.map(|dot| (dot, Bytes::new(&[1, 0xfe])));
        Answer::Outcome(Outcome::Unknown { acks, needed: 2, unmet, write })
    }

    fn rejected(rejection: Rejection) -> Answer {
        Answer::Outcome(Outcome::Rejected(rejection))
    }

    #[test]
    fn get_refuses_siblings_and_kv_get_gives_them_all() {
        let siblings = [("old", 1, 9), ("new", 2, 1), ("tied", 2, 3)];
        let Value::Error(text) = reply(&Shape::Get, vec![found(&siblings)]) else { panic!("an error") };
        assert!(text.starts_with("SIBLINGS the key has 3 concurrent values"), "{text}");
        assert_eq!(reply(&Shape::Get, vec![found(&siblings[..1])]), Value::bulk("old"));
        assert_eq!(reply(&Shape::Get, vec![found(&[])]), Value::Null);
        let all = ["token", "old", "new", "tied"].map(Value::bulk);
        assert_eq!(reply(&Shape::KvGet, vec![found(&siblings)]), Value::Array(all.to_vec()));
    }

    #[test]
    fn writes_tell_what_is_known() {
        assert_eq!(reply(&Shape::Set, vec![written()]), Value::Simple("OK"));
        let kv = [Value::bulk("token"), Value::bulk("n1/0:1"), Value::Integer(2), Value::Integer(1)];
        assert_eq!(reply(&Shape::KvWrite, vec![written()]), Value::Array(kv.to_vec()));
        let text = "UNKNOWN applied as n7/0:1 by 1, w needs 2, may still be applied, context 01fe";
        assert_eq!(reply(&Shape::Set, vec![unknown(1, Some(dot(7)))]), Value::error(text));
        let text = "UNKNOWN applied by 0, w needs 2, may still be applied";
        assert_eq!(reply(&Shape::Set, vec![unknown(0, None)]), Value::error(text));
        let text = "OVERLOADED too much work is waiting, try later";
        assert_eq!(reply(&Shape::KvWrite, vec![rejected(Rejection::Overloaded)]), Value::error(text));
        let text = "REJECTED the cluster is still forming";
        assert_eq!(reply(&Shape::Get, vec![rejected(Rejection::Forming)]), Value::error(text));
    }

    #[test]
    fn counts_are_of_what_was_found_or_deleted() {
        assert_eq!(reply(&Shape::Exists, vec![found(&[("v", 1, 1)]), found(&[])]), Value::Integer(1));
        assert_eq!(reply(&Shape::Del, vec![written(), written()]), Value::Integer(2));
    }

    #[test]
    fn a_delete_that_was_half_done_is_not_called_rejected() {
        let nothing = reply(&Shape::Del, vec![rejected(Rejection::Stopping), rejected(Rejection::Stopping)]);
        assert_eq!(nothing, Value::error("REJECTED the node is stopping"));
        let half = reply(&Shape::Del, vec![written(), rejected(Rejection::Stopping)]);
        let text = "UNKNOWN 1 of 2 keys are done; the rest: REJECTED the node is stopping";
        assert_eq!(half, Value::error(text));
        let grave = reply(&Shape::Del, vec![unknown(0, None), rejected(Rejection::Stopping)]);
        let Value::Error(grave) = grave else { panic!("an error") };
        assert!(grave.starts_with("UNKNOWN"), "{grave}");
    }
}
