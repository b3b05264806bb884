//! What clients may rely on while they go from operation to operation: the four session guarantees (Terry et al.:
//! "Session Guarantees for Weakly Consistent Replicated Data", 1994), and causal consistency (Ahamad et al.: "Causal
//! Memory", 1995). A client is a session.
//!
//! All of them say what a read must *know*, and to know is to have it in the clock of the answer's context, so
//! nothing is guessed from values:
//!
//! - *read your writes*: the session's own acknowledged writes of the key;
//! - *monotonic reads*: what the session's earlier reads of the key knew;
//! - *monotonic writes*: with any write of the key, what its session had written to that key before;
//! - *writes follow reads*: with any write of the key, what its session's reads of that key knew before;
//! - *causal*: every acknowledged write of the key, and what every read of it knew, in the read's causal past, over all
//!   keys: what its session did before, and what the sessions had done before whose writes it knows, and so on.
//!
//! Causal implies the other four, which look at one key each. A write of unknown outcome has no name in the history, so
//! nobody must know it; who has read it must.

use std::collections::BTreeMap;
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use super::Findings;
use super::guarantee::{Guarantee, Judgement};
use crate::base::bytes::Bytes;
use crate::base::id::ClusterId;
use crate::causal::clock::Clock;
use crate::causal::context;
use crate::causal::dot::Dot;
use crate::sim::history::{Class, End, Operation};

/// For causality: sessions times writes, at most. Each is four bytes.
const PASTS_MAX: usize = 1 << 28;

pub fn judge(guarantee: Guarantee, cluster: ClusterId, history: &[Operation]) -> Judgement {
    let (mut broken, mut undecided) = (Findings::default(), Findings::default());
    let order = Order::of(cluster, history);
    for operation in &order.mute {
        undecided.add(|| format!("{operation} tells neither context nor dot"));
    }
    let reads = order.reads();
    match guarantee {
        Guarantee::ReadYourWrites | Guarantee::MonotonicReads => order.own(guarantee, &mut broken),
        Guarantee::MonotonicWrites | Guarantee::WritesFollowReads => order.others(guarantee, &mut broken),
        Guarantee::Causal if order.sessions * order.steps.len() > PASTS_MAX => {
            undecided.add(|| format!("{} sessions with {} steps", order.sessions, order.steps.len()));
        }
        Guarantee::Causal => order.causal(&mut broken),
        Guarantee::Linearizable | Guarantee::Siblings => unreachable!("is no matter of sessions"),
    }
    let looked_at = format!("{reads} reads in {} sessions", order.sessions);
    Judgement::of(guarantee, broken, undecided, looked_at)
}

/// An operation that tells something.
struct Step<'a> {
    operation: &'a Operation,
    session: usize,
    key: usize,
    what: What,
}

enum What {
    /// What it knew.
    Read(Clock),
    /// Its name, if that is known.
    Write(Option<Dot>),
}

/// What a session had done with a key up to one of its steps, that step included.
#[derive(Clone, Default)]
struct Done {
    step: usize,
    /// Acknowledged.
    written: Clock,
    /// Known to its reads.
    read: Clock,
}

/// A write that has a name, and what came before it in its session.
type Named<'a> = (Dot, &'a Operation, Clock);

struct Order<'a> {
    sessions: usize,
    keys: usize,
    /// In the order of their starts, which within a session is the order in which they were done.
    steps: Vec<Step<'a>>,
    /// What succeeded, and does not say what it knew.
    mute: Vec<&'a Operation>,
}

impl<'a> Order<'a> {
    fn of(cluster: ClusterId, history: &'a [Operation]) -> Order<'a> {
        let mut order = Order { sessions: 0, keys: 0, steps: Vec::new(), mute: Vec::new() };
        let (mut sessions, mut keys) = (BTreeMap::new(), BTreeMap::<&Bytes, usize>::new());
        let mut in_order: Vec<&Operation> = history.iter().collect();
        in_order.sort_by_key(|operation| operation.start);
        for operation in in_order {
            let what = match &operation.result {
                End::Found { context, .. } if context.is_empty() => None,
                End::Found { context, .. } => {
                    context::open(cluster, &operation.key, context).ok().map(What::Read)
                }
                End::Written { dot, .. } => Some(What::Write(Some(*dot))),
                End::Done => None,
                End::Rejected(_) => continue,
                End::Unknown | End::Silence if !operation.is_write() => continue,
                End::Unknown | End::Silence => Some(What::Write(None)),
            };
            let Some(what) = what else {
                order.mute.push(operation);
                continue;
            };
            let next = sessions.len();
            let session = *sessions.entry(operation.client).or_insert(next);
            let next = keys.len();
            let key = *keys.entry(&operation.key).or_insert(next);
            order.steps.push(Step { operation, session, key, what });
        }
        (order.sessions, order.keys) = (sessions.len(), keys.len());
        order
    }

    fn reads(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step.what, What::Read(_))).count()
    }

    /// Read your writes, and monotonic reads: what the own session has done before.
    fn own(&self, guarantee: Guarantee, findings: &mut Findings) {
        let mut done: BTreeMap<(usize, usize), Done> = BTreeMap::new();
        for step in &self.steps {
            let own = done.entry((step.session, step.key)).or_default();
            if let What::Read(seen) = &step.what {
                let required = if guarantee == Guarantee::ReadYourWrites { &own.written } else { &own.read };
                findings.unless_known(step.operation, seen, required, || "of its own session".into());
            }
            own.take(step);
        }
    }

    /// Monotonic writes, and writes that follow reads: what came before the writes that a read knows.
    fn others(&self, guarantee: Guarantee, findings: &mut Findings) {
        let mut done: BTreeMap<(usize, usize), Done> = BTreeMap::new();
        // By key, then by session: each write that has a name, and what came before it.
        let mut writes: Vec<BTreeMap<usize, Vec<Named>>> = (0..self.keys).map(|_| BTreeMap::new()).collect();
        for step in &self.steps {
            let own = done.entry((step.session, step.key)).or_default();
            if let What::Write(Some(dot)) = step.what {
                let before = if guarantee == Guarantee::MonotonicWrites { &own.written } else { &own.read };
                let of_session = writes[step.key].entry(step.session).or_default();
                of_session.push((dot, step.operation, before.clone()));
            }
            own.take(step);
        }
        for step in &self.steps {
            let (What::Read(seen), Some(end)) = (&step.what, step.operation.end) else { continue };
            for of_session in writes[step.key].values() {
                let begun = of_session.partition_point(|(_, write, _)| write.start <= end);
                // What came before grows along a session, so the last write that is known says it all.
                let known = of_session[..begun].iter().rfind(|(dot, ..)| seen.covers(*dot));
                if let Some((dot, write, before)) = known {
                    let told = || format!("which came before {dot}, {write}");
                    findings.unless_known(step.operation, seen, before, told);
                }
            }
        }
    }

    /// Walks through all steps, writes when they start and reads when they end, so that each comes after its causes.
    fn causal(&self, findings: &mut Findings) {
        let mut walk: Vec<(u64, usize)> = Vec::with_capacity(self.steps.len());
        for (number, step) in self.steps.iter().enumerate() {
            let is_read = matches!(step.what, What::Read(_));
            let end = step.operation.end.map_or(u64::MAX, |end| end.0);
            walk.push((if is_read { end } else { step.operation.start.0 }, number));
        }
        // A write often starts at the very moment at which its session's read has ended; the read is the earlier step.
        walk.sort_unstable();
        let mut past = Past::new(self);
        for (_, number) in walk {
            past.walk(number, findings);
        }
    }
}

impl Done {
    fn take(&mut self, step: &Step) {
        match &step.what {
            What::Read(seen) => self.read.join(seen),
            What::Write(Some(dot)) => self.written.record(*dot),
            What::Write(None) => {}
        }
    }
}

/// The causal past of each session, while the steps are walked through.
struct Past<'a> {
    order: &'a Order<'a>,
    /// For each session: of which steps of each session it knows, as the number of the first that it does not. The
    /// numbers are those of all steps, so those of one session do not follow one another.
    sessions: Vec<Vec<usize>>,
    /// By key: its writes that have a name, and the past of each, itself included.
    writes: Vec<BTreeMap<Dot, Vec<usize>>>,
    /// By key, and by session: what the session had done after each of its steps on that key.
    done: Vec<BTreeMap<usize, Vec<Done>>>,
    /// By session and key: what the session's reads knew, so that only news are looked at.
    met: BTreeMap<(usize, usize), Clock>,
}

impl<'a> Past<'a> {
    fn new(order: &'a Order<'a>) -> Past<'a> {
        Past {
            order,
            sessions: vec![vec![0; order.sessions]; order.sessions],
            writes: vec![BTreeMap::new(); order.keys],
            done: vec![BTreeMap::new(); order.keys],
            met: BTreeMap::new(),
        }
    }

    fn walk(&mut self, number: usize, findings: &mut Findings) {
        let step = &self.order.steps[number];
        if let What::Read(seen) = &step.what {
            self.learn(step, seen);
            let required = self.required(step);
            findings.unless_known(step.operation, seen, &required, || "in its causal past".into());
        }
        let of_session = self.done[step.key].entry(step.session).or_default();
        let mut done = of_session.last().cloned().unwrap_or_default();
        done.take(step);
        of_session.push(Done { step: number, ..done });
        let own = &mut self.sessions[step.session];
        own[step.session] = own[step.session].max(number + 1);
        if let What::Write(Some(dot)) = step.what {
            let past = own.clone();
            self.writes[step.key].insert(dot, past);
        }
    }

    /// Takes over the past of every write that the read knows and its session did not meet before.
    fn learn(&mut self, step: &Step, seen: &Clock) {
        let met = self.met.entry((step.session, step.key)).or_default();
        let own = &mut self.sessions[step.session];
        let mut take = |past: &Vec<usize>| {
            own.iter_mut().zip(past).for_each(|(ours, theirs)| *ours = (*ours).max(*theirs));
        };
        let writes = &self.writes[step.key];
        for &(actor, counter) in seen.entries() {
            let before = met.entries().iter().find(|entry| entry.0 == actor).map_or(0, |entry| entry.1);
            let (first, last) = (Dot { actor, counter: before + 1 }, Dot { actor, counter });
            if before < counter {
                writes.range(first..=last).for_each(|(_, past)| take(past));
            }
        }
        for dot in seen.cloud() {
            writes.get(dot).into_iter().for_each(&mut take);
        }
        met.join(seen);
    }

    /// What a read of the key must know, by the past of its session.
    fn required(&self, step: &Step) -> Clock {
        let past = &self.sessions[step.session];
        let mut required = Clock::EMPTY;
        for (session, done) in &self.done[step.key] {
            let begun = done.partition_point(|done| done.step < past[*session]);
            if let Some(done) = begun.checked_sub(1).map(|last| &done[last]) {
                required.join(&done.written);
                required.join(&done.read);
            }
        }
        required
    }
}

impl Findings {
    fn unless_known(
        &mut self,
        read: &Operation,
        seen: &Clock,
        required: &Clock,
        why: impl FnOnce() -> String,
    ) {
        debug_assert!(read.class() == Class::Ok, "only an answer knows something");
        if !seen.descends(required) {
            self.add(|| format!("{read} knows {seen}, and not all of {required} {}", why()));
        }
    }
}

#[cfg(test)]
mod tests;
