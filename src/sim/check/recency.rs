//! Recency of quorums: where R + W > N, a read that starts after an acknowledged write has ended knows that write.
//!
//! "Knows" means that the context of its answer covers the write's dot; whether the value itself is among the answers
//! depends on who replaced it since. A client that reads its own writes is a special case of this.

use std::collections::BTreeMap;
use std::format;
use std::vec::Vec;

use super::{Check, Findings};
use crate::base::bytes::Bytes;
use crate::base::id::ClusterId;
use crate::base::time::Instant;
use crate::causal::clock::Clock;
use crate::causal::context;
use crate::causal::dot::Dot;
use crate::sim::history::{End, Operation};

#[derive(Default)]
struct OfKey<'a> {
    /// Acknowledged writes by their end.
    writes: Vec<(Instant, Dot, &'a Operation)>,
    reads: Vec<(&'a Operation, &'a Bytes)>,
}

pub fn check(cluster: ClusterId, history: &[Operation]) -> Check {
    let mut keys: BTreeMap<&Bytes, OfKey> = BTreeMap::new();
    for operation in history {
        let key = keys.entry(&operation.key).or_default();
        match (&operation.result, operation.end) {
            (End::Written { dot, .. }, Some(end)) => key.writes.push((end, *dot, operation)),
            (End::Found { context, .. }, _) => key.reads.push((operation, context)),
            _ => {}
        }
    }
    let mut findings = Findings::default();
    let mut reads = 0;
    for (name, mut key) in keys {
        key.writes.sort_by_key(|write| write.0);
        key.reads.sort_by_key(|read| read.0.start);
        reads += key.reads.len();
        check_key(cluster, name, &key, &mut findings);
    }
    findings.conclude("recency", format!("{reads} reads, none behind a write acknowledged before it began"))
}

fn check_key(cluster: ClusterId, name: &Bytes, key: &OfKey, findings: &mut Findings) {
    // All writes that had ended when the read at hand began. Both lists are sorted by time, so this only grows.
    let mut required = Clock::EMPTY;
    let mut ended = key.writes.iter().peekable();
    for &(read, token) in &key.reads {
        while let Some((_, dot, _)) = ended.next_if(|(end, ..)| *end < read.start) {
            required.record(*dot);
        }
        let Ok(seen) = context::open(cluster, name, token) else {
            findings.add(|| format!("{read} got a context that does not open"));
            continue;
        };
        if !seen.descends(&required) {
            findings.add(|| {
                let missed = key.writes.iter().find(|(end, dot, _)| *end < read.start && !seen.covers(*dot));
                let (end, dot, write) = missed.expect("what is required and not covered is one of these");
                format!("{read} does not know {dot}: {write}, acknowledged at {end}")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::check::sample::{CLUSTER, Sample};
    use crate::sim::history::Kind;

    fn stale() -> Sample {
        let mut sample = Sample::default();
        sample.write(Kind::Put, None);
        let earlier = sample.held.clone();
        sample.write(Kind::Put, None);
        sample.held = earlier;
        sample.read();
        sample
    }

    #[test]
    fn a_read_that_knows_all_acknowledged_writes_is_recent() {
        let mut sample = Sample::default();
        sample.write(Kind::Put, None);
        sample.read();
        sample.write(Kind::Delete, None);
        sample.read();
        let check = check(CLUSTER, &sample.history);
        assert!(check.ok && check.detail.starts_with("2 reads"), "{check:?}");
    }

    #[test]
    fn a_read_behind_an_acknowledged_write_is_found() {
        let check = check(CLUSTER, &stale().history);
        assert!(!check.ok && check.detail.contains("does not know n1/0:2"), "{check:?}");
    }

    #[test]
    fn a_read_that_began_before_the_write_ended_need_not_know_it() {
        let mut sample = stale();
        let end = sample.history[1].end.expect("acknowledged");
        sample.history[2].start = end;
        assert!(check(CLUSTER, &sample.history).ok);
        sample.history[2].start = Instant(end.0 + 1);
        assert!(!check(CLUSTER, &sample.history).ok);
    }

    #[test]
    fn a_context_that_does_not_open_is_found() {
        let mut sample = Sample::default();
        sample.write(Kind::Put, None);
        sample.read().result = End::Found { values: Vec::new(), context: Bytes::from("forged") };
        assert!(!check(CLUSTER, &sample.history).ok);
    }
}
