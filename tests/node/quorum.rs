//! R and W: who counts, and when.

use kvsim::base::bytes::Bytes;
use kvsim::base::limits::{KEY_MAX, VALUE_DEFAULT_MAX};
use kvsim::base::time::Duration;
use kvsim::disk::DiskError;
use kvsim::node::fact::Fact;
use kvsim::node::input::Input;
use kvsim::node::message::Message;
use kvsim::node::outbox::Halt;
use kvsim::node::request::{Outcome, Rejection};
use kvsim::quorum::need::Knob;
use kvsim::quorum::tally::{Impossible, Level};

use crate::table::{Table, at, get, is_unknown, put, put_with};

#[test]
fn a_write_is_acknowledged_only_when_w_disks_have_it() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    table.slow_disks.extend(&replicas);
    let tag = table.ask(replicas[0], put("key", "value"));
    table.deliver();
    assert!(!table.replies.contains_key(&tag), "nothing is synced, nothing is said");
    table.release_syncs(replicas[1], Ok(()));
    assert!(!table.replies.contains_key(&tag), "one disk is not two");
    table.release_syncs(replicas[2], Ok(()));
    assert!(matches!(table.replies[&tag], Outcome::Written { acks: 2, .. }), "{:?}", table.replies[&tag]);
}

/// A merge that changes nothing must wait as well: the first copy of the frame may still be unsynced.
#[test]
fn a_doubled_frame_is_not_acknowledged_before_the_first_is_durable() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    let slow = replicas[1];
    table.slow_disks.insert(slow);
    table.ask(replicas[0], put("key", "value"));
    table.deliver();
    let (store, from) = table
        .delivered
        .iter()
        .find_map(|(from, to, message)| match message {
            Message::Store { .. } if *to == slow => Some((message.clone(), *from)),
            _ => None,
        })
        .expect("the write was sent there");
    let from = table.nodes[&from].sender();
    table.step(slow, Input::Peer { from, message: store });
    table.deliver();
    let stored = |table: &Table| {
        table
            .delivered
            .iter()
            .filter(|(from, _, m)| *from == slow && matches!(m, Message::Stored { .. }))
            .count()
    };
    assert_eq!(stored(&table), 0);
    table.release_syncs(slow, Ok(()));
    assert_eq!(stored(&table), 2);
}

#[test]
fn a_read_needs_r_real_answers_even_for_a_miss() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    table.partition(&[replicas[0]]);
    assert_eq!(table.request(replicas[0], get("key")), None, "one own miss is no answer");
    table.advance(Duration::from_secs(3));
    let one = table.request(replicas[0], at(get("key"), Level::One));
    assert!(matches!(one, Some(Outcome::Found { values, .. }) if values.is_empty()));
}

#[test]
fn levels_change_how_many_must_answer() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    table.partition(&[replicas[2]]);
    let acks = |outcome| match outcome {
        Some(Outcome::Written { acks, .. }) => acks,
        other => panic!("{other:?}"),
    };
    assert!(acks(table.request(replicas[0], at(put("key", "a"), Level::One))) >= 1);
    assert!(acks(table.request(replicas[0], at(put("key", "b"), Level::Count(2)))) >= 2);
    let tag = table.ask(replicas[0], at(put("key", "c"), Level::All));
    table.advance(Duration::from_secs(3));
    assert!(is_unknown(&table.replies[&tag], 2, 3));
    let impossible = table.request(replicas[0], at(put("key", "d"), Level::Count(4)));
    let why = Impossible::MoreThanReplicas { asked: 4, n: 3 };
    let rejection = Rejection::Impossible { knob: Knob::W, why };
    assert_eq!(impossible, Some(Outcome::Rejected(rejection)));
    let impossible = table.request(replicas[0], at(get("key"), Level::Any));
    let rejection = Rejection::Impossible { knob: Knob::R, why: Impossible::ReadFromAny };
    assert_eq!(impossible, Some(Outcome::Rejected(rejection)));
}

#[test]
fn any_node_takes_a_write_and_a_replica_coordinates_it_once() {
    let mut table = Table::new(5);
    let (replicas, others) = table.replicas("key");
    let outcome = table.put(others[0], "key", "value");
    let Some(Outcome::Written { dot, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(replicas.contains(&dot.actor.node.0), "numbered by a replica");
    assert_eq!(table.count(Fact::RequestForwarded), 1);
    assert_eq!(table.get(others[1], "key").0, ["value"]);
    assert_eq!(table.peek(replicas[0], "key").versions().len(), 1);
}

/// The first forward that was delivered: from, to, message.
fn forwarded(table: &Table) -> (u64, u64, Message) {
    let is_forward = |sent: &&(u64, u64, Message)| matches!(sent.2, Message::Forward { .. });
    table.delivered.iter().find(is_forward).cloned().expect("it was forwarded")
}

/// The network doubles frames. A forward that arrives twice is one write; coordinated twice it would be two, and the
/// second, with the same context, a sibling of the first.
#[test]
fn a_doubled_forward_is_coordinated_once() {
    let mut table = Table::new(5);
    let (replicas, others) = table.replicas("key");
    let (_, context) = table.get(others[0], "key");
    table.request(others[0], put_with("key", "value", Some(context)));
    let (from, to, forward) = forwarded(&table);
    let from = table.nodes[&from].sender();
    table.step(to, Input::Peer { from, message: forward });
    table.deliver();
    assert_eq!(table.get(replicas[0], "key").0, ["value"]);
}

/// The network keeps a copy of a forward while the replica restarts. The replica has forgotten that it coordinated it;
/// done again, an old write would undo what has replaced it since.
#[test]
fn a_forward_that_is_doubled_across_a_restart_is_coordinated_once() {
    let mut table = Table::new(5);
    let (_, others) = table.replicas("key");
    table.put(others[0], "key", "old");
    let (from, to, forward) = forwarded(&table);
    table.put(others[1], "key", "new");
    let config = table.crash(to);
    table.boot(config).expect("it opens again");
    let from = table.nodes[&from].sender();
    table.step(to, Input::Peer { from, message: forward });
    table.advance(Duration::from_secs(5));
    assert_eq!(table.count(Fact::StaleForward), 1);
    assert_eq!(table.get(others[0], "key").0, ["new"]);
}

/// Who forwards to a life that is over is told so at once, and by which life: the next write arrives.
#[test]
fn a_forward_to_a_replica_that_has_just_restarted_is_unknown_at_once_and_the_next_finds_it() {
    let mut table = Table::new(5);
    let (_, others) = table.replicas("key");
    table.put(others[0], "key", "first");
    let (_, near, _) = forwarded(&table);
    let config = table.crash(near);
    table.boot(config).expect("it opens again");
    let outcome = table.put(others[0], "key", "second");
    assert!(outcome.as_ref().is_some_and(|outcome| is_unknown(outcome, 0, 2)), "{outcome:?}");
    table.put(others[0], "key", "third");
    assert_eq!(table.count(Fact::StaleForward), 1, "it goes to the life that there is");
    table.advance(Duration::from_secs(3));
    assert!(matches!(table.put(others[0], "key", "fourth"), Some(Outcome::Written { .. })));
}

/// The coordinator knows more of a write that runs out of time than who forwarded it, and tells it in time.
#[test]
fn a_forwarded_write_that_runs_out_of_time_is_told_with_what_its_coordinator_knows() {
    let mut table = Table::new(5);
    let (replicas, others) = table.replicas("key");
    table.put(others[0], "key", "value");
    let (_, near, _) = forwarded(&table);
    table.slow_disks.extend(replicas.iter().filter(|node| **node != near));
    let tag = table.ask(others[0], put("key", "slow"));
    table.advance(Duration::from_secs(3));
    let reply = &table.replies[&tag];
    assert!(matches!(reply, Outcome::Unknown { acks: 1, needed: 2, write: Some(_), .. }), "{reply:?}");
}

/// One replica cannot be reached from here, but from everywhere else, so nobody takes it for dead. One write finds that
/// out, and from then on one in `suspect_after`; all others go to the next replica.
#[test]
fn a_replica_that_lets_a_forward_run_out_of_time_is_not_asked_first_for_a_while() {
    let mut table = Table::new(5);
    let (_, others) = table.replicas("key");
    let asked = |table: &Table| {
        let forwards = table.delivered.iter().filter(|sent| matches!(sent.2, Message::Forward { .. }));
        forwards.map(|sent| sent.1).collect::<Vec<u64>>()
    };
    table.put(others[0], "key", "first");
    let near = asked(&table)[0];
    table.cut.extend([(others[0], near), (near, others[0])]);
    let outcome = |table: &mut Table| {
        let tag = table.ask(others[0], put("key", "value"));
        table.advance(Duration::from_secs(3));
        let reply = &table.replies[&tag];
        assert!(matches!(reply, Outcome::Written { .. }) || is_unknown(reply, 0, 2), "{reply:?}");
        matches!(reply, Outcome::Written { .. })
    };
    let found: Vec<bool> = (0..9).map(|_| outcome(&mut table)).collect();
    assert_eq!(found, [false, true, true, false, true, true, false, true, true]);
    assert_eq!(table.count(Fact::MemberDown), 0);
    table.heal();
    table.advance(Duration::from_secs(5));
    table.delivered.clear();
    assert!((0..3).all(|_| outcome(&mut table)));
    assert_eq!(asked(&table), [near; 3], "it is as good as before");
}

/// A node asked a replica for an acknowledgement, crashed, and started again. The late acknowledgement must not count
/// for whatever the node is doing now.
#[test]
fn an_acknowledgement_for_an_earlier_life_does_not_count() {
    let mut table = Table::new(3);
    table.partition(&[3]);
    table.slow_disks.insert(2);
    table.ask(1, put("before", "value"));
    table.deliver();
    let config = table.crash(1);
    table.boot(config).expect("it opens again");
    table.advance(Duration::from_secs(2));
    table.cut.insert((1, 2));
    let tag = table.ask(1, put("after", "value"));
    table.deliver();
    table.release_syncs(2, Ok(()));
    assert!(
        table
            .delivered
            .iter()
            .any(|(from, to, m)| (*from, *to) == (2, 1) && matches!(m, Message::Stored { .. }))
    );
    assert!(!table.replies.contains_key(&tag), "one disk is not two");
}

#[test]
fn a_write_without_a_reachable_quorum_is_rejected_with_nothing_applied() {
    let mut table = Table::new(5);
    let (replicas, others) = table.replicas("key");
    table.partition(&replicas[1..]);
    table.advance(Duration::from_secs(8));
    for node in [replicas[0], others[0]] {
        let outcome = table.put(node, "key", "value");
        let rejection = Rejection::Unavailable { knob: Knob::W, usable: 1, needed: 2 };
        assert_eq!(outcome, Some(Outcome::Rejected(rejection)), "at n{node}");
    }
    assert!(table.peek(replicas[0], "key").is_empty());
}

#[test]
fn limits_are_enforced_at_the_edge() {
    let mut table = Table::new(3);
    let long = "k".repeat(KEY_MAX + 1);
    let outcome = table.put(1, &long, "value");
    assert_eq!(outcome, Some(Outcome::Rejected(Rejection::KeyLength { max: KEY_MAX as u32 })));
    assert!(matches!(table.put(1, "", "v"), Some(Outcome::Rejected(Rejection::KeyLength { .. }))));
    let max = VALUE_DEFAULT_MAX as u32;
    let outcome = table.put(1, "key", &"v".repeat(VALUE_DEFAULT_MAX + 1));
    assert_eq!(outcome, Some(Outcome::Rejected(Rejection::ValueLength { max })));
    assert!(matches!(table.put(1, "key", &"v".repeat(VALUE_DEFAULT_MAX)), Some(Outcome::Written { .. })));
}

#[test]
fn a_context_of_another_key_or_none_at_all_is_refused() {
    let mut table = Table::new(3);
    table.put(1, "mine", "value");
    let (_, context) = table.get(1, "mine");
    for token in [context, Bytes::from("forged")] {
        let outcome = table.request(1, put_with("yours", "value", Some(token)));
        assert_eq!(outcome, Some(Outcome::Rejected(Rejection::Context)));
    }
}

/// After a failed sync nobody knows what is on the disk. The node must not guess, not retry, and not go on.
#[test]
fn a_failed_sync_halts_the_node_and_leaves_its_writes_unknown() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    table.slow_disks.insert(replicas[0]);
    let tag = table.ask(replicas[0], at(put("key", "value"), Level::All));
    table.deliver();
    table.release_syncs(replicas[0], Err(DiskError::Io));
    assert_eq!(table.halts[&replicas[0]], Halt::Storage(DiskError::Io));
    assert!(is_unknown(&table.replies[&tag], 2, 3));
    assert_eq!(table.request(replicas[0], get("key")), None, "a halted node does nothing");
}
