//! Who is believed to be alive: errors and lies of one node convict nobody, and splits heal.

use kvsim::base::id::{Generation, NodeId};
use kvsim::base::time::Duration;
use kvsim::member::gossip::{Accusation, Gossip};
use kvsim::node::fact::Fact;
use kvsim::node::input::Input;
use kvsim::node::message::Message;

use crate::table::{Table, put};

/// Whom `by` takes for dead.
fn down(table: &Table, by: u64) -> Vec<u64> {
    table.nodes[&by].down().map(|node| node.0).collect()
}

/// What `by` convicted, at any time.
fn convictions(table: &Table, by: u64) -> usize {
    table.facts.iter().filter(|seen| **seen == (by, Fact::MemberDown)).count()
}

/// Fifteen seconds are a lease renewal, a swap storm, a moved machine. The others are right to take it for dead
/// meanwhile; it would be wrong to take them for dead afterwards.
#[test]
fn a_node_that_slept_convicts_nobody() {
    let mut table = Table::new(5);
    table.put_to_sleep(1);
    table.advance(Duration::from_secs(15));
    assert!((2..=5).all(|by| down(&table, by) == [1]));
    table.wake(1);
    table.advance(Duration::from_secs(15));
    assert_eq!(convictions(&table, 1), 0);
    assert!((1..=5).all(|by| down(&table, by).is_empty()));
}

/// Two that sleep at once are two observers.
#[test]
fn two_nodes_that_slept_convict_nobody() {
    let mut table = Table::new(5);
    (1..=2).for_each(|node| table.put_to_sleep(node));
    table.advance(Duration::from_secs(15));
    (1..=2).for_each(|node| table.wake(node));
    for _ in 0..60 {
        // Each other they may take for dead for a moment: that is what the frames say that waited for them.
        assert!((1..=2).all(|by| down(&table, by).iter().all(|&node| node <= 2)));
        table.advance(Duration::from_millis(250));
    }
    assert!((1..=5).all(|by| down(&table, by).is_empty()));
}

/// A node whose own state is poor says so where operators see it, and holds its tongue.
#[test]
fn a_node_that_hears_nobody_accuses_nobody_for_a_while() {
    let mut table = Table::new(5);
    table.partition(&[1]);
    table.advance(Duration::from_secs(12));
    assert!((2..=5).all(|by| down(&table, by) == [1]));
    assert!(table.facts.contains(&(1, Fact::AccusationWithheld)));
    assert!((2..=5).all(|by| !table.facts.contains(&(by, Fact::AccusationWithheld))));
    let said = table.nodes[&1].status().members.iter().filter(|member| member.up).count();
    assert_eq!(said, 5, "it convicts nobody on its own");
}

/// One peer names dead whom it likes, in every frame, with any heartbeat. It remains one observer, and nobody passes on
/// what it says.
#[test]
fn one_lying_peer_convicts_nobody() {
    let mut table = Table::new(5);
    for _ in 0..30 {
        table.advance(Duration::from_millis(500));
        let own = table.delivered.iter().rev().find_map(|(from, _, message)| match message {
            Message::Gossip(gossip) if *from == 2 => Some(gossip.clone()),
            _ => None,
        });
        let own = own.expect("node 2 gossips");
        let accuse =
            |node, heartbeat| Accusation { accused: NodeId(node), generation: Generation(1), heartbeat };
        let accusations = vec![accuse(3, u64::MAX), accuse(4, 1_000_000), accuse(5, u64::MAX)];
        let lie = Gossip { accusations, wants_reply: true, wanted: Vec::new(), ..*own };
        for to in [1, 3, 4, 5] {
            let from = table.nodes[&2].sender();
            table.step(to, Input::Peer { from, message: Message::Gossip(Box::new(lie.clone())) });
        }
        assert!((1..=5).all(|by| down(&table, by).is_empty()));
    }
    let passed_on = table.delivered.iter().any(|(_, _, message)| match message {
        Message::Gossip(gossip) => !gossip.accusations.is_empty(),
        _ => false,
    });
    assert!(!passed_on, "who was told by one alone does not vouch for it");
}

/// A split that lasts so long that each side has convicted the other, with writes on both. Nobody tells them that it is
/// over.
#[test]
fn a_long_split_heals_by_itself() {
    let mut table = Table::new(5);
    table.partition(&[4, 5]);
    table.advance(Duration::from_secs(300));
    assert!((1..=3).all(|by| down(&table, by) == [4, 5]));
    assert!((4..=5).all(|by| down(&table, by) == [1, 2, 3]));
    for node in [1, 4] {
        table.request(node, put("key", &format!("by {node}")));
    }
    table.heal();
    table.advance(Duration::from_secs(30));
    assert!((1..=5).all(|by| down(&table, by).is_empty()));
    let (replicas, _) = table.replicas("key");
    let first = table.peek(replicas[0], "key");
    assert!(replicas.iter().all(|&node| table.peek(node, "key") == first));
}

/// Which members node 1 asked about by name, in each of its questions since `first` of what was delivered.
fn wanted(table: &Table, first: usize) -> Vec<Vec<u64>> {
    let questions = table.delivered[first..].iter().filter_map(|(from, _, message)| match message {
        Message::Gossip(gossip) if *from == 1 && gossip.wants_reply => Some(&gossip.wanted),
        _ => None,
    });
    questions.map(|wanted| wanted.iter().map(|node| node.0).collect()).collect()
}

/// What a node believed of others is gone with its memory; whom it has to know stands in the layout on its disk.
#[test]
fn a_node_that_starts_again_asks_about_the_members_of_its_layout() {
    let mut table = Table::new(5);
    assert_eq!(wanted(&table, 0).pop(), Some(Vec::new()));
    let config = table.crash(1);
    let before = table.delivered.len();
    table.boot(config).expect("it starts");
    (2..=5).for_each(|node| table.put_to_sleep(node));
    table.advance(Duration::from_secs(2));
    (2..=5).for_each(|node| table.wake(node));
    table.advance(Duration::from_secs(3));
    let mut asked = wanted(&table, before);
    assert_eq!(asked[0], [2, 3, 4, 5]);
    assert_eq!(asked.pop(), Some(Vec::new()), "everybody was heard of");
}
