//! Siblings: never more than there were concurrent writes. What a read shows is no more than once there, and was not
//! replaced by a write that the read knows as well.
//!
//! A write is known to have replaced another if its own context covered that one's dot. Writes without a context, and
//! those whose end no client saw, replace things too, but what, nobody can tell; they accuse nobody here.

use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::vec::Vec;

use super::{Check, Findings};
use crate::base::bytes::Bytes;
use crate::base::id::ClusterId;
use crate::causal::clock::Clock;
use crate::causal::context;
use crate::causal::dot::Dot;
use crate::sim::history::{End, Operation};

#[derive(Default)]
struct OfKey<'a> {
    /// The dot of each value whose write was acknowledged.
    dots: BTreeMap<&'a Bytes, Dot>,
    /// Each of the acknowledged writes with a context: its dot, and what it replaced.
    replaced: Vec<(Dot, Clock, &'a Operation)>,
    reads: Vec<(&'a Operation, &'a [Bytes], Clock)>,
}

pub fn check(cluster: ClusterId, history: &[Operation]) -> Check {
    let mut keys: BTreeMap<&Bytes, OfKey> = BTreeMap::new();
    let open = |key: &Bytes, token: &Bytes| context::open(cluster, key, token).unwrap_or_default();
    for operation in history {
        let key = keys.entry(&operation.key).or_default();
        match &operation.result {
            End::Written { dot, .. } => {
                key.dots.extend(operation.value.as_ref().map(|value| (value, *dot)));
                let seen = operation.context.as_ref().map(|token| open(&operation.key, token));
                key.replaced.extend(seen.map(|seen| (*dot, seen, operation)));
            }
            End::Found { values, context } if values.len() > 1 => {
                key.reads.push((operation, values, open(&operation.key, context)));
            }
            _ => {}
        }
    }
    let mut findings = Findings::default();
    let (mut reads, mut most) = (0, 0);
    for key in keys.values() {
        for (read, values, seen) in &key.reads {
            reads += 1;
            most = most.max(values.len());
            check_read(key, read, values, seen, &mut findings);
        }
    }
    findings.conclude(
        "siblings",
        format!("{reads} reads with siblings, up to {most}, none that another one had replaced"),
    )
}

fn check_read(key: &OfKey, read: &Operation, values: &[Bytes], seen: &Clock, findings: &mut Findings) {
    let distinct: BTreeSet<&Bytes> = values.iter().collect();
    if distinct.len() < values.len() {
        findings.add(|| format!("{read} found one value twice"));
    }
    let shown: Vec<(&Bytes, Dot)> =
        distinct.into_iter().filter_map(|value| Some((value, *key.dots.get(value)?))).collect();
    for (by, replaced, write) in key.replaced.iter().filter(|(by, ..)| seen.covers(*by)) {
        if let Some((value, _)) = shown.iter().find(|(_, dot)| dot != by && replaced.covers(*dot)) {
            let value = value.escape_ascii();
            findings.add(|| format!("{read} found {value}, which it knows to be replaced: {write}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::check::sample::{CLUSTER, Sample};
    use crate::sim::history::Kind;

    #[test]
    fn concurrent_writes_may_stand_beside_each_other() {
        let mut sample = Sample::default();
        sample.write(Kind::Put, Some(&Clock::EMPTY));
        sample.write(Kind::Put, Some(&Clock::EMPTY));
        sample.read();
        let check = check(CLUSTER, &sample.history);
        assert!(check.ok && check.detail.starts_with("1 reads with siblings, up to 2"), "{check:?}");
    }

    #[test]
    fn a_value_beside_the_one_that_replaced_it_is_found() {
        let mut sample = Sample::default();
        let first = sample.write(Kind::Put, Some(&Clock::EMPTY));
        sample.write(Kind::Put, Some(&first));
        let old = sample.history[0].value.clone().expect("a put");
        let End::Found { values, .. } = &mut sample.read().result else { panic!("a read") };
        values.push(old);
        let check = check(CLUSTER, &sample.history);
        assert!(!check.ok && check.detail.contains("knows to be replaced: put k"), "{check:?}");
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
}
