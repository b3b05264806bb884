//! Siblings: never more than there were truly concurrent writes, and what was replaced never comes back.
//!
//! A write replaced what its context covers; without a context, what its answer's context says it found. Whoever has
//! the write's dot in the clock knows that, and so never shows such a version again, neither to a reader nor in the
//! end. And of versions that stand beside each other none was written by somebody who had seen another of them, even
//! where the write has no answer. So there are at most as many siblings as there are writes that are all concurrent
//! with each other. To have seen a write is to have its dot in the context, or to have the context from an answer that
//! showed it, or something that had seen it: that tells the truth also where clocks are pruned.
//!
//! A write without a context whose end no client saw replaced something too, but what, nobody can tell; it accuses
//! nobody. A request that was tried more than once may have two dots, and the one that is not known may come to light
//! after the other has been replaced; it is never accused.

use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::{Check, Findings};
use crate::base::bytes::Bytes;
use crate::base::id::{ClusterId, RequestId};
use crate::base::map::Map;
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
    /// If it is the only one that the write can have.
    dot: Option<Dot>,
    /// What it replaced, if that is known.
    known: Option<Clock>,
    /// Those that replaced it, by their numbers.
    replacers: Vec<usize>,
    /// What was found by the answer that gave its context.
    found: Vec<usize>,
}

/// The writes of one key in the order of their starts.
#[derive(Default)]
struct OfKey<'a> {
    writes: Vec<Write<'a>>,
    by_value: Map<&'a Bytes, usize>,
    by_dot: Map<Dot, usize>,
}

/// What stands beside each other, as whoever has this clock shows it.
struct Shown<'a> {
    clock: &'a Clock,
    writes: Vec<usize>,
}

/// Checks what was read.
pub fn check(cluster: ClusterId, history: &[Operation]) -> Check {
    let keys = keys(cluster, history);
    let mut findings = Findings::default();
    let (mut values, mut reads, mut most) = (0, 0, 0);
    for read in history {
        let (End::Found { values: found, context }, Some(key)) = (&read.result, keys.get(&read.key)) else {
            continue;
        };
        let clock = context::open(cluster, &read.key, context).unwrap_or_default();
        (values, most) = (values + found.len(), most.max(found.len()));
        reads += u64::from(found.len() > 1);
        let writes: Vec<usize> = found.iter().filter_map(|value| key.by_value.get(value).copied()).collect();
        if (1..found.len()).any(|at| found[..at].contains(&found[at])) {
            findings.add(|| format!("{read} found one value twice"));
        }
        key.judge(&Shown { clock: &clock, writes }, &mut |wrong| {
            findings.add(|| format!("{read} found {wrong}"));
        });
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
        let of_value = |value: Option<&Bytes>| value.and_then(|value| key.by_value.get(value));
        let writes = standing().filter_map(|version| {
            key.by_dot.get(&version.dot).or_else(|| of_value(version.value.as_ref())).copied()
        });
        let shown = Shown { clock: held.clock(), writes: writes.collect() };
        key.judge(&shown, &mut |wrong| findings.add(|| format!("{} holds {wrong}", name.escape_ascii())));
    }
    let looked_at =
        format!("{values} values in the end, none that had been replaced; at most {most} siblings");
    findings.conclude("replaced", looked_at)
}

/// The writes of each key. Those of convergent types, and of keys that hold such, are judged by [`super::types`].
fn keys(cluster: ClusterId, history: &[Operation]) -> BTreeMap<&Bytes, OfKey<'_>> {
    let mut keys: BTreeMap<&Bytes, OfKey> = BTreeMap::new();
    let mut tries: Map<RequestId, u32> = Map::default();
    for operation in history.iter().filter(|operation| operation.is_write()) {
        let key = keys.entry(&operation.key).or_default();
        if operation.class() == Class::Rejected {
            continue;
        }
        if let Some(request) = operation.request {
            *tries.get_or_insert_with(request, || 0) += 1;
        }
        let open = |token: &Bytes| context::open(cluster, &operation.key, token).unwrap_or_default();
        let known = match (&operation.context, &operation.result) {
            (Some(token), _) => Some(open(token)),
            (None, End::Written { context, .. }) => Some(open(context)),
            (None, _) => None,
        };
        key.writes.push(Write {
            operation,
            dot: operation.dot(),
            known,
            replacers: Vec::new(),
            found: Vec::new(),
        });
    }
    keys.retain(|_, key| key.writes.iter().all(|write| !write.operation.kind.is_edit()));
    for key in keys.values_mut() {
        for write in &mut key.writes {
            let request = write.operation.request;
            write.dot = write.dot.filter(|_| request.is_none_or(|request| tries.get(&request) == Some(&1)));
        }
        key.arrange();
    }
    note_found(&mut keys, history);
    keys
}

impl<'a> OfKey<'a> {
    fn arrange(&mut self) {
        self.writes.sort_by_key(|write| write.operation.start);
        for own in 0..self.writes.len() {
            let Some(dot) = self.writes[own].dot else { continue };
            // A context that covers the version was given after that was written.
            let later = self.writes.iter().enumerate().skip(own + 1);
            let those = later.filter(|(_, by)| by.operation.dot().is_some() && by.has_seen(dot));
            self.writes[own].replacers = those.map(|(number, _)| number).take(REPLACERS).collect();
        }
        for (number, write) in self.writes.iter().enumerate() {
            if let Some(value) = write.operation.put() {
                self.by_value.insert(value, number);
            }
            if let Some(dot) = write.dot {
                self.by_dot.insert(dot, number);
            }
        }
    }

    /// Whether a write came after `of` in a line of writes of which each had found the one before.
    fn descends(&self, write: &Write, of: usize) -> bool {
        let begun = self.writes[of].operation.start;
        let (mut next, mut seen) = (write.found.clone(), BTreeSet::new());
        while let Some(number) = next.pop() {
            if number == of {
                return true;
            }
            if self.writes[number].operation.start > begun && seen.insert(number) {
                next.extend(&self.writes[number].found);
            }
        }
        false
    }

    fn judge(&self, shown: &Shown, found: &mut dyn FnMut(String)) {
        let name = |write: &Write| match &write.operation.value {
            Some(value) => value.escape_ascii().to_string(),
            None => "a delete".into(),
        };
        for &number in &shown.writes {
            let write = &self.writes[number];
            let Some(dot) = write.dot else { continue };
            let replacers = write.replacers.iter().map(|by| &self.writes[*by]);
            let known =
                replacers.into_iter().find(|by| by.operation.dot().is_some_and(|by| shown.clock.covers(by)));
            let beside =
                shown.writes.iter().filter(|other| **other != number).map(|other| &self.writes[*other]);
            let beside = beside.into_iter().find(|other| other.has_seen(dot) || self.descends(other, number));
            if let Some(by) = known {
                found(format!("{}, and knows what replaced it: {}", name(write), by.operation));
            } else if let Some(by) = beside {
                found(format!("{} beside a write that had seen it: {}", name(write), by.operation));
            }
        }
    }
}

/// Notes what each write's context was given with.
fn note_found(keys: &mut BTreeMap<&Bytes, OfKey<'_>>, history: &[Operation]) {
    let mut answers: Map<(&Bytes, &Bytes), Vec<usize>> = Map::default();
    for (&name, key) in keys.iter() {
        for token in key.writes.iter().filter_map(|write| write.operation.context.as_ref()) {
            answers.insert((name, token), Vec::new());
        }
    }
    for operation in history {
        let Some(key) = keys.get(&operation.key) else { continue };
        let (End::Found { context, .. } | End::Written { context, .. }) = &operation.result else { continue };
        let shown = |key: &OfKey| -> Vec<usize> {
            match &operation.result {
                End::Found { values, .. } => {
                    values.iter().filter_map(|value| key.by_value.get(value).copied()).collect()
                }
                End::Written { dot, .. } => key.by_dot.get(dot).copied().into_iter().collect(),
                _ => Vec::new(),
            }
        };
        if let Some(found) = answers.get_mut(&(&operation.key, context)) {
            *found = shown(key);
        }
    }
    for (&name, key) in keys.iter_mut() {
        for write in &mut key.writes {
            let token = write.operation.context.as_ref();
            write.found = token.and_then(|token| answers.get(&(name, token))).cloned().unwrap_or_default();
        }
    }
}

impl Write<'_> {
    fn has_seen(&self, dot: Dot) -> bool {
        self.known.as_ref().is_some_and(|known| known.covers(dot))
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

    #[test]
    fn a_request_that_was_tried_twice_is_not_accused_of_its_other_dot() {
        let mut sample = risen();
        let request = Some(crate::base::id::RequestId { client: 1, number: 1 });
        sample.history[0].request = request;
        assert!(!check(CLUSTER, &sample.history).ok);
        let mut first = sample.history[0].clone();
        first.result = End::Silence;
        sample.history.insert(0, first);
        assert!(check(CLUSTER, &sample.history).ok);
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
