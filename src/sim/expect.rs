//! [`Expect`]: what a scenario expects of its runs, beyond what every run must give; and whether a run gave it.
//!
//! Two kinds of expectation: *promises* (so much availability, latency, staleness; guarantees that hold; facts that
//! are never reached), which a run breaks, and *demonstrations* (facts that are reached; guarantees that are broken),
//! which a run fails to give. A broken promise is the verdict `safety`; a demonstration that demonstrates nothing is
//! `vacuous`.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use crate::base::id::ClusterId;
use crate::base::rng::Ppm;
use crate::base::time::Duration;
use crate::node::fact::Fact;
use crate::sim::check::guarantee::{Guarantee, Held};
use crate::sim::check::staleness::{self, Missed};
use crate::sim::check::{Check, Findings};
use crate::sim::history::{Class, Kind, Operation};
use crate::sim::percentiles::Percentiles;
use crate::sim::report::stats;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Expect {
    /// Facts that must be reached.
    pub facts: Vec<Fact>,
    /// Facts that must not be reached.
    pub never: Vec<Fact>,
    /// Rounds of gossip in which each failure and each return must be known to all. `None`: not checked.
    pub news_rounds: Option<u32>,
    pub holds: Vec<Guarantee>,
    pub breaks: Vec<Guarantee>,
    /// The share of operations that succeed, at least.
    pub availability: Option<Ppm>,
    /// In nanoseconds, of the operations that succeed.
    pub latency: Vec<(Kind, Limits)>,
    /// Acknowledged writes that a read does not know.
    pub stale_versions: Limits,
    /// In nanoseconds, since the first of those was acknowledged.
    pub stale_time: Limits,
}

/// What percentiles may be at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Limits {
    pub p50: Option<u64>,
    pub p90: Option<u64>,
    pub p99: Option<u64>,
    pub p999: Option<u64>,
    pub max: Option<u64>,
}

impl Limits {
    /// Adds what is above its limit; `None` stands for no values, which are above any.
    fn hold(&self, what: &str, found: Option<Percentiles>, show: fn(u64) -> String, findings: &mut Findings) {
        let limits = [self.p50, self.p90, self.p99, self.p999, self.max];
        let Some(found) = found else {
            if limits != [None; 5] {
                findings.add(|| format!("no {what} was measured"));
            }
            return;
        };
        for ((name, found), limit) in found.named().into_iter().zip(limits) {
            if let Some(limit) = limit.filter(|limit| found > *limit) {
                findings.add(|| format!("{what}: {name} is {}, above {}", show(found), show(limit)));
            }
        }
    }

    fn is_set(&self) -> bool {
        *self != Limits::default()
    }
}

impl Expect {
    /// The promises that need only the history.
    pub fn promises(&self, cluster: ClusterId, history: &[Operation]) -> Vec<Check> {
        let mut checks = Vec::new();
        if let Some(least) = self.availability {
            checks.push(available(least, history));
        }
        if !self.latency.is_empty() {
            let mut findings = Findings::default();
            for (kind, limits) in &self.latency {
                let found = stats::latency(history.iter().filter(|operation| operation.kind == *kind));
                let what = format!("latency of {}", kind.name());
                limits.hold(&what, found, |nanos| Duration(nanos).to_string(), &mut findings);
            }
            checks.push(findings.conclude("latency", "all as low as expected".into()));
        }
        if self.stale_versions.is_set() || self.stale_time.is_set() {
            let (missed, mut findings) = (staleness::of(cluster, history), Findings::default());
            let of = |value: fn(&Missed) -> u64| Percentiles::of(missed.iter().map(value));
            let (versions, time) = (of(|missed| missed.versions), of(|missed| missed.since.0));
            self.stale_versions.hold(
                "staleness in versions",
                versions,
                |count| count.to_string(),
                &mut findings,
            );
            let show = |nanos| Duration(nanos).to_string();
            self.stale_time.hold("staleness in time", time, show, &mut findings);
            checks
                .push(findings.conclude("staleness", format!("{} reads as fresh as expected", missed.len())));
        }
        checks.extend(self.holds.iter().map(|guarantee| {
            let judged = guarantee.judge(cluster, history);
            let detail = format!("{}: {}", judged.held, judged.detail);
            Check { name: guarantee.name(), ok: judged.held == Held::Holds, detail }
        }));
        checks
    }

    /// The facts that must not be reached, if there are any, against how often each was.
    pub fn absent(&self, facts: impl Iterator<Item = (Fact, u64)>) -> Option<Check> {
        let mut findings = Findings::default();
        for (fact, count) in facts.filter(|(fact, count)| *count > 0 && self.never.contains(fact)) {
            findings.add(|| format!("{} was reached {count} times", fact.name()));
        }
        let names: Vec<&str> = self.never.iter().map(|fact| fact.name()).collect();
        let looked_at = format!("not reached, as expected: {}", names.join(", "));
        (!names.is_empty()).then(|| findings.conclude("never", looked_at))
    }

    /// What a run was to show, as far as only the history is needed.
    pub fn demonstrations(&self, cluster: ClusterId, history: &[Operation]) -> Vec<Check> {
        let check = |guarantee: &Guarantee| {
            let judged = guarantee.judge(cluster, history);
            let ok = judged.held == Held::Broken;
            let word = if ok { "broken, as expected" } else { "expected to be broken, and it is not" };
            Check { name: guarantee.name(), ok, detail: format!("{word}: {}", judged.detail) }
        };
        self.breaks.iter().map(check).collect()
    }
}

fn available(least: Ppm, history: &[Operation]) -> Check {
    let ok = history.iter().filter(|operation| operation.class() == Class::Ok).count() as u64;
    let all = history.len() as u64;
    let found = (ok * 1_000_000).checked_div(all).unwrap_or(0);
    let mut findings = Findings::default();
    if found < u64::from(least.0) {
        findings.add(|| format!("{ok} of {all} operations succeeded, less than {least}"));
    }
    findings
        .conclude("availability", format!("{ok} of {all} operations succeeded, at least {least} expected"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Instant;
    use crate::sim::check::sample::{CLUSTER, Sample};
    use crate::sim::history::End;

    /// 100 writes and reads of five nanoseconds each; one read takes 900, and one misses a write.
    fn history() -> Vec<Operation> {
        let mut sample = Sample::default();
        let mut behind = sample.held.clone();
        for number in 0..100 {
            sample.write(Kind::Put, None);
            let now = sample.held.clone();
            if number == 50 {
                sample.held = behind;
            }
            sample.read();
            sample.held = now.clone();
            behind = now;
        }
        let last = sample.history.last_mut().expect("200 operations");
        last.end = Some(Instant(last.start.0 + 900));
        sample.history[7].result = End::Rejected(None);
        sample.history
    }

    fn failed(expect: Expect) -> Vec<String> {
        let history = history();
        let promises = expect.promises(CLUSTER, &history);
        let demonstrations = expect.demonstrations(CLUSTER, &history);
        assert!(!promises.is_empty() || !demonstrations.is_empty(), "nothing was looked at");
        let all = promises.into_iter().chain(demonstrations);
        all.filter(|check| !check.ok).map(|check| format!("{}: {}", check.name, check.detail)).collect()
    }

    #[test]
    fn a_fact_that_must_not_be_reached_is_told_when_it_is() {
        let expect = Expect { never: [Fact::MemberDown].into(), ..Expect::default() };
        let check = |count| {
            let facts = [(Fact::MemberUp, 7), (Fact::MemberDown, count)];
            expect.absent(facts.into_iter()).expect("there is one to look at")
        };
        assert!(check(0).ok);
        assert!(
            !check(2).ok && check(2).detail.contains("member_down was reached 2 times"),
            "{:?}",
            check(2)
        );
        assert_eq!(Expect::default().absent([(Fact::MemberDown, 1)].into_iter()), None);
    }

    #[test]
    fn each_limit_is_kept_or_broken_by_one() {
        let limits = |p50, max| Limits { p50: Some(p50), max: Some(max), ..Limits::default() };
        let latency = |kind, max| Expect { latency: [(kind, limits(5, max))].into(), ..Expect::default() };
        let available = |ppm| Expect { availability: Some(Ppm(ppm)), ..Expect::default() };
        let versions = |max| Expect { stale_versions: limits(0, max), ..Expect::default() };
        let time = |max| Expect { stale_time: limits(0, max), ..Expect::default() };
        for (good, bad, told) in [
            (available(995_000), available(995_001), "199 of 200 operations succeeded, less than 99.5001%"),
            (latency(Kind::Get, 900), latency(Kind::Get, 899), "max is 900ns, above 899ns"),
            (latency(Kind::Put, 5), latency(Kind::Put, 4), "latency of put: max is 5ns, above 4ns"),
            (latency(Kind::Put, 5), latency(Kind::Delete, 5), "no latency of del was measured"),
            (versions(1), versions(0), "staleness in versions: max is 1, above 0"),
            (time(5), time(4), "staleness in time: max is 5ns, above 4ns"),
        ] {
            assert_eq!(failed(good), Vec::<String>::new());
            let told_of = failed(bad);
            assert!(told_of.len() == 1 && told_of[0].contains(told), "{told}: {told_of:?}");
        }
    }

    #[test]
    fn a_guarantee_holds_or_is_broken_but_not_both() {
        for guarantee in [Guarantee::Linearizable, Guarantee::ReadYourWrites] {
            let holds = failed(Expect { holds: [guarantee].into(), ..Expect::default() });
            let breaks = failed(Expect { breaks: [guarantee].into(), ..Expect::default() });
            assert!(breaks.is_empty() && holds.len() == 1, "{holds:?} {breaks:?}");
        }
        let guarantee = Guarantee::MonotonicWrites;
        assert_eq!(failed(Expect { holds: [guarantee].into(), ..Expect::default() }), Vec::<String>::new());
        let breaks = failed(Expect { breaks: [guarantee].into(), ..Expect::default() });
        assert!(breaks[0].contains("it is not"), "{breaks:?}");
    }
}
