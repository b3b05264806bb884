//! A node that forgot writes that it numbered must not number others the same: replicas would take the new ones for the
//! old, and drop what was acknowledged. These are the cases that Riak found one by one (its issue 679).

use std::collections::BTreeSet;

use kvsim::base::bytes::Bytes;
use kvsim::base::id::NodeId;
use kvsim::base::limits::ACTORS_MAX;
use kvsim::base::time::{Duration, WallTime};
use kvsim::causal::clock::Clock;
use kvsim::causal::dot::{Actor, Dot};
use kvsim::causal::siblings::Siblings;
use kvsim::node::fact::Fact;
use kvsim::node::input::Input;
use kvsim::node::message::Message;
use kvsim::node::request::{Outcome, Rejection};
use kvsim::quorum::tally::Level;
use kvsim::repair::exchange::Exchange;
use kvsim::sim::disk::SimDisk;

use crate::table::{Table, at, get, put_with};

/// A table, the dots that it gave, and what has to be there in the end.
struct Trial {
    table: Table,
    dots: BTreeSet<Dot>,
    acknowledged: Vec<String>,
}

impl Trial {
    fn new() -> Trial {
        // So rarely that nobody tells a node what it forgot before it writes again.
        let table = Table::with(3, |config| config.exchange_every = Duration::from_secs(40));
        Trial { table, dots: BTreeSet::new(), acknowledged: Vec::new() }
    }

    /// A write that replaces nothing, so that each has to be there in the end.
    fn write(&mut self, node: u64, value: &str, level: Level) {
        let request = at(put_with("key", value, Some(Bytes::default())), level);
        match self.table.request(node, request) {
            Some(Outcome::Written { dot, .. }) => {
                assert!(self.dots.insert(dot), "{dot} was given twice: {value}");
                self.acknowledged.push(value.to_owned());
            }
            other => panic!("{value}: {other:?}"),
        }
    }

    /// `node` loses its disk, or gets `backup` for it, and starts again.
    fn restart_with(&mut self, node: u64, disk: SimDisk) {
        let config = self.table.crash(node);
        self.table.disks.insert(node, disk);
        self.table.boot(config).expect("it starts");
    }

    /// The first node and its disk are as they were `before`.
    fn forget(&mut self, before: &Table) {
        self.table.nodes.insert(1, before.nodes[&1].clone());
        self.table.disks.insert(1, before.disks[&1].clone());
    }

    fn settle(&mut self) {
        self.table.heal();
        self.table.advance(Duration::from_secs(170));
    }

    /// Everybody has everything that was acknowledged.
    fn conclude(mut self) {
        self.settle();
        self.acknowledged.sort();
        for node in 1..=3 {
            let (mut values, _) = self.table.get(node, "key");
            values.sort();
            assert_eq!(values, self.acknowledged, "through n{node}");
            assert_eq!(self.table.peek(node, "key"), self.table.peek(1, "key"), "on n{node}");
        }
    }
}

/// kv679_dataloss: the coordinator's whole disk is gone, and it writes the same key before anybody has told it anything.
#[test]
fn kv679_a_lost_disk() {
    let mut trial = Trial::new();
    trial.write(1, "before", Level::Quorum);
    trial.write(1, "more", Level::Quorum);
    trial.restart_with(1, SimDisk::new());
    trial.table.advance(Duration::from_secs(3));
    trial.write(1, "after", Level::Quorum);
    trial.conclude();
}

/// The same with an old copy of the disk: generations count on from the copy, through numbers that were used already.
#[test]
fn kv679_a_restored_backup() {
    let mut trial = Trial::new();
    trial.write(1, "in the backup", Level::Quorum);
    let backup = trial.table.disks[&1].clone();
    let config = trial.table.crash(1);
    trial.table.boot(config).expect("it starts");
    trial.table.advance(Duration::from_secs(3));
    trial.write(1, "after the backup", Level::Quorum);
    trial.write(1, "and more", Level::Quorum);
    trial.restart_with(1, backup);
    trial.table.advance(Duration::from_secs(3));
    trial.write(1, "restored", Level::Quorum);
    trial.conclude();
}

/// kv679_dataloss_fb: the copy of one key is lost while the node runs, and it coordinates the key again. Here the key is
/// lost with a disk under a node whose actor lives on; what tells it is that others know more of its writes than it.
#[test]
fn kv679_a_lost_key_under_a_living_actor() {
    let mut trial = Trial::new();
    let before = trial.table.clone();
    trial.write(1, "first", Level::Quorum);
    trial.write(1, "second", Level::Quorum);
    // Node and disk of an earlier moment, as if they had never written the key.
    trial.forget(&before);
    trial.settle();
    let renewed = trial.table.count(Fact::ActorRenewed);
    trial.write(1, "third", Level::Quorum);
    assert_eq!(trial.table.count(Fact::ActorRenewed), renewed + 1);
    trial.write(1, "fourth", Level::Quorum);
    assert_eq!(trial.table.count(Fact::ActorRenewed), renewed + 1, "once is enough");
    trial.conclude();
}

/// The same, and nobody tells it: it coordinates the key again before anybody has compared with it, and its client knows
/// nothing of the key either. What it knows cannot be told from a key that is new.
#[test]
fn kv679_a_lost_key_of_which_nothing_is_known() {
    let mut trial = Trial::new();
    let before = trial.table.clone();
    trial.write(1, "first", Level::Quorum);
    trial.write(1, "second", Level::Quorum);
    trial.forget(&before);
    // The clone would draw the same chances as the first time; a node that goes on does not.
    trial.table.request(1, at(put_with("another key", "value", None), Level::One));
    let renewed = trial.table.count(Fact::ActorRenewed);
    trial.write(1, "third", Level::Quorum);
    assert_eq!(trial.table.count(Fact::ActorRenewed), renewed, "nothing tells it");
    trial.conclude();
}

/// That keys have epochs of their own costs no clock an entry: in one life a node numbers all writes of a key as one actor.
#[test]
fn a_key_has_one_actor_for_each_life_of_a_node() {
    let mut trial = Trial::new();
    (0..5).for_each(|n| trial.write(1, &n.to_string(), Level::Quorum));
    let config = trial.table.crash(1);
    trial.table.boot(config).expect("it starts");
    trial.settle();
    (5..9).for_each(|n| trial.write(1, &n.to_string(), Level::Quorum));
    let actors: BTreeSet<Actor> = trial.dots.iter().map(|dot| dot.actor).collect();
    let generations: Vec<u64> = actors.iter().map(|actor| actor.generation()).collect();
    assert!(generations == [1, 2] || generations == [2, 1], "{actors:?}");
    trial.conclude();
}

/// kv679_dataloss_fb2, the case that a generator found: the amnesiac hears of a part of its past only, from a replica
/// that has not all of it either, and goes on from there.
#[test]
fn kv679_an_amnesiac_that_hears_of_half_of_its_past() {
    let mut trial = Trial::new();
    let before = trial.table.clone();
    trial.write(1, "first", Level::All);
    trial.table.partition(&[3]);
    trial.write(1, "second", Level::Quorum);
    trial.forget(&before);
    // Only the third, which missed the second write, speaks to it: a repair of what it has.
    trial.table.partition(&[2]);
    let siblings = std::sync::Arc::new(trial.table.peek(3, "key"));
    let from = trial.table.nodes[&3].sender();
    let op = kvsim::base::id::OpId(0);
    let message = Message::Store { op, key: Bytes::from("key"), siblings, early: false };
    trial.table.step(1, Input::Peer { from, message });
    assert_eq!(trial.table.peek(1, "key").versions().len(), 1, "it has the first again");
    trial.write(1, "third", Level::One);
    trial.conclude();
}

/// A client knows more of the amnesiac's writes than the amnesiac itself.
#[test]
fn kv679_a_context_from_a_forgotten_past() {
    let mut trial = Trial::new();
    let before = trial.table.clone();
    trial.write(1, "first", Level::Quorum);
    let (_, context) = trial.table.get(2, "key");
    trial.write(1, "second", Level::Quorum);
    trial.table.partition(&[1]);
    trial.forget(&before);
    let outcome = trial.table.request(1, at(put_with("key", "third", Some(context)), Level::One));
    let Some(Outcome::Written { dot, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(trial.dots.insert(dot), "{dot} was given twice");
    trial.acknowledged = vec!["second".into(), "third".into()];
    trial.conclude();
}

/// The price of an epoch for every start: a clock names them all, up to a bound. Beyond it a write is refused, with the
/// reason, and what is there can still be read.
#[test]
fn a_key_that_as_many_actors_wrote_as_a_clock_may_name_takes_no_more() {
    let mut table = Table::new(3);
    let actor = |epoch| Actor { node: NodeId(9), epoch };
    let mut clock = Clock::EMPTY;
    (0..ACTORS_MAX as u64).for_each(|epoch| clock.record(Dot { actor: actor(epoch), counter: 1 }));
    let mut siblings = Siblings::default();
    siblings.write(actor(0), &clock, WallTime(0), Some(Bytes::from("value")));
    let siblings = std::sync::Arc::new(siblings);
    for node in 1..=3 {
        let from = table.nodes[&(node % 3 + 1)].sender();
        let (key, siblings) = (Bytes::from("key"), siblings.clone());
        let message = Message::Store { op: kvsim::base::id::OpId(0), key, siblings, early: false };
        table.step(node, Input::Peer { from, message });
    }
    let refused = Rejection::Actors { max: ACTORS_MAX as u32 };
    assert_eq!(table.put(1, "key", "more"), Some(Outcome::Rejected(refused)));
    assert_eq!(table.get(2, "key").0, ["value"]);
}

/// One of the two that acknowledged a write loses its disk, and the other cannot be reached. What is left of the write
/// quorum knows nothing, and must not say that there is nothing.
#[test]
fn a_node_that_lost_its_disk_answers_no_reads_before_all_others_have_told_what_they_have() {
    let mut table = Table::with(3, |config| config.exchange_every = Duration::from_secs(100_000));
    let mut strict = put_with("key", "value", None);
    strict.options.sloppy = Some(false);
    table.partition(&[3]);
    assert!(matches!(table.request(1, strict), Some(Outcome::Written { acks: 2, .. })));
    let config = table.crash(1);
    table.disks.insert(1, SimDisk::new());
    table.heal();
    table.partition(&[2]);
    table.boot(config).expect("an empty disk is a fresh start");
    table.advance(Duration::from_secs(4));
    assert!(table.nodes[&1].status().amnesiac && table.nodes[&1].status().layout == 1);
    for node in [1, 3] {
        let tag = table.ask(node, get("key"));
        table.advance(Duration::from_secs(3));
        let reply = &table.replies[&tag];
        assert!(matches!(reply, Outcome::Rejected(_)), "through n{node}: {reply:?}");
    }
    // Writes are taken, by who may number them, and count: they are on its disk.
    let outcome = table.request(1, put_with("other", "value", None));
    let Some(Outcome::Written { dot, acks: 2, .. }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(dot.actor.node, NodeId(3));
    // A restart is no cure.
    let config = table.crash(1);
    table.boot(config).expect("it opens again");
    table.advance(Duration::from_secs(4));
    assert!(table.nodes[&1].status().amnesiac);
    table.heal();
    table.advance(Duration::from_secs(4));
    assert!(!table.nodes[&1].status().amnesiac && table.count(Fact::Recalled) == 1);
    assert_eq!(table.peek(1, "key"), table.peek(2, "key"));
    table.partition(&[2]);
    assert_eq!(table.get(3, "key").0, ["value"]);
    let config = table.crash(1);
    table.boot(config).expect("it opens again");
    assert!(!table.nodes[&1].status().amnesiac, "that it is whole is on its disk");
}

/// All lost power, and one its disk: nobody remembers an earlier life of it, but the layout names another disk.
#[test]
fn a_disk_that_was_lost_while_all_were_down_is_noticed() {
    let mut table = Table::new(3);
    table.request(2, at(put_with("key", "value", None), Level::All));
    let configs = [1, 2, 3].map(|node| table.crash(node));
    table.disks.insert(1, SimDisk::new());
    for config in configs {
        table.boot(config).expect("it starts");
    }
    table.facts.clear();
    table.advance(Duration::from_secs(8));
    assert_eq!((table.count(Fact::GenerationRaised), table.count(Fact::Recalled)), (0, 1));
    assert!(!table.peek(1, "key").is_empty() && !table.nodes[&1].status().amnesiac);
}

/// A founder is started again before it has heard of the layout. It has promised nothing, and waits for nobody.
#[test]
fn a_founder_that_restarts_before_it_has_the_layout_is_whole_when_it_has() {
    let mut table = Table::forming(3);
    let config = table.crash(3);
    table.boot(config).expect("it opens again");
    table.advance(Duration::from_secs(4));
    assert!(table.nodes[&3].status().layout == 1 && !table.nodes[&3].status().amnesiac);
    assert_eq!(table.count(Fact::Recalled), 0);
}

/// What the others have is more than one message may hold.
#[test]
fn many_pages_are_told_one_after_the_other() {
    let mut table = Table::with(3, |config| config.exchange_every = Duration::from_secs(100_000));
    for number in 0..300 {
        table.put(2, &format!("key{number}"), &"v".repeat(5_000));
    }
    let config = table.crash(1);
    table.disks.insert(1, SimDisk::new());
    table.boot(config).expect("it starts");
    table.advance(Duration::from_secs(8));
    let pages = table.delivered.iter().filter(|sent| sent.1 == 1 && is_content(&sent.2)).count();
    assert!(pages >= 2 * 5, "{pages}");
    for number in 0..300 {
        let key = format!("key{number}");
        assert_eq!(table.peek(1, &key), table.peek(2, &key));
    }
}

fn is_content(message: &Message) -> bool {
    matches!(message, Message::Exchange(exchange) if matches!(**exchange, Exchange::Content { .. }))
}
