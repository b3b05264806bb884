//! [`View`]: what one node believes of the cluster.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::base::id::{Generation, NodeId};
use crate::base::limits::MEMBERS_MAX;
use crate::base::rng::Stream;
use crate::base::time::{Duration, Instant};
use crate::member::detector::Charges;
use crate::member::gossip::{ACCUSATIONS_MAX, Accusation, Card, Gossip, NEWS_MAX, News};

/// A member that is not this node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Member {
    card: Card,
    heartbeat: u64,
    /// When the heartbeat was last seen to rise, on the own clock.
    advanced: Instant,
    /// The own judgement: silent for too long.
    suspected: bool,
    charges: Charges,
    /// Convicted by enough observers.
    down: bool,
}

/// Something about a member changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A member that was not known, or that started anew.
    Joined(Card),
    Up(NodeId),
    Down(NodeId),
    /// Somebody spoke for a generation that is over.
    Refused(NodeId),
}

/// What one node believes of the cluster. No member is ever forgotten here, and every member is contacted for ever:
/// so the two sides of a long split find each other again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    me: News,
    members: BTreeMap<NodeId, Member>,
    every: Duration,
    suspect_after: Duration,
    last_beat: Instant,
}

impl View {
    /// The view of a node that has met nobody yet. It will call [`View::beat`] once in `every`, and suspects a member
    /// whose heartbeat has not risen for `suspect_after`.
    pub fn new(me: Card, every: Duration, suspect_after: Duration, now: Instant) -> View {
        assert!(suspect_after > every, "nobody's heart beats faster than it is told to");
        let me = News { card: me, heartbeat: 0 };
        View { me, members: BTreeMap::new(), every, suspect_after, last_beat: now }
    }

    /// All members, this node included, in order of id, each with whether it is believed to be up.
    pub fn members(&self) -> impl Iterator<Item = (&Card, bool)> {
        let me = &self.me.card;
        let before = self.members.range(..me.node).map(|(_, member)| (&member.card, !member.down));
        let after = self.members.range(me.node..).map(|(_, member)| (&member.card, !member.down));
        before.chain([(me, true)]).chain(after)
    }

    /// Whether to count on `node`: known, not suspected here, and not convicted.
    pub fn usable(&self, node: NodeId) -> bool {
        self.members.get(&node).is_some_and(|member| !member.suspected && !member.down)
    }

    /// Whether `node` was convicted by enough observers.
    pub fn is_down(&self, node: NodeId) -> bool {
        self.members.get(&node).is_some_and(|member| member.down)
    }

    /// The generation of `node`, if it is known.
    pub fn generation(&self, node: NodeId) -> Option<Generation> {
        self.members.get(&node).map(|member| member.card.generation)
    }

    /// One beat of the own heart, and a look at who has become silent. To be called once in `every`; if it is called
    /// much later, this node itself was paused, and nobody else's silence means anything: everybody gets a new start.
    pub fn beat(&mut self, now: Instant) -> Vec<Change> {
        let paused = now.since(self.last_beat) > self.every.saturating_mul(3);
        self.last_beat = now;
        self.me.heartbeat += 1;
        let (me, ttl) = (self.me.card.node, self.suspect_after.saturating_mul(2));
        for (&node, member) in &mut self.members {
            if paused {
                member.advanced = now;
            }
            member.suspected = now.since(member.advanced) > self.suspect_after;
            if member.suspected {
                let generation = member.card.generation;
                let accusation =
                    Accusation { accused: node, accuser: me, generation, heartbeat: member.heartbeat };
                member.charges.hear(accusation, generation, member.heartbeat, now);
                member.charges.renew(accusation, now);
            } else {
                member.charges.withdraw(me);
            }
            member.charges.lapse(ttl, now);
        }
        self.judge()
    }

    /// What to tell a peer: this node, some others by chance, and the accusations that stand.
    pub fn gossip(&self, rng: &mut Stream, layout: u64, wants_reply: bool) -> Gossip {
        let news = |member: &Member| News { card: member.card.clone(), heartbeat: member.heartbeat };
        let others = self.window(rng).map(news).collect();
        // The own accusations first: nobody else renews them.
        let me = self.me.card.node;
        let all = || self.members.values().flat_map(|member| member.charges.iter());
        let own = all().filter(|accusation| accusation.accuser == me);
        let relayed = all().filter(|accusation| accusation.accuser != me);
        let accusations = own.chain(relayed).take(ACCUSATIONS_MAX).collect();
        Gossip { sender: self.me.clone(), others, accusations, layout, wants_reply }
    }

    /// Up to `NEWS_MAX` members, beginning at a random one.
    fn window(&self, rng: &mut Stream) -> impl Iterator<Item = &Member> {
        let start =
            if self.members.len() > NEWS_MAX { rng.below(self.members.len() as u64) as usize } else { 0 };
        self.members.values().cycle().skip(start).take(NEWS_MAX.min(self.members.len()))
    }

    /// Whom to gossip to: `count` members by chance, and now and then, besides, one that is taken for dead.
    pub fn targets(&self, rng: &mut Stream, count: usize) -> Vec<NodeId> {
        let (mut silent, mut alive): (Vec<NodeId>, Vec<NodeId>) =
            self.members.keys().partition(|node| !self.usable(**node));
        rng.shuffle(&mut alive);
        alive.truncate(count);
        rng.shuffle(&mut silent);
        alive.extend(silent.first());
        alive
    }

    /// Takes in what `from` tells.
    pub fn merge(&mut self, from: NodeId, gossip: &Gossip, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        if gossip.sender.card.node != from {
            return changes;
        }
        for news in gossip.others.iter().chain([&gossip.sender]) {
            changes.extend(self.hear(news, now));
        }
        for accusation in &gossip.accusations {
            if let Some(member) = self.members.get_mut(&accusation.accused) {
                // What the accuser says in person renews its accusation. An echo of the own does not come back in:
                // this node knows best whom it suspects.
                let known = (member.card.generation, member.heartbeat);
                if accusation.accuser != self.me.card.node {
                    member.charges.hear(*accusation, known.0, known.1, now);
                }
                if accusation.accuser == from {
                    member.charges.renew(*accusation, now);
                }
            }
        }
        changes.extend(self.judge());
        changes
    }

    /// Hears of one member.
    fn hear(&mut self, news: &News, now: Instant) -> Option<Change> {
        let node = news.card.node;
        if node == self.me.card.node {
            return None;
        }
        let room = self.members.len() < MEMBERS_MAX;
        let Some(member) = self.members.get_mut(&node) else {
            if room {
                self.members.insert(node, Member::new(news, now));
            }
            return room.then(|| Change::Joined(news.card.clone()));
        };
        if news.card.generation < member.card.generation {
            return Some(Change::Refused(node));
        }
        if news.card.generation > member.card.generation {
            let (down, charges) = (member.down, core::mem::take(&mut member.charges));
            *member = Member { down, charges, ..Member::new(news, now) };
            member.charges.refute(news.card.generation, news.heartbeat);
            return Some(Change::Joined(news.card.clone()));
        }
        if news.heartbeat > member.heartbeat {
            member.heartbeat = news.heartbeat;
            member.advanced = now;
            member.suspected = false;
            member.charges.refute(news.card.generation, news.heartbeat);
        }
        None
    }

    /// Brings every member's state in line with its charges; the answer is what changed.
    fn judge(&mut self) -> Vec<Change> {
        let count = self.members.len() + 1;
        let mut changes = Vec::new();
        for (&node, member) in &mut self.members {
            let down = member.charges.convict(count);
            if down != member.down {
                member.down = down;
                changes.push(if down { Change::Down(node) } else { Change::Up(node) });
            }
        }
        changes
    }
}

impl Member {
    fn new(news: &News, now: Instant) -> Member {
        Member {
            card: news.card.clone(),
            heartbeat: news.heartbeat,
            advanced: now,
            suspected: false,
            charges: Charges::default(),
            down: false,
        }
    }
}
