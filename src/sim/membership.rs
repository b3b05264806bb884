//! The account of what nodes believe of each other: how news of a failure or a return gets around, and who is
//! convicted though it runs.
//!
//! A node counts as undisturbed while it runs, no fault of its own is on, and none of any link. Whoever convicts a node
//! that has been undisturbed for longer than news needs to get around is wrong. (Sooner, it may just have heard late of
//! what was true a moment before.) Who is ill itself, paused or slow, may hear as late as it has been ill; but to those
//! who were well all that time it does no wrong only if it trusts itself less than them.
//!
//! A node that has never heard of another does not count on it, so it has nothing to learn of its failure.

use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::vec::Vec;

use crate::base::id::NodeId;
use crate::base::time::{Duration, Instant};
use crate::sim::host::Host;

/// A failure or a return, and how far the news of it has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct News {
    /// By number from 0.
    pub node: usize,
    pub failed: bool,
    pub at: Instant,
    /// When somebody knew it, and when all who run did.
    pub first: Option<Instant>,
    pub all: Option<Instant>,
    /// Who did not know it yet when it was over.
    pub missed: Vec<usize>,
}

/// A node that was convicted though it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conviction {
    pub by: usize,
    pub node: usize,
    pub at: Instant,
    /// For how long it had been undisturbed when its judge last followed what happened.
    pub undisturbed: Duration,
}

/// What is wrong in the minds of nodes, as far as it is worth remembering.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Membership {
    /// By node: whom it takes for dead.
    beliefs: Vec<BTreeSet<usize>>,
    /// By node: since when it runs, if it does.
    runs: Vec<Option<Instant>>,
    news: Vec<News>,
    convictions: Vec<Conviction>,
}

impl Membership {
    pub fn new(nodes: usize) -> Membership {
        Membership {
            beliefs: std::vec![BTreeSet::new(); nodes],
            runs: std::vec![None; nodes],
            ..Membership::default()
        }
    }

    /// `node` does not run any more, if it did.
    pub fn failed(&mut self, node: usize, hosts: &[Host], at: Instant) {
        if self.runs[node].take().is_some() {
            self.beliefs[node].clear();
            self.announce(node, true, hosts, at);
            self.look_round(hosts, at);
        }
    }

    /// `node` runs, for the first time or again.
    pub fn started(&mut self, node: usize, hosts: &[Host], at: Instant) {
        self.runs[node] = Some(at);
        if self.news.iter().any(|news| news.node == node) {
            self.announce(node, false, hosts, at);
            self.look_round(hosts, at);
        }
    }

    fn announce(&mut self, node: usize, failed: bool, hosts: &[Host], at: Instant) {
        let Membership { beliefs, runs, news, .. } = self;
        for news in news.iter_mut().filter(|news| news.node == node && news.is_on_its_way()) {
            news.missed = ignorant(news, beliefs, runs, hosts).collect();
        }
        news.push(News { node, failed, at, first: None, all: None, missed: Vec::new() });
    }

    /// Whom `by` takes for dead has changed. Until `well` it could follow what happened, and of each node `disturbed`
    /// tells when it last was.
    pub fn heard(
        &mut self,
        by: usize,
        hosts: &[Host],
        well: Instant,
        disturbed: impl Fn(usize) -> Instant,
        at: Instant,
    ) {
        let Some(node) = &hosts[by].node else { return };
        let numbers = node.down().filter_map(|id| (id.0 as usize).checked_sub(1));
        let now: BTreeSet<usize> = numbers.filter(|&number| number < hosts.len()).collect();
        for &node in now.difference(&self.beliefs[by]) {
            let Some(runs) = self.runs[node] else { continue };
            let undisturbed = well.min(at).since(runs.max(disturbed(node)));
            if undisturbed > Duration::ZERO {
                self.convictions.push(Conviction { by, node, at, undisturbed });
            }
        }
        let before = core::mem::replace(&mut self.beliefs[by], now);
        let now = &self.beliefs[by];
        for news in self.news.iter_mut().filter(|news| news.is_on_its_way()) {
            if before.contains(&news.node) != now.contains(&news.node)
                && now.contains(&news.node) == news.failed
            {
                news.first = news.first.or(Some(at));
            }
        }
        self.look_round(hosts, at);
    }

    /// Notes which news all who run know by now.
    fn look_round(&mut self, hosts: &[Host], at: Instant) {
        let Membership { beliefs, runs, news, .. } = self;
        for news in news.iter_mut().filter(|news| news.is_on_its_way()) {
            if ignorant(news, beliefs, runs, hosts).next().is_none() {
                news.all = Some(at);
            }
        }
    }

    pub fn nodes(&self) -> usize {
        self.beliefs.len()
    }

    pub fn news(&self) -> &[News] {
        &self.news
    }

    /// The convictions of nodes that had been undisturbed for longer than `grace`.
    pub fn wrong(&self, grace: Duration) -> impl Iterator<Item = &Conviction> {
        self.convictions.iter().filter(move |conviction| conviction.undisturbed > grace)
    }

    /// How many convictions were none of those.
    pub fn excused(&self, grace: Duration) -> usize {
        self.convictions.len() - self.wrong(grace).count()
    }

    #[cfg(test)]
    pub(crate) fn with(nodes: usize, news: Vec<News>, convictions: Vec<Conviction>) -> Membership {
        Membership { news, convictions, ..Membership::new(nodes) }
    }
}

/// Who runs and does not know it.
fn ignorant(
    news: &News,
    beliefs: &[BTreeSet<usize>],
    runs: &[Option<Instant>],
    hosts: &[Host],
) -> impl Iterator<Item = usize> {
    let (node, failed) = (news.node, news.failed);
    let others = (0..runs.len()).filter(move |&by| by != node && runs[by].is_some());
    let knows = move |by: usize| hosts[by].node.as_ref().is_some_and(|by| by.knows(NodeId(node as u64 + 1)));
    others.filter(move |&by| beliefs[by].contains(&node) != failed && (!failed || knows(by)))
}

impl News {
    fn is_on_its_way(&self) -> bool {
        self.all.is_none() && self.missed.is_empty()
    }

    pub fn name(&self) -> String {
        format!("the {} of n{}", if self.failed { "failure" } else { "return" }, self.node + 1)
    }

    /// Rounds of gossip from the first who knew to the last; `None` if some never did.
    pub fn rounds(&self, every: Duration) -> Option<u64> {
        let all = self.all?;
        Some(all.since(self.first.unwrap_or(all)).0.div_ceil(every.0))
    }
}
