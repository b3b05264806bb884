//! Convergent types: a counter shows each step that its reader knows of, once; a set shows each member that was added
//! and that nobody has taken out who saw it; and neither shows anything else.
//!
//! To know of an edit is to have its dot in the clock of the answer's context. So what must be in a value is what was
//! acknowledged and is known; what may be in it is what has no answer, and what was tried more than once (the try that
//! its reader knows need not be the one that was answered). All tries of one request are one edit: steps are large and
//! drawn, so that a step which counts twice gives a sum that no choice of them explains.
//!
//! A member that was added by one request only, and taken out by somebody who was told so, does not come back with
//! another try of that request, as long as the key remembers it ([`DONE_MAX`]).
//!
//! The weakness: where a key was deleted, nobody can tell what the delete took away, and a sum is held against bounds
//! only; and so it is where so many steps have no answer that there would be too many sums.

use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::string::String;
use std::vec::Vec;

use super::{Check, Findings};
use crate::base::bytes::Bytes;
use crate::base::id::{ClusterId, RequestId};
use crate::base::limits::DONE_MAX;
use crate::base::time::Instant;
use crate::causal::clock::Clock;
use crate::causal::context;
use crate::causal::dot::Dot;
use crate::causal::types::counter::Counter;
use crate::causal::types::part::Content;
use crate::sim::history::{Class, End, Kind, Operation};
use crate::sim::probe::{Key, Probe};

/// Steps of which it may be unknown whether they are in a sum, at most: all sums of so many are looked through.
const MAYBE_MAX: usize = 16;

/// All tries of one request.
struct Edit<'a> {
    kind: Kind,
    value: Option<&'a Bytes>,
    start: Instant,
    tries: u32,
    /// The try that was acknowledged: its dot, its end, and what it was told.
    acknowledged: Option<(Dot, Option<Instant>, i64)>,
    first: &'a Operation,
}

/// How sure it is that an edit is in what a reader shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Yes,
    Maybe,
    No,
}

/// The edits and deletes of one key that were not refused.
#[derive(Default)]
struct OfKey<'a> {
    edits: Vec<Edit<'a>>,
    reads: Vec<&'a Operation>,
}

/// Where a value was shown: who knows it, until when writes may have come, and what it is.
struct Shown<'a> {
    clock: &'a Clock,
    end: Instant,
    sum: Option<i64>,
    members: Option<BTreeSet<&'a Bytes>>,
}

/// Checks what was read. `None`: nobody edits anything.
pub fn check(cluster: ClusterId, history: &[Operation]) -> Option<Check> {
    let keys = keys(history);
    let mut findings = Findings::default();
    let mut reads = 0;
    for key in keys.values() {
        for read in &key.reads {
            let (End::Found { values, context }, Some(end)) = (&read.result, read.end) else { continue };
            let Ok(clock) = context::open(cluster, &read.key, context) else { continue };
            reads += 1;
            let shown = Shown { clock: &clock, end, ..key.told(values) };
            key.judge(&shown, &mut |wrong| findings.add(|| format!("{read} found {wrong}")));
        }
    }
    let looked_at = format!("{reads} reads of counters and sets, each edit that they know in them, once");
    (!keys.is_empty()).then(|| findings.conclude("types", looked_at))
}

/// Checks what is held in the end.
pub fn held(history: &[Operation], probe: &Probe) -> Option<Check> {
    let keys = keys(history);
    let mut findings = Findings::default();
    for (&name, key) in &keys {
        let Some(held) = probe.keys.get(name).map(Key::merged) else { continue };
        let members = held.parts().iter().filter_map(|part| match &part.content {
            Content::Member(member) => Some(member),
            _ => None,
        });
        let sum = Counter::of(held.parts().iter()).value();
        let (end, members) = (Instant(u64::MAX), Some(members.collect()));
        let shown = Shown { clock: held.clock(), end, sum: Some(sum.unwrap_or(0)), members };
        key.judge(&shown, &mut |wrong| findings.add(|| format!("{} holds {wrong}", name.escape_ascii())));
    }
    let looked_at = format!("{} counters and sets in the end, each edit in them once", keys.len());
    (!keys.is_empty()).then(|| findings.conclude("types-held", looked_at))
}

/// The keys that somebody edits, and nobody overwrites.
fn keys(history: &[Operation]) -> BTreeMap<&Bytes, OfKey<'_>> {
    let edits = history.iter().filter(|operation| operation.kind.is_edit());
    let mut keys: BTreeMap<&Bytes, OfKey> = edits.map(|edit| (&edit.key, OfKey::default())).collect();
    let mut requests: BTreeMap<RequestId, usize> = BTreeMap::new();
    for operation in history {
        let Some(key) = keys.get_mut(&operation.key) else { continue };
        if !operation.is_write() {
            key.reads.push(operation);
            continue;
        }
        let known = operation.request.and_then(|request| requests.get(&request).copied());
        let at = known.unwrap_or_else(|| key.begin(operation));
        requests.extend(operation.request.map(|request| (request, at)));
        key.edits[at].try_out(operation);
    }
    keys.retain(|_, key| key.edits.iter().all(|edit| !matches!(edit.kind, Kind::Put | Kind::Cas)));
    keys
}

impl<'a> Edit<'a> {
    fn try_out(&mut self, operation: &Operation) {
        self.tries += u32::from(operation.class() != Class::Rejected);
        if let End::Written { dot, result, .. } = operation.result {
            self.acknowledged = Some((dot, operation.end, result));
        }
    }

    /// Whether whoever knows `clock`, and answered before `end`, has it.
    fn known(&self, clock: &Clock, end: Instant) -> Known {
        match self.acknowledged {
            _ if self.tries == 0 || self.start > end => Known::No,
            Some((dot, ..)) if clock.covers(dot) => Known::Yes,
            Some(_) if self.tries == 1 => Known::No,
            _ => Known::Maybe,
        }
    }

    fn step(&self) -> i64 {
        let text = self.value.and_then(|value| core::str::from_utf8(value).ok());
        text.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Whether it may have taken away what `add` left.
    fn may_remove(&self, add: &Edit, clock: &Clock, end: Instant) -> bool {
        let is_over = |ended: Option<Instant>| ended.is_some_and(|ended| ended < add.start);
        let is_meant = self.kind == Kind::Delete || (self.kind == Kind::Srem && self.value == add.value);
        is_meant
            && self.known(clock, end) != Known::No
            && match self.acknowledged {
                // It came before; or it was told that there was nothing to take out.
                Some((_, ended, removed)) => {
                    !(self.tries == 1 && (is_over(ended) || (self.kind == Kind::Srem && removed == 0)))
                }
                None => true,
            }
    }
}

impl<'a> OfKey<'a> {
    fn begin(&mut self, first: &'a Operation) -> usize {
        let Operation { kind, start, ref value, .. } = *first;
        self.edits.push(Edit { kind, value: value.as_ref(), start, tries: 0, acknowledged: None, first });
        self.edits.len() - 1
    }

    /// Whether the key has forgotten no named write: there were too few.
    fn remembers(&self) -> bool {
        self.edits.iter().map(|edit| edit.tries).sum::<u32>() <= DONE_MAX as u32
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Edit<'a>> {
        self.edits.iter().filter(move |edit| edit.kind == kind)
    }

    /// What a reader was told: a sum where there can be one, or members. (Of a key that may be either, members tell
    /// themselves by not being numbers.)
    fn told<'v>(&self, values: &'v [Bytes]) -> Shown<'v> {
        let number =
            |value: &Bytes| core::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok());
        let counts = self.of(Kind::Incr).next().is_some();
        let contains = self.edits.iter().any(|edit| matches!(edit.kind, Kind::Sadd | Kind::Srem));
        let sum = match values {
            [] => Some(0),
            [value] => number(value),
            _ => None,
        };
        let is_sum = counts && sum.is_some() && !(contains && values.is_empty());
        let members = (contains && !is_sum).then(|| values.iter().collect());
        let clock = const { &Clock::EMPTY };
        Shown { clock, end: Instant::ZERO, sum: sum.filter(|_| is_sum), members }
    }

    fn judge(&self, shown: &Shown, found: &mut dyn FnMut(String)) {
        if shown.sum.is_none() && shown.members.is_none() {
            found("what is no counter".into());
        }
        if let Some(sum) = shown.sum {
            self.judge_sum(sum, shown, found);
        }
        if let Some(members) = &shown.members {
            self.judge_members(members, shown, found);
        }
    }

    fn judge_sum(&self, sum: i64, shown: &Shown, found: &mut dyn FnMut(String)) {
        let of = |wanted: Known| {
            let steps = self.of(Kind::Incr).filter(move |step| step.known(shown.clock, shown.end) == wanted);
            steps.map(Edit::step).collect::<Vec<i64>>()
        };
        let (sure, mut maybe) = (of(Known::Yes), of(Known::Maybe));
        let is_deleted =
            self.of(Kind::Delete).any(|delete| delete.known(shown.clock, shown.end) != Known::No);
        let mut least: i64 = sure.iter().sum();
        if is_deleted {
            maybe.extend(&sure);
            least = 0;
        }
        let missing = sum - least;
        let low: i64 = maybe.iter().filter(|step| **step < 0).sum();
        let high: i64 = maybe.iter().filter(|step| **step > 0).sum();
        let explained = (low..=high).contains(&missing)
            && (is_deleted || maybe.len() > MAYBE_MAX || sums(&maybe).contains(&missing));
        if !explained {
            let (sure, maybe) = (sure.len(), maybe.len());
            found(format!(
                "{sum}: {sure} steps that it knows give {least}, and no choice of {maybe} more the rest"
            ));
        }
    }

    fn judge_members(&self, members: &BTreeSet<&Bytes>, shown: &Shown, found: &mut dyn FnMut(String)) {
        let mut added: BTreeMap<&Bytes, Vec<&Edit>> = BTreeMap::new();
        for add in self.of(Kind::Sadd).filter(|add| add.known(shown.clock, shown.end) != Known::No) {
            added.entry(add.value.expect("a member")).or_default().push(add);
        }
        for member in members.iter().filter(|member| !added.contains_key(*member)) {
            found(format!("{}, which nobody had added", member.escape_ascii()));
        }
        for (member, adds) in added {
            let removes: Vec<&Edit> = self
                .edits
                .iter()
                .filter(|edit| {
                    edit.kind == Kind::Delete || (edit.kind == Kind::Srem && edit.value == Some(member))
                })
                .collect();
            let stays = |add: &&&Edit| {
                add.known(shown.clock, shown.end) == Known::Yes
                    && !removes.iter().any(|remove| remove.may_remove(add, shown.clock, shown.end))
            };
            let member_text = member.escape_ascii();
            match (members.contains(member), adds.iter().find(stays), adds.as_slice()) {
                (false, Some(add), _) => {
                    found(format!("no {member_text}, which nobody took out: {}", add.first));
                }
                (true, _, [add]) if add.tries == 1 || (add.acknowledged.is_some() && self.remembers()) => {
                    if let Some(remove) = removes.iter().find(|remove| remove.took_out(shown.clock)) {
                        found(format!("{member_text}, which it knows to be taken out: {}", remove.first));
                    }
                }
                _ => {}
            }
        }
    }
}

impl Edit<'_> {
    /// Whether it removed a member, as it was told, and `clock` knows of it.
    fn took_out(&self, clock: &Clock) -> bool {
        let removed = |(dot, _, removed): (Dot, Option<Instant>, i64)| removed > 0 && clock.covers(dot);
        self.kind == Kind::Srem && self.acknowledged.is_some_and(removed)
    }
}

/// All sums of some of these.
fn sums(steps: &[i64]) -> BTreeSet<i64> {
    let mut sums = BTreeSet::from([0]);
    for step in steps {
        let with: Vec<i64> = sums.iter().map(|sum| sum + step).collect();
        sums.extend(with);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::NodeId;
    use crate::base::time::WallTime;
    use crate::causal::dot::Actor;
    use crate::causal::types::edit::{Edit as Change, Update, Write};
    use crate::sim::check::sample::{ACTOR, CLUSTER, Sample};

    const OTHER: Actor = Actor { node: NodeId(2), epoch: 0 };

    fn told(sample: &Sample) -> [Check; 2] {
        let (read, held) = (check(CLUSTER, &sample.history), held(&sample.history, &sample.probe()));
        [read.expect("there are edits"), held.expect("there are edits")]
    }

    fn passes(sample: &Sample) {
        told(sample).iter().for_each(|check| assert!(check.ok, "{check:?}"));
    }

    /// Both what is read and what is held is found wrong, for this reason.
    fn fails(sample: &Sample, why: &str) {
        told(sample)
            .iter()
            .for_each(|check| assert!(!check.ok && check.detail.contains(why), "{why}: {check:?}"));
    }

    fn edited(edits: &[(Kind, &str)]) -> Sample {
        let mut sample = Sample::default();
        edits.iter().for_each(|(kind, value)| sample.edit(*kind, value));
        sample
    }

    /// What the store makes of `edits` is held and read by those who were told of `told`.
    fn shown(told: &[(Kind, &str)], edits: &[(Kind, &str)]) -> Sample {
        let mut sample = edited(told);
        sample.held = edited(edits).held;
        sample.read();
        sample
    }

    #[test]
    fn what_the_store_does_with_edits_is_right() {
        let mut sample = edited(&[(Kind::Incr, "5"), (Kind::Incr, "-7")]);
        sample.read();
        passes(&sample);
        let mut sample =
            edited(&[(Kind::Sadd, "a"), (Kind::Sadd, "b"), (Kind::Srem, "a"), (Kind::Srem, "c")]);
        sample.read();
        passes(&sample);
        sample.edit(Kind::Sadd, "a");
        sample.read();
        passes(&sample);
    }

    #[test]
    fn a_step_that_is_missing_or_counts_twice_is_found() {
        let good = [(Kind::Incr, "5"), (Kind::Incr, "30")];
        passes(&shown(&good, &good));
        fails(
            &shown(&good, &[(Kind::Incr, "5"), (Kind::Incr, "1"), (Kind::Incr, "1")]),
            "2 steps that it knows",
        );
        fails(&shown(&good, &[(Kind::Incr, "35"), (Kind::Incr, "30")]), "65: 2 steps that it knows give 35");
    }

    #[test]
    fn a_step_of_unknown_outcome_is_in_the_sum_or_not_but_not_twice() {
        for (sum, ok) in [("5", true), ("35", true), ("65", false), ("20", false)] {
            let mut sample = edited(&[(Kind::Incr, "5"), (Kind::Incr, "30")]);
            sample.history[1].result = End::Unknown;
            sample.held = edited(&[(Kind::Incr, "0"), (Kind::Incr, sum)]).held;
            sample.read();
            if ok { passes(&sample) } else { fails(&sample, "no choice of 1 more") }
        }
    }

    #[test]
    fn a_request_that_was_tried_twice_counts_once() {
        let id = Some(RequestId { client: 1, number: 1 });
        let mut sample = Sample::default();
        sample.edit_by(OTHER, Kind::Incr, "30", id);
        sample.history[0].result = End::Silence;
        sample.edit_by(ACTOR, Kind::Incr, "30", id);
        sample.read();
        passes(&sample);
        // Two tries of a request that has no name are two steps, and each may count.
        let mut nameless = Sample::default();
        nameless.edit_by(OTHER, Kind::Incr, "30", None);
        nameless.edit_by(ACTOR, Kind::Incr, "30", None);
        nameless.read();
        passes(&nameless);
        nameless.history[0].result = End::Silence;
        (nameless.history[0].request, nameless.history[1].request) = (id, id);
        fails(&nameless, "60: 1 steps that it knows give 30");
    }

    #[test]
    fn a_member_that_is_lost_is_found() {
        let two = [(Kind::Sadd, "a"), (Kind::Sadd, "b")];
        fails(&shown(&two, &[(Kind::Sadd, "a"), (Kind::Srem, "b")]), "no b, which nobody took out");
        // Somebody tried to, and was told that there was nothing.
        let mut tried = edited(&two);
        tried.held = edited(&[(Kind::Sadd, "a"), (Kind::Srem, "b")]).held;
        tried.edit(Kind::Srem, "b");
        tried.read();
        fails(&tried, "no b, which nobody took out");
        // Nobody knows how it ended, so it may have been.
        tried.history[2].result = End::Unknown;
        passes(&tried);
    }

    #[test]
    fn a_member_out_of_thin_air_or_back_from_the_dead_is_found() {
        let one = [(Kind::Sadd, "a")];
        fails(&shown(&one, &[(Kind::Sadd, "b")]), "b, which nobody had added");
        let gone = [(Kind::Sadd, "a"), (Kind::Srem, "a")];
        passes(&shown(&gone, &gone));
        fails(
            &shown(&gone, &[(Kind::Sadd, "x"), (Kind::Srem, "x"), (Kind::Sadd, "a")]),
            "a, which it knows to be taken out",
        );
    }

    /// The first try was kept beyond a split, and the store shows what it left.
    #[test]
    fn a_member_that_was_added_in_two_tries_and_taken_out_is_found_if_the_store_can_know() {
        let id = Some(RequestId { client: 1, number: 1 });
        let mut sample = Sample::default();
        sample.edit_by(OTHER, Kind::Sadd, "a", id);
        sample.history[0].result = End::Silence;
        let mut alone = sample.held.clone();
        sample.held = Default::default();
        sample.edit_by(ACTOR, Kind::Sadd, "a", id);
        sample.edit(Kind::Srem, "a");
        let mut honest = sample.clone();
        honest.held.merge(&alone);
        honest.read();
        passes(&honest);
        // A store that does not know that the two are one.
        let nameless = [Change { field: None, update: Update::Add(Bytes::from("a")) }];
        alone = Default::default();
        alone.edit(Write { actor: OTHER, stamp: WallTime(0), id: None }, &nameless).expect("a set");
        sample.held.merge(&alone);
        sample.read();
        fails(&sample, "a, which it knows to be taken out");
        for _ in 0..DONE_MAX {
            sample.edit(Kind::Sadd, "b");
        }
        sample.read();
        let last = sample.history.split_off(3);
        sample.history.extend(last.into_iter().skip(1));
        passes(&sample);
    }

    #[test]
    fn a_counter_that_shows_more_than_a_number_is_found() {
        let mut sample = edited(&[(Kind::Incr, "5")]);
        let End::Found { values, .. } = &mut sample.read().result else { panic!("a read") };
        values.push(Bytes::from("5"));
        let read = check(CLUSTER, &sample.history).expect("there are edits");
        assert!(!read.ok && read.detail.contains("what is no counter"), "{read:?}");
    }

    #[test]
    fn a_member_of_a_refused_request_is_out_of_thin_air() {
        let mut sample = edited(&[(Kind::Sadd, "a"), (Kind::Sadd, "b")]);
        sample.history[1].result = End::Rejected(None);
        sample.read();
        fails(&sample, "b, which nobody had added");
    }
}
