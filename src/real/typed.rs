//! Commands on values of convergent types, from words to edits, and from what is read to replies.
//!
//! ```text
//! INCR DECR key            INCRBY DECRBY key step                          a counter; GET shows it
//! SADD SREM key member...  SMEMBERS key  SISMEMBER key member  SCARD key   a set
//! KV.ASSIGN key value                                                      a register; GET shows it
//! HSET key field value...  HGET key field  HDEL key field...  HGETALL key  a map of registers,
//! HINCRBY key field step                                                   counters,
//! KV.HSADD key field member...  KV.HSREM key field member...               and sets
//! ```

use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use crate::base::bytes::Bytes;
use crate::causal::types::edit::{Edit, Update};
use crate::causal::types::part::Holds;
use crate::causal::types::view::{Leaf, View};
use crate::node::request::{Command, Options, Request};
use crate::real::command::{Action, quoted};
use crate::real::reply::Shape;
use crate::real::resp::Value;

/// The names of these commands.
pub const NAMES: &[&str] = &[
    "INCR",
    "DECR",
    "INCRBY",
    "DECRBY",
    "SADD",
    "SREM",
    "SMEMBERS",
    "SISMEMBER",
    "SCARD",
    "HSET",
    "HGET",
    "HDEL",
    "HGETALL",
    "HINCRBY",
    "KV.ASSIGN",
    "KV.HSADD",
    "KV.HSREM",
];

/// The meaning of a command; `None` if its name or the number of its arguments is not among these.
pub fn interpret(name: &str, args: &[&[u8]]) -> Option<Result<Action, String>> {
    let edits = match (name, args) {
        ("INCR", [_]) => vec![edit(None, Update::Count(1))],
        ("DECR", [_]) => vec![edit(None, Update::Count(-1))],
        ("INCRBY", [_, step]) => match number(step) {
            Ok(step) => vec![edit(None, Update::Count(step))],
            Err(error) => return Some(Err(error)),
        },
        ("DECRBY", [_, step]) => match number(step).and_then(negative) {
            Ok(step) => vec![edit(None, Update::Count(step))],
            Err(error) => return Some(Err(error)),
        },
        ("HINCRBY", [_, field, step]) => match number(step) {
            Ok(step) => vec![edit(Some(field), Update::Count(step))],
            Err(error) => return Some(Err(error)),
        },
        ("SADD", [_, members @ ..]) if !members.is_empty() => each(members, |m| edit(None, Update::Add(m))),
        ("SREM", [_, members @ ..]) if !members.is_empty() => {
            each(members, |m| edit(None, Update::TakeOut(m)))
        }
        ("KV.HSADD", [_, field, members @ ..]) if !members.is_empty() => {
            each(members, |member| edit(Some(field), Update::Add(member)))
        }
        ("KV.HSREM", [_, field, members @ ..]) if !members.is_empty() => {
            each(members, |member| edit(Some(field), Update::TakeOut(member)))
        }
        ("KV.ASSIGN", [_, value]) => vec![edit(None, Update::Assign(Bytes::new(value)))],
        ("HSET", [_, pairs @ ..]) if !pairs.is_empty() && pairs.len().is_multiple_of(2) => {
            pairs.chunks(2).map(|pair| edit(Some(pair[0]), Update::Assign(Bytes::new(pair[1])))).collect()
        }
        ("HDEL", [_, fields @ ..]) if !fields.is_empty() => {
            fields.iter().map(|field| edit(Some(field), Update::Clear)).collect()
        }
        ("SMEMBERS", [key]) => return Some(Ok(look(key, Shape::Members))),
        ("SCARD", [key]) => return Some(Ok(look(key, Shape::Card))),
        ("SISMEMBER", [key, member]) => return Some(Ok(look(key, Shape::IsMember(Bytes::new(member))))),
        ("HGET", [key, field]) => return Some(Ok(look(key, Shape::Field(Bytes::new(field))))),
        ("HGETALL", [key]) => return Some(Ok(look(key, Shape::Fields))),
        _ => return None,
    };
    let shape = if name == "KV.ASSIGN" { Shape::Set } else { Shape::Result };
    Some(Ok(ask(args[0], Command::Edit { edits }, shape)))
}

fn ask(key: &[u8], command: Command, shape: Shape) -> Action {
    let request = Request { key: Bytes::new(key), command, options: Options::default(), id: None };
    Action::Ask { requests: vec![request], shape }
}

fn look(key: &[u8], shape: Shape) -> Action {
    ask(key, Command::Get { context: None }, shape)
}

fn edit(field: Option<&[u8]>, update: Update) -> Edit {
    Edit { field: field.map(Bytes::new), update }
}

fn each(words: &[&[u8]], make: impl Fn(Bytes) -> Edit) -> Vec<Edit> {
    words.iter().map(|word| make(Bytes::new(word))).collect()
}

fn number(word: &[u8]) -> Result<i64, String> {
    let number = str::from_utf8(word).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("ERR step '{}' is not a 64-bit integer", quoted(word)))
}

fn negative(step: i64) -> Result<i64, String> {
    step.checked_neg().ok_or_else(|| "ERR the step cannot be turned round".into())
}

/// What a command of `shape` makes of a value that was read; `None`: the key does not exist.
pub fn reply(shape: &Shape, view: Option<View>) -> Value {
    let wrong = |view: &View| Value::Error(format!("WRONGTYPE the key holds {}", view.holds()));
    match (shape, view) {
        (Shape::Members, None) => Value::Array(Vec::new()),
        (Shape::Members, Some(View::Leaf(Leaf::Set(members)))) => list(members),
        (Shape::Card | Shape::IsMember(_), None) => Value::Integer(0),
        (Shape::Card, Some(View::Leaf(Leaf::Set(members)))) => Value::Integer(members.len() as i64),
        (Shape::IsMember(member), Some(View::Leaf(Leaf::Set(members)))) => {
            Value::Integer(i64::from(members.binary_search(member).is_ok()))
        }
        (Shape::Field(name), Some(View::Map(fields))) => {
            let mut found = fields.into_iter().filter(|(field, _)| field == name).map(|(_, leaf)| leaf);
            match (found.next(), found.next()) {
                (None, _) => Value::Null,
                (Some(leaf), None) => shown(leaf),
                (Some(one), Some(other)) => {
                    Value::Error(format!("WRONGTYPE the field holds {} and {}", one.kind(), other.kind()))
                }
            }
        }
        (Shape::Fields, None) => Value::Map(Vec::new()),
        (Shape::Fields, Some(view @ View::Map(_))) => whole(view),
        (Shape::Get, Some(View::Leaf(leaf @ (Leaf::Counter(_) | Leaf::Register(_))))) => shown(leaf),
        (_, Some(view)) => wrong(&view),
        (_, None) => Value::Null,
    }
}

/// What `KV.GET` adds to the context: the value of a counter or register, the members of a set, the fields of a map and
/// their values in turn.
pub fn flat(view: View) -> Vec<Value> {
    match view {
        View::Leaf(Leaf::Set(members)) => members.into_iter().map(Value::Bulk).collect(),
        View::Leaf(leaf) => vec![shown(leaf)],
        View::Map(fields) => {
            fields.into_iter().flat_map(|(field, leaf)| [Value::Bulk(field), shown(leaf)]).collect()
        }
    }
}

/// The same as one value: a map has its fields as keys.
pub fn whole(view: View) -> Value {
    match view {
        View::Leaf(leaf) => shown(leaf),
        View::Map(fields) => {
            Value::Map(fields.into_iter().map(|(field, leaf)| (Value::Bulk(field), shown(leaf))).collect())
        }
    }
}

/// Something plain is there, where a convergent type was asked for.
pub fn plain() -> Value {
    Value::Error(format!("WRONGTYPE the key holds {}", Holds::Plain))
}

fn shown(leaf: Leaf) -> Value {
    match leaf {
        Leaf::Counter(value) => Value::bulk(&value.to_string()),
        Leaf::Register(value) => Value::Bulk(value),
        Leaf::Set(members) => list(members),
    }
}

fn list(members: Vec<Bytes>) -> Value {
    Value::Array(members.into_iter().map(Value::Bulk).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Result<Action, String>> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        interpret(str::from_utf8(words[0]).expect("text"), &words[1..])
    }

    fn edits(line: &str) -> Vec<Edit> {
        match of(line) {
            Some(Ok(Action::Ask { requests, .. })) => match &requests[0].command {
                Command::Edit { edits } => edits.clone(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn words_become_edits() {
        assert_eq!(edits("DECRBY k 5"), [edit(None, Update::Count(-5))]);
        assert_eq!(edits("HINCRBY k f -2"), [edit(Some(b"f"), Update::Count(-2))]);
        let two = [edit(None, Update::Add("a".into())), edit(None, Update::Add("b".into()))];
        assert_eq!(edits("SADD k a b"), two);
        assert_eq!(edits("KV.HSREM k f m"), [edit(Some(b"f"), Update::TakeOut("m".into()))]);
        let two =
            [edit(Some(b"f"), Update::Assign("v".into())), edit(Some(b"g"), Update::Assign("w".into()))];
        assert_eq!(edits("HSET k f v g w"), two);
        assert_eq!(edits("HDEL k f"), [edit(Some(b"f"), Update::Clear)]);
    }

    #[test]
    fn what_is_no_command_or_no_number_is_refused() {
        for line in ["SADD k", "HSET k f", "HSET k", "INCR k 1", "HDEL k", "SMEMBERS k m", "GET k"] {
            assert_eq!(of(line), None, "{line}");
        }
        for line in ["INCRBY k x", "INCRBY k 9223372036854775808", "DECRBY k -9223372036854775808"] {
            assert!(matches!(of(line), Some(Err(_))), "{line}");
        }
    }

    #[test]
    fn every_shape_fits_its_type_and_refuses_the_others() {
        let set = || Some(View::Leaf(Leaf::Set(["a".into(), "b".into()].into())));
        let map =
            || Some(View::Map([("f".into(), Leaf::Counter(3)), ("s".into(), Leaf::Set([].into()))].into()));
        assert_eq!(reply(&Shape::Members, set()), Value::Array(["a", "b"].map(Value::bulk).into()));
        assert_eq!(reply(&Shape::Card, set()), Value::Integer(2));
        assert_eq!(reply(&Shape::IsMember("b".into()), set()), Value::Integer(1));
        assert_eq!(reply(&Shape::IsMember("c".into()), set()), Value::Integer(0));
        assert_eq!(reply(&Shape::Field("f".into()), map()), Value::bulk("3"));
        assert_eq!(reply(&Shape::Field("g".into()), map()), Value::Null);
        assert_eq!(reply(&Shape::Get, Some(View::Leaf(Leaf::Counter(-4)))), Value::bulk("-4"));
        for (shape, view) in [(Shape::Get, set()), (Shape::Fields, set()), (Shape::Members, map())] {
            assert!(matches!(reply(&shape, view), Value::Error(error) if error.starts_with("WRONGTYPE")));
        }
        let twice =
            View::Map([("f".into(), Leaf::Counter(3)), ("f".into(), Leaf::Register("v".into()))].into());
        let Value::Error(error) = reply(&Shape::Field("f".into()), Some(twice)) else { panic!("an error") };
        assert_eq!(error, "WRONGTYPE the field holds a counter and a register");
        assert_eq!(flat(map().expect("a map")).len(), 4);
    }
}
