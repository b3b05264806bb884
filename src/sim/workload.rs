//! Clients: each asks one node, waits for the answer or gives up, and goes on.
//!
//! Nothing is registered beforehand: what a client does next is drawn when it does it, from streams of its own, so
//! that one more client changes nothing for the others. Every value is written once only, which makes "nobody wrote
//! this" decidable. What clients do is in their group's [`plan`].
//!
//! Keys tell what they hold: `k` plain values, `c` counters, `s` sets, and `m` whatever the first client makes of them.
//! A counter's steps are large and drawn, so that a sum tells which of them are in it.

pub mod plan;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::format;
use std::string::ToString;
use std::sync::Arc;
use std::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::id::{ClusterId, RequestId};
use crate::base::rng::{Ppm, Stream};
use crate::base::time::{Duration, Instant};
use crate::causal::context;
use crate::causal::types::edit::{Edit, Update};
use crate::node::request::{Command, Request};
use crate::sim::history::{Class, End, Kind, Operation};

use self::plan::{ClientPlan, Coordinators, Pace};

/// Clients sit near the nodes: a request and an answer each take so long, and neither is lost.
const LATENCY_MIN: Duration = Duration::from_micros(50);
const LATENCY_MAX: Duration = Duration::from_micros(200);

/// The largest step of a counter.
const STEP_MAX: u64 = 1_000_000;
/// One step in four goes down.
const DOWN: Ppm = Ppm(250_000);
/// One addition in four is of a member that was there.
const ANEW: Ppm = Ppm(250_000);

/// The next operation of an action that has begun, and those that follow it.
#[derive(Clone, Debug, Hash)]
struct Next {
    kind: Kind,
    key: Bytes,
    /// Drawn when the operation begins, if it needs one that is not given here.
    value: Option<Bytes>,
    context: Option<Bytes>,
    then: &'static [Kind],
    again: Option<Again>,
}

/// A request that is tried again.
#[derive(Clone, Copy, Debug, Hash)]
struct Again {
    id: RequestId,
    /// Who was asked the last time.
    node: usize,
    /// Further tries.
    left: u32,
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
    /// What follows if this is answered; plain writes each with the context that the one before it gave.
    then: &'static [Kind],
    /// Tries that are left, if there is a name to try under.
    left: u32,
    /// It is a try of a request that may have been applied already.
    is_retry: bool,
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
    edits: Stream,
    ordinal: u32,
    values: u32,
    /// Writes that were given a name.
    requests: u64,
    /// Actions that have begun.
    turns: u64,
    /// The node that it last moved to, if it stays with one.
    home: Option<usize>,
    /// When its next action is due; at an open loop it may be late.
    due: Instant,
    /// For sessions: what it has seen of each key. Shared between copies of a world until one of them adds to it.
    seen: Arc<BTreeMap<Bytes, Bytes>>,
    next: Option<Next>,
    /// Contexts of the client's last writes, by key, if it is to write with stale ones.
    written: Arc<BTreeMap<Bytes, Bytes>>,
    /// By set, one of the members that it had when it was read last.
    members: BTreeMap<Bytes, Bytes>,
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
            edits: stream("client.edit"),
            ordinal: 0,
            values: 0,
            requests: 0,
            turns: 0,
            home: None,
            due: plan.start,
            seen: Arc::default(),
            next: None,
            written: Arc::default(),
            members: BTreeMap::new(),
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
    pub fn begin(&mut self, plan: &ClientPlan, index: usize, now: Instant) -> Operation {
        assert!(self.open.is_none(), "a client has one operation open");
        let Next { kind, key, value, context, then, again } =
            self.next.take().unwrap_or_else(|| self.draw(plan));
        let value = value.or_else(|| self.value(plan, kind, &key));
        let id = again.map(|again| again.id).or_else(|| self.name(plan, kind));
        let node = match again {
            Some(again) => self.another(plan, again.node),
            None => self.node(plan),
        };
        let command = command(kind, value.as_ref(), context.as_ref());
        let request = Some(Request { key: key.clone(), command, options: plan.options.clone(), id });
        self.ordinal += 1;
        let left = again.map_or(plan.retry, |again| again.left);
        let (ordinal, is_retry) = (self.ordinal, again.is_some());
        self.open = Some(Open { ordinal, index, node, started: now, request, then, left, is_retry });
        let (client, node, request) = (self.number, node as u32 + 1, id);
        let (start, due, expected, result) = (now, self.due.min(now), None, End::Silence);
        Operation {
            client,
            kind,
            key,
            value,
            expected,
            context,
            request,
            node,
            due,
            start,
            end: None,
            result,
        }
    }

    /// Ends the open operation, as it stands in the history. What is to follow comes next; a write of unknown outcome
    /// is tried again, if it has a name and tries are left.
    pub fn end(&mut self, plan: &ClientPlan, cluster: ClusterId, operation: &Operation, end: &End) -> Open {
        let open = self.open.take().expect("only an open operation ends");
        if plan.coordinators == Coordinators::Failover && end.class() != Class::Ok {
            self.home = None;
        }
        let Operation { kind, key, .. } = operation;
        match end {
            End::Found { context, values } => {
                if *kind == Kind::Get && key.first() == Some(&b's') {
                    self.note_members(key, values);
                }
                self.answered(plan, cluster, key, context, open.then);
            }
            End::Written { context, .. } => {
                self.answered(plan, cluster, key, context, open.then);
                if plan.mix.stale > 0 {
                    Arc::make_mut(&mut self.written).insert(key.clone(), context.clone());
                }
            }
            End::Done => {}
            // A retry that is refused was not applied; what came before it may have been.
            End::Rejected(_) if !open.is_retry => {}
            End::Rejected(_) | End::Unknown | End::Silence => self.try_again(operation, &open),
        }
        open
    }

    fn answered(
        &mut self,
        plan: &ClientPlan,
        cluster: ClusterId,
        key: &Bytes,
        context: &Bytes,
        then: &'static [Kind],
    ) {
        if plan.sessions {
            self.remember(cluster, key, context);
        }
        let Some((&kind, then)) = then.split_first() else { return };
        let value = if kind == Kind::Srem { self.members.get(key).cloned() } else { None };
        if kind == Kind::Srem && value.is_none() {
            return; // There was nothing to take out.
        }
        let context = match kind {
            Kind::Get => self.seen.get(key).cloned(),
            kind if kind.is_edit() => None,
            _ => Some(context.clone()),
        };
        self.next = Some(Next { kind, key: key.clone(), value, context, then, again: None });
    }

    fn try_again(&mut self, operation: &Operation, open: &Open) {
        let (Some(id), Some(left)) = (operation.request, open.left.checked_sub(1)) else { return };
        let Operation { kind, key, value, context, .. } = operation.clone();
        let again = Some(Again { id, node: open.node, left });
        self.next = Some(Next { kind, key, value, context, then: open.then, again });
    }

    fn note_members(&mut self, key: &Bytes, values: &[Bytes]) {
        match values.len() as u64 {
            0 => self.members.remove(key),
            count => {
                let one = &values[self.edits.below(count) as usize];
                self.members.insert(key.clone(), one.clone())
            }
        };
    }

    /// A name for a write, if the plan wants writes to have one.
    fn name(&mut self, plan: &ClientPlan, kind: Kind) -> Option<RequestId> {
        if plan.retry == 0 || kind == Kind::Get {
            return None;
        }
        self.requests += 1;
        Some(RequestId { client: self.number.into(), number: self.requests })
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
        Arc::make_mut(&mut self.seen).insert(key.clone(), context::seal(cluster, key, &all));
    }

    fn draw(&mut self, plan: &ClientPlan) -> Next {
        let turn = u64::from(self.place) + self.turns * u64::from(plan.count);
        self.turns += 1;
        let number = plan.choice.draw(&mut self.keys, plan.keys, turn);
        let mut drawn = self.actions.below(plan.mix.total());
        let mut falls_on = |weight: u32| {
            let hit = drawn < u64::from(weight);
            drawn = drawn.saturating_sub(u64::from(weight));
            hit
        };
        let mix = &plan.mix;
        let mut key = Bytes::from(format!("k{number}").as_str());
        let mut typed = |letter: char| key = Bytes::from(format!("{letter}{number}").as_str());
        let (kind, context, then): (_, _, &[Kind]) = match () {
            () if falls_on(mix.get) => (Kind::Get, None, &[]),
            () if falls_on(mix.update) => (Kind::Get, None, &[Kind::Put]),
            () if falls_on(mix.put) => (Kind::Put, None, &[]),
            () if falls_on(mix.add) => (Kind::Put, Some(Bytes::default()), &[]),
            () if falls_on(mix.delete) => (Kind::Get, None, &[Kind::Delete]),
            () if falls_on(mix.stale) => {
                (Kind::Put, Some(self.written.get(&key).cloned().unwrap_or_default()), &[])
            }
            () if falls_on(mix.recreate) => (Kind::Get, None, &[Kind::Delete, Kind::Put]),
            () if falls_on(mix.incr) => {
                typed('c');
                (Kind::Incr, None, &[Kind::Get])
            }
            () if falls_on(mix.sadd) => {
                typed('s');
                (Kind::Sadd, None, &[])
            }
            () if falls_on(mix.srem) => {
                typed('s');
                (Kind::Get, None, &[Kind::Srem])
            }
            () => {
                typed('m');
                match self.edits.below(4) {
                    0 => (Kind::Get, None, &[]),
                    1 => (Kind::Delete, None, &[]),
                    2 => (Kind::Incr, None, &[Kind::Get]),
                    _ => (Kind::Sadd, None, &[Kind::Get]),
                }
            }
        };
        let context = if kind == Kind::Get { self.seen.get(&key).cloned() } else { context };
        Next { kind, key, value: None, context, then, again: None }
    }

    /// Any node but this one, if there is another.
    fn another(&mut self, plan: &ClientPlan, than: usize) -> usize {
        let count = plan.nodes.len();
        match plan.nodes.iter().position(|node| *node == than) {
            Some(place) if count > 1 => {
                plan.nodes[(place + 1 + self.nodes.below(count as u64 - 1) as usize) % count]
            }
            _ => than,
        }
    }

    fn node(&mut self, plan: &ClientPlan) -> usize {
        let (draws, count) = (&mut self.nodes, plan.nodes.len());
        let place = match plan.coordinators {
            Coordinators::Any => draws.below(count as u64) as usize,
            Coordinators::Home => self.place as usize % count,
            Coordinators::Failover => *self.home.get_or_insert_with(|| draws.below(count as u64) as usize),
        };
        plan.nodes[place]
    }

    /// What an operation of this kind writes.
    fn value(&mut self, plan: &ClientPlan, kind: Kind, key: &Bytes) -> Option<Bytes> {
        match kind {
            Kind::Put | Kind::Cas => Some(self.unique(plan)),
            Kind::Incr => {
                let step = 1 + self.edits.below(STEP_MAX) as i64;
                let step = if self.edits.chance(DOWN) { -step } else { step };
                Some(Bytes::from(step.to_string().as_str()))
            }
            Kind::Sadd => {
                let anew = self.edits.chance(ANEW);
                let known = self.members.get(key).filter(|_| anew).cloned();
                self.values += u32::from(known.is_none());
                Some(
                    known
                        .unwrap_or_else(|| Bytes::from(format!("c{}-{}", self.number, self.values).as_str())),
                )
            }
            Kind::Srem => unreachable!("what goes was found before"),
            Kind::Get | Kind::Delete => None,
        }
    }

    /// A value that is written once only: who wrote it and its number, padded to the size that was drawn.
    fn unique(&mut self, plan: &ClientPlan) -> Bytes {
        let sizes = u64::from(plan.value_max - plan.value_min) + 1;
        let more = plan.value_choice.draw(&mut self.sizes, sizes, u64::from(self.values));
        let size = plan.value_min as usize + more as usize;
        self.values += 1;
        let mut value = format!("c{}-{}.", self.number, self.values).into_bytes();
        value.resize(size.max(value.len()), b'.');
        Bytes::from(value)
    }
}

/// What a node is asked for.
fn command(kind: Kind, value: Option<&Bytes>, context: Option<&Bytes>) -> Command {
    let (value, context) = (value.cloned(), context.cloned());
    let edit = |update: Update| Command::Edit { edits: Vec::from([Edit { field: None, update }]) };
    match (kind, value) {
        (Kind::Put | Kind::Cas, Some(value)) => Command::Put { value, context },
        (Kind::Incr, Some(step)) => edit(Update::Count(number(&step))),
        (Kind::Sadd, Some(member)) => edit(Update::Add(member)),
        (Kind::Srem, Some(member)) => edit(Update::TakeOut(member)),
        (Kind::Delete, _) => Command::Delete { context },
        (Kind::Get, _) => Command::Get { context },
        (_, None) => unreachable!("a write of something has a value"),
    }
}

/// The number that is written there.
fn number(text: &[u8]) -> i64 {
    core::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).expect("steps are written as numbers")
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
