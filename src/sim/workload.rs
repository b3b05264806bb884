//! Clients: each asks one node, waits for the answer or gives up, and goes on.
//!
//! Nothing is registered beforehand: what a client does next is drawn when it does it, from streams of its own, so
//! that one more client changes nothing for the others. Every value is written once only, which makes "nobody wrote
//! this" decidable. What clients do is in their group's [`plan`].

pub mod plan;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::format;

use crate::base::bytes::Bytes;
use crate::base::id::ClusterId;
use crate::base::rng::Stream;
use crate::base::time::{Duration, Instant};
use crate::causal::context;
use crate::node::request::{Command, Options, Request};
use crate::sim::history::{Class, End, Kind, Operation};

use self::plan::{ClientPlan, Coordinators, Pace};

/// Clients sit near the nodes: a request and an answer each take so long, and neither is lost.
const LATENCY_MIN: Duration = Duration::from_micros(50);
const LATENCY_MAX: Duration = Duration::from_micros(200);

/// The next operation of an action that has begun, and those that follow it.
#[derive(Clone, Debug, Hash)]
struct Next {
    kind: Kind,
    key: Bytes,
    context: Option<Bytes>,
    then: &'static [Kind],
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
    /// The writes that follow if this is answered, each with the context that the one before it gave.
    then: &'static [Kind],
}

#[derive(Clone, Debug, Hash)]
pub struct Client {
    number: u32,
    /// Its group, and its place among those of the group.
    pub group: usize,
    place: u32,
    actions: Stream,
    keys: Stream,
    nodes: Stream,
    thinking: Stream,
    sizes: Stream,
    latency: Stream,
    ordinal: u32,
    values: u32,
    /// Actions that have begun.
    turns: u64,
    /// The node that it last moved to, if it stays with one.
    home: Option<usize>,
    /// When its next action is due; at an open loop it may be late.
    due: Instant,
    /// For sessions: what it has seen of each key.
    seen: BTreeMap<Bytes, Bytes>,
    next: Option<Next>,
    /// Contexts of the client's last writes, by key.
    written: BTreeMap<Bytes, Bytes>,
    pub open: Option<Open>,
    /// Whether an event is scheduled that will look whether the open operation has lasted too long.
    pub watched: bool,
}

impl Client {
    /// The client with this number of all, and at this place in its group.
    pub fn new(number: u32, group: usize, place: u32, plan: &ClientPlan, seed: u64) -> Client {
        let stream = |purpose| Stream::new(seed, purpose, u64::from(number));
        Client {
            number,
            group,
            place,
            actions: stream("client.action"),
            keys: stream("client.key"),
            nodes: stream("client.node"),
            thinking: stream("client.think"),
            sizes: stream("client.size"),
            latency: stream("client.latency"),
            ordinal: 0,
            values: 0,
            turns: 0,
            home: None,
            due: plan.start,
            seen: BTreeMap::new(),
            next: None,
            written: BTreeMap::new(),
            open: None,
            watched: false,
        }
    }

    /// When the client begins its next operation. It thinks first, or waits for its time to come; if that has passed
    /// already, or an action goes on, it begins at once.
    pub fn next_at(&mut self, plan: &ClientPlan, now: Instant) -> Instant {
        match plan.pace {
            _ if self.next.is_some() => self.due = now,
            Pace::Closed { min, max } => self.due = now.max(plan.start) + self.thinking.between(min, max),
            Pace::Open { every } => self.due += exponential(&mut self.thinking, every),
        }
        self.due.max(now)
    }

    /// How long a request or an answer is on its way.
    pub fn latency(&mut self) -> Duration {
        self.latency.between(LATENCY_MIN, LATENCY_MAX)
    }

    /// Begins the next operation; it will stand at `index` of the history, where the answer belongs.
    pub fn begin(&mut self, plan: &ClientPlan, nodes: usize, index: usize, now: Instant) -> Operation {
        assert!(self.open.is_none(), "a client has one operation open");
        let Next { kind, key, context, then } = self.next.take().unwrap_or_else(|| self.draw(plan));
        let value = (kind == Kind::Put).then(|| self.value(plan));
        let node = self.node(plan, nodes);
        let command = match (kind, &value) {
            (Kind::Put | Kind::Cas, Some(value)) => {
                Command::Put { value: value.clone(), context: context.clone() }
            }
            (Kind::Delete, _) => Command::Delete { context: context.clone() },
            _ => Command::Get { context: context.clone() },
        };
        let request = Request { key: key.clone(), command, options: Options::default(), id: None };
        self.ordinal += 1;
        let ordinal = self.ordinal;
        self.open = Some(Open { ordinal, index, node, started: now, request: Some(request), then });
        let (client, node) = (self.number, node as u32 + 1);
        let (start, due, expected, result) = (now, self.due.min(now), None, End::Silence);
        Operation { client, kind, key, value, expected, context, node, due, start, end: None, result }
    }

    /// Ends the open operation of `key`. If it was answered, and a write is to follow, that comes next, with the
    /// context of the answer.
    pub fn end(&mut self, plan: &ClientPlan, cluster: ClusterId, key: &Bytes, end: &End) -> Open {
        let open = self.open.take().expect("only an open operation ends");
        if plan.coordinators == Coordinators::Failover && end.class() != Class::Ok {
            self.home = None;
        }
        if let End::Found { context, .. } | End::Written { context, .. } = end {
            if plan.sessions {
                self.remember(cluster, key, context);
            }
            if let Some((kind, then)) = open.then.split_first() {
                let (kind, then) = (*kind, then);
                self.next = Some(Next { kind, key: key.clone(), context: Some(context.clone()), then });
            }
        }
        if let End::Written { context, .. } = end {
            self.written.insert(key.clone(), context.clone());
        }
        open
    }

    /// No more operations, not even the rest of an action.
    pub fn stop(&mut self) {
        self.next = None;
    }

    /// Adds what an answer told to what the session has seen of the key.
    fn remember(&mut self, cluster: ClusterId, key: &Bytes, context: &Bytes) {
        let open = |token: &Bytes| context::open(cluster, key, token).unwrap_or_default();
        let mut all = self.seen.get(key).map(open).unwrap_or_default();
        all.join(&open(context));
        self.seen.insert(key.clone(), context::seal(cluster, key, &all));
    }

    fn draw(&mut self, plan: &ClientPlan) -> Next {
        let turn = u64::from(self.place) + self.turns * u64::from(plan.count);
        self.turns += 1;
        let key = Bytes::from(format!("k{}", plan.choice.draw(&mut self.keys, plan.keys, turn)).as_str());
        let mut drawn = self.actions.below(plan.mix.total());
        let mut falls_on = |weight: u32| {
            let hit = drawn < u64::from(weight);
            drawn = drawn.saturating_sub(u64::from(weight));
            hit
        };
        let mix = &plan.mix;
        let (kind, context, then): (_, _, &[Kind]) = match () {
            () if falls_on(mix.get) => (Kind::Get, self.seen.get(&key).cloned(), &[]),
            () if falls_on(mix.update) => (Kind::Get, None, &[Kind::Put]),
            () if falls_on(mix.put) => (Kind::Put, None, &[]),
            () if falls_on(mix.add) => (Kind::Put, Some(Bytes::default()), &[]),
            () if falls_on(mix.delete) => (Kind::Get, None, &[Kind::Delete]),
            () if falls_on(mix.stale) => {
                (Kind::Put, Some(self.written.get(&key).cloned().unwrap_or_default()), &[])
            }
            () => (Kind::Get, None, &[Kind::Delete, Kind::Put]),
        };
        let context = if kind == Kind::Get { self.seen.get(&key).cloned() } else { context };
        Next { kind, key, context, then }
    }

    fn node(&mut self, plan: &ClientPlan, nodes: usize) -> usize {
        match plan.coordinators {
            Coordinators::Any => self.nodes.below(nodes as u64) as usize,
            Coordinators::Home => self.place as usize % nodes,
            Coordinators::Failover => {
                let draws = &mut self.nodes;
                *self.home.get_or_insert_with(|| draws.below(nodes as u64) as usize)
            }
        }
    }

    /// A value that is written once only: who wrote it and its number, padded to the size that was drawn.
    fn value(&mut self, plan: &ClientPlan) -> Bytes {
        let sizes = u64::from(plan.value_max - plan.value_min) + 1;
        let more = plan.value_choice.draw(&mut self.sizes, sizes, u64::from(self.values));
        let size = plan.value_min as usize + more as usize;
        self.values += 1;
        let mut value = format!("c{}-{}.", self.number, self.values).into_bytes();
        value.resize(size.max(value.len()), b'.');
        Bytes::from(value)
    }
}

/// An exponentially distributed span, so that what comes after each is a Poisson process. Von Neumann's method
/// ("Various Techniques Used in Connection with Random Digits", 1951) needs comparisons only, no logarithm that
/// machines round differently: the length of a falling run of draws is odd with just the right probability.
fn exponential(draws: &mut Stream, mean: Duration) -> Duration {
    for whole in 0.. {
        let first = draws.next();
        let (mut last, mut length) = (first, 1);
        loop {
            let next = draws.next();
            if next >= last {
                break;
            }
            (last, length) = (next, length + 1);
        }
        if length % 2 == 1 {
            let part = (u128::from(mean.0) * u128::from(first)) >> 64;
            return Duration(mean.saturating_mul(whole).0.saturating_add(part as u64));
        }
    }
    unreachable!("one draw in e goes on, so it ends")
}
