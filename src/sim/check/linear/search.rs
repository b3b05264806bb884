//! The search for a linearization: an order of all operations that a single copy could have taken one after the other,
//! in which whatever ended before something else began also comes before it.
//!
//! Wing and Gong ("Testing and Verifying Concurrent Objects", 1993) search by trying; Lowe ("Testing for
//! Linearizability", 2017) remembers where he has been and takes operations *just in time*: events are followed in the
//! order of time, and only when an operation ends that has not taken effect yet, something must. What is tried then is
//! each operation that is open. Where we are is what matters for all that follows: the event, which of the open
//! operations have taken effect, and the state of the copy. Two ways that lead to the same place are one.
//!
//! What makes it fast besides:
//!
//! - Open operations hold a *slot* each, so a place is one word of bits instead of one bit for each operation.
//! - An operation that changes nothing (a read) takes effect as soon as the state allows its answer: that closes no
//!   way.
//! - A state that a later read still has to find, and that cannot come back, is not left ([`Object::may_leave`]).
//! - A write that nobody ever saw takes effect, if it can, just before another one that erases it
//!   ([`Object::is_unseen`]).
//!
//! An operation without an end may take effect at any time after its start, or never, and holds its slot for ever.
//! Time is linear in the history where few writes are open at once; in the worst case it is exponential in their number
//! (the problem is NP-complete), so what is remembered has a bound.

use core::hash::Hash;
use std::vec;
use std::vec::Vec;

use crate::base::map::Map;

/// What a single copy would do.
pub trait Object {
    type Op;
    type State: Copy + Eq + Hash;

    /// Before anything.
    fn start(&self) -> Self::State;

    /// The state after `op`; `None` if a copy in `state` could not have answered it as it was answered.
    fn apply(&mut self, op: &Self::Op, state: Self::State) -> Option<Self::State>;

    /// Whether `op` leaves every state as it is.
    fn is_read(op: &Self::Op) -> bool;

    /// Whether a copy may go from one state to another after `now`: false if an operation that starts later can then
    /// never be answered as it was.
    fn may_leave(&self, from: Self::State, to: Self::State, now: u64) -> bool;

    /// Whether no answer differs for `op`'s effect, if an operation that [`Object::erases`] follows before any read.
    fn is_unseen(&self, op: &Self::Op) -> bool;

    /// Whether the state after `op` is the same whatever was before.
    fn erases(&self, op: &Self::Op) -> bool;
}

/// An operation and when it was open. Of two operations the first precedes if its end is before the other's start.
#[derive(Clone, Debug)]
pub struct Span<Op> {
    pub op: Op,
    pub start: u64,
    /// `None`: it may take effect at any time, or never.
    pub end: Option<u64>,
}

/// What is known in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Linearizable,
    /// There is no such order.
    Violation,
    /// More operations were open at once than this.
    TooConcurrent {
        open: usize,
    },
    /// More places were visited than this.
    TooManyPlaces {
        places: usize,
    },
}

/// So many operations may be open at once (those that never end included).
pub const OPEN_MAX: usize = 64 * 16;

/// Whether the operations can be put into an order. At most `places_max` places are remembered (some 40 bytes each
/// where at most 64 operations are open at once).
pub fn search<O: Object>(object: &mut O, spans: &[Span<O::Op>], places_max: usize) -> Answer {
    let (events, slots) = events(spans);
    match slots {
        0..=64 => Search::<O, 1>::new(object, spans, events, places_max).run(),
        65..=256 => Search::<O, 4>::new(object, spans, events, places_max).run(),
        257..=OPEN_MAX => Search::<O, 16>::new(object, spans, events, places_max).run(),
        open => Answer::TooConcurrent { open },
    }
}

/// An operation begins, or ends.
#[derive(Clone, Copy, Debug)]
struct Event {
    span: u32,
    slot: u32,
    ends: bool,
}

/// All events in the order of time, and how many slots they need. At equal times beginnings come first: what ends when
/// something else begins does not precede it.
fn events<Op>(spans: &[Span<Op>]) -> (Vec<Event>, usize) {
    let mut times: Vec<(u64, bool, u32)> = Vec::with_capacity(spans.len() * 2);
    for (number, span) in spans.iter().enumerate() {
        times.push((span.start, false, number as u32));
        times.extend(span.end.map(|end| (end.max(span.start), true, number as u32)));
    }
    times.sort_unstable();
    let (mut free, mut slots) = (Vec::new(), 0);
    let mut held = vec![0; spans.len()];
    let mut events = Vec::with_capacity(times.len());
    for (_, ends, span) in times {
        let slot = if ends {
            free.push(held[span as usize]);
            held[span as usize]
        } else {
            free.pop().unwrap_or_else(|| {
                slots += 1;
                slots - 1
            })
        };
        held[span as usize] = slot;
        events.push(Event { span, slot, ends });
    }
    (events, slots as usize)
}

/// A set of slots.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Set<const W: usize>([u64; W]);

impl<const W: usize> Set<W> {
    const EMPTY: Set<W> = Set([0; W]);

    fn insert(&mut self, slot: u32) {
        self.0[slot as usize / 64] |= 1 << (slot % 64);
    }

    fn remove(&mut self, slot: u32) {
        self.0[slot as usize / 64] &= !(1 << (slot % 64));
    }

    fn contains(&self, slot: u32) -> bool {
        self.0[slot as usize / 64] & (1 << (slot % 64)) != 0
    }

    fn without(mut self, other: &Set<W>) -> Set<W> {
        self.0.iter_mut().zip(other.0).for_each(|(ours, theirs)| *ours &= !theirs);
        self
    }

    fn pop(&mut self) -> Option<u32> {
        let word = self.0.iter().position(|word| *word != 0)?;
        let bit = self.0[word].trailing_zeros();
        self.0[word] &= self.0[word] - 1;
        Some(word as u32 * 64 + bit)
    }
}

/// A place from which there may be more ways: those in `ways` from `first` on.
struct Fork<S, const W: usize> {
    at: usize,
    done: Set<W>,
    state: S,
    first: usize,
}

struct Search<'a, O: Object, const W: usize> {
    object: &'a mut O,
    spans: &'a [Span<O::Op>],
    events: Vec<Event>,
    /// The next event.
    at: usize,
    state: O::State,
    /// Who holds each slot.
    holder: Vec<u32>,
    /// Slots of open operations that change something, and of those that do not.
    writes: Set<W>,
    reads: Set<W>,
    /// Those of the writes that nobody ever saw.
    unseen: Set<W>,
    /// Slots of open operations that have taken effect.
    done: Set<W>,
    forks: Vec<Fork<O::State, W>>,
    /// What can take effect next, and the state after it; the best last.
    ways: Vec<(u32, O::State)>,
    visited: Map<(u32, Set<W>, O::State), ()>,
    places_max: usize,
}

impl<'a, O: Object, const W: usize> Search<'a, O, W> {
    fn new(object: &'a mut O, spans: &'a [Span<O::Op>], events: Vec<Event>, places_max: usize) -> Self {
        let state = object.start();
        Search {
            object,
            spans,
            events,
            at: 0,
            state,
            holder: vec![0; W * 64],
            writes: Set::EMPTY,
            reads: Set::EMPTY,
            unseen: Set::EMPTY,
            done: Set::EMPTY,
            forks: Vec::new(),
            ways: Vec::new(),
            visited: Map::default(),
            places_max,
        }
    }

    fn run(mut self) -> Answer {
        loop {
            let Some(needed) = self.follow() else { return Answer::Linearizable };
            let place = (self.at as u32, self.done, self.state);
            if !self.visited.contains(&place) {
                if self.visited.len() == self.places_max {
                    return Answer::TooManyPlaces { places: self.places_max };
                }
                self.visited.get_or_insert_with(place, || ());
                self.fork(needed);
            }
            if !self.take_next_way() {
                return Answer::Violation;
            }
        }
    }

    /// Follows the events up to the end of an operation that has not taken effect; the answer is its slot.
    fn follow(&mut self) -> Option<u32> {
        while let Some(&Event { span, slot, ends }) = self.events.get(self.at) {
            if ends && !self.done.contains(slot) {
                return Some(slot);
            }
            self.at += 1;
            if ends {
                self.done.remove(slot);
                self.close(slot);
                continue;
            }
            self.open(span, slot);
            if self.reads.contains(slot) && self.fits(span) {
                self.done.insert(slot);
            }
        }
        None
    }

    fn open(&mut self, span: u32, slot: u32) {
        self.holder[slot as usize] = span;
        let op = &self.spans[span as usize].op;
        if O::is_read(op) {
            self.reads.insert(slot);
        } else {
            self.writes.insert(slot);
            if self.object.is_unseen(op) {
                self.unseen.insert(slot);
            }
        }
    }

    fn close(&mut self, slot: u32) {
        self.reads.remove(slot);
        self.writes.remove(slot);
        self.unseen.remove(slot);
    }

    fn fits(&mut self, read: u32) -> bool {
        self.object.apply(&self.spans[read as usize].op, self.state).is_some()
    }

    /// Lists what can take effect here. Best is what lets the `needed` operation take effect; after that, what ends
    /// first.
    fn fork(&mut self, needed: u32) {
        let spans = self.spans;
        let first = self.ways.len();
        self.forks.push(Fork { at: self.at, done: self.done, state: self.state, first });
        let wanted = &spans[self.holder[needed as usize] as usize];
        let now = wanted.end.expect("what ends has an end");
        let mut open = self.writes.without(&self.done).without(&self.unseen);
        if self.unseen.contains(needed) {
            open.insert(needed);
        }
        let has_unseen = self.unseen.without(&self.done) != Set::EMPTY;
        while let Some(slot) = open.pop() {
            let span = &spans[self.holder[slot as usize] as usize];
            let Some(after) = self.object.apply(&span.op, self.state) else { continue };
            // What need not take effect at all does not do so for nothing. (It may be for what it erases unseen.)
            let erases = has_unseen && self.object.erases(&span.op);
            let is_idle = after == self.state && span.end.is_none() && !erases;
            if !is_idle && (after == self.state || self.object.may_leave(self.state, after, now)) {
                self.ways.push((slot, after));
            }
        }
        let (object, holder) = (&mut *self.object, &self.holder);
        let is_needed_read = self.reads.contains(needed);
        self.ways[first..].sort_by_cached_key(|&(slot, after)| {
            let helps = slot == needed || (is_needed_read && object.apply(&wanted.op, after).is_some());
            let end = spans[holder[slot as usize] as usize].end.unwrap_or(u64::MAX);
            (helps, core::cmp::Reverse(end))
        });
    }

    /// Goes back to the last fork that has a way left, and takes it.
    fn take_next_way(&mut self) -> bool {
        while let Some(&Fork { at, done, state, first }) = self.forks.last() {
            if self.ways.len() == first {
                self.forks.pop();
                continue;
            }
            let Some((slot, after)) = self.ways.pop() else { break };
            self.go_back(at);
            self.done = done;
            self.done.insert(slot);
            self.state = after;
            if self.object.erases(&self.spans[self.holder[slot as usize] as usize].op) {
                self.done.0.iter_mut().zip(self.unseen.0).for_each(|(done, unseen)| *done |= unseen);
            }
            if after != state {
                self.take_reads();
            }
            return true;
        }
        false
    }

    fn take_reads(&mut self) {
        let mut open = self.reads.without(&self.done);
        while let Some(slot) = open.pop() {
            if self.fits(self.holder[slot as usize]) {
                self.done.insert(slot);
            }
        }
    }

    fn go_back(&mut self, at: usize) {
        while self.at > at {
            self.at -= 1;
            let Event { span, slot, ends } = self.events[self.at];
            if ends {
                self.open(span, slot);
            } else {
                self.close(slot);
            }
        }
    }
}
