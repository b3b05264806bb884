//! Recency of quorums: where R + W > N, a read that starts after an acknowledged write has ended knows that write, and
//! a read that starts after another read has ended knows all that the other one knew. (Reads never go back: what a
//! read shows is on R disks before it is shown.)
//!
//! "Knows" means that the context of its answer covers the write's dot; whether the value itself is among the answers
//! depends on who replaced it since. A client that reads its own writes is a special case of this.

use std::format;
use std::vec::Vec;

use super::{Check, Findings, by_key};
use crate::base::id::ClusterId;
use crate::base::time::Instant;
use crate::causal::clock::Clock;
use crate::causal::context;
use crate::sim::history::{End, Operation};

#[derive(Default)]
struct OfKey<'a> {
    /// What every later read must know: by when, what, and by which operation.
    ended: Vec<(Instant, Clock, &'a Operation)>,
    reads: Vec<(&'a Operation, Clock)>,
}

pub fn check(cluster: ClusterId, history: &[Operation]) -> Check {
    let mut findings = Findings::default();
    let mut reads = 0;
    for operations in by_key(history).into_values() {
        let mut key = OfKey::default();
        for operation in operations {
            match (&operation.result, operation.end) {
                (End::Written { dot, .. }, Some(end)) => {
                    let mut written = Clock::EMPTY;
                    written.record(*dot);
                    key.ended.push((end, written, operation));
                }
                // A history that tells no contexts does not tell what its reads know.
                (End::Found { context, .. }, _) if context.is_empty() => {}
                (End::Found { context, .. }, end) => match context::open(cluster, &operation.key, context) {
                    Ok(seen) => {
                        key.ended.extend(end.map(|end| (end, seen.clone(), operation)));
                        key.reads.push((operation, seen));
                    }
                    Err(_) => findings.add(|| format!("{operation} got a context that does not open")),
                },
                _ => {}
            }
        }
        key.ended.sort_by_key(|ended| ended.0);
        key.reads.sort_by_key(|read| read.0.start);
        reads += key.reads.len();
        check_key(&key, &mut findings);
    }
    findings.conclude(
        "recency",
        format!("{reads} reads, none behind what was acknowledged or read before it began"),
    )
}

fn check_key(key: &OfKey, findings: &mut Findings) {
    // All that had ended when the read at hand began. Both lists are sorted by time, so this only grows.
    let mut required = Clock::EMPTY;
    let mut ended = key.ended.iter().peekable();
    for (read, seen) in &key.reads {
        while let Some((_, known, _)) = ended.next_if(|(end, ..)| *end < read.start) {
            required.join(known);
        }
        if !seen.descends(&required) {
            findings.add(|| {
                let missed =
                    key.ended.iter().find(|(end, known, _)| *end < read.start && !seen.descends(known));
                let (end, known, earlier) = missed.expect("what is required and not known is one of these");
                format!("{read} knows {seen}, and not all of {known}: {earlier}, ended at {end}")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::bytes::Bytes;
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
        assert!(!check.ok && check.detail.contains("not all of {+n1/0:2}"), "{check:?}");
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

    /// Nobody was told that the second write succeeded; but one read showed it, so the next one has to.
    #[test]
    fn a_read_behind_an_earlier_read_is_found() {
        let mut sample = Sample::default();
        sample.write(Kind::Put, None);
        let earlier = sample.held.clone();
        sample.write(Kind::Put, None);
        sample.history[1].result = End::Unknown;
        sample.read();
        assert!(check(CLUSTER, &sample.history).ok);
        sample.held = earlier;
        sample.read();
        let check = check(CLUSTER, &sample.history);
        assert!(!check.ok && check.detail.contains("get k"), "{check:?}");
    }
}
