//! [`View`]: what one node believes of the cluster.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use crate::base::id::{Generation, NodeId};
use crate::base::invariant::{Broken, holds};
use crate::base::limits::MEMBERS_MAX;
use crate::base::rng::Stream;
use crate::base::time::{Duration, Instant};
use crate::member::detector::Charges;
use crate::member::gossip::{ACCUSATIONS_MAX, Accusation, Card, Gossip, NEWS_MAX, News};

/// See [`View::invariants`].
const LOOKED_AT: usize = 16;

/// How often a node raises its generation above what is told of it, before it concludes that its rival is alive.
const RAISES_MAX: u32 = 8;

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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    me: News,
    members: BTreeMap<NodeId, Member>,
    every: Duration,
    suspect_after: Duration,
    last_beat: Instant,
    /// How often the own generation was raised.
    raises: u32,
}

impl View {
    /// The view of a node that has met nobody yet. It will call [`View::beat`] once in `every`, and suspects a member
    /// whose heartbeat has not risen for `suspect_after`.
    pub fn new(me: Card, every: Duration, suspect_after: Duration, now: Instant) -> View {
        assert!(suspect_after > every, "nobody's heart beats faster than it is told to");
        let me = News { card: me, heartbeat: 0 };
        View { me, members: BTreeMap::new(), every, suspect_after, last_beat: now, raises: 0 }
    }

    /// All members, this node included, in order of id, each with whether it is believed to be up.
    pub fn members(&self) -> impl Iterator<Item = (&Card, bool)> {
        let me = &self.me.card;
        let before = self.members.range(..me.node).map(|(_, member)| (&member.card, !member.down));
        let after = self.members.range(me.node..).map(|(_, member)| (&member.card, !member.down));
        before.chain([(me, true)]).chain(after)
    }

    /// What is believed of every other member, in order of id.
    pub fn beliefs(&self) -> impl Iterator<Item = Belief> {
        self.members.iter().map(|(&node, member)| Belief {
            node,
            suspected: member.suspected,
            down: member.down,
            accusers: member.charges.iter().map(|accusation| accusation.accuser).collect(),
        })
    }

    /// What holds between any two steps. Of a large cluster only the first members are looked at, because this is asked
    /// for after each step.
    pub fn invariants(&self) -> Result<(), Broken> {
        let (me, count) = (self.me.card.node, self.members.len() + 1);
        holds(!self.members.contains_key(&me), "a node is not a member beside itself")?;
        holds(count <= MEMBERS_MAX + 1, "no more members are known than there may be")?;
        self.members.iter().take(LOOKED_AT).try_for_each(|(&node, member)| {
            holds(member.card.node == node, "a member goes by its own name")?;
            holds(
                member.down == member.charges.convict(count),
                "who is down was convicted, and who was is down",
            )?;
            let known = (member.card.generation, member.heartbeat);
            let stands = |by: Accusation| (by.generation, by.heartbeat) >= known && by.accuser != node;
            holds(
                member.charges.iter().all(stands),
                "what a heartbeat has refuted is not held against anybody",
            )
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::{Address, Zone};

    const EVERY: Duration = Duration::from_secs(1);
    const SUSPECT_AFTER: Duration = Duration::from_secs(5);

    /// Some nodes and one clock for all; gossip goes where the test lets it go.
    struct Party {
        views: Vec<View>,
        now: Instant,
        rng: Stream,
    }

    fn card(node: u64, generation: u64) -> Card {
        Card {
            node: NodeId(node),
            generation: Generation(generation),
            address: Address(alloc::format!("n{node}").as_str().into()),
            zone: Zone("z".into()),
            capacity: 1,
        }
    }

    impl Party {
        /// `count` nodes that know each other.
        fn new(count: u64) -> Party {
            let view = |node| View::new(card(node, 1), EVERY, SUSPECT_AFTER, Instant::ZERO);
            let views = (0..count).map(view).collect();
            let mut party = Party { views, now: Instant::ZERO, rng: Stream::new(1, "party", 0) };
            party.run(2, |_, _| true, |_| true);
            party
        }

        /// Some seconds: everybody who is `awake` beats, and tells all those whom it `reaches`.
        fn run(&mut self, secs: u64, reaches: impl Fn(usize, usize) -> bool, awake: impl Fn(usize) -> bool) {
            for _ in 0..secs {
                self.now += EVERY;
                for from in (0..self.views.len()).filter(|&node| awake(node)) {
                    self.views[from].beat(self.now);
                    let gossip = self.views[from].gossip(&mut self.rng, 0, false);
                    for to in (0..self.views.len()).filter(|&to| to != from && awake(to) && reaches(from, to))
                    {
                        self.views[to].merge(NodeId(from as u64), &gossip, self.now);
                    }
                }
            }
        }

        fn down(&self, by: usize, node: u64) -> bool {
            self.views[by].is_down(NodeId(node))
        }

        fn usable(&self, by: usize, node: u64) -> bool {
            self.views[by].usable(NodeId(node))
        }
    }

    #[test]
    fn a_dead_node_is_convicted_by_all_and_comes_back() {
        let mut party = Party::new(4);
        party.run(8, |_, _| true, |node| node != 3);
        assert!((0..3).all(|by| party.down(by, 3) && !party.usable(by, 3)));
        assert!((0..3).all(|by| (0..3).all(|node| !party.down(by, node))));
        party.run(2, |_, _| true, |_| true);
        assert!((0..3).all(|by| !party.down(by, 3) && party.usable(by, 3)));
    }

    /// The link between 0 and 1 is broken. Each suspects the other at first, but hears of its heartbeat by way of 2.
    #[test]
    fn a_broken_link_convicts_nobody_while_others_see_both() {
        let mut party = Party::new(3);
        party.run(20, |from, to| from + to != 1, |_| true);
        assert!((0..3).all(|by| (0..3).all(|node| !party.down(by, node))));
    }

    /// Node 0 hears nothing of 2 by itself or through 1, who is silent about 2 without suspecting it.
    #[test]
    fn one_observer_alone_convicts_nobody_among_three() {
        let mut party = Party::new(3);
        for _ in 0..20 {
            party.now += EVERY;
            let now = party.now;
            party.views[0].beat(now);
            party.views[1].beat(now);
            let mut gossip = party.views[1].gossip(&mut party.rng, 0, false);
            gossip.others.clear();
            gossip.accusations.clear();
            party.views[0].merge(NodeId(1), &gossip, now);
        }
        assert!(!party.usable(0, 2) && !party.down(0, 2), "suspected, but not convicted");
    }

    /// Node 1 relays what node 0 said of node 2. That is still one observer.
    #[test]
    fn an_echo_of_ones_own_accusation_is_not_a_second_observer() {
        let mut party = Party::new(3);
        for _ in 0..20 {
            party.now += EVERY;
            let now = party.now;
            party.views[0].beat(now);
            party.views[1].beat(now);
            let said = party.views[0].gossip(&mut party.rng, 0, false).accusations;
            let mut gossip = party.views[1].gossip(&mut party.rng, 0, false);
            gossip.others.clear();
            gossip.accusations = said;
            party.views[0].merge(NodeId(1), &gossip, now);
        }
        assert!(!party.usable(0, 2) && !party.down(0, 2));
    }

    #[test]
    fn the_accuseds_own_word_does_not_convict_it() {
        let mut party = Party::new(3);
        let accusation = |accuser| Accusation {
            accused: NodeId(2),
            accuser: NodeId(accuser),
            generation: Generation(1),
            heartbeat: u64::MAX,
        };
        let mut gossip = party.views[1].gossip(&mut party.rng, 0, false);
        gossip.accusations = [accusation(1), accusation(2)].into();
        party.views[0].merge(NodeId(1), &gossip, party.now);
        assert!(!party.down(0, 2));
        gossip.accusations = [accusation(1), accusation(7)].into();
        party.views[0].merge(NodeId(1), &gossip, party.now);
        assert!(party.down(0, 2), "two others would have");
    }

    #[test]
    fn in_a_cluster_of_two_one_observer_is_enough() {
        let mut party = Party::new(2);
        party.run(8, |_, _| true, |node| node == 0);
        assert!(party.down(0, 1));
    }

    /// Node 0 sleeps for a minute. When it wakes, everybody looks silent to it; that is its own fault.
    #[test]
    fn a_paused_node_does_not_convict_the_healthy() {
        let mut party = Party::new(4);
        party.run(60, |_, _| true, |node| node != 0);
        party.now += EVERY;
        let now = party.now;
        party.views[0].beat(now);
        assert!((1..4).all(|node| party.usable(0, node) && !party.down(0, node)));
        party.run(1, |_, _| true, |_| true);
        assert!((1..4).all(|by| party.usable(by, 0) && !party.down(by, 0)));
    }

    #[test]
    fn a_broken_view_is_found() {
        let mut party = Party::new(4);
        party.run(8, |_, _| true, |node| node != 3);
        let sound = &party.views[0];
        assert_eq!(sound.invariants(), Ok(()));
        let broken = |how: fn(&mut Member)| {
            let mut view = sound.clone();
            how(view.members.get_mut(&NodeId(3)).expect("a member"));
            view.invariants().is_err()
        };
        assert!(broken(|member| member.down = false));
        assert!(broken(|member| member.heartbeat += 1));
        assert!(broken(|member| member.card.node = NodeId(1)));
        let mut double = sound.clone();
        double.members.insert(NodeId(0), double.members[&NodeId(3)].clone());
        assert!(double.invariants().is_err());
    }

    #[test]
    fn accusations_lapse_when_nobody_renews_them() {
        let mut party = Party::new(4);
        party.run(8, |_, _| true, |node| node != 3);
        assert!(party.down(0, 3));
        // Nodes 1 and 2 vanish as well: their word against 3 grows old.
        party.run(12, |_, _| true, |node| node == 0);
        assert!(!party.down(0, 3) && !party.usable(0, 3));
    }

    #[test]
    fn a_lower_generation_is_refused_and_a_higher_one_starts_anew() {
        let mut party = Party::new(2);
        let mut hear = |generation, heartbeat| {
            let sender = News { card: card(1, generation), heartbeat };
            let gossip =
                Gossip { sender, others: Vec::new(), accusations: Vec::new(), layout: 0, wants_reply: false };
            party.views[0].merge(NodeId(1), &gossip, Instant::ZERO)
        };
        assert_eq!(hear(3, 1), [Change::Joined(card(1, 3))]);
        assert_eq!(hear(2, 1000), [Change::Refused(NodeId(1))]);
        assert_eq!(hear(3, 2), []);
        assert_eq!(party.views[0].generation(NodeId(1)), Some(Generation(3)));
    }

    #[test]
    fn every_member_is_contacted_for_ever() {
        let mut party = Party::new(4);
        party.run(20, |_, _| true, |node| node != 3);
        let mut rng = Stream::new(5, "targets", 0);
        let asked = (0..20).filter(|_| party.views[0].targets(&mut rng, 2).contains(&NodeId(3))).count();
        assert!(asked > 0);
    }

    #[test]
    fn gossip_has_a_bound_whatever_the_size_of_the_cluster() {
        let mut view = View::new(card(0, 1), EVERY, SUSPECT_AFTER, Instant::ZERO);
        for node in 1..500 {
            let sender = News { card: card(node, 1), heartbeat: 1 };
            let gossip =
                Gossip { sender, others: Vec::new(), accusations: Vec::new(), layout: 0, wants_reply: false };
            view.merge(NodeId(node), &gossip, Instant::ZERO);
        }
        view.beat(Instant::ZERO + Duration::from_secs(2));
        view.beat(Instant::ZERO + Duration::from_secs(6));
        let mut rng = Stream::new(5, "gossip", 0);
        let mut told = alloc::collections::BTreeSet::new();
        for _ in 0..100 {
            let gossip = view.gossip(&mut rng, 0, true);
            assert!(gossip.is_valid() && gossip.others.len() == NEWS_MAX);
            told.extend(gossip.others.iter().map(|news| news.card.node));
        }
        assert_eq!(told.len(), 499, "in time everybody is told of");
    }
}
