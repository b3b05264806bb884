//! Clients: closed loops that think, ask one node, wait for the answer or give up, and think again.
//!
//! Nothing is registered beforehand: what a client does next is drawn when it does it, from streams of its own, so
//! that one more client changes nothing for the others. Every value is written once only, which makes "nobody wrote
//! this" decidable.

use std::collections::BTreeMap;
use std::format;

use crate::base::bytes::Bytes;
use crate::base::rng::Stream;
use crate::base::time::{Duration, Instant};
use crate::node::request::{Command, Options, Request};
use crate::sim::history::{End, Kind, Operation};

/// Clients sit near the nodes: a request and an answer each take so long, and neither is lost.
const LATENCY_MIN: Duration = Duration::from_micros(50);
const LATENCY_MAX: Duration = Duration::from_micros(200);

/// What the clients of a scenario do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientPlan {
    pub count: u32,
    pub keys: u64,
    /// When they begin; the cluster needs a moment to form.
    pub start: Instant,
    pub think_min: Duration,
    pub think_max: Duration,
    pub value_min: u32,
    pub value_max: u32,
    /// When a client stops waiting for an answer.
    pub timeout: Duration,
    pub mix: Mix,
}

/// How often each action is taken, relative to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mix {
    pub get: u32,
    /// A get, and a put with the context that it gave.
    pub update: u32,
    /// A put without a context: it replaces what its coordinator holds.
    pub put: u32,
    /// A put with an empty context: it replaces nothing.
    pub add: u32,
    /// A get, and a delete with the context that it gave.
    pub delete: u32,
    /// A put with the context of the client's own last write of the key, however long ago, and whatever others wrote.
    pub stale: u32,
}

impl Mix {
    pub fn total(&self) -> u64 {
        [self.get, self.update, self.put, self.add, self.delete, self.stale].into_iter().map(u64::from).sum()
    }
}

/// The second half of an update or a delete.
#[derive(Clone, Debug, Hash)]
struct Next {
    kind: Kind,
    key: Bytes,
    context: Option<Bytes>,
}

/// The operation that a client waits for.
#[derive(Clone, Debug, Hash)]
pub struct Open {
    /// Counts the client's operations.
    pub ordinal: u32,
    /// Where it stands in the history.
    pub index: usize,
    pub node: usize,
    pub started: Instant,
    /// Until it has arrived at the node.
    pub request: Option<Request>,
    /// The write that follows if this get is answered.
    then: Option<Kind>,
}

#[derive(Clone, Debug, Hash)]
pub struct Client {
    number: u32,
    actions: Stream,
    keys: Stream,
    nodes: Stream,
    thinking: Stream,
    sizes: Stream,
    latency: Stream,
    ordinal: u32,
    values: u32,
    next: Option<Next>,
    /// Contexts of the client's last writes, by key.
    written: BTreeMap<Bytes, Bytes>,
    pub open: Option<Open>,
    /// Whether an event is scheduled that will look whether the open operation has lasted too long.
    pub watched: bool,
}

impl Client {
    pub fn new(number: u32, seed: u64) -> Client {
        let stream = |purpose| Stream::new(seed, purpose, u64::from(number));
        Client {
            number,
            actions: stream("client.action"),
            keys: stream("client.key"),
            nodes: stream("client.node"),
            thinking: stream("client.think"),
            sizes: stream("client.size"),
            latency: stream("client.latency"),
            ordinal: 0,
            values: 0,
            next: None,
            written: BTreeMap::new(),
            open: None,
            watched: false,
        }
    }

    /// How long the client thinks before its next action.
    pub fn think(&mut self, plan: &ClientPlan) -> Duration {
        self.thinking.between(plan.think_min, plan.think_max)
    }

    /// How long a request or an answer is on its way.
    pub fn latency(&mut self) -> Duration {
        self.latency.between(LATENCY_MIN, LATENCY_MAX)
    }

    /// Whether the next operation follows from the last one, so that there is nothing to think about.
    pub fn is_in_action(&self) -> bool {
        self.next.is_some()
    }

    /// Begins the next operation; it will stand at `index` of the history, where the answer belongs.
    pub fn begin(&mut self, plan: &ClientPlan, nodes: usize, index: usize, now: Instant) -> Operation {
        assert!(self.open.is_none(), "a closed loop has one operation open");
        let (Next { kind, key, context }, then) = match self.next.take() {
            Some(next) => (next, None),
            None => self.draw(plan),
        };
        let value = (kind == Kind::Put).then(|| self.value(plan));
        let node = self.nodes.below(nodes as u64) as usize;
        let command = match kind {
            Kind::Get => Command::Get { context: None },
            Kind::Put => {
                let value = value.clone().expect("a put has a value");
                Command::Put { value, context: context.clone() }
            }
            Kind::Delete => Command::Delete { context: context.clone() },
        };
        let request = Request { key: key.clone(), command, options: Options::default(), id: None };
        self.ordinal += 1;
        let ordinal = self.ordinal;
        self.open = Some(Open { ordinal, index, node, started: now, request: Some(request), then });
        let (client, node) = (self.number, node as u32 + 1);
        Operation { client, kind, key, value, context, node, start: now, end: None, result: End::Silence }
    }

    /// Ends the open operation of `key`. After a get that was answered, the write that was to follow comes next, with
    /// the context that the get gave.
    pub fn end(&mut self, key: &Bytes, end: &End) -> Open {
        let open = self.open.take().expect("only an open operation ends");
        if let (Some(kind), End::Found { context, .. }) = (open.then, end) {
            self.next = Some(Next { kind, key: key.clone(), context: Some(context.clone()) });
        }
        if let End::Written { context, .. } = end {
            self.written.insert(key.clone(), context.clone());
        }
        open
    }

    /// No more operations, not even the second half of an action.
    pub fn stop(&mut self) {
        self.next = None;
    }

    fn draw(&mut self, plan: &ClientPlan) -> (Next, Option<Kind>) {
        let key = Bytes::from(format!("k{}", self.keys.below(plan.keys)).as_str());
        let mut drawn = self.actions.below(plan.mix.total());
        let mut falls_on = |weight: u32| {
            let hit = drawn < u64::from(weight);
            drawn = drawn.saturating_sub(u64::from(weight));
            hit
        };
        let mix = &plan.mix;
        let (kind, context, then) = match () {
            () if falls_on(mix.get) => (Kind::Get, None, None),
            () if falls_on(mix.update) => (Kind::Get, None, Some(Kind::Put)),
            () if falls_on(mix.put) => (Kind::Put, None, None),
            () if falls_on(mix.add) => (Kind::Put, Some(Bytes::default()), None),
            () if falls_on(mix.stale) => {
                (Kind::Put, Some(self.written.get(&key).cloned().unwrap_or_default()), None)
            }
            () => (Kind::Get, None, Some(Kind::Delete)),
        };
        (Next { kind, key, context }, then)
    }

    /// A value that is written once only: who wrote it and its number, padded to the size that was drawn.
    fn value(&mut self, plan: &ClientPlan) -> Bytes {
        let sizes = u64::from(plan.value_max - plan.value_min) + 1;
        let size = plan.value_min as usize + self.sizes.below(sizes) as usize;
        self.values += 1;
        let mut value = format!("c{}-{}.", self.number, self.values).into_bytes();
        value.resize(size.max(value.len()), b'.');
        Bytes::from(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn plan() -> ClientPlan {
        ClientPlan {
            count: 1,
            keys: 10,
            start: Instant::ZERO,
            think_min: Duration::ZERO,
            think_max: Duration::from_millis(1),
            value_min: 4,
            value_max: 20,
            timeout: Duration::from_secs(1),
            mix: Mix { get: 1, update: 1, put: 1, add: 1, delete: 1, stale: 1 },
        }
    }

    fn operations(client: &mut Client, count: usize) -> Vec<Operation> {
        let found = || End::Found { values: Vec::new(), context: Bytes::from("token") };
        let mut operations = Vec::new();
        for index in 0..count {
            let operation = client.begin(&plan(), 5, index, Instant::ZERO);
            client.end(&operation.key, &found());
            operations.push(operation);
        }
        operations
    }

    #[test]
    fn no_value_is_written_twice() {
        let mut values = BTreeSet::new();
        for number in 0..3 {
            for operation in operations(&mut Client::new(number, 42), 500) {
                assert!(operation.value.is_none_or(|value| values.insert(value)));
            }
        }
        assert!(values.len() > 300, "{}", values.len());
    }

    #[test]
    fn an_update_puts_with_the_context_of_its_own_get() {
        let operations = operations(&mut Client::new(1, 42), 200);
        let with_token = |operation: &&Operation| operation.context.as_deref() == Some(b"token".as_slice());
        assert!(operations.iter().filter(with_token).count() > 20);
        for pair in operations.windows(2).filter(|pair| with_token(&&pair[1])) {
            assert_eq!((pair[0].kind, &pair[0].key), (Kind::Get, &pair[1].key));
            assert!(pair[1].is_write());
        }
    }

    #[test]
    fn every_action_of_the_mix_is_taken() {
        let operations = operations(&mut Client::new(1, 42), 300);
        let some = |found: &dyn Fn(&Operation) -> bool| operations.iter().any(found);
        assert!(some(&|op| op.kind == Kind::Delete));
        assert!(some(&|op| op.kind == Kind::Put && op.context.is_none()));
        assert!(some(&|op| op.context.as_ref().is_some_and(|context| context.is_empty())));
    }
}
