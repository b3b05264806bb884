//! [`ClientPlan`]: what a group of clients does.

use std::vec::Vec;

use crate::base::rng::{Ppm, Stream};
use crate::base::time::{Duration, Instant};
use crate::node::consistency::Options;

/// A group of clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientPlan {
    pub count: u32,
    pub keys: u64,
    /// Which of the keys.
    pub choice: Choice,
    /// When they begin; the cluster needs a moment to form.
    pub start: Instant,
    /// From then on they begin nothing.
    pub stop: Instant,
    pub pace: Pace,
    pub value_min: u32,
    pub value_max: u32,
    /// Which of the sizes; the smallest is the first.
    pub value_choice: Choice,
    /// When a client stops waiting for an answer.
    pub timeout: Duration,
    pub mix: Mix,
    /// The nodes that they ask, by number from 0.
    pub nodes: Vec<usize>,
    pub coordinators: Coordinators,
    /// What their reads and writes ask for, where it is not what the nodes do by default.
    pub options: Options,
    /// Whether a get carries what its client has seen of the key, so that it never shows less.
    pub sessions: bool,
    /// How often a write of unknown outcome is tried again, under the same name and at another node. If it is not zero,
    /// every write has a name.
    pub retry: u32,
}

/// When a client begins its next action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pace {
    /// So long after the last one has ended (a closed loop): who waits asks for less.
    Closed { min: Duration, max: Duration },
    /// At times that do not depend on answers (an open loop), `every` so long on average, as a Poisson process. What is
    /// due while an operation is open begins when that has ended, and is late from when it was due.
    Open { every: Duration },
}

/// Which of several things, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    /// All alike.
    Uniform,
    /// The n-th, counted from 1, 1/n as often as the first.
    Zipf,
    /// One of the first `keys` with the chance `share`, else one of the others.
    Hot { keys: u64, share: Ppm },
    /// One after the other; the clients of a group go through them together.
    Sequential,
}

impl Choice {
    /// One of 0 to `count` - 1; `turn` counts what was chosen before.
    pub fn draw(self, draws: &mut Stream, count: u64, turn: u64) -> u64 {
        match self {
            Choice::Zipf => zipf(draws, count),
            Choice::Hot { keys, share } if keys < count => {
                if draws.chance(share) {
                    draws.below(keys)
                } else {
                    keys + draws.below(count - keys)
                }
            }
            Choice::Uniform | Choice::Hot { .. } => draws.below(count),
            Choice::Sequential => turn % count,
        }
    }
}

/// Zipf's law with exponent 1, exact, and without a table or a logarithm: 1/n summed from 2^k to 2^(k+1) is at most 1
/// for each k, so an octave is drawn evenly, then a number n in it, which is taken with the chance 2^k / n. More than
/// half of the draws are.
fn zipf(draws: &mut Stream, count: u64) -> u64 {
    let octaves = u64::from(count.ilog2()) + 1;
    loop {
        let low = 1u64 << draws.below(octaves);
        let number = low + draws.below(low);
        let taken = draws.below(number) < low;
        if taken && number <= count {
            return number - 1;
        }
    }
}

/// How often each action is taken, relative to the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
    /// A get, a delete with its context, and a put with the context of the delete.
    pub recreate: u32,
    /// A step of a counter, and a get of it.
    pub incr: u32,
    /// A member comes to a set: mostly a new one, else one that the client found there the last time.
    pub sadd: u32,
    /// A get of a set, and one of the members that it found goes.
    pub srem: u32,
    /// A get, a blind delete, a step, or a member, whichever falls: of a key that others make a set of, or a counter,
    /// at the same time.
    pub clash: u32,
}

impl Mix {
    pub fn total(&self) -> u64 {
        let plain = [self.get, self.update, self.put, self.add, self.delete, self.stale, self.recreate];
        let typed = [self.incr, self.sadd, self.srem, self.clash];
        plain.into_iter().chain(typed).map(u64::from).sum()
    }
}

/// Whom a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coordinators {
    /// Another one, drawn for each operation: a client that moves all the time.
    Any,
    /// Always the same.
    Home,
    /// The same until an operation does not succeed; then it moves.
    Failover,
}
