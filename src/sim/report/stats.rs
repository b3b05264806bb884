//! The figures of a run, taken from its history.

use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use crate::base::time::Instant;
use crate::sim::check::staleness;
use crate::sim::fault::{Action, Fault};
use crate::sim::history::{Class, End, Kind, Operation};
use crate::sim::percentiles::Percentiles;
use crate::sim::world::World;

/// Operations by what their clients know of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    pub ok: u64,
    pub rejected: u64,
    pub unknown: u64,
}

impl Classes {
    pub fn of<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Classes {
        let mut classes = Classes::default();
        for operation in operations {
            match operation.class() {
                Class::Ok => classes.ok += 1,
                Class::Rejected => classes.rejected += 1,
                Class::Unknown => classes.unknown += 1,
            }
        }
        classes
    }

    pub fn total(&self) -> u64 {
        self.ok + self.rejected + self.unknown
    }

    /// The share of operations that succeeded, in hundredths of a percent; `None` if there were none.
    pub fn availability(&self) -> Option<u64> {
        (self.ok * 10_000).checked_div(self.total())
    }
}

/// In nanoseconds from when they were due, of the operations that succeeded; `None` if there were none.
pub fn latency<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Option<Percentiles> {
    let succeeded = operations.into_iter().filter(|operation| operation.class() == Class::Ok);
    Percentiles::of(succeeded.filter_map(|one| Some(one.end?.since(one.due).as_nanos())))
}

/// How far reads are behind.
#[derive(Clone, Copy, Debug)]
pub struct Staleness {
    /// Reads that were answered, and those of them that missed something.
    pub reads: u64,
    pub stale: u64,
    /// Acknowledged writes that a read missed.
    pub versions: Percentiles,
    /// Nanoseconds since the first of those was acknowledged.
    pub nanos: Percentiles,
}

/// `None` if nothing was read.
pub fn staleness(world: &World) -> Option<Staleness> {
    let missed = staleness::of(world.scenario().nodes[0].cluster, world.history());
    Some(Staleness {
        reads: missed.len() as u64,
        stale: missed.iter().filter(|missed| missed.versions > 0).count() as u64,
        versions: Percentiles::of(missed.iter().map(|missed| missed.versions))?,
        nanos: Percentiles::of(missed.iter().map(|missed| missed.since.0))?,
    })
}

/// One kind of operation.
#[derive(Clone, Copy, Debug)]
pub struct OfKind {
    pub kind: Kind,
    pub classes: Classes,
    pub latency: Option<Percentiles>,
    /// Before, during and after the first partition, by the start of the operation.
    pub phases: Option<[Classes; 3]>,
}

pub fn by_kind(world: &World) -> Vec<OfKind> {
    let window = partition(world);
    let of_kind = |kind: Kind| {
        let all = || world.history().iter().filter(move |operation| operation.kind == kind);
        let phases = window.map(|(from, to)| {
            [
                Classes::of(all().filter(|operation| operation.start < from)),
                Classes::of(all().filter(|operation| operation.start >= from && operation.start < to)),
                Classes::of(all().filter(|operation| operation.start >= to)),
            ]
        });
        OfKind { kind, classes: Classes::of(all()), latency: latency(all()), phases }
    };
    // Edits have a row only where there are any.
    let shown =
        |kind: &Kind| !kind.is_edit() || world.history().iter().any(|operation| operation.kind == *kind);
    Kind::ALL.into_iter().filter(shown).map(of_kind).collect()
}

/// Why operations did not succeed, most frequent first.
pub fn failures(world: &World) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for operation in world.history() {
        let why = match &operation.result {
            End::Found { .. } | End::Written { .. } | End::Done => continue,
            End::Rejected(Some(why)) => format!("rejected: {why}"),
            End::Rejected(None) => "rejected: the node does not run".into(),
            End::Unknown => "unknown: the node says that it cannot tell".into(),
            End::Silence => "unknown: no answer".into(),
        };
        *counts.entry(why).or_default() += 1;
    }
    let mut failures: Vec<(String, u64)> = counts.into_iter().collect();
    failures.sort_by_key(|failure| core::cmp::Reverse(failure.1));
    failures
}

/// When the first partition began and ended.
pub fn partition(world: &World) -> Option<(Instant, Instant)> {
    let effects = world.faults().iter().zip(world.effects());
    let is_it = |fault: &Fault| !fault.drawn && matches!(fault.action, Action::Partition { .. });
    let mut partitions = effects.filter(|(fault, _)| is_it(fault));
    partitions.find_map(|(_, effect)| Some((effect.began?, effect.ended?)))
}

/// What all faults of one kind did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultCount {
    pub kind: &'static str,
    pub attempted: u64,
    pub effective: u64,
    /// Not done, to spare the last copy of something.
    pub refused: u64,
}

/// By kind, and only kinds that the scenario declares or the seed drew.
pub fn faults(world: &World) -> Vec<FaultCount> {
    let scenario = world.scenario();
    let mut counts: Vec<FaultCount> = Vec::new();
    for (fault, effect) in world.faults().iter().zip(world.effects()) {
        let kind = fault.action.kind();
        let at = counts.iter().position(|count| count.kind == kind).unwrap_or_else(|| {
            counts.push(FaultCount { kind, attempted: 0, effective: 0, refused: 0 });
            counts.len() - 1
        });
        counts[at].attempted += u64::from(effect.began.is_some());
        counts[at].effective += u64::from(effect.effective);
        counts[at].refused += u64::from(effect.refused);
    }
    let network = world.network().counts();
    for (kind, rate, effective) in [
        ("loss", scenario.network.loss, network.lost),
        ("duplication", scenario.network.duplication, network.duplicated),
    ] {
        if rate.0 > 0 {
            counts.push(FaultCount { kind, attempted: network.offered, effective, refused: 0 });
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::check::sample::Sample;

    #[test]
    fn availability_is_the_share_that_succeeded() {
        let classes = Classes { ok: 2, rejected: 1, unknown: 0 };
        assert_eq!(classes.availability(), Some(6666));
        assert_eq!(Classes::default().availability(), None);
    }

    #[test]
    fn only_successes_have_a_latency() {
        let mut sample = Sample::default();
        assert_eq!(latency(&sample.history), None);
        for _ in 0..100 {
            sample.read();
        }
        sample.history[7].end = Some(sample.history[7].start + crate::base::time::Duration(1000));
        sample.history[8].end = None;
        let latency = latency(&sample.history).expect("some");
        assert_eq!((latency.p50, latency.p90, latency.max), (5, 5, 1000));
    }
}
