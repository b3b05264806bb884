//! No resurrection, and no more siblings than there were concurrent writes: who knows that a write replaced a version
//! never shows that version again, neither to a reader nor in the end.
//!
//! A write replaced what its context covers; without a context, what its answer's context says it found. Whoever has
//! the write's dot in the clock knows that. Two versions that stand beside each other are a special case: neither may
//! have been written by somebody who had seen the other, so their number is bounded by the writes that were truly
//! concurrent.

use std::collections::BTreeMap;
use std::format;
use std::vec::Vec;

use super::{Check, Findings};
use crate::base::bytes::Bytes;
use crate::base::id::ClusterId;
use crate::causal::clock::Clock;
use crate::causal::context;
use crate::causal::dot::Dot;
use crate::sim::history::{End, Operation};
use crate::sim::probe::Probe;

/// So many writes that replaced a version are remembered: those that began first, which others know the soonest.
const REPLACERS: usize = 4;

/// An acknowledged write.
struct Write<'a> {
    operation: &'a Operation,
    dot: Dot,
    /// What it replaced.
    known: Clock,
}

/// The acknowledged writes of one key, in the order of their starts, and who replaced each of them.
struct OfKey<'a> {
    writes: Vec<Write<'a>>,
    replacers: BTreeMap<Dot, Vec<usize>>,
    by_value: BTreeMap<&'a Bytes, Dot>,
}

/// Checks what was read, and what is held in the end.
pub fn check(cluster: ClusterId, history: &[Operation], probe: &Probe) -> Check {
    let mut keys: BTreeMap<&Bytes, Vec<Write>> = BTreeMap::new();
    for operation in history {
        let (End::Written { dot, context, .. }, key) = (&operation.result, &operation.key) else { continue };
        let token = operation.context.as_ref().unwrap_or(context);
        let known = context::open(cluster, key, token).unwrap_or_default();
        keys.entry(key).or_default().push(Write { operation, dot: *dot, known });
    }
    let keys: BTreeMap<&Bytes, OfKey> =
        keys.into_iter().map(|(key, writes)| (key, OfKey::of(writes))).collect();
    let (mut findings, mut values, mut most) = (Findings::default(), 0, 0);
    for read in history {
        let (End::Found { values: found, context }, Some(key)) = (&read.result, keys.get(&read.key)) else {
            continue;
        };
        let seen = context::open(cluster, &read.key, context).unwrap_or_default();
        (values, most) = (values + found.len(), most.max(found.len()));
        for value in found {
            let dot = key.by_value.get(value).copied();
            if let Some(by) = dot.and_then(|dot| key.replaced(dot, &seen)) {
                findings
                    .add(|| format!("{read} found {value:?}, and knows {}, which replaced it", by.operation));
            }
        }
    }
    for (name, held) in &probe.keys {
        let held = held.merged();
        let Some(key) = keys.get(name) else { continue };
        for version in held.versions().iter().filter(|version| version.value.is_some()) {
            values += 1;
            if let Some(by) = key.replaced(version.dot, held.clock()) {
                let name = name.escape_ascii();
                findings
                    .add(|| format!("{name} holds {}, which was replaced by {}", version.dot, by.operation));
            }
        }
    }
    let looked_at = format!("{values} values, at most {most} beside each other, none that had been replaced");
    findings.conclude("replaced", looked_at)
}

impl<'a> OfKey<'a> {
    fn of(mut writes: Vec<Write<'a>>) -> OfKey<'a> {
        writes.sort_by_key(|write| write.operation.start);
        let mut replacers = BTreeMap::new();
        for (own, write) in writes.iter().enumerate() {
            // A context that covers the version was given after that was written.
            let later = writes.iter().enumerate().skip(own + 1);
            let those = later.filter(|(_, by)| by.known.covers(write.dot)).map(|(number, _)| number);
            replacers.insert(write.dot, those.take(REPLACERS).collect());
        }
        let by_value = writes.iter().filter_map(|write| Some((write.operation.value.as_ref()?, write.dot)));
        OfKey { by_value: by_value.collect(), replacers, writes }
    }

    /// The write that replaced the version, if it is one that `seen` covers.
    fn replaced(&self, version: Dot, seen: &Clock) -> Option<&Write<'a>> {
        let replacers = self.replacers.get(&version)?.iter().map(|number| &self.writes[*number]);
        replacers.into_iter().find(|by| seen.covers(by.dot))
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
        let check = check(CLUSTER, &sample.history, &sample.probe());
        assert!(check.ok && check.detail.starts_with("4 values, at most 2"), "{check:?}");
    }

    #[test]
    fn a_version_beside_a_write_that_had_seen_it_is_found_in_reads_and_in_the_end() {
        let mut sample = risen();
        let probe = sample.probe();
        let both = check(CLUSTER, &sample.history, &probe);
        assert!(
            !both.ok && both.detail.contains("get k") && both.detail.contains("k holds n1/0:1"),
            "{both:?}"
        );
        sample.history.pop();
        let held = check(CLUSTER, &sample.history, &probe);
        assert!(!held.ok && !held.detail.contains("get k"), "{held:?}");
    }

    #[test]
    fn what_was_deleted_does_not_come_back() {
        let mut sample = Sample::default();
        sample.write(Kind::Put, None);
        let alive = sample.held.clone();
        sample.write(Kind::Delete, None);
        let mut risen = sample.clone();
        sample.read();
        assert!(check(CLUSTER, &sample.history, &sample.probe()).ok);
        // The reader knows of the delete, and is shown the value.
        risen.read();
        let value = alive.versions()[0].value.clone();
        if let End::Found { values, .. } = &mut risen.history[2].result {
            values.extend(value);
        }
        let check = check(CLUSTER, &risen.history, &risen.probe());
        assert!(!check.ok && check.detail.contains("del k"), "{check:?}");
    }
}
