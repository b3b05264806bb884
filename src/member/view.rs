//! [`View`]: what one node believes of the cluster.
//!
//! Each round a node costs its peers a bounded number of messages of a bounded size, however large the cluster is:
//! heartbeats go to the few who watch it ([`crate::member::watch`]), what has changed spreads to all as rumours
//! ([`crate::member::rumour`]), and a little of everything else is told by chance, so that in time everybody knows
//! everything even if all rumours about it were lost. Chance is slow with the last few of a thousand, though: members
//! that the layout names and of whom nothing was heard are asked about by name.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use crate::base::id::{Generation, NodeId};
use crate::base::invariant::{Broken, holds};
use crate::base::limits::MEMBERS_MAX;
use crate::base::rng::Stream;
use crate::base::time::{Duration, Instant};
use crate::member::detector::{Charges, ONE_CONVICTS, Sign};
use crate::member::gossip::{ACCUSATIONS_MAX, Accusation, Card, Gossip, NEWS_MAX, News, WANTED_MAX};
use crate::member::health::{Health, Symptoms};
use crate::member::roster::{Member, Place, Roster};
use crate::member::rumour::{Rumours, doublings};
use crate::member::watch::{Ring, WATCHED};

/// A cluster of so many is told of as a whole in every message.
const SMALL: usize = 24;
/// Of a larger one, so many members are told of even if nothing about them is new.
const SAMPLE: usize = 8;
/// How many contact a silent member in a round, on average, at most one each.
const SILENT_CONTACTS: usize = 8;
/// Doublings of a cluster up to which heartbeats arrive without detours. Beyond, silence has to last longer.
const NEAR_DOUBLINGS: u32 = 4;

/// See [`View::invariants`].
const LOOKED_AT: usize = 4;

/// How often a node raises its generation above what is told of it, before it concludes that its rival is alive.
const RAISES_MAX: u32 = 8;

/// Something about a member changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A member that was not known, or that started anew.
    Joined(Card),
    Up(NodeId),
    Down(NodeId),
    /// Somebody spoke for a generation that is over.
    Refused(NodeId),
    /// This node would accuse the member, but for its own state of health.
    Withheld(NodeId),
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience<'a> {
    /// One who watches the same members.
    Neighbour,
    /// One who asked, or has missed something, and whom it wants to hear of. It is told of itself as well: if it lost
    /// its disk, it does not know that it had an earlier life.
    Asker(NodeId, &'a [NodeId]),
    /// One who is asked to reply.
    Anybody,
}

/// What this node believes of another member.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Belief {
    pub node: NodeId,
    /// The own judgement: silent for too long.
    pub suspected: bool,
    /// Convicted by enough observers.
    pub down: bool,
    /// Who says so, as far as it is known here and not refuted.
    pub accusers: Vec<NodeId>,
}

impl fmt::Display for Belief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match (self.down, self.suspected) {
            (true, _) => "down",
            (false, true) => "suspected",
            (false, false) => "up",
        };
        write!(f, "{} {word}", self.node)?;
        let accusers: Vec<_> = self.accusers.iter().map(ToString::to_string).collect();
        if accusers.is_empty() { Ok(()) } else { write!(f, " (accused by {})", accusers.join(" ")) }
    }
}

/// What one node believes of the cluster. No member is ever forgotten here, and every member is contacted for ever:
/// so the two sides of a long split find each other again.
#[derive(Clone, Debug, Hash)]
pub struct View {
    me: News,
    members: Roster,
    /// Who should be a member, but was not heard of yet.
    unheard: BTreeSet<NodeId>,
    /// The members in an order that chance changes, to draw from.
    deck: Vec<Place>,
    ring: Ring,
    watched: Vec<NodeId>,
    charges: BTreeMap<NodeId, Charges>,
    down: BTreeSet<NodeId>,
    rumours: Rumours,
    health: Health,
    /// What was noticed since the last beat: whether anybody was heard, and whether this node was accused.
    heard: bool,
    accused: bool,
    every: Duration,
    suspect_after: Duration,
    last_beat: Instant,
    /// How often the own generation was raised.
    raises: u32,
}

impl View {
    /// The view of a node that has met nobody yet. It will call [`View::beat`] once in `every`, and suspects a member
    /// that it watches and whose heartbeat has not risen for `suspect_after` (longer in clusters of 16 and more).
    pub fn new(me: Card, every: Duration, suspect_after: Duration, now: Instant) -> View {
        assert!(suspect_after > every, "nobody's heart beats faster than it is told to");
        let mut ring = Ring::default();
        ring.insert(me.node);
        View {
            me: News { card: me, heartbeat: 0 },
            members: Roster::default(),
            unheard: BTreeSet::new(),
            deck: Vec::new(),
            ring,
            watched: Vec::new(),
            charges: BTreeMap::new(),
            down: BTreeSet::new(),
            rumours: Rumours::default(),
            health: Health::default(),
            heard: false,
            accused: false,
            every,
            suspect_after,
            last_beat: now,
            raises: 0,
        }
    }

    /// All members, this node included, in order of id, each with whether it is believed to be up.
    pub fn members(&self) -> Vec<(&Card, bool)> {
        let others = self.members.by_node().into_iter().map(|member| &member.card);
        let mut members: Vec<_> = others.map(|card| (card, !self.is_down(card.node))).collect();
        let before = members.partition_point(|(card, _)| card.node < self.me.card.node);
        members.insert(before, (&self.me.card, true));
        members
    }

    /// How many there are, this node included.
    pub fn count(&self) -> usize {
        self.members.len() + 1
    }

    /// What is believed of every other member, in order of id.
    pub fn beliefs(&self) -> impl Iterator<Item = Belief> {
        self.members.by_node().into_iter().map(|&Member { card: Card { node, .. }, suspected, .. }| Belief {
            node,
            suspected,
            down: self.is_down(node),
            accusers: self.charges.get(&node).map(Charges::voices).unwrap_or_default(),
        })
    }

    /// What holds between any two steps. A few members are looked at, others with each beat, because this is asked for
    /// after each step.
    pub fn invariants(&self) -> Result<(), Broken> {
        let (me, count) = (self.me.card.node, self.members.len() + 1);
        holds(self.members.place(me).is_none(), "a node is not a member beside itself")?;
        holds(count <= MEMBERS_MAX + 1, "no more members are known than there may be")?;
        let listed = (self.deck.len() + 1, self.ring.len());
        holds(listed == (count, count), "the deck and the ring list every member")?;
        let mut unheard = self.unheard.iter().take(LOOKED_AT);
        let unknown = unheard.all(|&node| node != me && self.members.place(node).is_none());
        holds(unknown, "who is asked about is not known")?;
        let first = (self.me.heartbeat as usize).checked_rem(self.members.len()).unwrap_or(0);
        self.members.around(first).take(LOOKED_AT).map(|place| &self.members[place]).try_for_each(|member| {
            let node = member.card.node;
            let found = self.members.get(node).is_some_and(|found| core::ptr::eq(found, member));
            holds(found, "a member goes by its own name")?;
            let charges = self.charges.get(&node);
            holds(
                self.down.contains(&node) == charges.is_some_and(|charges| charges.convict(count)),
                "who is down was convicted, and who was is down",
            )?;
            let known = (member.card.generation, member.heartbeat);
            holds(
                charges.is_none_or(|charges| charges.stand(node, known)),
                "what a heartbeat has refuted is not held against anybody",
            )
        })
    }

    /// Whether to count on `node`: known, not suspected here, and not convicted.
    pub fn usable(&self, node: NodeId) -> bool {
        !self.is_down(node) && self.members.get(node).is_some_and(|member| !member.suspected)
    }

    /// Whether `node` was convicted by enough observers.
    pub fn is_down(&self, node: NodeId) -> bool {
        self.down.contains(&node)
    }

    /// Who was.
    pub fn down(&self) -> impl Iterator<Item = NodeId> {
        self.down.iter().copied()
    }

    /// The generation of `node`, if it is known.
    pub fn generation(&self, node: NodeId) -> Option<Generation> {
        self.members.get(node).map(|member| member.card.generation)
    }

    /// What gossip tells a node of itself: the generation of another life of it that went further than this one, and
    /// whether that life can only be one that still goes on. An earlier life, of a disk that is gone or of which this
    /// is an old copy, is outlived after a few raises, however many peers know how much of it. Whoever has to raise
    /// again and again has a rival.
    pub fn other_life(&self, gossip: &Gossip) -> Option<(Generation, bool)> {
        let me = (self.me.card.generation, self.me.heartbeat);
        let of_me = |news: &&News| news.card.node == self.me.card.node;
        let told = gossip.others.iter().filter(of_me).map(|news| (news.card.generation, news.heartbeat));
        let told = told.max()?;
        (told > me).then_some((told.0, self.raises >= RAISES_MAX))
    }

    /// The own generation was raised.
    pub fn reborn(&mut self, generation: Generation) {
        assert!(generation > self.me.card.generation, "generations only rise");
        self.me.card.generation = generation;
        self.raises += 1;
    }

    /// One beat of the own heart, and a look at who of the watched has become silent. To be called once in `every`; if
    /// it is called much later, this node itself was paused, and nobody else's silence means anything: everybody gets
    /// a new start.
    pub fn beat(&mut self, now: Instant) -> Vec<Change> {
        let since = now.since(self.last_beat);
        let paused = since > self.every.saturating_mul(3);
        self.last_beat = now;
        self.me.heartbeat += 1;
        self.health.note(Symptoms {
            late: since > self.every.saturating_mul(3).divided(2),
            deaf: !self.heard && self.members.len() - self.down.len() > 1,
            accused: self.accused,
        });
        (self.heard, self.accused) = (false, false);
        self.choose_watched(now);
        let mut changes = Vec::new();
        for node in self.watched.clone() {
            changes.extend(self.look_at(node, paused, now));
        }
        let (ttl, count) = (self.patience().saturating_mul(2), self.count());
        self.charges.values_mut().for_each(|charges| charges.lapse(ttl, count, now));
        self.charges.retain(|_, charges| !charges.is_empty());
        changes
    }

    /// How long a heartbeat may stand still. In a large cluster it comes by more detours, and as many more nodes give
    /// as many more occasions for a mistake; both grow with the logarithm of the number.
    fn patience(&self) -> Duration {
        let doublings = doublings(self.count()).max(NEAR_DOUBLINGS);
        self.suspect_after.saturating_mul(doublings.into()).divided(NEAR_DOUBLINGS.into())
    }

    fn choose_watched(&mut self, now: Instant) {
        let watched = self.ring.neighbours(self.me.card.node, |node| self.is_down(node));
        for &node in watched.iter().filter(|node| self.watched.binary_search(node).is_err()) {
            if let Some(member) = self.members.get_mut(node) {
                member.advanced = now;
            }
        }
        for node in core::mem::take(&mut self.watched) {
            if watched.binary_search(&node).is_err() {
                self.believe(node);
            }
        }
        self.watched = watched;
    }

    /// This node has nothing to say against `node` any more. A conviction stands all the same.
    fn believe(&mut self, node: NodeId) {
        if let Some(member) = self.members.get_mut(node) {
            member.suspected = false;
        }
        if !self.is_down(node)
            && let Some(charges) = self.charges.get_mut(&node)
        {
            charges.withdraw(self.me.card.node);
        }
    }

    fn look_at(&mut self, node: NodeId, paused: bool, now: Instant) -> Option<Change> {
        let (patience, me) = (self.patience(), self.me.card.node);
        let place = self.members.place(node).expect("who is watched is a member");
        let member = &mut self.members[place];
        if paused {
            member.advanced = now;
        }
        let silent = now.since(member.advanced);
        let before = core::mem::replace(&mut member.suspected, silent > patience);
        if !member.suspected {
            self.believe(node);
            return None;
        }
        let last = (member.card.generation, member.heartbeat);
        if silent <= self.health.stretch(patience) {
            return (!before).then_some(Change::Withheld(node));
        }
        if self.charges.entry(node).or_default().hear(me, last, now) {
            self.rumours.start(place);
        }
        self.judge(place)
    }

    /// These are to be known. Who was not heard of yet is asked about.
    pub fn expect(&mut self, members: impl Iterator<Item = NodeId>) {
        let unknown = |node: &NodeId| *node != self.me.card.node && self.members.place(*node).is_none();
        self.unheard = members.filter(unknown).collect();
    }

    /// Some of those who were not heard of yet, by chance.
    fn wanted(&self, rng: &mut Stream) -> Vec<NodeId> {
        let count = self.unheard.len();
        let first = if count > WANTED_MAX { rng.below(count as u64) as usize } else { 0 };
        self.unheard.iter().cycle().skip(first).take(count.min(WANTED_MAX)).copied().collect()
    }

    /// What to tell a peer: this node, whom it asked about, what is new, some others by chance, and who is accused of
    /// them.
    pub fn tell(&mut self, rng: &mut Stream, audience: Audience, layout: u64) -> Gossip {
        let (asker, wanted) = match audience {
            Audience::Asker(node, wanted) => (self.members.place(node), wanted),
            Audience::Neighbour | Audience::Anybody => (None, &[][..]),
        };
        let asked = wanted.iter().take(WANTED_MAX).filter_map(|&node| self.members.place(node));
        let news = self.rumours.take(NEWS_MAX / 2, self.count());
        let near = if audience == Audience::Neighbour { &self.watched[..] } else { &[] };
        let near = near.iter().filter_map(|&node| self.members.place(node));
        let (len, sampled) = (self.members.len(), if self.members.len() <= SMALL { SMALL } else { SAMPLE });
        let first = if len > 0 { rng.below(len as u64) as usize } else { 0 };
        let mut told: Vec<Place> = Vec::new();
        for place in asked.chain(news).chain(near).chain(self.members.around(first).take(sampled)) {
            if !told.contains(&place) {
                told.push(place);
            }
        }
        let mut gossip = Gossip {
            sender: self.me.clone(),
            others: Vec::with_capacity(told.len() + 1),
            accusations: Vec::new(),
            layout,
            wants_reply: audience == Audience::Anybody,
            wanted: if audience == Audience::Anybody { self.wanted(rng) } else { Vec::new() },
        };
        gossip.others.extend(asker.map(|place| self.members[place].news()));
        for place in told.into_iter().filter(|&place| asker != Some(place)) {
            self.tell_of(&self.members[place], &mut gossip);
        }
        gossip
    }

    /// What to tell one who does not know that it had a later life: of itself, and no more.
    pub fn tell_of_itself(&self, node: NodeId, layout: u64) -> Option<Gossip> {
        let member = self.members.get(node)?;
        let (sender, others) = (self.me.clone(), [member.news()].into());
        Some(Gossip {
            sender,
            others,
            accusations: Vec::new(),
            layout,
            wants_reply: false,
            wanted: Vec::new(),
        })
    }

    fn tell_of(&self, member: &Member, gossip: &mut Gossip) {
        let node = member.card.node;
        if let Some((generation, heartbeat)) = self.vouched(node)
            && gossip.accusations.len() < ACCUSATIONS_MAX
        {
            gossip.accusations.push(Accusation { accused: node, generation, heartbeat });
        }
        // Not of who is convicted: its last heartbeat may be news to somebody, and look like a sign of life.
        if !self.is_down(node) && gossip.others.len() < NEWS_MAX {
            gossip.others.push(member.news());
        }
    }

    /// The last sign of life of a member whom this node accuses: for what it saw itself, or because enough others do.
    fn vouched(&self, node: NodeId) -> Option<Sign> {
        let charges = self.charges.get(&node)?;
        if charges.has(self.me.card.node) || self.is_down(node) { charges.last() } else { None }
    }

    /// Whom to gossip to: `count` members by chance, and now and then one of those that are silent. All members
    /// together contact each of these a few times in a round, however many they are: a node that hears and is not heard
    /// would have to answer all of them.
    pub fn targets(&mut self, rng: &mut Stream, count: usize) -> Vec<NodeId> {
        let mut targets = Vec::with_capacity(count + 1);
        let mut at = 0;
        while at < self.deck.len() && targets.len() < count {
            let other = at + rng.below((self.deck.len() - at) as u64) as usize;
            self.deck.swap(at, other);
            let node = self.members[self.deck[at]].card.node;
            targets.extend(Some(node).filter(|&node| self.usable(node)));
            at += 1;
        }
        let suspected = self.watched.iter().filter(|&&node| !self.is_down(node) && !self.usable(node));
        let silent: Vec<NodeId> = self.down.iter().chain(suspected).copied().collect();
        let (contacts, members) = (silent.len() * SILENT_CONTACTS, self.members.len());
        if !silent.is_empty() && (contacts >= members || rng.below(members as u64) < contacts as u64) {
            targets.extend(rng.pick(&silent));
        }
        targets
    }

    /// The next `count` of those who watch this node, in turn, if not everybody does.
    pub fn watchers(&self, count: usize) -> Vec<NodeId> {
        if self.members.len() <= WATCHED {
            return Vec::new();
        }
        let up: Vec<NodeId> = self.watched.iter().copied().filter(|&node| self.usable(node)).collect();
        let first = (self.me.heartbeat as usize).wrapping_mul(count);
        let turns = first..first + count.min(up.len());
        turns.map(|turn| up[turn % up.len()]).collect()
    }

    /// Takes in what `from` tells.
    pub fn merge(&mut self, from: NodeId, gossip: &Gossip, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        if gossip.sender.card.node != from || from == self.me.card.node {
            return changes;
        }
        self.heard = true;
        for news in gossip.others.iter().chain([&gossip.sender]) {
            changes.extend(self.hear(news, now));
        }
        for accusation in &gossip.accusations {
            changes.extend(self.hear_accusation(from, accusation, now));
        }
        changes
    }

    /// Hears of one member.
    fn hear(&mut self, news: &News, now: Instant) -> Vec<Change> {
        let (node, count) = (news.card.node, self.count());
        if node == self.me.card.node {
            return Vec::new();
        }
        let Some(place) = self.members.place(node) else {
            return if count < MEMBERS_MAX { self.join(news, now) } else { Vec::new() };
        };
        let member = &mut self.members[place];
        if news.card.generation < member.card.generation {
            return [Change::Refused(node)].into();
        }
        if news.card.generation > member.card.generation {
            *member = Member::new(news, now);
            self.rumours.start(place);
            let mut changes: Vec<Change> = [Change::Joined(news.card.clone())].into();
            changes.extend(self.refute(place));
            return changes;
        }
        if news.heartbeat <= member.heartbeat {
            self.rumours.count(place, count);
            return Vec::new();
        }
        (member.heartbeat, member.advanced, member.suspected) = (news.heartbeat, now, false);
        self.refute(place).into_iter().collect()
    }

    fn join(&mut self, news: &News, now: Instant) -> Vec<Change> {
        let place = self.members.add(Member::new(news, now));
        self.deck.push(place);
        self.ring.insert(news.card.node);
        self.unheard.remove(&news.card.node);
        self.rumours.introduce(place, self.count());
        assert_eq!(self.members.len(), self.deck.len(), "each member is once in the deck");
        let mut changes = Vec::from([Change::Joined(news.card.clone())]);
        if self.count() == ONE_CONVICTS + 1 {
            // One observer's word is not enough any more.
            let down: Vec<Place> = self.down.iter().filter_map(|&node| self.members.place(node)).collect();
            changes.extend(down.into_iter().filter_map(|place| self.judge(place)));
        }
        changes
    }

    /// A sign of life of a member has arrived. If anything was held against it, others will want to know.
    fn refute(&mut self, place: Place) -> Option<Change> {
        let member = &self.members[place];
        let sign = (member.card.generation, member.heartbeat);
        self.charges.get_mut(&member.card.node)?.refute(sign);
        self.rumours.start(place);
        self.judge(place)
    }

    fn hear_accusation(&mut self, from: NodeId, accusation: &Accusation, now: Instant) -> Option<Change> {
        let (node, last) = (accusation.accused, (accusation.generation, accusation.heartbeat));
        if node == self.me.card.node {
            self.accused |= last >= (self.me.card.generation, 0);
            return None;
        }
        // The accused has no say in it; and who is not known yet will be heard of again.
        let place = self.members.place(node).filter(|_| node != from)?;
        let member = &self.members[place];
        if last < (member.card.generation, member.heartbeat) {
            // `from` has missed a sign of life.
            if self.vouched(node).is_none() && !self.rumours.has(place) {
                self.rumours.start(place);
            }
            return None;
        }
        if self.vouched(node).is_some() {
            self.rumours.count(place, self.count());
        }
        self.charges.entry(node).or_default().hear(from, last, now);
        self.judge(place)
    }

    /// Brings a member's state in line with its charges; the answer is what changed.
    fn judge(&mut self, place: Place) -> Option<Change> {
        let (node, count) = (self.members[place].card.node, self.count());
        let down = self.charges.get(&node).is_some_and(|charges| charges.convict(count));
        let changed = if down { self.down.insert(node) } else { self.down.remove(&node) };
        if !changed {
            return None;
        }
        self.rumours.start(place);
        Some(if down { Change::Down(node) } else { Change::Up(node) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::member::party::Party;

    #[test]
    fn a_broken_view_is_found() {
        let mut party = Party::new(4);
        party.run(8, |_, _| true, |node| node != 3);
        let sound = &party.views[0];
        assert_eq!(sound.invariants(), Ok(()));
        let broken = |how: fn(&mut View)| {
            let mut view = sound.clone();
            how(&mut view);
            view.invariants().is_err()
        };
        fn member(view: &mut View) -> &mut Member {
            view.members.get_mut(NodeId(3)).expect("a member")
        }
        assert!(broken(|view| view.down.clear()));
        assert!(broken(|view| view.down.extend([NodeId(2)])));
        assert!(broken(|view| view.charges.clear()));
        assert!(broken(|view| view.deck.clear()));
        assert!(broken(|view| view.unheard.extend([NodeId(0)])));
        assert!(broken(|view| view.unheard.extend([NodeId(2)])));
        assert!(broken(|view| view.ring.insert(NodeId(9))));
        assert!(broken(|view| member(view).heartbeat += 1));
        assert!(broken(|view| member(view).card.node = NodeId(1)));
        let mut double = sound.clone();
        let mut myself = double.members.get(NodeId(3)).expect("a member").clone();
        myself.card.node = NodeId(0);
        double.members.add(myself);
        assert!(double.invariants().is_err());
    }
}
