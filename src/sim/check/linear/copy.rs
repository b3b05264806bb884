//! [`OneCopy`]: what a single copy of one key would do, as the object that [`search`](super::search) orders.
//!
//! The state is the set of values that stand beside each other. A put without a context replaces them all, as on a
//! plain register; one with a context replaces what the context covers, and stands beside the rest; a delete leaves
//! nothing behind; a compare-and-set ("cas") needs its expected value to be the only one (or none, to be the first).
//! A get shows exactly the set. So histories without contexts are judged as those of a register.
//!
//! Values name versions: a history in which a value is written twice is judged correctly only where contexts do not
//! matter.

use std::collections::{BTreeMap, BTreeSet};
use std::vec;
use std::vec::Vec;

use super::search::{Object, Span};
use crate::base::bytes::Bytes;
use crate::base::id::ClusterId;
use crate::base::map::Map;
use crate::causal::clock::Clock;
use crate::causal::context;
use crate::causal::dot::Dot;
use crate::sim::history::{Class, End, Kind, Operation};

/// A distinct value.
type Version = u32;
/// A set of versions that was met.
type State = u32;

const EMPTY: State = 0;

/// What an operation does to the only copy.
#[derive(Clone, Debug)]
pub enum Op {
    /// It found this.
    Get(State),
    Write {
        /// `None` deletes.
        version: Option<Version>,
        replaces: Replaces,
    },
    Swap {
        from: State,
        to: Version,
    },
}

#[derive(Clone, Debug)]
pub enum Replaces {
    All,
    /// What a context covers: by its clock, or because the answer that gave the context showed it.
    Seen(Clock, BTreeSet<Version>),
}

/// What is known of a version, all writes and reads considered.
#[derive(Clone, Debug, Default)]
struct Known {
    dots: Vec<Dot>,
    writers: u32,
    /// Somebody found it, or had a context that covers it.
    seen: bool,
    /// When the last operation started that found it.
    found_last: u64,
}

#[derive(Clone, Debug)]
pub struct OneCopy {
    known: Vec<Known>,
    /// By number; each is sorted.
    states: Vec<Vec<Version>>,
    numbers: Map<Vec<Version>, State>,
    /// Each version by itself.
    alone: Vec<State>,
}

/// The single copy of a key, and its operations in the order of the list, without those that say nothing (reads that
/// failed, and what was rejected). Beside each operation stands its place in the list.
pub fn read(cluster: ClusterId, operations: &[&Operation]) -> (OneCopy, Vec<Span<Op>>, Vec<usize>) {
    let mut copy =
        OneCopy { known: Vec::new(), states: Vec::new(), numbers: Map::default(), alone: Vec::new() };
    let empty = copy.number(Vec::new());
    assert!(empty == EMPTY, "the first state has the first number");
    let mut versions: BTreeMap<&Bytes, Version> = BTreeMap::new();
    let values = operations.iter().flat_map(|operation| {
        let found: &[Bytes] = if let End::Found { values, .. } = &operation.result { values } else { &[] };
        found.iter().chain(&operation.value).chain(operation.expected.iter().flatten())
    });
    for value in values {
        let next = versions.len() as Version;
        versions.entry(value).or_insert(next);
    }
    copy.known = vec![Known::default(); versions.len()];
    copy.alone = (0..versions.len() as Version).map(|version| copy.number(vec![version])).collect();
    let shown = shown(operations, &versions);
    let (mut spans, mut places) = (Vec::new(), Vec::new());
    for (place, operation) in operations.iter().enumerate() {
        let Some(op) = copy.meaning(cluster, operation, &versions, &shown) else { continue };
        // What the client was never told about may happen at any time.
        let end = operation.end.filter(|_| operation.class() == Class::Ok).map(|end| end.0);
        spans.push(Span { op, start: operation.start.0, end });
        places.push(place);
    }
    copy.learn(&spans);
    (copy, spans, places)
}

/// Which versions an answer showed, or an earlier one that it builds on, by the context that it gave. (A write that
/// timed out has no dot in the history; its value in a read is what tells that a context covers it.)
fn shown<'a>(
    operations: &[&'a Operation],
    versions: &BTreeMap<&Bytes, Version>,
) -> BTreeMap<&'a Bytes, BTreeSet<Version>> {
    let mut by_end: Vec<&&Operation> = operations.iter().collect();
    by_end.sort_by_key(|operation| operation.end);
    let mut shown: BTreeMap<&Bytes, BTreeSet<Version>> = BTreeMap::new();
    for operation in by_end {
        let (context, values): (_, &[Bytes]) = match &operation.result {
            End::Found { context, values } => (context, values),
            End::Written { context, .. } => (context, &[]),
            _ => continue,
        };
        if context.is_empty() {
            continue; // Of a store that tells no contexts.
        }
        let before = operation.context.as_ref().and_then(|token| shown.get(token)).cloned();
        let all = values.iter().map(|value| versions[value]).chain(before.into_iter().flatten());
        let all: BTreeSet<Version> = all.collect();
        shown.entry(context).or_default().extend(all);
    }
    shown
}

impl OneCopy {
    fn meaning(
        &mut self,
        cluster: ClusterId,
        operation: &Operation,
        versions: &BTreeMap<&Bytes, Version>,
        shown: &BTreeMap<&Bytes, BTreeSet<Version>>,
    ) -> Option<Op> {
        if operation.class() == Class::Rejected {
            return None;
        }
        if let (Kind::Get, End::Found { values, .. }) = (operation.kind, &operation.result) {
            let mut found: Vec<Version> = values.iter().map(|value| versions[value]).collect();
            found.sort_unstable();
            return Some(Op::Get(self.number(found)));
        }
        let version = operation.value.as_ref().map(|value| versions[value]);
        if let Some(version) = version {
            let known = &mut self.known[version as usize];
            known.writers += 1;
            known.dots.extend(operation.dot());
        }
        match operation.kind {
            // Of a key that is no register, and judged elsewhere.
            Kind::Get | Kind::Incr | Kind::Sadd | Kind::Srem => None,
            Kind::Cas => {
                let from = operation.expected.iter().flatten().map(|value| versions[value]);
                Some(Op::Swap { from: self.number(from.collect()), to: version? })
            }
            Kind::Put | Kind::Delete => {
                let replaces = operation.context.as_ref().map_or(Replaces::All, |token| {
                    let clock = context::open(cluster, &operation.key, token).unwrap_or_default();
                    Replaces::Seen(clock, shown.get(token).cloned().unwrap_or_default())
                });
                Some(Op::Write { version, replaces })
            }
        }
    }

    /// The operations as they were known at `cut`: those that had begun, and of those the ends and answers that had
    /// come.
    pub fn until(&mut self, cut: u64, spans: &[Span<Op>]) -> Vec<Span<Op>> {
        let mut begun = Vec::new();
        for span in spans.iter().filter(|span| span.start <= cut) {
            let end = span.end.filter(|end| *end <= cut);
            if end.is_some() || !OneCopy::is_read(&span.op) {
                begun.push(Span { op: span.op.clone(), start: span.start, end });
            }
        }
        self.learn(&begun);
        begun
    }

    /// Notes what is found and covered, and until when.
    fn learn(&mut self, spans: &[Span<Op>]) {
        for known in &mut self.known {
            (known.seen, known.found_last) = (false, 0);
        }
        let (mut covered, mut shown) = (Clock::EMPTY, BTreeSet::new());
        for span in spans {
            let found = match &span.op {
                Op::Get(state) => *state,
                Op::Swap { from, .. } => *from,
                Op::Write { replaces: Replaces::Seen(clock, versions), .. } => {
                    covered.join(clock);
                    shown.extend(versions.iter().copied());
                    continue;
                }
                Op::Write { .. } => continue,
            };
            for version in &self.states[found as usize] {
                let known = &mut self.known[*version as usize];
                known.seen = true;
                // A swap without an end need not take place.
                if span.end.is_some() {
                    known.found_last = known.found_last.max(span.start);
                }
            }
        }
        for (version, known) in self.known.iter_mut().enumerate() {
            let by_clock = known.dots.iter().any(|dot| covered.covers(*dot));
            known.seen |= by_clock || shown.contains(&(version as Version));
        }
    }

    fn number(&mut self, state: Vec<Version>) -> State {
        if let Some(number) = self.numbers.get(&state) {
            return *number;
        }
        let number = self.states.len() as State;
        self.states.push(state.clone());
        self.numbers.insert(state, number);
        number
    }

    fn is_replaced(&self, version: Version, by: &Replaces) -> bool {
        let Replaces::Seen(clock, shown) = by else { return true };
        let dots = &self.known[version as usize].dots;
        shown.contains(&version) || (!dots.is_empty() && dots.iter().all(|dot| clock.covers(*dot)))
    }
}

impl Object for OneCopy {
    type Op = Op;
    type State = State;

    fn start(&self) -> State {
        EMPTY
    }

    fn apply(&mut self, op: &Op, state: State) -> Option<State> {
        match op {
            Op::Get(found) => (*found == state).then_some(state),
            Op::Swap { from, to } => (*from == state).then(|| self.alone[*to as usize]),
            Op::Write { version, replaces: Replaces::All } => {
                Some(version.map_or(EMPTY, |version| self.alone[version as usize]))
            }
            Op::Write { version, replaces } => {
                let stay = self.states[state as usize].iter().copied();
                let mut after: Vec<Version> = stay.filter(|old| !self.is_replaced(*old, replaces)).collect();
                if let Some(version) = version
                    && let Err(at) = after.binary_search(version)
                {
                    after.insert(at, *version);
                }
                Some(self.number(after))
            }
        }
    }

    fn is_read(op: &Op) -> bool {
        matches!(op, Op::Get(_))
    }

    /// A version that is gone does not come back if only one operation writes it.
    fn may_leave(&self, from: State, to: State, now: u64) -> bool {
        let to = &self.states[to as usize];
        self.states[from as usize].iter().all(|version| {
            let known = &self.known[*version as usize];
            known.found_last <= now || known.writers > 1 || to.contains(version)
        })
    }

    /// A delete is seen by whoever finds nothing.
    fn is_unseen(&self, op: &Op) -> bool {
        match op {
            Op::Write { version: Some(version), .. } => !self.known[*version as usize].seen,
            _ => false,
        }
    }

    fn erases(&self, op: &Op) -> bool {
        matches!(op, Op::Write { replaces: Replaces::All, .. })
    }
}
