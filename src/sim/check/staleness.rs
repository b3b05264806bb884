//! How far reads are behind: of the writes that were acknowledged before a read began, how many it does not know, and
//! how long ago the first of them was acknowledged. Where R + W > N, nothing is ever stale ([`super::recency`]); where
//! not, this is the price of an answer from whoever is near.

use std::collections::BTreeMap;
use std::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::id::ClusterId;
use crate::base::time::{Duration, Instant};
use crate::causal::clock::Clock;
use crate::causal::context;
use crate::causal::dot::{Actor, Dot};
use crate::sim::history::{End, Operation};

/// What one read missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Acknowledged writes.
    pub versions: u64,
    /// Since the first of them was acknowledged, until the read began.
    pub since: Duration,
}

#[derive(Default)]
struct OfKey<'a> {
    acknowledged: Vec<(Instant, Dot)>,
    reads: Vec<(&'a Operation, Clock)>,
}

/// What each read missed that was answered with a context, key by key.
pub fn of(cluster: ClusterId, history: &[Operation]) -> Vec<Missed> {
    let mut keys: BTreeMap<&Bytes, OfKey> = BTreeMap::new();
    for operation in history {
        let key = keys.entry(&operation.key).or_default();
        match (&operation.result, operation.end) {
            (End::Written { dot, .. }, Some(end)) => key.acknowledged.push((end, *dot)),
            (End::Found { context, .. }, _) if !context.is_empty() => {
                if let Ok(seen) = context::open(cluster, &operation.key, context) {
                    key.reads.push((operation, seen));
                }
            }
            _ => {}
        }
    }
    let mut missed = Vec::new();
    for mut key in keys.into_values() {
        key.acknowledged.sort_unstable();
        key.reads.sort_by_key(|read| read.0.start);
        of_key(&key, &mut missed);
    }
    missed
}

fn of_key(key: &OfKey, missed: &mut Vec<Missed>) {
    // Nearly all reads know all that an actor wrote up to its highest acknowledged write: only the others are looked
    // at dot by dot.
    let (mut highest, mut count) = (BTreeMap::<Actor, u64>::new(), 0);
    for (read, seen) in &key.reads {
        while let Some((_, dot)) = key.acknowledged.get(count).filter(|(end, _)| *end < read.start) {
            let counter = highest.entry(dot.actor).or_default();
            *counter = dot.counter.max(*counter);
            count += 1;
        }
        if highest.iter().all(|(&actor, &counter)| counter <= seen.contiguous(actor)) {
            missed.push(Missed::default());
            continue;
        }
        let mut unknown = key.acknowledged[..count].iter().filter(|(_, dot)| !seen.covers(*dot));
        missed.push(match unknown.next() {
            Some((end, _)) => Missed { versions: 1 + unknown.count() as u64, since: read.start.since(*end) },
            None => Missed::default(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::check::sample::{CLUSTER, Sample};
    use crate::sim::history::Kind;

    #[test]
    fn a_read_is_behind_by_what_had_been_acknowledged_before_it_began() {
        let mut sample = Sample::default();
        sample.write(Kind::Put, None);
        let earlier = sample.held.clone();
        sample.write(Kind::Put, None);
        sample.write(Kind::Delete, None);
        sample.read();
        sample.held = earlier;
        sample.read();
        // The second write ends at 15, the third at 25, and the reads start at 30 and at 40.
        let behind = Missed { versions: 2, since: Duration(25) };
        assert_eq!(of(CLUSTER, &sample.history), [Missed::default(), behind]);
        // Whoever begins before a write has ended need not know it.
        sample.history[4].start = Instant(25);
        assert_eq!(of(CLUSTER, &sample.history)[0], Missed { versions: 1, since: Duration(10) });
    }
}
