//! Siblings: never more than there were truly concurrent writes, and what was replaced never comes back.
//!
//! A write replaced what its context covers; without a context, what its answer's context says it found. Whoever has
//! the write's dot in the clock knows that, and so never shows such a version again, neither to a reader nor in the
//! end. And of versions that stand beside each other none was written by somebody who had seen another of them, even
//! where the write has no answer. So there are at most as many siblings as there are writes that are all concurrent
//! with each other. To have seen a write is to have its dot in the context, or to have the context from an answer that
//! showed it, or something that had seen it: that tells the truth also where clocks are pruned.
//!
//! What a write knew is looked up only when a version is shown that it may have replaced: most versions are replaced
//! once and never seen again, and healed copies ask often.
//!
//! A write without a context whose end no client saw replaced something too, but what, nobody can tell; it accuses
//! nobody.
//!
//! A request that was tried more than once may have two dots, of which one is known. Whoever replaced that one replaced
//! the request, so the other must not come to light afterwards. The store promises that of writes with a context, and
//! as long as it remembers the request: so the others are not accused, nor is anybody where a key had more named writes
//! than it remembers (and clocks that run apart decide which it forgets).

use core::cell::{LazyCell, OnceCell};
use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::{Check, Findings, by_key};
use crate::base::bytes::Bytes;
use crate::base::id::{ClusterId, RequestId};
use crate::base::limits::DONE_MAX;
use crate::base::map::Map;
use crate::base::time::Instant;
use crate::causal::clock::Clock;
use crate::causal::context;
use crate::causal::dot::Dot;
use crate::sim::history::{Class, End, Operation};
use crate::sim::probe::{Key, Probe};

/// So many writes that replaced a version are remembered: those that began first, which others know the soonest.
const REPLACERS: usize = 4;

/// A write that was not refused.
struct Write<'a> {
    operation: &'a Operation,
    /// If it is the only one that the write can have, or stands for the others.
    dot: Option<Dot>,
    /// What it replaced, if that is known.
    known: OnceCell<Option<Clock>>,
    /// Those that replaced it, by their numbers.
    replacers: OnceCell<Vec<usize>>,
    /// What was found by the answer that gave its context.
    found: OnceCell<Vec<usize>>,
}

/// One key.
struct OfKey<'a> {
    cluster: ClusterId,
    operations: Vec<&'a Operation>,
    /// In the order of their starts.
    writes: Vec<Write<'a>>,
    by_value: OnceCell<Map<&'a Bytes, usize>>,
}

/// Checks what was read.
pub fn check(cluster: ClusterId, history: &[Operation]) -> Check {
    let mut findings = Findings::default();
    let (mut values, mut reads, mut most) = (0, 0, 0);
    for key in keys(cluster, history).values() {
        for read in &key.operations {
            let End::Found { values: found, context } = &read.result else { continue };
            (values, most) = (values + found.len(), most.max(found.len()));
            reads += u64::from(found.len() > 1);
            if (1..found.len()).any(|at| found[..at].contains(&found[at])) {
                findings.add(|| format!("{read} found one value twice"));
            }
            let shown: Vec<usize> = found.iter().filter_map(|value| key.putter(value)).collect();
            let clock = LazyCell::new(|| context::open(cluster, &read.key, context).unwrap_or_default());
            let end = read.end.unwrap_or(Instant(u64::MAX));
            key.judge(&shown, end, &clock, &mut |wrong| findings.add(|| format!("{read} found {wrong}")));
        }
    }
    let looked_at = format!(
        "{values} values read, none that had been replaced; {reads} times siblings, at most {most}, all concurrent"
    );
    findings.conclude("siblings", looked_at)
}

/// Checks what is held in the end.
pub fn held(cluster: ClusterId, history: &[Operation], probe: &Probe) -> Check {
    let keys = keys(cluster, history);
    let mut findings = Findings::default();
    let (mut values, mut most) = (0, 0);
    for (&name, key) in &keys {
        let Some(held) = probe.keys.get(name).map(Key::merged) else { continue };
        let standing = || held.versions().iter().filter(|version| version.value.is_some());
        (values, most) = (values + standing().count(), most.max(standing().count()));
        let writes = standing()
            .filter_map(|version| key.by_dot(version.dot).or_else(|| key.putter(version.value.as_ref()?)));
        let (shown, clock): (Vec<usize>, _) = (writes.collect(), LazyCell::new(|| held.clock().clone()));
        let name = name.escape_ascii();
        key.judge(&shown, Instant(u64::MAX), &clock, &mut |wrong| {
            findings.add(|| format!("{name} holds {wrong}"));
        });
    }
    let looked_at =
        format!("{values} values in the end, none that had been replaced; at most {most} siblings");
    findings.conclude("replaced", looked_at)
}

/// The keys that are written. Those that hold convergent types are judged by [`super::types`].
fn keys(cluster: ClusterId, history: &[Operation]) -> BTreeMap<&Bytes, OfKey<'_>> {
    let mut tries: Map<RequestId, u32> = Map::default();
    let counts = |operation: &&Operation| operation.is_write() && operation.class() != Class::Rejected;
    for request in history.iter().filter(counts).filter_map(|operation| operation.request) {
        *tries.get_or_insert_with(request, || 0) += 1;
    }
    let is_retried = |request: RequestId| tries.get(&request) != Some(&1);
    let mut keys = by_key(history);
    keys.retain(|_, operations| {
        let is_edited = operations.iter().any(|operation| operation.kind.is_edit());
        !is_edited && operations.iter().any(|operation| operation.is_write())
    });
    let of_key = |operations: Vec<_>| {
        let named = operations.iter().copied().filter(counts).filter(|write| write.request.is_some()).count();
        let is_accused = |write: &Operation| {
            !write.request.is_some_and(is_retried) || (write.context.is_some() && named <= DONE_MAX)
        };
        let write = |operation| Write::new(operation, is_accused(operation));
        let mut writes: Vec<Write> = operations.iter().copied().filter(counts).map(write).collect();
        writes.sort_by_key(|write| write.operation.start);
        OfKey { cluster, operations, writes, by_value: OnceCell::new() }
    };
    keys.into_iter().map(|(name, operations)| (name, of_key(operations))).collect()
}

impl<'a> OfKey<'a> {
    fn by_dot(&self, dot: Dot) -> Option<usize> {
        self.writes.iter().rposition(|write| write.dot == Some(dot))
    }

    /// Who put a value.
    fn putter(&self, value: &Bytes) -> Option<usize> {
        let by_value = self.by_value.get_or_init(|| {
            let mut by_value = Map::default();
            for (number, write) in self.writes.iter().enumerate() {
                if let Some(value) = write.operation.put() {
                    by_value.insert(value, number);
                }
            }
            by_value
        });
        by_value.get(&value).copied()
    }

    /// Whether a write replaced what has this dot, as far as is known.
    fn has_seen(&self, write: &Write, dot: Dot) -> bool {
        let known = write.known.get_or_init(|| {
            let open =
                |token: &Bytes| context::open(self.cluster, &write.operation.key, token).unwrap_or_default();
            match (&write.operation.context, &write.operation.result) {
                (Some(token), _) => Some(open(token)),
                (None, End::Written { context, .. }) => Some(open(context)),
                (None, _) => None,
            }
        });
        known.as_ref().is_some_and(|known| known.covers(dot))
    }

    /// The writes that replaced this one and whose dots are known. A context that covers it was given after it was
    /// written, so they began later.
    fn replacers(&self, number: usize, dot: Dot) -> &[usize] {
        self.writes[number].replacers.get_or_init(|| {
            let later = self.writes.iter().enumerate().skip(number + 1);
            let those = later.filter(|(_, by)| by.operation.dot().is_some() && self.has_seen(by, dot));
            those.map(|(by, _)| by).take(REPLACERS).collect()
        })
    }

    /// What was found by the answer that gave a write its context: the last one before it, of its own client's if one
    /// of those gave it.
    fn found(&self, number: usize) -> &[usize] {
        let write = &self.writes[number];
        write.found.get_or_init(|| {
            let Some(token) = write.operation.context.as_ref().filter(|token| !token.is_empty()) else {
                return Vec::new();
            };
            let gave = |answer: &&&Operation| {
                let (End::Found { context, .. } | End::Written { context, .. }) = &answer.result else {
                    return false;
                };
                answer.end.is_some_and(|end| end <= write.operation.start) && context == token
            };
            let mut answers = self.operations.iter().rev().filter(gave).peekable();
            let last = answers.peek().copied();
            let own = answers.find(|answer| answer.client == write.operation.client);
            match own.or(last).map(|answer| &answer.result) {
                Some(End::Found { values, .. }) => {
                    values.iter().filter_map(|value| self.putter(value)).collect()
                }
                Some(End::Written { dot, .. }) => self.by_dot(*dot).into_iter().collect(),
                _ => Vec::new(),
            }
        })
    }

    /// Whether a write came after `of` in a line of writes of which each had found the one before.
    fn descends(&self, number: usize, of: usize) -> bool {
        let begun = self.writes[of].operation.start;
        let (mut next, mut seen) = (self.found(number).to_vec(), BTreeSet::new());
        while let Some(number) = next.pop() {
            if number == of {
                return true;
            }
            if self.writes[number].operation.start > begun && seen.insert(number) {
                next.extend(self.found(number));
            }
        }
        false
    }

    /// Judges writes that stand beside each other, as whoever has this clock shows them at `end`.
    fn judge<F: FnOnce() -> Clock>(
        &self,
        shown: &[usize],
        end: Instant,
        clock: &LazyCell<Clock, F>,
        found: &mut dyn FnMut(String),
    ) {
        let name = |write: &Write| match &write.operation.value {
            Some(value) => value.escape_ascii().to_string(),
            None => "a delete".into(),
        };
        for &number in shown {
            let write = &self.writes[number];
            let Some(dot) = write.dot else { continue };
            let replacers = self.replacers(number, dot).iter().map(|by| self.writes[*by].operation);
            let known = replacers
                .take_while(|by| by.start < end)
                .find(|by| by.dot().is_some_and(|by| clock.covers(by)));
            let mut others = shown.iter().copied().filter(|other| *other != number);
            let beside = others
                .find(|other| self.has_seen(&self.writes[*other], dot) || self.descends(*other, number));
            if let Some(by) = known {
                found(format!("{}, and knows what replaced it: {by}", name(write)));
            } else if let Some(by) = beside {
                let by = self.writes[by].operation;
                found(format!("{} beside a write that had seen it: {by}", name(write)));
            }
        }
    }
}

impl<'a> Write<'a> {
    fn new(operation: &'a Operation, is_accused: bool) -> Write<'a> {
        let dot = operation.dot().filter(|_| is_accused);
        let (known, replacers, found) = Default::default();
        Write { operation, dot, known, replacers, found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::check::sample::{CLUSTER, Sample};
    use crate::sim::history::Kind;

    /// One version, a sibling of it, and what both of them give.
    fn beside() -> Sample {
        let mut sample = Sample::default();
        sample.write(Kind::Put, None);
        sample.write(Kind::Put, Some(&Clock::EMPTY));
        sample.read();
        sample
    }

    /// The second write had seen the first; the store shows both all the same.
    fn risen() -> Sample {
        let mut sample = beside();
        if let End::Written { context, .. } = sample.history[0].result.clone() {
            sample.history[1].context = Some(context);
        }
        sample
    }

    #[test]
    fn concurrent_versions_may_stand_beside_each_other() {
        let sample = beside();
        let (read, held) = (check(CLUSTER, &sample.history), held(CLUSTER, &sample.history, &sample.probe()));
        assert!(read.ok && read.detail.contains("1 times siblings, at most 2"), "{read:?}");
        assert!(held.ok && held.detail.contains("at most 2 siblings"), "{held:?}");
    }

    #[test]
    fn a_version_beside_a_write_that_had_seen_it_is_found_in_reads_and_in_the_end() {
        let sample = risen();
        let read = check(CLUSTER, &sample.history);
        assert!(
            !read.ok && read.detail.contains("get k") && read.detail.contains("knows what replaced it"),
            "{read:?}"
        );
        let held = held(CLUSTER, &sample.history, &sample.probe());
        assert!(!held.ok && held.detail.contains("k holds v0") && !held.detail.contains("get k"), "{held:?}");
    }

    /// More siblings than writers that did not know of each other, though nobody was told how one of the writes ended.
    #[test]
    fn a_write_without_an_answer_is_no_sibling_of_what_it_had_seen() {
        let mut sample = risen();
        sample.history[1].result = End::Unknown;
        let read = check(CLUSTER, &sample.history);
        assert!(!read.ok && read.detail.contains("v0 beside a write that had seen it: put k"), "{read:?}");
        assert!(!held(CLUSTER, &sample.history, &sample.probe()).ok);
    }

    /// Its other dot stands beside what replaced the one that was acknowledged.
    #[test]
    fn a_request_that_was_tried_twice_and_replaced_is_found_if_the_store_can_know() {
        let mut sample = risen();
        let request = Some(RequestId { client: 1, number: 1 });
        let mut first = sample.history[0].clone();
        first.result = End::Silence;
        sample.history.insert(0, first);
        let named = |told: Option<Bytes>, others: u64| {
            let mut sample = sample.clone();
            for at in [0, 1] {
                (sample.history[at].request, sample.history[at].context) = (request, told.clone());
            }
            for number in 0..others {
                let mut other = sample.history[0].clone();
                other.request = Some(RequestId { client: 2, number });
                other.value = Some(Bytes::from(format!("other{number}").as_str()));
                sample.history.push(other);
            }
            check(CLUSTER, &sample.history)
        };
        let told = Some(Bytes::default());
        let found = named(told.clone(), DONE_MAX as u64 - 2);
        assert!(!found.ok && found.detail.contains("knows what replaced it"), "{found:?}");
        assert!(named(told, DONE_MAX as u64 - 1).ok, "it may have been forgotten");
        assert!(named(None, 0).ok, "what it took the place of depends on its coordinator");
    }

    #[test]
    fn one_value_twice_is_found() {
        let mut sample = Sample::default();
        sample.write(Kind::Put, Some(&Clock::EMPTY));
        let End::Found { values, .. } = &mut sample.read().result else { panic!("a read") };
        values.extend(values.clone());
        let check = check(CLUSTER, &sample.history);
        assert!(!check.ok && check.detail.contains("twice"), "{check:?}");
    }

    #[test]
    fn what_was_deleted_does_not_come_back() {
        let mut sample = Sample::default();
        sample.write(Kind::Put, None);
        let alive = sample.held.clone();
        sample.write(Kind::Delete, None);
        let mut risen = sample.clone();
        sample.read();
        assert!(check(CLUSTER, &sample.history).ok);
        // The reader knows of the delete, and is shown the value.
        risen.read();
        let value = alive.versions()[0].value.clone();
        if let End::Found { values, .. } = &mut risen.history[2].result {
            values.extend(value);
        }
        let check = check(CLUSTER, &risen.history);
        assert!(!check.ok && check.detail.contains("del k"), "{check:?}");
    }
}
