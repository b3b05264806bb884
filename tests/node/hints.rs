//! Sloppy quorums and hinted handoff.

use kvsim::base::id::{NodeId, Zone};
use kvsim::base::time::Duration;
use kvsim::node::fact::Fact;
use kvsim::node::input::Input;
use kvsim::node::message::Message;
use kvsim::node::request::Outcome;
use kvsim::quorum::tally::Level;
use kvsim::ring::layout::{Layout, Member};

use crate::table::{Table, at, is_unknown, put};

fn hints(table: &Table) -> u64 {
    table.nodes.values().map(|node| node.status().hints).sum()
}

#[test]
fn a_replica_that_was_away_gets_its_writes_by_hint() {
    let mut table = Table::new(5);
    let (replicas, _) = table.replicas("key");
    table.partition(&[replicas[2]]);
    table.advance(Duration::from_secs(8));
    table.put(replicas[0], "key", "value");
    table.advance(Duration::from_secs(3));
    assert!(hints(&table) > 0);
    assert!(table.peek(replicas[2], "key").is_empty());
    table.heal();
    // The count of deliveries below says that it was the hint, and not an exchange, that brought it.
    table.advance(Duration::from_secs(5));
    assert_eq!(table.peek(replicas[2], "key"), table.peek(replicas[0], "key"));
    assert_eq!(hints(&table), 0);
    assert!(table.count(Fact::HintDelivered) > 0);
}

/// One replica is down, and its stand-in has the write durably; another has it, but not yet on its disk. That is one
/// acknowledgement.
#[test]
fn a_hint_never_counts_towards_w() {
    let mut table = Table::new(5);
    let (replicas, _) = table.replicas("key");
    table.partition(&[replicas[2]]);
    table.advance(Duration::from_secs(8));
    table.slow_disks.insert(replicas[1]);
    let tag = table.ask(replicas[0], put("key", "value"));
    table.deliver();
    assert_eq!(hints(&table), 1, "the stand-in has it");
    assert!(!table.replies.contains_key(&tag));
    table.release_syncs(replicas[1], Ok(()));
    assert!(matches!(table.replies[&tag], Outcome::Written { acks: 2, .. }));
}

/// Cut off so recently that nobody is suspected: nothing is hinted at first, and all that is missing at the deadline.
#[test]
fn whoever_has_not_acknowledged_by_the_deadline_gets_a_hint() {
    let mut table = Table::new(5);
    let (replicas, _) = table.replicas("key");
    table.partition(&replicas[1..]);
    let tag = table.ask(replicas[0], put("key", "value"));
    table.deliver();
    assert_eq!(hints(&table), 0);
    table.advance(Duration::from_secs(3));
    assert!(is_unknown(&table.replies[&tag], 1, 2));
    assert_eq!(hints(&table), 2);
}

#[test]
fn a_hint_counts_where_any_was_asked() {
    let mut table = Table::new(5);
    let (replicas, _) = table.replicas("key");
    table.partition(&replicas[1..]);
    table.advance(Duration::from_secs(8));
    table.slow_disks.insert(replicas[0]);
    let outcome = table.request(replicas[0], at(put("key", "value"), Level::Any));
    assert!(matches!(outcome, Some(Outcome::Written { acks: 1, .. })), "by a stand-in: {outcome:?}");
}

#[test]
fn a_strict_write_leaves_no_hint() {
    let mut table = Table::new(5);
    let (replicas, _) = table.replicas("key");
    table.partition(&[replicas[2]]);
    table.advance(Duration::from_secs(8));
    let mut request = put("key", "value");
    request.options.sloppy = Some(false);
    assert!(matches!(table.request(replicas[0], request), Some(Outcome::Written { .. })));
    table.advance(Duration::from_secs(3));
    assert_eq!(hints(&table), 0);
    assert_eq!(table.count(Fact::HintStored), 0);
}

#[test]
fn hints_survive_a_crash_of_their_keeper() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    let (keeper, away) = (replicas[0], replicas[2]);
    table.partition(&[away]);
    table.put(keeper, "key", "value");
    table.advance(Duration::from_secs(3));
    assert_eq!(table.nodes[&keeper].status().hints, 1);
    let config = table.crash(keeper);
    table.boot(config).expect("it opens again");
    assert_eq!(table.nodes[&keeper].status().hints, 1);
    table.heal();
    table.advance(Duration::from_secs(8));
    assert_eq!(hints(&table), 0);
    assert_eq!(table.peek(away, "key"), table.peek(keeper, "key"));
}

/// Deleting a hint when it is sent, or when it arrives in memory, would lose it with a crash of the target.
#[test]
fn a_hint_is_kept_until_its_target_has_it_on_disk() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    let (keeper, away) = (replicas[0], replicas[2]);
    table.partition(&[away]);
    table.put(keeper, "key", "value");
    table.advance(Duration::from_secs(3));
    table.heal();
    table.slow_disks.insert(away);
    table.advance(Duration::from_secs(6));
    assert_eq!(table.nodes[&keeper].status().hints, 1);
    table.release_syncs(away, Ok(()));
    table.advance(Duration::from_secs(3));
    assert_eq!(table.nodes[&keeper].status().hints, 0);
}

/// Somebody is away for longer than hints are kept. Neither a restart nor a later write makes a hint younger.
#[test]
fn a_hint_that_grows_too_old_is_dropped_visibly() {
    let mut table = Table::with(3, |config| config.hint_age_max = Duration::from_secs(60));
    let (replicas, _) = table.replicas("key");
    let (keeper, away) = (replicas[0], replicas[2]);
    table.partition(&[away]);
    table.put(keeper, "key", "value");
    table.advance(Duration::from_secs(35));
    table.put(keeper, "key", "again");
    table.advance(Duration::from_secs(5));
    let config = table.crash(keeper);
    table.boot(config).expect("it opens again");
    table.advance(Duration::from_secs(15));
    assert_eq!((hints(&table), table.count(Fact::HintDropped)), (1, 0));
    table.advance(Duration::from_secs(10));
    assert_eq!((hints(&table), table.count(Fact::HintDropped)), (0, 1));
    let config = table.crash(keeper);
    table.boot(config).expect("it opens again");
    assert_eq!(hints(&table), 0, "it is gone from the disk as well");
    table.heal();
    table.advance(Duration::from_secs(30));
    assert_eq!(table.peek(away, "key"), table.peek(keeper, "key"), "repair brings what hints did not");
}

#[test]
fn a_node_keeps_no_more_bytes_of_hints_than_it_may() {
    let mut table = Table::with(3, |config| config.hints_bytes_max = 2500);
    let (replicas, _) = table.replicas("key");
    table.partition(&replicas[2..]);
    for number in 0..4 {
        // Same slot, by the hash tag: the same replicas.
        let outcome = table.put(replicas[0], &format!("{{key}}{number}"), &"v".repeat(1000));
        assert!(matches!(outcome, Some(Outcome::Written { .. })), "hints do not limit writes");
    }
    table.advance(Duration::from_secs(3));
    assert_eq!((hints(&table), table.count(Fact::HintDropped)), (2, 2));
}

/// The target of a hint leaves the layout. What it missed belongs to whoever has its place now; nobody else may have it.
#[test]
fn a_hint_for_a_node_that_left_goes_to_a_replica_that_did_not() {
    let mut table = Table::with(5, |config| config.exchange_every = Duration::from_secs(100_000));
    let (replicas, others) = table.replicas("key");
    // Only a stand-in and its coordinator get the write; then the coordinator loses everything.
    table.partition(&replicas[1..]);
    table.advance(Duration::from_secs(8));
    table.request(replicas[0], at(put("key", "value"), Level::Any));
    assert_eq!(hints(&table), 2);
    table.heal();
    table.partition(&replicas);
    let layout = |gone: u64| {
        let member =
            |node| Member { node: NodeId(node), zone: Zone("default".into()), capacity: 1, birth: 0 };
        let stay = (1..=5).filter(|&node| node != gone).map(member);
        Layout::new(2, 3, stay.collect()).expect("valid")
    };
    let from = table.nodes[&others[0]].sender();
    for node in 1..=5 {
        let message = Message::Layout(Box::new(layout(replicas[1])));
        if node != others[0] {
            table.step(node, Input::Peer { from, message });
        }
    }
    let from = table.nodes[&others[1]].sender();
    let message = Message::Layout(Box::new(layout(replicas[1])));
    table.step(others[0], Input::Peer { from, message });
    table.heal();
    table
        .cut
        .extend(replicas[..2].iter().flat_map(|&gone| (1..=5).flat_map(move |n| [(gone, n), (n, gone)])));
    table.advance(Duration::from_secs(20));
    assert!(table.count(Fact::HintRerouted) > 0);
    assert_eq!(hints(&table), 0);
    let (now, _) = table.replicas("key");
    let holders = now.iter().filter(|&&node| !table.clone().peek(node, "key").is_empty());
    assert!(holders.count() >= 2);
}

/// How many hints are on their way to a node that has just come back, if clients timed out before that or did not.
fn burst(clients_suffer: bool) -> usize {
    let mut table = Table::with(3, |config| config.exchange_every = Duration::from_secs(100_000));
    let (replicas, _) = table.replicas("key");
    let (keeper, away) = (replicas[0], replicas[2]);
    table.partition(&[away]);
    for number in 0..40 {
        table.put(keeper, &format!("{{key}}{number}"), "value");
    }
    table.advance(Duration::from_secs(3));
    assert_eq!(hints(&table), 40);
    table.slow_disks.insert(replicas[1]);
    for number in 0..30 {
        if clients_suffer {
            let mut request = put(&format!("other{{key}}{number}"), "value");
            request.options.timeout = Some(Duration::from_millis(100));
            table.ask(keeper, request);
        }
        table.advance(Duration::from_secs(1));
    }
    table.slow_disks.insert(away);
    table.heal();
    table.delivered.clear();
    table.advance(Duration::from_millis(2500));
    table.delivered.iter().filter(|(_, to, m)| *to == away && matches!(m, Message::Store { .. })).count()
}

#[test]
fn hints_are_replayed_slowly_while_clients_time_out() {
    let (calm, strained) = (burst(false), burst(true));
    assert!(calm >= 40, "all at once: {calm}");
    assert!((1..8).contains(&strained), "{strained}");
}

fn adopt(table: &mut Table, version: u64, members: &[u64]) {
    let member = |&node| {
        let (node, zone) = (NodeId(node), Zone("default".into()));
        Member { node, zone, capacity: 1, birth: 0 }
    };
    let layout = Layout::new(version, 3, members.iter().map(member).collect()).expect("valid");
    for node in table.nodes.keys().copied().collect::<Vec<_>>() {
        let other = if node == 1 { 2 } else { 1 };
        let from = table.nodes[&other].sender();
        table.step(node, Input::Peer { from, message: Message::Layout(Box::new(layout.clone())) });
    }
}

/// A node that is away leaves the layout, and its stand-in takes its place: it has what it kept.
#[test]
fn a_keeper_that_becomes_the_replica_takes_its_own_hint() {
    let mut table = Table::with(5, |config| config.exchange_every = Duration::from_secs(100_000));
    let (replicas, others) = table.replicas("key");
    table.partition(&[replicas[2]]);
    table.advance(Duration::from_secs(8));
    assert!(matches!(table.put(replicas[0], "key", "value"), Some(Outcome::Written { .. })));
    let keeper = others.into_iter().find(|node| table.nodes[node].status().hints > 0).expect("one keeps it");
    table.partition(&[keeper]);
    let members: Vec<u64> = (1..=5).filter(|&node| node != replicas[2]).collect();
    adopt(&mut table, 2, &members);
    assert!(table.replicas("key").0.contains(&keeper));
    table.advance(Duration::from_secs(3));
    assert_eq!((table.nodes[&keeper].status().hints, table.count(Fact::HintRerouted)), (0, 1));
    assert_eq!(table.peek(keeper, "key"), table.peek(replicas[0], "key"));
}

/// The target is still a member, and away, but the key is not its own any more. Whoever has it now does not wait for
/// the target.
#[test]
fn a_hint_does_not_wait_for_a_member_that_is_no_replica_any_more() {
    let mut moved = 0;
    for number in 0..40 {
        let mut table = Table::with(6, |config| config.exchange_every = Duration::from_secs(100_000));
        adopt(&mut table, 2, &[1, 2, 3, 4, 5]);
        let key = format!("key{number}");
        let (before, _) = table.replicas(&key);
        let mut later = table.clone();
        adopt(&mut later, 3, &[1, 2, 3, 4, 5, 6]);
        let (after, _) = later.replicas(&key);
        let Some(&gone) = before.iter().find(|node| !after.contains(node)) else { continue };
        table.partition(&[gone]);
        table.advance(Duration::from_secs(8));
        let by = before.iter().copied().find(|&node| node != gone).expect("another replica");
        assert!(matches!(table.put(by, &key, "value"), Some(Outcome::Written { .. })));
        assert_eq!(hints(&table), 1);
        table.advance(Duration::from_secs(8));
        assert_eq!((hints(&table), table.count(Fact::HintRerouted)), (1, 0), "it is its target's own");
        adopt(&mut table, 3, &[1, 2, 3, 4, 5, 6]);
        table.advance(Duration::from_secs(8));
        assert_eq!((hints(&table), table.count(Fact::HintRerouted)), (0, 1));
        moved += 1;
    }
    assert!(moved > 0);
}

/// A node that is stopped in the middle of a write leaves it to its hints, as if time were up.
#[test]
fn a_node_that_stops_keeps_hints_of_the_writes_that_are_open() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    let (keeper, slow) = (replicas[0], replicas[2]);
    table.slow_disks.insert(slow);
    assert!(matches!(table.put(keeper, "key", "value"), Some(Outcome::Written { acks: 2, .. })));
    table.close(keeper);
    let config = table.crash(keeper);
    table.boot(config).expect("it opens again");
    assert_eq!(table.nodes[&keeper].status().hints, 1);
}

/// Nobody's request runs out of time, but all take a hundred times as long as in quiet times.
#[test]
fn hints_are_replayed_slowly_while_clients_are_slowed_down() {
    let sent = |strained: bool| {
        let mut table = Table::with(3, |config| config.exchange_every = Duration::from_secs(100_000));
        let (replicas, _) = table.replicas("key");
        let (keeper, away) = (replicas[0], replicas[2]);
        for number in 0..2_000 {
            table.put(keeper, &format!("quiet{{key}}{number}"), "value");
        }
        table.partition(&[away]);
        for number in 0..80 {
            table.put(keeper, &format!("{{key}}{number}"), "value");
        }
        table.advance(Duration::from_secs(8));
        assert_eq!(hints(&table), 80);
        table.slow_disks.insert(away);
        table.heal();
        table.advance(Duration::from_millis(1500));
        // A hint is on its way all the time, and each round has its requests.
        for _ in 0..12 {
            for number in 0..70 {
                if strained {
                    table.slow_disks.insert(replicas[1]);
                    table.ask(keeper, put(&format!("other{{key}}{number}"), "value"));
                    table.advance(Duration::from_millis(8));
                    table.release_syncs(replicas[1], Ok(()));
                } else {
                    table.put(keeper, &format!("other{{key}}{number}"), "value");
                    table.advance(Duration::from_millis(8));
                }
            }
            table.advance(Duration::from_millis(440));
        }
        table.delivered.clear();
        // All that wait for the disk of the target, in the sync that is under way and in the next.
        (0..2).for_each(|_| table.end_syncs(away));
        let is_hint =
            |message: &Message| matches!(message, Message::Store { key, .. } if !key.starts_with(b"other"));
        table.delivered.iter().filter(|(_, to, message)| *to == away && is_hint(message)).count()
    };
    let (calm, strained) = (sent(false), sent(true));
    assert!(calm >= 20 && strained <= 4, "{strained} while clients suffer, {calm} else");
}
