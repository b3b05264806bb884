//! Parties and crowds: views that gossip with each other, and what must come of it.

use alloc::vec::Vec;

use crate::base::id::{Address, Generation, NodeId, Zone};
use crate::base::rng::Stream;
use crate::base::time::{Duration, Instant};
use crate::member::gossip::{Accusation, Card, Gossip, NEWS_MAX, News, WANTED_MAX};
use crate::member::view::{Audience, Change, View};

const EVERY: Duration = Duration::from_secs(1);
const SUSPECT_AFTER: Duration = Duration::from_secs(5);

/// Some nodes and one clock for all; gossip goes where the test lets it go.
pub(super) struct Party {
    pub views: Vec<View>,
    now: Instant,
    rng: Stream,
}

pub(super) fn card(node: u64, generation: u64) -> Card {
    Card {
        node: NodeId(node),
        generation: Generation(generation),
        birth: 0,
        address: Address(alloc::format!("n{node}").as_str().into()),
        zone: Zone("z".into()),
        capacity: 1,
    }
}

/// What tells of its sender and of nobody else.
fn only(sender: News) -> Gossip {
    Gossip {
        sender,
        others: Vec::new(),
        accusations: Vec::new(),
        layout: 0,
        wants_reply: false,
        wanted: Vec::new(),
    }
}

impl Party {
    /// `count` nodes that know each other.
    pub fn new(count: u64) -> Party {
        let view = |node| View::new(card(node, 1), EVERY, SUSPECT_AFTER, Instant::ZERO);
        let views = (0..count).map(view).collect();
        let mut party = Party { views, now: Instant::ZERO, rng: Stream::new(1, "party", 0) };
        party.run(2, |_, _| true, |_| true);
        party
    }

    /// Some seconds: everybody who is `awake` beats, and tells all those whom it `reaches`.
    pub fn run(&mut self, secs: u64, reaches: impl Fn(usize, usize) -> bool, awake: impl Fn(usize) -> bool) {
        for _ in 0..secs {
            self.now += EVERY;
            for from in (0..self.views.len()).filter(|&node| awake(node)) {
                self.views[from].beat(self.now);
                let gossip = self.views[from].tell(&mut self.rng, Audience::Anybody, 0);
                for to in (0..self.views.len()).filter(|&to| to != from && awake(to) && reaches(from, to)) {
                    self.views[to].merge(NodeId(from as u64), &gossip, self.now);
                    assert_eq!(self.views[to].invariants(), Ok(()));
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
        let mut gossip = party.views[1].tell(&mut party.rng, Audience::Anybody, 0);
        gossip.others.clear();
        gossip.accusations.clear();
        party.views[0].merge(NodeId(1), &gossip, now);
    }
    assert!(!party.usable(0, 2) && !party.down(0, 2), "suspected, but not convicted");
}

/// Node 1 relays what node 0 said of node 2: it is not an observer itself, so it does not vouch for it.
#[test]
fn an_echo_of_ones_own_accusation_is_not_a_second_observer() {
    let mut party = Party::new(3);
    for _ in 0..20 {
        party.now += EVERY;
        let now = party.now;
        party.views[0].beat(now);
        // Node 1 hears of 2 all the time, but says nothing of it to 0.
        party.views[2].beat(now);
        let alive = party.views[2].tell(&mut party.rng, Audience::Anybody, 0);
        party.views[1].merge(NodeId(2), &alive, now);
        party.views[1].beat(now);
        let said = party.views[0].tell(&mut party.rng, Audience::Anybody, 0);
        party.views[1].merge(NodeId(0), &said, now);
        let mut gossip = party.views[1].tell(&mut party.rng, Audience::Anybody, 0);
        assert!(gossip.accusations.is_empty(), "{gossip:?}");
        gossip.others.clear();
        party.views[0].merge(NodeId(1), &gossip, now);
    }
    assert!(!party.usable(0, 2) && !party.down(0, 2) && !party.down(1, 2));
}

fn accusing(party: &mut Party, from: usize, accused: u64, heartbeat: u64) -> Gossip {
    let mut gossip = party.views[from].tell(&mut party.rng, Audience::Anybody, 0);
    gossip.accusations =
        [Accusation { accused: NodeId(accused), generation: Generation(1), heartbeat }].into();
    gossip
}

/// However often one peer says it, and for whomever: it is one observer. So is the accused.
#[test]
fn one_liar_is_one_observer() {
    let mut party = Party::new(5);
    let now = party.now;
    for heartbeat in [100, 101, u64::MAX] {
        let lie = accusing(&mut party, 1, 2, heartbeat);
        party.views[0].merge(NodeId(1), &lie, now);
    }
    let own_word = accusing(&mut party, 2, 2, 100);
    party.views[0].merge(NodeId(2), &own_word, now);
    assert!(!party.down(0, 2));
    let relayed = party.views[0].tell(&mut party.rng, Audience::Anybody, 0);
    assert!(relayed.accusations.is_empty(), "who was told by one alone does not vouch for it");
    let second = accusing(&mut party, 3, 2, 100);
    party.views[0].merge(NodeId(3), &second, now);
    assert!(party.down(0, 2), "two would have");
}

#[test]
fn in_a_cluster_of_two_one_observer_is_enough() {
    let mut party = Party::new(2);
    party.run(8, |_, _| true, |node| node == 0);
    assert!(party.down(0, 1));
}

/// Then a third is known, and the one observer is not enough any more.
#[test]
fn what_one_observer_said_does_not_stand_in_a_larger_cluster() {
    let mut party = Party::new(2);
    party.run(8, |_, _| true, |node| node == 0);
    let (now, sender) = (party.now, News { card: card(2, 1), heartbeat: 1 });
    let gossip = only(sender);
    let changes = party.views[0].merge(NodeId(2), &gossip, now);
    assert_eq!(changes, [Change::Joined(card(2, 1)), Change::Up(NodeId(1))]);
    assert_eq!(party.views[0].invariants(), Ok(()));
    assert!(!party.down(0, 1));
}

/// Of who is dead nobody else is told, or an old heartbeat could look like a new one. But a node whose disk is new must
/// hear of its earlier life, or it never rises above that, and is refused for ever.
#[test]
fn who_asks_is_told_of_itself_though_it_is_taken_for_dead() {
    for count in [4, 60] {
        let mut crowd = Crowd::new(count);
        crowd.rounds_until(|node| node != 3, |view| view.is_down(NodeId(3)));
        let Party { views, rng, .. } = &mut crowd.party;
        let mut told = |audience| {
            let gossip = views[0].tell(rng, audience, 0);
            gossip.others.iter().any(|news| news.card.node == NodeId(3))
        };
        assert!(told(Audience::Asker(NodeId(3), &[])));
        assert!(!told(Audience::Anybody) && !told(Audience::Asker(NodeId(2), &[])));
    }
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

/// Two nodes sleep at the same time and wake together: two observers, to whom all others look silent.
#[test]
fn two_paused_nodes_do_not_convict_the_healthy() {
    let mut party = Party::new(5);
    party.run(20, |_, _| true, |node| node > 1);
    party.run(1, |from, to| from <= 1 && to <= 1, |node| node <= 1);
    party.run(3, |_, _| true, |_| true);
    assert!((0..5).all(|by| (0..5).all(|node| !party.down(by, node))));
}

/// Nodes 0 and 1 hear only each other, and are late: each beat comes two periods after the last, which is no pause. The
/// others are silent to both, and yet they wait: by their own beats they know that something is wrong with themselves.
#[test]
fn slow_nodes_wait_longer_before_they_accuse() {
    let silent_for = |slow: bool| {
        let mut party = Party::new(5);
        let start = party.now;
        while !party.down(0, 2) {
            party.now += if slow { EVERY } else { Duration::ZERO };
            party.run(1, |_, _| true, |node| node <= 1);
        }
        party.now.since(start)
    };
    assert!(silent_for(false) <= Duration::from_secs(8), "{}", silent_for(false));
    assert!(silent_for(true) > Duration::from_secs(30), "{}", silent_for(true));
}

#[test]
fn a_suspicion_that_nobody_shares_lapses() {
    let mut party = Party::new(4);
    let now = party.now;
    let lie = accusing(&mut party, 1, 2, 100);
    party.views[0].merge(NodeId(1), &lie, now);
    party.run(12, |_, _| true, |_| true);
    let now = party.now;
    let other = accusing(&mut party, 3, 2, 100);
    party.views[0].merge(NodeId(3), &other, now);
    assert!(!party.down(0, 2), "the first one was long ago");
}

#[test]
fn a_lower_generation_is_refused_and_a_higher_one_starts_anew() {
    let mut party = Party::new(2);
    let mut hear = |generation, heartbeat| {
        let sender = News { card: card(1, generation), heartbeat };
        let gossip = only(sender);
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
        let gossip = only(sender);
        view.merge(NodeId(node), &gossip, Instant::ZERO);
    }
    view.beat(Instant::ZERO + Duration::from_secs(2));
    view.beat(Instant::ZERO + Duration::from_secs(6));
    let mut rng = Stream::new(5, "gossip", 0);
    let mut told = alloc::collections::BTreeSet::new();
    for _ in 0..100 {
        let gossip = view.tell(&mut rng, Audience::Neighbour, 0);
        assert!(gossip.is_valid() && gossip.others.len() <= NEWS_MAX);
        told.extend(gossip.others.iter().map(|news| news.card.node));
    }
    assert_eq!(told.len(), 499, "in time everybody is told of");
}

/// Members of a cluster, each of which gossips as nodes do: to two by chance, who answer, and to two watchers.
struct Crowd {
    party: Party,
    told: u64,
    /// By member, how often it was told.
    heard: Vec<u64>,
    longest: usize,
}

impl Crowd {
    fn new(count: u64) -> Crowd {
        let view = |node| View::new(card(node, 1), EVERY, SUSPECT_AFTER, Instant::ZERO);
        let mut views: Vec<View> = (0..count).map(view).collect();
        for view in &mut views {
            for node in 0..count {
                let sender = News { card: card(node, 1), heartbeat: 1 };
                let gossip = only(sender);
                view.merge(NodeId(node), &gossip, Instant::ZERO);
            }
        }
        let party = Party { views, now: Instant::ZERO, rng: Stream::new(9, "crowd", 0) };
        Crowd { party, told: 0, heard: alloc::vec![0; count as usize], longest: 0 }
    }

    /// The answer is whom the teller asks about.
    fn tell(
        &mut self,
        from: usize,
        to: usize,
        audience: Audience,
        awake: &impl Fn(usize) -> bool,
    ) -> Vec<NodeId> {
        let Party { views, now, rng } = &mut self.party;
        let gossip = views[from].tell(rng, audience, 0);
        self.told += 1;
        self.heard[to] += 1;
        self.longest = self.longest.max(gossip.others.len() + gossip.accusations.len());
        if awake(to) {
            views[to].merge(NodeId(from as u64), &gossip, *now);
            assert_eq!(views[to].invariants(), Ok(()));
        }
        assert!(gossip.is_valid());
        gossip.wanted
    }

    /// One round of all who are awake.
    fn round(&mut self, awake: impl Fn(usize) -> bool) {
        self.party.now += EVERY;
        for from in (0..self.party.views.len()).filter(|&node| awake(node)) {
            let Party { views, now, rng } = &mut self.party;
            views[from].beat(*now);
            let (targets, watchers) = (views[from].targets(rng, 2), views[from].watchers(2));
            for to in targets.into_iter().map(|node| node.0 as usize) {
                let wanted = self.tell(from, to, Audience::Anybody, &awake);
                if awake(to) {
                    self.tell(to, from, Audience::Asker(NodeId(from as u64), &wanted), &awake);
                }
            }
            for to in watchers.into_iter().map(|node| node.0 as usize) {
                self.tell(from, to, Audience::Neighbour, &awake);
            }
        }
    }

    /// Rounds until `done` of all who are awake.
    fn rounds_until(&mut self, awake: impl Fn(usize) -> bool, done: impl Fn(&View) -> bool) -> u32 {
        for round in 1..100 {
            self.round(&awake);
            if (0..self.party.views.len()).filter(|&by| awake(by)).all(|by| done(&self.party.views[by])) {
                return round;
            }
        }
        panic!("not all know it after 100 rounds");
    }
}

/// The cost of a round is the same for every member of a small cluster and of one eight times as large, nobody is
/// convicted while all live, and a failure and a return get around in few rounds.
#[test]
fn a_large_cluster_costs_each_member_no_more_than_a_small_one() {
    for count in [30, 240] {
        let mut crowd = Crowd::new(count);
        for _ in 0..40 {
            crowd.round(|_| true);
            assert!(crowd.party.views.iter().all(|view| view.members().iter().all(|(_, up)| *up)));
        }
        (crowd.told, crowd.longest) = (0, 0);
        (0..10).for_each(|_| crowd.round(|_| true));
        assert_eq!(crowd.told, 10 * 6 * count);
        assert!(crowd.longest <= 1 + 8 + 8, "{}", crowd.longest);
        let awake = |node| node != 7;
        let failed = crowd.rounds_until(awake, |view| view.is_down(NodeId(7)));
        crowd.heard.fill(0);
        (0..10).for_each(|_| crowd.round(awake));
        let most = crowd.heard.iter().max().expect("members");
        assert!((10..=160).contains(&crowd.heard[7]), "the dead are contacted: {}", crowd.heard[7]);
        assert!(*most <= 240, "nobody hears of more than a few in a round: {most}");
        let back = crowd.rounds_until(|_| true, |view| !view.is_down(NodeId(7)));
        let bound = if count == 30 { (7 + 8, 8) } else { (10 + 10, 10) };
        assert!(failed <= bound.0 && back <= bound.1, "{count}: {failed} and {back} rounds");
    }
}

/// A node that starts with a layout and an empty memory meets the last few of many by name, not by chance, and from
/// then on asks about nobody. Of a member that nobody knows it hears nothing, and that costs no more than the names.
#[test]
fn members_of_whom_nothing_was_heard_are_asked_about_by_name() {
    let rounds = |expected: u64| {
        let mut crowd = Crowd::new(240);
        (0..40).for_each(|_| crowd.round(|_| true));
        let mut fresh = View::new(card(7, 2), EVERY, SUSPECT_AFTER, Instant::ZERO);
        let known = crowd.party.views[8].tell(&mut crowd.party.rng, Audience::Neighbour, 0);
        fresh.merge(NodeId(8), &Gossip { others: Vec::new(), ..known }, Instant::ZERO);
        fresh.expect((0..expected).map(NodeId));
        crowd.party.views[7] = fresh;
        let rounds = crowd.rounds_until(|_| true, |view| view.count() == 240);
        let wanted = crowd.tell(7, 8, Audience::Anybody, &|_| true);
        assert_eq!(wanted.len() as u64, expected.saturating_sub(240), "nobody who was heard of");
        rounds
    };
    let (by_chance, by_name, with_strangers) = (rounds(0), rounds(240), rounds(242));
    assert!(by_name <= 10 && with_strangers <= 10, "{by_name} and {with_strangers} rounds");
    assert!(by_chance >= 2 * by_name, "{by_chance} against {by_name} rounds");
}

#[test]
fn no_more_names_are_asked_about_or_answered_than_a_message_may_hold() {
    let mut crowd = Crowd::new(500);
    let Party { views, rng, .. } = &mut crowd.party;
    views[0].expect((0..1000).map(NodeId));
    let question = views[0].tell(rng, Audience::Anybody, 0);
    assert!(question.wants_reply && question.wanted.len() == WANTED_MAX && question.is_valid());
    let other = views[0].tell(rng, Audience::Anybody, 0);
    assert_ne!(other.wanted, question.wanted, "others each time");
    assert!(!Gossip { wants_reply: false, ..question.clone() }.is_valid());
    let many: Vec<NodeId> = (1..200).map(NodeId).collect();
    assert!(!Gossip { wanted: many.clone(), ..question }.is_valid());
    let answer = views[1].tell(rng, Audience::Asker(NodeId(0), &many), 0);
    assert!(answer.is_valid() && answer.others.len() <= NEWS_MAX && answer.wanted.is_empty());
}
