//! Durability: no acknowledged write is lost.
//!
//! An acknowledged write may be gone in the end only if something replaced it that could know it. So for each of them
//! the replicas' clock must cover its dot, and its version must stand there, unless another write of the key
//!
//! - carried a context that covers the dot, or
//! - carried no context, and so replaced what its coordinator held: then its answer's context covers the dot, or there
//!   was no answer and nobody can tell.
//!
//! A request that was tried more than once may have another dot than the one that is known, and to replace that is to
//! replace the request. So it may be gone as well if a context covers all that a reader of its value knew; or, as
//! nobody may have read it, if any write of another request carried no context. (That is the weakness here: such a
//! write excuses more than it can have done.)
//!
//! A write whose loss the ghost predicted is counted, and no finding: the scenario let the last copy be destroyed.
//!
//! Of edits of convergent types the clock is all that is asked for here, and so it is of a delete, which the next edit
//! of its key takes away; what the types show is judged by [`super::types`].
//!
//! Clocks are exact sets of writes, so "covers" errs to neither side. And no two requests of a key have the same dot.

use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::{Check, Findings, by_key};
use crate::base::bytes::Bytes;
use crate::base::id::ClusterId;
use crate::causal::clock::Clock;
use crate::causal::context;
use crate::causal::dot::Dot;
use crate::causal::siblings::Siblings;
use crate::sim::ghost::Ghost;
use crate::sim::history::{Class, End, Operation};
use crate::sim::probe::Probe;

/// Checks what is held in the end. Where clocks are `pruned`, a dot that they do not cover is not missed.
pub fn check(cluster: ClusterId, history: &[Operation], probe: &Probe, ghost: &Ghost, pruned: bool) -> Check {
    let mut findings = Findings::default();
    let (mut acknowledged, mut predicted) = (0, 0);
    for (key, operations) in by_key(history) {
        let held = probe.keys.get(key).map(super::super::probe::Key::merged).unwrap_or_default();
        let judge = |write: &Operation, lost: bool, why: &dyn Fn() -> String| {
            if lost && ghost.predicted(write) {
                predicted += 1;
            } else {
                findings.add(why);
            }
        };
        acknowledged += check_key(cluster, key, &operations, &held, pruned, judge);
    }
    let looked_at = match predicted {
        0 => format!("{acknowledged} acknowledged writes, all there or knowingly replaced"),
        lost => {
            format!(
                "{acknowledged} acknowledged writes; {lost} lost, as predicted when the last copy was destroyed"
            )
        }
    };
    findings.conclude("durable", looked_at)
}

/// Checks the writes of one key against what its replicas know together. The answer is how many were acknowledged.
fn check_key(
    cluster: ClusterId,
    key: &Bytes,
    operations: &[&Operation],
    held: &Siblings,
    pruned: bool,
    mut judge: impl FnMut(&Operation, bool, &dyn Fn() -> String),
) -> u64 {
    let writes: Vec<&Operation> = operations.iter().copied().filter(|one| one.is_write()).collect();
    let mut acknowledged = 0;
    let mut dots: BTreeMap<Dot, &Operation> = BTreeMap::new();
    let mut known = None;
    let is_edited = writes.iter().any(|write| write.kind.is_edit());
    for &write in &writes {
        let End::Written { dot, .. } = write.result else { continue };
        acknowledged += 1;
        let other = dots.insert(dot, write);
        if other.is_some_and(|other| write.request.is_none() || other.request != write.request) {
            judge(write, false, &|| format!("{write}: its dot {dot} is another write's"));
        }
        if !pruned && !held.clock().covers(dot) {
            judge(write, true, &|| format!("{write}: lost, no replica knows {dot}"));
        } else if !held.holds(dot) && !is_edited {
            let known = known.get_or_insert_with(|| Known::of(cluster, key, &writes));
            if !known.to_another(dot) && !known.by_another_try(cluster, write, operations) {
                judge(write, true, &|| format!("{write}: lost, no write that replaced it could know {dot}"));
            }
        }
    }
    acknowledged
}

/// What the writes of a key could know when they replaced what was there.
struct Known {
    /// By context.
    told: Clock,
    /// By what their coordinators held: the write's dot, and its answer's context.
    found: Vec<(Dot, Clock)>,
    /// A write without a context whose answer nobody saw may have replaced anything.
    anything: bool,
}

impl Known {
    fn of(cluster: ClusterId, key: &Bytes, writes: &[&Operation]) -> Known {
        let mut known = Known { told: Clock::EMPTY, found: Vec::new(), anything: false };
        let open = |token: &Bytes| context::open(cluster, key, token).unwrap_or_default();
        for write in writes.iter().filter(|write| write.class() != Class::Rejected) {
            match (&write.context, &write.result) {
                (Some(token), _) => known.told.join(&open(token)),
                (None, End::Written { dot, context, .. }) => known.found.push((*dot, open(context))),
                (None, _) => known.anything = true,
            }
        }
        known
    }

    /// Whether another try of this write may have been replaced.
    fn by_another_try(&self, cluster: ClusterId, write: &Operation, operations: &[&Operation]) -> bool {
        let is_try = |one: &&&Operation| one.request == write.request && one.class() != Class::Rejected;
        if write.request.is_none() || operations.iter().filter(is_try).count() < 2 {
            return false;
        }
        let is_read = |read: &&Operation| match (&read.result, write.put()) {
            (End::Found { values, context }, Some(value)) if values.contains(value) => {
                context::open(cluster, &read.key, context).is_ok_and(|seen| self.told.descends(&seen))
            }
            _ => false,
        };
        self.found.iter().any(|(own, _)| Some(*own) != write.dot()) || operations.iter().any(is_read)
    }

    fn to_another(&self, dot: Dot) -> bool {
        self.anything
            || self.told.covers(dot)
            || self.found.iter().any(|(own, seen)| *own != dot && seen.covers(dot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::check::sample::{CLUSTER, Sample};
    use crate::sim::history::Kind;

    fn checked(sample: &Sample) -> Check {
        check(CLUSTER, &sample.history, &sample.probe(), &Ghost::default(), false)
    }

    #[test]
    fn a_write_that_stands_or_was_knowingly_replaced_is_not_lost() {
        let mut sample = Sample::default();
        let context = sample.write(Kind::Put, Some(&Clock::EMPTY));
        sample.write(Kind::Put, Some(&context));
        sample.write(Kind::Put, None);
        sample.write(Kind::Put, Some(&Clock::EMPTY));
        assert_eq!(sample.held.versions().len(), 2);
        let check = checked(&sample);
        assert!(check.ok, "{check:?}");
    }

    #[test]
    fn a_write_that_no_replica_knows_is_lost() {
        let mut sample = Sample::default();
        let before = sample.held.clone();
        sample.write(Kind::Put, None);
        sample.held = before;
        let check = checked(&sample);
        assert!(!check.ok && check.detail.contains("no replica knows"), "{check:?}");
    }

    #[test]
    fn a_write_whose_dot_is_covered_but_whose_version_vanished_is_lost() {
        let mut sample = Sample::default();
        let first = sample.write(Kind::Put, Some(&Clock::EMPTY));
        // The store drops the first version, though the client that wrote the second had seen nothing.
        sample.write(Kind::Put, Some(&Clock::EMPTY));
        assert!(checked(&sample).ok);
        sample.replace_held(&first);
        let check = checked(&sample);
        assert!(!check.ok && check.detail.contains("could know"), "{check:?}");
    }

    #[test]
    fn a_dot_that_was_given_twice_is_found() {
        let mut sample = Sample::default();
        sample.write(Kind::Put, None);
        sample.history.push(sample.history[0].clone());
        assert!(!checked(&sample).ok);
    }

    /// What was acknowledged went with its first try, which somebody had read and replaced.
    #[test]
    fn a_write_of_which_another_try_was_replaced_is_not_lost() {
        let mut sample = Sample::default();
        let first = sample.write(Kind::Put, Some(&Clock::EMPTY));
        sample.read();
        sample.write(Kind::Put, Some(&first));
        let second = sample.write(Kind::Put, Some(&Clock::EMPTY));
        let mut only_second = Clock::EMPTY;
        only_second.record(sample.history[3].dot().expect("acknowledged"));
        assert!(second.descends(&only_second));
        sample.replace_held(&only_second);
        assert!(!checked(&sample).ok, "they are two requests");
        sample.history[0].result = End::Unknown;
        sample.history[3].value = sample.history[0].value.clone();
        let request = Some(crate::base::id::RequestId { client: 1, number: 1 });
        (sample.history[0].request, sample.history[3].request) = (request, request);
        let check = checked(&sample);
        assert!(check.ok, "{check:?}");
        sample.history.remove(1);
        assert!(!checked(&sample).ok, "nobody had read it");
    }

    #[test]
    fn a_blind_write_does_not_excuse_its_own_loss() {
        let mut sample = Sample::default();
        let context = sample.write(Kind::Put, None);
        sample.replace_held(&context);
        let check = checked(&sample);
        assert!(!check.ok, "{check:?}");
    }
}
