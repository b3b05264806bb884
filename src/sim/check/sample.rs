//! A history of one key, and what a replica holds of it, for the tests of the checkers.

use std::format;
use std::vec;
use std::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::id::{ClusterId, NodeId, RequestId};
use crate::base::time::{Instant, WallTime};
use crate::causal::clock::Clock;
use crate::causal::context::seal;
use crate::causal::dot::Actor;
use crate::causal::siblings::Siblings;
use crate::causal::types::edit::{Edit, Update, Write};
use crate::node::request::Outcome;
use crate::sim::history::{End, Kind, Operation};
use crate::sim::probe::{Key, Probe};

pub const CLUSTER: ClusterId = ClusterId(1);
pub const REPLICAS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];
pub const ACTOR: Actor = Actor { node: NodeId(1), epoch: 0 };
const KEY: &str = "k";

#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub history: Vec<Operation>,
    /// What every replica holds.
    pub held: Siblings,
}

impl Sample {
    /// An acknowledged write. The answer is its context: all that is known after it.
    pub fn write(&mut self, kind: Kind, context: Option<&Clock>) -> Clock {
        let value = (kind == Kind::Put).then(|| Bytes::from(format!("v{}", self.history.len()).as_str()));
        let seen = context.cloned().unwrap_or_else(|| self.held.clock().clone());
        let dot = self.held.write(ACTOR, &seen, WallTime(0), value.clone());
        let token = context.map(|clock| seal(CLUSTER, KEY.as_bytes(), clock));
        let answer = seal(CLUSTER, KEY.as_bytes(), self.held.clock());
        self.push(kind, value, token, End::Written { dot, acks: 2, durable: 2, context: answer, result: 0 });
        self.held.clock().clone()
    }

    /// An acknowledged edit.
    pub fn edit(&mut self, kind: Kind, value: &str) {
        self.edit_by(ACTOR, kind, value, None);
    }

    /// The same by an actor of choice, and under a name.
    pub fn edit_by(&mut self, actor: Actor, kind: Kind, value: &str, id: Option<RequestId>) {
        let update = match kind {
            Kind::Incr => Update::Count(value.parse().expect("a step")),
            Kind::Sadd => Update::Add(Bytes::from(value)),
            _ => Update::TakeOut(Bytes::from(value)),
        };
        let edits = [Edit { field: None, update }];
        let edited = self.held.edit(Write { actor, stamp: WallTime(0), id }, &edits).expect("it fits");
        let mut seen = Clock::EMPTY;
        seen.record(edited.dot);
        let context = seal(CLUSTER, KEY.as_bytes(), &seen);
        let end = End::Written { dot: edited.dot, acks: 2, durable: 2, context, result: edited.result };
        self.push(kind, Some(Bytes::from(value)), None, end);
        self.history.last_mut().expect("just pushed").request = id;
    }

    /// A read that found what is held.
    pub fn read(&mut self) -> &mut Operation {
        let context = seal(CLUSTER, KEY.as_bytes(), self.held.clock());
        let view = self.held.holds_all().first().and_then(|holds| self.held.view(*holds));
        let result = match view {
            Some(view) => End::from(Outcome::Typed { view, context }),
            None => {
                let values =
                    self.held.versions().iter().filter_map(|version| version.value.clone()).collect();
                End::Found { values, context }
            }
        };
        self.push(Kind::Get, None, None, result);
        self.history.last_mut().expect("just pushed")
    }

    /// The store itself drops the versions that `clock` covers.
    pub fn replace_held(&mut self, clock: &Clock) {
        let mut other = Siblings::default();
        let stranger = Actor { node: NodeId(9), epoch: 0 };
        other.write(stranger, clock, WallTime(0), None);
        self.held.merge(&other);
    }

    pub fn probe(&self) -> Probe {
        let held = REPLICAS.map(|node| (node, Ok(self.held.clone()))).to_vec();
        let key = Key { replicas: [REPLICAS.to_vec()].into(), held };
        Probe {
            hints: REPLICAS.map(|node| (node, 0)).into(),
            down: vec![],
            keys: [(Bytes::from(KEY), key)].into(),
        }
    }

    /// Operations follow one another, ten nanoseconds each.
    fn push(&mut self, kind: Kind, value: Option<Bytes>, context: Option<Bytes>, result: End) {
        let start = Instant(self.history.len() as u64 * 10);
        let (key, end) = (Bytes::from(KEY), Some(Instant(start.0 + 5)));
        let client = 0;
        let (due, expected, request, node) = (start, None, None, 1);
        let operation =
            Operation { client, kind, key, value, expected, context, request, node, due, start, end, result };
        self.history.push(operation);
    }
}
