//! The counter (PN): each actor keeps one part with all that it ever counted, up and down, and the value is their sum.
//!
//! *Deleting* a counter cannot simply drop its parts. While the delete is under way, an actor that has not heard of it
//! counts on, and its next part, which nobody has seen and so survives, holds its whole past: what was deleted would
//! come back (the anomaly of embedded counters that Baquero, Almeida and Lerche describe, PaPoC 2016). So a delete
//! leaves the total that each actor had reached, and only what an actor counted beyond that is in the value. Totals
//! never start again, so of several deletes the highest total per actor is the one that holds.
//!
//! *Retries.* A client that has no answer tries again, perhaps through another coordinator, which may not have heard of
//! the first try: then two actors count the same request. Each actor therefore keeps the ids of what it counted last,
//! an id that several actors counted goes into the value once, and whoever has the larger name of the two takes it out
//! of its own total as soon as it counts again. Until then both keep the id.
//!
//! The weakness: an actor keeps [`RECENT_MAX`] ids. A retry that comes after so many later requests through the same
//! coordinator, to one who never heard of the first, is counted twice; and so is what was retried on two sides of a
//! split that lasts for more.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::base::codec::{Decode, Encode};
use crate::base::id::RequestId;
use crate::causal::dot::{Actor, Dot};
use crate::causal::types::part::{Content, Part};

/// Ids that an actor keeps for one counter. Those that are counted elsewhere too are kept beyond it, up to twice as
/// many.
pub const RECENT_MAX: usize = 128;
/// No sum of steps comes near this: 2^36 of the largest. Sums over all actors of a key fit into an `i128`.
const TOTAL_MAX: i128 = 1 << 100;

/// What one actor counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Counted {
    /// The sum of all its steps, also of those before a delete.
    pub total: i128,
    /// Its last steps that had a request id, oldest first.
    pub recent: Vec<Step>,
}

/// One step that had a request id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Step {
    /// The counter of its dot; the actor is that of the part.
    pub counter: u64,
    pub id: RequestId,
    pub by: i64,
}

/// What an actor had counted when the counter was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Cleared {
    pub actor: Actor,
    /// The counter of the part's dot.
    pub upto: u64,
    pub total: i128,
}

impl Counted {
    pub(super) fn is_valid(&self, dot: Dot) -> bool {
        (-TOTAL_MAX..=TOTAL_MAX).contains(&self.total)
            && self.recent.len() <= 2 * RECENT_MAX
            && self.recent.windows(2).all(|pair| pair[0].counter < pair[1].counter)
            && self.recent.iter().all(|step| step.counter <= dot.counter)
    }
}

impl Cleared {
    pub(super) fn is_valid(&self) -> bool {
        (-TOTAL_MAX..=TOTAL_MAX).contains(&self.total)
    }
}

/// A counter as its parts show it.
#[derive(Debug, Default)]
pub struct Counter<'a> {
    counted: BTreeMap<Actor, (u64, &'a Counted)>,
    cleared: BTreeMap<Actor, Cleared>,
}

impl<'a> Counter<'a> {
    /// The counter that `parts`, all of one field, make up. Parts of other types are passed over.
    pub fn of(parts: impl Iterator<Item = &'a Part>) -> Counter<'a> {
        let mut counter = Counter::default();
        for part in parts {
            match &part.content {
                Content::Counted(counted) => {
                    let (actor, upto) = (part.dot.actor, part.dot.counter);
                    let held = counter.counted.entry(actor).or_insert((upto, counted));
                    if held.0 < upto {
                        *held = (upto, counted);
                    }
                }
                Content::Cleared(cleared) => cleared.iter().for_each(|&cleared| counter.clear(cleared)),
                Content::Member(_) | Content::Assigned(_) => {}
            }
        }
        counter
    }

    fn clear(&mut self, cleared: Cleared) {
        let held = self.cleared.entry(cleared.actor).or_insert(cleared);
        if held.upto < cleared.upto {
            *held = cleared;
        }
    }

    /// The value; `None` if there is none, because nothing was counted or all of it deleted. What is beyond the range
    /// of the type (coordinators refuse such steps, but they may be concurrent) shows as its end.
    pub fn value(&self) -> Option<i64> {
        let live: Vec<(&Actor, &Counted)> = self.live().collect();
        if live.is_empty() {
            return None;
        }
        let sum: i128 = live.iter().map(|(actor, counted)| counted.total - self.cleared_total(actor)).sum();
        let twice: i128 =
            live.iter().flat_map(|(actor, _)| self.counted_by_others(actor)).map(|s| i128::from(s.by)).sum();
        let value = (sum - twice).clamp(i64::MIN.into(), i64::MAX.into());
        Some(i64::try_from(value).expect("clamped"))
    }

    /// What the part of `dot.actor` is after one more step; `None` beyond the range of the type.
    pub fn count(&self, dot: Dot, by: i64, id: Option<RequestId>) -> Option<Counted> {
        self.value().unwrap_or(0).checked_add(by)?;
        let own = self.counted.get(&dot.actor);
        let mut next = own.map_or_else(Counted::default, |(_, counted)| (*counted).clone());
        // Deleted since: the part is gone, and its total stands in what the delete left.
        if own.is_none() {
            next.total = self.cleared_total(&dot.actor);
        }
        let elsewhere = self.counted_by_others(&dot.actor);
        next.total -= elsewhere.iter().map(|step| i128::from(step.by)).sum::<i128>();
        next.recent.retain(|step| !elsewhere.contains(step));
        next.total += i128::from(by);
        next.recent.extend(id.map(|id| Step { counter: dot.counter, id, by }));
        self.forget(&dot.actor, &mut next.recent);
        (-TOTAL_MAX..=TOTAL_MAX).contains(&next.total).then_some(next)
    }

    /// What a delete of all this leaves, sorted by actor.
    pub fn cleared(&self) -> Vec<Cleared> {
        let mut all = Counter { counted: BTreeMap::new(), cleared: self.cleared.clone() };
        for (&actor, &(upto, counted)) in &self.counted {
            all.clear(Cleared { actor, upto, total: counted.total });
        }
        all.cleared.into_values().collect()
    }

    /// The actors that counted since the last delete.
    fn live(&self) -> impl Iterator<Item = (&Actor, &Counted)> {
        let since =
            |actor: &Actor, upto: u64| self.cleared.get(actor).is_none_or(|cleared| cleared.upto < upto);
        let live = self.counted.iter().filter(move |(actor, (upto, _))| since(actor, *upto));
        live.map(|(actor, (_, counted))| (actor, *counted))
    }

    fn cleared_total(&self, actor: &Actor) -> i128 {
        self.cleared.get(actor).map_or(0, |cleared| cleared.total)
    }

    /// The steps of `actor` since the last delete that it still keeps.
    fn steps(&self, actor: &Actor) -> impl Iterator<Item = &Step> {
        let since = self.cleared.get(actor).map_or(0, |cleared| cleared.upto);
        let recent = self.counted.get(actor).map_or(&[][..], |(_, counted)| &counted.recent);
        recent.iter().filter(move |step| step.counter > since)
    }

    /// The steps of `actor` that an actor with a smaller name counted too: not in the value, and to be taken out.
    fn counted_by_others(&self, actor: &Actor) -> Vec<Step> {
        let smaller = || self.counted.keys().take_while(|&other| other < actor);
        let elsewhere =
            |step: &&Step| smaller().any(|other| self.steps(other).any(|twin| twin.id == step.id));
        self.steps(actor).filter(elsewhere).copied().collect()
    }

    /// Drops the oldest ids beyond what is kept, but none, as long as there is room, that is known to be counted
    /// elsewhere as well.
    fn forget(&self, actor: &Actor, recent: &mut Vec<Step>) {
        let others = || self.counted.keys().filter(|&other| other != actor);
        let twice = |step: &Step| others().any(|other| self.steps(other).any(|twin| twin.id == step.id));
        let mut surplus = recent.len().saturating_sub(RECENT_MAX);
        recent.retain(|step| {
            let goes = surplus > 0 && !twice(step);
            surplus -= usize::from(goes);
            !goes
        });
        let beyond = recent.len().saturating_sub(2 * RECENT_MAX);
        recent.drain(..beyond);
    }
}
