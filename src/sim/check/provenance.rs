//! Provenance: a value that is read, or held in the end, was written by somebody, under that key, before that; and not
//! by a put that was rejected, because "rejected" says that nothing was applied.

use std::collections::BTreeSet;
use std::format;
use std::string::String;

use super::{Check, Findings, by_key};
use crate::base::bytes::Bytes;
use crate::base::map::Map;
use crate::base::time::Instant;
use crate::sim::history::{Class, End, Operation};
use crate::sim::probe::Probe;

/// Checks what was read.
pub fn check(history: &[Operation]) -> Check {
    let (puts, edited) = (puts(history), edited(history));
    let mut findings = Findings::default();
    let mut values = 0;
    for read in history.iter().filter(|read| !edited.contains(&read.key)) {
        let (End::Found { values: found, .. }, Some(end)) = (&read.result, read.end) else { continue };
        for value in found {
            values += 1;
            if let Some(wrong) = wrong(puts.get(value).copied(), &read.key, end) {
                findings.add(|| format!("{read} found {}, {wrong}", value.escape_ascii()));
            }
        }
    }
    findings.conclude("provenance", format!("{values} values that were read, all written by somebody"))
}

/// Checks what is held in the end.
pub fn held(history: &[Operation], probe: &Probe) -> Check {
    let keys = by_key(history);
    let mut findings = Findings::default();
    let mut values = 0;
    for (name, key) in &probe.keys {
        let held = key.merged();
        let puts = keys.get(name).into_iter().flatten().copied();
        for value in held.versions().iter().filter_map(|version| version.value.as_ref()) {
            values += 1;
            // What stands is seldom old, and hardly ever of another key.
            let of_value = |operation: &&Operation| operation.put() == Some(value);
            let taken = puts.clone().rev().filter(of_value).find(|put| put.class() != Class::Rejected);
            let put = taken.or_else(|| history.iter().find(of_value));
            if let Some(wrong) = wrong(put, name, Instant(u64::MAX)) {
                let (name, value) = (name.escape_ascii(), value.escape_ascii());
                findings.add(|| format!("{name} holds {value}, {wrong}"));
            }
        }
    }
    findings.conclude("held", format!("{values} values in the end, all written by somebody"))
}

/// Who put each value. Of several tries the first that was not refused.
fn puts(history: &[Operation]) -> Map<&Bytes, &Operation> {
    let mut puts: Map<&Bytes, &Operation> = Map::default();
    for operation in history {
        let Some(value) = operation.put() else { continue };
        let first = puts.get_or_insert_with(value, || operation);
        if first.class() == Class::Rejected {
            *first = operation;
        }
    }
    puts
}

/// The keys of which somebody makes a convergent type: [`super::types`] judges what is found there.
fn edited(history: &[Operation]) -> BTreeSet<&Bytes> {
    history.iter().filter(|operation| operation.kind.is_edit()).map(|operation| &operation.key).collect()
}

/// What is wrong with a value that was put by `put` and found under `key` at `end`.
fn wrong(put: Option<&Operation>, key: &Bytes, end: Instant) -> Option<String> {
    match put {
        None => Some("which nobody wrote".into()),
        Some(put) if put.key != *key => Some(format!("which is of another key: {put}")),
        Some(put) if put.start > end => Some(format!("which was written only later: {put}")),
        Some(put) if put.class() == Class::Rejected => Some(format!("which was rejected: {put}")),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::check::sample::Sample;
    use crate::sim::history::Kind;

    fn sample() -> Sample {
        let mut sample = Sample::default();
        sample.write(Kind::Put, None);
        sample.read();
        sample
    }

    fn broken(how: impl FnOnce(&mut [Operation])) -> Check {
        let mut sample = sample();
        how(&mut sample.history);
        check(&sample.history)
    }

    #[test]
    fn a_try_that_was_refused_does_not_excuse_or_accuse_the_others() {
        let mut sample = sample();
        let mut refused = sample.history[0].clone();
        refused.result = End::Rejected(None);
        sample.history.insert(1, refused.clone());
        assert!(check(&sample.history).ok);
        sample.history[0] = refused;
        assert!(!check(&sample.history).ok);
    }

    #[test]
    fn what_was_put_may_be_read_and_held() {
        let sample = sample();
        assert!(check(&sample.history).ok);
        assert!(held(&sample.history, &sample.probe()).ok);
    }

    #[test]
    fn a_value_out_of_thin_air_is_found_however_it_came() {
        for (check, told) in [
            (broken(|ops| ops[0].value = Some(Bytes::from("other"))), "nobody wrote"),
            (broken(|ops| ops[0].key = Bytes::from("other")), "another key"),
            (broken(|ops| ops[0].start = Instant(1000)), "only later"),
            (broken(|ops| ops[0].result = End::Rejected(None)), "was rejected"),
        ] {
            assert!(!check.ok && check.detail.contains(told), "{check:?}");
        }
    }

    #[test]
    fn a_held_value_that_nobody_wrote_is_found() {
        let mut sample = sample();
        let probe = sample.probe();
        sample.history.clear();
        assert!(!held(&sample.history, &probe).ok);
    }
}
