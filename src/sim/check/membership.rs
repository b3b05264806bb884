//! Membership: each failure and each return gets around to all in a number of rounds of gossip that the scenario
//! bounds; and in every run, nobody who runs and can be reached is taken for dead.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::{Check, Findings};
use crate::base::time::Duration;
use crate::sim::membership::Membership;

/// Checks whom nodes convicted, where news is known to all `within` that time.
pub fn convictions(membership: &Membership, within: Duration) -> Check {
    let mut findings = Findings::default();
    for wrong in membership.wrong(within) {
        let (by, node, well) = (wrong.by + 1, wrong.node + 1, wrong.undisturbed);
        findings.add(|| {
            format!("n{by} took n{node} for dead at {}, which ran, and was well for {well} before", wrong.at)
        });
    }
    let excused = membership.excused(within);
    findings.conclude("convictions", format!("nobody who was well was taken for dead; {excused} excused"))
}

/// Checks what got around; a round of gossip takes `every`.
pub fn check(membership: &Membership, rounds_max: u32, every: Duration) -> Check {
    let mut findings = Findings::default();
    let mut told: Vec<String> = Vec::new();
    for news in membership.news() {
        let name = news.name();
        match news.rounds(every) {
            None if !news.missed.is_empty() => findings.add(|| {
                let (count, one) = (news.missed.len(), news.missed[0] + 1);
                format!("{name} was over before {count} nodes knew it, n{one} among them")
            }),
            None => findings.add(|| format!("{name} never got around to all")),
            Some(rounds) if rounds > u64::from(rounds_max) => {
                findings.add(|| format!("{name} took {rounds} rounds to get around"));
            }
            Some(rounds) => {
                let after = news.first.unwrap_or(news.at).since(news.at);
                told.push(format!("{name} noticed after {after}, known to all {rounds} rounds later"));
            }
        }
    }
    if membership.news().is_empty() {
        findings.add(|| "nobody failed, so nothing could get around".into());
    }
    let nodes = membership.nodes();
    let log2 = usize::BITS - nodes.saturating_sub(1).leading_zeros();
    let told = told.join("; ");
    findings.conclude("membership", format!("{nodes} nodes (log2: {log2}); {told}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Instant;
    use crate::sim::membership::{Conviction, News};

    const EVERY: Duration = Duration(10);

    fn failure() -> News {
        let (first, all) = (Some(Instant(150)), Some(Instant(185)));
        News { node: 6, failed: true, at: Instant(100), first, all, missed: Vec::new() }
    }

    fn check_of(news: News) -> Check {
        check(&Membership::with(1000, std::vec![news], Vec::new()), 5, EVERY)
    }

    #[test]
    fn news_that_gets_around_in_time_is_well() {
        let check = check_of(failure());
        let told = "1000 nodes (log2: 10); \
                    the failure of n7 noticed after 50ns, known to all 4 rounds later";
        assert!(check.ok && check.detail == told, "{check:?}");
    }

    #[test]
    fn news_that_is_late_or_lost_is_found() {
        for (news, told) in [
            (News { all: None, ..failure() }, "never got around"),
            (News { all: None, missed: std::vec![1], ..failure() }, "was over before 1 nodes knew it, n2"),
            (News { all: Some(Instant(210)), ..failure() }, "took 6 rounds"),
        ] {
            let check = check_of(news);
            assert!(!check.ok && check.detail.contains(told), "{check:?}");
        }
        assert!(!check(&Membership::with(3, Vec::new(), Vec::new()), 5, EVERY).ok, "nothing was tested");
    }

    #[test]
    fn a_node_that_is_taken_for_dead_although_it_runs_is_found() {
        let convicted =
            |undisturbed| Conviction { by: 1, node: 2, at: Instant(500), undisturbed: Duration(undisturbed) };
        let convictions_of = |convicted| {
            convictions(&Membership::with(3, Vec::new(), std::vec![convicted]), EVERY.saturating_mul(5))
        };
        let check = convictions_of(convicted(51));
        assert!(!check.ok && check.detail.contains("n2 took n3 for dead"), "{check:?}");
        let stale = convictions_of(convicted(50));
        assert!(stale.ok && stale.detail.ends_with("1 excused"), "it may have heard late: {stale:?}");
    }
}
