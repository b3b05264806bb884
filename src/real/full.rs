//! Replies to commands with the option `FULL`: maps (in RESP2 arrays of names and values in turn) of all that is known.
//!
//! ```text
//! any write              context, dot, acks, durable
//! INCR, SADD, HSET, ...  the same, and result: what the command replies without FULL
//! KV.GET                 context, values: for each sibling a map of dot, stamp and value
//! any other read         context, result: what the command replies without FULL
//! ```
//!
//! A value of a convergent type is what many writes made of it: one value, whose dot and stamp are nil. Failures are
//! the same errors as without `FULL`; *unknown* has the acknowledgements, the dot and the context in its text.

use std::string::ToString;
use std::vec::Vec;

use crate::base::bytes::Bytes;
use crate::node::request::{Found, Outcome};
use crate::real::inbox::Answer;
use crate::real::reply::{self, Shape};
use crate::real::resp::Value;
use crate::real::typed;

/// The reply to a command on one key that without `FULL` has this `shape`.
pub fn reply(shape: &Shape, answers: Vec<Answer>) -> Value {
    assert!(answers.len() == 1, "a context, and so a full reply, is of one key");
    match (&answers[0], shape) {
        (Answer::Outcome(Outcome::Written { dot, acks, durable, context, result }), _) => {
            let mut pairs = Vec::from([
                ("context", Value::Bulk(context.clone())),
                ("dot", Value::bulk(&dot.to_string())),
                ("acks", Value::Integer((*acks).into())),
                ("durable", Value::Integer((*durable).into())),
            ]);
            // Other writes have no result beyond being done.
            pairs.extend((*shape == Shape::Result).then_some(("result", Value::Integer(*result))));
            map(pairs)
        }
        (Answer::Outcome(Outcome::Found { values, context }), Shape::KvGet) => {
            shown(context, values.iter().map(sibling).collect())
        }
        (Answer::Outcome(Outcome::Typed { view, context }), Shape::KvGet) => {
            let value = typed::whole(view.clone());
            shown(context, [map([("dot", Value::Null), ("stamp", Value::Null), ("value", value)])].into())
        }
        (Answer::Outcome(Outcome::Found { context, .. } | Outcome::Typed { context, .. }), _) => {
            let context = Value::Bulk(context.clone());
            match reply::reply(shape, answers) {
                error @ Value::Error(_) => error,
                result => map([("context", context), ("result", result)]),
            }
        }
        _ => reply::reply(shape, answers),
    }
}

fn shown(context: &Bytes, values: Vec<Value>) -> Value {
    map([("context", Value::Bulk(context.clone())), ("values", Value::Array(values))])
}

fn sibling(found: &Found) -> Value {
    map([
        ("dot", Value::bulk(&found.dot.to_string())),
        ("stamp", Value::Integer(i64::try_from(found.stamp.0).unwrap_or(i64::MAX))),
        ("value", Value::Bulk(found.value.clone())),
    ])
}

fn map(pairs: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Map(pairs.into_iter().map(|(name, value)| (Value::bulk(name), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::NodeId;
    use crate::base::time::WallTime;
    use crate::causal::dot::{Actor, Dot};
    use crate::causal::types::view::{Leaf, View};
    use crate::node::request::Rejection;
    use crate::real::resp::{Dialect, write};
    use std::string::String;

    const DOT: Dot = Dot { actor: Actor { node: NodeId(3), epoch: 0 }, counter: 9 };

    fn resp3(shape: Shape, outcome: Outcome) -> String {
        let mut out = Vec::new();
        let shape = Shape::Full(shape.into());
        write(&reply::reply(&shape, [Answer::Outcome(outcome)].into()), Dialect::Resp3, &mut out);
        String::from_utf8(out).expect("tests use text").replace("\r\n", " ")
    }

    fn written() -> Outcome {
        Outcome::Written { dot: DOT, acks: 2, durable: 1, context: "token".into(), result: -7 }
    }

    #[test]
    fn a_write_tells_all_and_an_edit_its_result_too() {
        let all = "$7 context $5 token $3 dot $6 n3/0:9 $4 acks :2 $7 durable :1 ";
        for shape in [Shape::Set, Shape::Del, Shape::KvWrite] {
            assert_eq!(resp3(shape, written()), std::format!("%4 {all}"));
        }
        assert_eq!(resp3(Shape::Result, written()), std::format!("%5 {all}$6 result :-7 "));
    }

    #[test]
    fn a_read_tells_its_context_and_each_values_dot() {
        let found = Found { value: "v".into(), stamp: WallTime(5), dot: DOT };
        let one = || Outcome::Found { values: [found.clone()].into(), context: "token".into() };
        let text = "%2 $7 context $5 token $6 values *1 %3 $3 dot $6 n3/0:9 $5 stamp :5 $5 value $1 v ";
        assert_eq!(resp3(Shape::KvGet, one()), text);
        assert_eq!(resp3(Shape::Get, one()), "%2 $7 context $5 token $6 result $1 v ");
        let none = || Outcome::Found { values: [].into(), context: "token".into() };
        assert_eq!(resp3(Shape::KvGet, none()), "%2 $7 context $5 token $6 values *0 ");
        assert_eq!(resp3(Shape::Card, none()), "%2 $7 context $5 token $6 result :0 ");
        let map = || View::Map([("f".into(), Leaf::Counter(4))].into());
        let typed = || Outcome::Typed { view: map(), context: "token".into() };
        let text = "%2 $7 context $5 token $6 values *1 %3 $3 dot _ $5 stamp _ $5 value %1 $1 f $1 4 ";
        assert_eq!(resp3(Shape::KvGet, typed()), text);
        assert_eq!(resp3(Shape::Field("f".into()), typed()), "%2 $7 context $5 token $6 result $1 4 ");
    }

    #[test]
    fn failures_are_the_same_errors() {
        let typed = Outcome::Typed { view: View::Leaf(Leaf::Counter(4)), context: "token".into() };
        assert_eq!(resp3(Shape::Members, typed), "-WRONGTYPE the key holds a counter ");
        let rejected = Outcome::Rejected(Rejection::Stopping);
        assert_eq!(resp3(Shape::Result, rejected), "-REJECTED the node is stopping ");
        let found = Found { value: "v".into(), stamp: WallTime(5), dot: DOT };
        let two = Outcome::Found { values: [found.clone(), found].into(), context: "token".into() };
        assert!(resp3(Shape::Get, two).starts_with("-SIBLINGS the key has 2"));
    }
}
