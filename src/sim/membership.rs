//! The account of what nodes believe of each other: how news of a failure or a return gets around, and who is
//! convicted though it runs.
//!
//! A node counts as undisturbed while it runs, is not paused, and no partition is on. Whoever convicts a node that has
//! been undisturbed for longer than news needs to get around is wrong. (Sooner, it may just have heard late of what
//! was true a moment before.)

use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::vec::Vec;

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
    /// It was over before all knew it.
    pub overtaken: bool,
}

/// A node that was convicted though it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conviction {
    pub by: usize,
    pub node: usize,
    pub at: Instant,
    /// For how long it had been undisturbed.
    pub undisturbed: Duration,
}

/// What is wrong in the minds of nodes, as far as it is worth remembering.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Membership {
    /// By node: whom it takes for dead.
    beliefs: Vec<BTreeSet<usize>>,
    /// By node: until when it is or was disturbed.
    disturbed: Vec<Instant>,
    /// The same for all.
    parted: Instant,
    news: Vec<News>,
    convictions: Vec<Conviction>,
}

impl Membership {
    pub fn new(nodes: usize) -> Membership {
        Membership {
            beliefs: std::vec![BTreeSet::new(); nodes],
            disturbed: std::vec![Instant::ZERO; nodes],
            ..Membership::default()
        }
    }

    /// `node` is disturbed until then.
    pub fn disturbed(&mut self, node: usize, until: Instant) {
        self.disturbed[node] = self.disturbed[node].max(until);
    }

    /// Some links are cut until then.
    pub fn parted(&mut self, until: Instant) {
        self.parted = until;
    }

    /// `node` has lost power.
    pub fn failed(&mut self, node: usize, at: Instant) {
        self.disturbed[node] = Instant(u64::MAX);
        self.beliefs[node].clear();
        self.announce(node, true, at);
    }

    /// `node` runs, for the first time or again.
    pub fn started(&mut self, node: usize, hosts: &[Host], at: Instant) {
        let again = self.disturbed[node] == Instant(u64::MAX);
        self.disturbed[node] = at;
        if again {
            self.announce(node, false, at);
            self.look_round(hosts, at);
        }
    }

    fn announce(&mut self, node: usize, failed: bool, at: Instant) {
        for news in self.news.iter_mut().filter(|news| news.node == node) {
            news.overtaken |= news.all.is_none();
        }
        self.news.push(News { node, failed, at, first: None, all: None, overtaken: false });
    }

    /// What `by` believes has changed.
    pub fn heard(&mut self, by: usize, hosts: &[Host], at: Instant) {
        let Some(node) = &hosts[by].node else { return };
        let numbers = node.down().filter_map(|id| (id.0 as usize).checked_sub(1));
        let now: BTreeSet<usize> = numbers.filter(|&number| number < hosts.len()).collect();
        for &node in now.difference(&self.beliefs[by]) {
            let since = self.disturbed[node].max(self.parted);
            if hosts[node].is_up() && since < at {
                self.convictions.push(Conviction { by, node, at, undisturbed: at.since(since) });
            }
        }
        let before = core::mem::replace(&mut self.beliefs[by], now);
        let now = &self.beliefs[by];
        for news in self.news.iter_mut().filter(|news| news.all.is_none() && !news.overtaken) {
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
        let beliefs = &self.beliefs;
        for news in self.news.iter_mut().filter(|news| news.all.is_none() && !news.overtaken) {
            let others = (0..hosts.len()).filter(|&by| by != news.node && hosts[by].is_up());
            let mut known = others.map(|by| beliefs[by].contains(&news.node) == news.failed);
            if known.all(|known| known) {
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

    #[cfg(test)]
    pub(crate) fn with(nodes: usize, news: Vec<News>, convictions: Vec<Conviction>) -> Membership {
        Membership { news, convictions, ..Membership::new(nodes) }
    }
}

impl News {
    pub fn name(&self) -> String {
        format!("the {} of n{}", if self.failed { "failure" } else { "return" }, self.node + 1)
    }

    /// Rounds of gossip from the first who knew to the last; `None` if some never did.
    pub fn rounds(&self, every: Duration) -> Option<u64> {
        let all = self.all?;
        Some(all.since(self.first.unwrap_or(all)).0.div_ceil(every.0))
    }
}
