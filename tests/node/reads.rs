//! What a read may show: nothing that a later read could miss, and nothing older than its client has seen.

use kvsim::base::bytes::Bytes;
use kvsim::base::id::ClusterId;
use kvsim::base::time::Duration;
use kvsim::causal::clock::Clock;
use kvsim::causal::context;
use kvsim::node::fact::Fact;
use kvsim::node::input::Input;
use kvsim::node::message::{Held, Message};
use kvsim::node::request::{Command, Options, Outcome, Rejection, Request};
use kvsim::node::wire;
use kvsim::quorum::tally::Level;
use proptest::prelude::*;

use crate::table::{CLUSTER, Table, at, get, put};

fn strict(mut request: Request) -> Request {
    request.options.sloppy = Some(false);
    request
}

fn get_with(key: &str, token: &Bytes) -> Request {
    Request { command: Command::Get { context: Some(token.clone()) }, ..get(key) }
}

fn values(outcome: Option<&Outcome>) -> Option<Vec<&[u8]>> {
    match outcome {
        Some(Outcome::Found { values, .. }) => Some(values.iter().map(|found| &found.value[..]).collect()),
        _ => None,
    }
}

/// Three replicas have "old"; only the first has "new", durably: its coordinator could reach nobody.
fn with_a_failed_write() -> (Table, Vec<u64>) {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    table.put(replicas[0], "key", "old");
    table.partition(&replicas[..1]);
    let one = strict(at(put("key", "new"), Level::One));
    assert!(matches!(table.request(replicas[0], one), Some(Outcome::Written { acks: 1, .. })));
    table.heal();
    (table, replicas)
}

/// Only replicas are asked. Nodes that answer all the same, be they ever so many and well-meaning, change nothing.
#[test]
fn what_is_no_replica_answers_no_read() {
    let mut table = Table::new(12);
    let (replicas, others) = table.replicas("key");
    table.put(replicas[0], "key", "value");
    let foreign = table.peek(replicas[0], "key");
    table.partition(&replicas[1..]);
    let tag = table.ask(replicas[0], get("key"));
    table.deliver();
    // Its own copy answers, and the others' never come.
    let op = table.open_read(replicas[0]);
    for &other in &others {
        for held in [Held::Digest(None), Held::Siblings(std::sync::Arc::new(foreign.clone())), Held::Refused]
        {
            let from = table.nodes[&other].sender();
            table.step(replicas[0], Input::Peer { from, message: Message::Fetched { op, held } });
        }
    }
    assert!(!table.replies.contains_key(&tag), "one of three replicas is no quorum");
    table.heal();
    table.advance(Duration::from_secs(3));
    assert!(matches!(table.replies.get(&tag), Some(Outcome::Rejected(_))), "{:?}", table.replies.get(&tag));
    assert_eq!(table.get(replicas[0], "key").0, ["value"]);
}

/// If the read had shown "new" at once, the crash of one node would have taken it back: the next quorum read, by the
/// other two, shows "old".
#[test]
fn a_quorum_read_shows_nothing_that_a_later_one_could_miss() {
    let (mut table, replicas) = with_a_failed_write();
    table.partition(&replicas[2..]);
    table.slow_disks.insert(replicas[1]);
    let tag = table.ask(replicas[0], get("key"));
    table.deliver();
    assert!(!table.replies.contains_key(&tag), "a quorum does not have it on disk yet");
    table.release_syncs(replicas[1], Ok(()));
    assert_eq!(values(table.replies.get(&tag)), Some(vec![&b"new"[..]]));
    table.heal();
    table.partition(&replicas[..1]);
    assert_eq!(table.get(replicas[2], "key").0, ["new"]);
}

/// The same, where the coordinator is itself the one that is behind.
#[test]
fn a_coordinator_that_is_behind_catches_up_durably_before_it_answers() {
    let (mut table, replicas) = with_a_failed_write();
    table.partition(&replicas[2..]);
    table.slow_disks.insert(replicas[1]);
    let tag = table.ask(replicas[1], get("key"));
    table.deliver();
    assert!(!table.replies.contains_key(&tag));
    table.release_syncs(replicas[1], Ok(()));
    assert_eq!(values(table.replies.get(&tag)), Some(vec![&b"new"[..]]));
}

#[test]
fn a_read_that_cannot_be_made_safe_in_time_is_rejected() {
    let (mut table, replicas) = with_a_failed_write();
    table.partition(&replicas[2..]);
    table.slow_disks.insert(replicas[1]);
    let tag = table.ask(replicas[0], get("key"));
    table.advance(Duration::from_secs(3));
    let Outcome::Rejected(Rejection::Timeout { answers: 1, needed: 2, .. }) = table.replies[&tag] else {
        panic!("{:?}", table.replies[&tag])
    };
}

/// What is only in memory is gone after a crash, and was shown to somebody.
#[test]
fn a_replica_answers_only_with_what_is_on_its_disk() {
    let mut table = Table::new(3);
    table.slow_disks.extend([1, 2, 3]);
    table.ask(1, put("key", "value"));
    table.deliver();
    let tags: Vec<u64> = (1..=3).map(|node| table.ask(node, at(get("key"), Level::One))).collect();
    table.deliver();
    assert!(tags.iter().all(|tag| !table.replies.contains_key(tag)), "nobody has it on disk");
    let other = table.request(1, get("other"));
    assert!(other.is_some(), "another key does not wait for it");
    table.release_syncs(2, Ok(()));
    assert!(tags.iter().all(|tag| values(table.replies.get(tag)) == Some(vec![&b"value"[..]])));
}

#[test]
fn a_replica_that_answers_late_is_repaired_all_the_same() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    table.slow_disks.insert(replicas[2]);
    table.put(replicas[0], "key", "old");
    table.partition(&replicas[2..]);
    table.request(replicas[0], strict(put("key", "new")));
    table.heal();
    assert_eq!(table.get(replicas[0], "key").0, ["new"], "two are enough; the third is waiting for its disk");
    assert_eq!(table.peek(replicas[2], "key").versions()[0].value, Some(Bytes::from("old")));
    assert_eq!(table.count(Fact::ReadRepaired), 0);
    table.release_syncs(replicas[2], Ok(()));
    assert_eq!(table.peek(replicas[2], "key"), table.peek(replicas[0], "key"));
    assert_eq!(table.count(Fact::ReadRepaired), 1);
}

#[test]
fn a_read_with_a_context_never_shows_less_than_that_covers() {
    let (mut table, replicas) = with_a_failed_write();
    table.partition(&replicas[..1]);
    let one = table.request(replicas[0], at(get("key"), Level::One));
    let Some(Outcome::Found { context: seen, .. }) = one else { panic!("{one:?}") };
    // The client has seen "new" and comes to another node, which cannot reach the one that has it.
    let request = at(get_with("key", &seen), Level::One);
    let tag = table.ask(replicas[1], request.clone());
    table.advance(Duration::from_secs(3));
    assert_eq!(table.replies[&tag], Outcome::Rejected(Rejection::Behind));
    assert_eq!(
        values(table.request(replicas[1], at(get("key"), Level::One)).as_ref()),
        Some(vec![&b"old"[..]])
    );
    // Once it can, the read waits for that one's answer, though one answer would do for R.
    table.heal();
    assert_eq!(values(table.request(replicas[1], request).as_ref()), Some(vec![&b"new"[..]]));
}

#[test]
fn a_read_that_all_replicas_have_answered_in_vain_does_not_wait() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    table.slow_disks.extend(&replicas);
    let options = Options { dw: Some("0".parse().expect("a level")), ..Options::default() };
    let lost = table.request(replicas[0], Request { options, ..put("key", "lost") });
    let Some(Outcome::Written { context, .. }) = lost else { panic!("{lost:?}") };
    for &node in &replicas {
        let config = table.crash(node);
        table.slow_disks.remove(&node);
        table.boot(config).expect("it opens again");
    }
    table.advance(Duration::from_secs(2));
    let outcome = table.request(replicas[0], get_with("key", &context));
    assert_eq!(outcome, Some(Outcome::Rejected(Rejection::Behind)));
    assert_eq!(
        table.request(replicas[0], get_with("other", &context)),
        Some(Outcome::Rejected(Rejection::Context))
    );
}

/// The bytes of all frames that reads sent.
fn bytes_read(table: &Table) -> usize {
    let sender = table.nodes[&1].sender();
    let reads = table
        .delivered
        .iter()
        .filter(|(_, _, message)| matches!(message, Message::Fetch { .. } | Message::Fetched { .. }));
    reads.fold(0, |sum, (_, _, message)| {
        let mut frame = Vec::new();
        wire::encode(ClusterId::of_name(CLUSTER), sender, message, &mut frame);
        sum + frame.len()
    })
}

/// Measured here, for a value of 1 KiB and N = 3: 248 bytes for a read that a replica coordinates, 3.4 KiB for one
/// that another node does. Even of one byte the fingerprint is the shorter answer.
#[test]
fn replicas_that_agree_with_the_coordinator_send_no_values() {
    let mut table = Table::new(5);
    let (replicas, others) = table.replicas("key");
    let mut cost = |node, value: &str| {
        table.put(replicas[0], "key", value);
        table.delivered.clear();
        assert_eq!(table.get(node, "key").0, [value]);
        bytes_read(&table)
    };
    let value = "v".repeat(1024);
    let (near, far) = (cost(replicas[1], &value), cost(others[0], &value));
    assert!(near < 260 && (1024..1500).contains(&far), "{near} {far}");
    let (near, far) = (cost(replicas[1], "v"), cost(others[0], "v"));
    assert!(near < far, "{near} {far}");
}

#[test]
fn a_replica_that_disagrees_sends_the_whole_after_its_fingerprint() {
    let mut table = Table::new(3);
    let (replicas, _) = table.replicas("key");
    let (old, new) = ("o".repeat(1000), "n".repeat(1000));
    table.put(replicas[0], "key", &old);
    table.partition(&replicas[..1]);
    table.request(replicas[0], strict(at(put("key", &new), Level::One)));
    table.heal();
    table.delivered.clear();
    assert_eq!(table.get(replicas[0], "key").0, [new]);
    let told = |held: fn(&Held) -> bool| {
        let messages = table.delivered.iter().filter_map(|(_, _, message)| match message {
            Message::Fetched { held, .. } => Some(held),
            _ => None,
        });
        messages.filter(|&answer| held(answer)).count()
    };
    assert_eq!(told(|held| matches!(held, Held::Digest(_))), 2);
    assert_eq!(told(|held| matches!(held, Held::Siblings(_))), 2);
}

/// The replica that is asked for the whole does not answer, and the fingerprints of the others are worth nothing without
/// it. The read must not be as slow as the slowest of three.
#[test]
fn a_read_asks_another_replica_when_the_first_is_late() {
    let mut table = Table::new(5);
    let (replicas, others) = table.replicas("key");
    let value = "v".repeat(1000);
    table.put(replicas[0], "key", &value);
    let asked = |table: &Table| {
        let whole = |message: &Message| matches!(message, Message::Fetch { digest: false, .. });
        table.delivered.iter().filter(|sent| whole(&sent.2)).map(|sent| sent.1).collect::<Vec<u64>>()
    };
    table.delivered.clear();
    table.get(others[0], "key");
    let first = asked(&table);
    assert_eq!((first.len(), table.count(Fact::ReadSpeculated)), (1, 0));
    table.cut.insert((first[0], others[0]));
    table.delivered.clear();
    let tag = table.ask(others[0], get("key"));
    table.deliver();
    assert!(!table.replies.contains_key(&tag), "two fingerprints are no value");
    table.advance(Duration::from_millis(60));
    assert_eq!(values(table.replies.get(&tag)), Some(vec![value.as_bytes()]));
    assert_eq!((asked(&table).len(), table.count(Fact::ReadSpeculated)), (2, 1));
    assert_ne!(asked(&table)[1], first[0]);
}

/// How long to wait is learned: after a hundred answers at once, the second is asked at once.
#[test]
fn how_long_a_read_waits_is_learned_from_the_answers() {
    let mut table = Table::new(5);
    let (_, others) = table.replicas("key");
    table.put(others[0], "key", &"v".repeat(1000));
    (0..40).for_each(|_| drop(table.get(others[0], "key")));
    let (replicas, _) = table.replicas("key");
    table.cut.extend(replicas.iter().map(|&node| (node, others[0])));
    table.delivered.clear();
    table.ask(others[0], get("key"));
    table.advance(Duration::from_millis(1));
    assert_eq!(table.count(Fact::ReadSpeculated), 2, "both of the others");
}

/// What is small is not worth a fingerprint, nor the wait for one chosen replica.
#[test]
fn small_values_come_whole_from_all() {
    let mut table = Table::new(5);
    let (replicas, others) = table.replicas("key");
    table.put(replicas[0], "key", "small");
    table.cut.extend(replicas[..1].iter().map(|&node| (node, others[0])));
    assert_eq!(table.get(others[0], "key").0, ["small"], "without the one that was asked for the whole");
    assert_eq!(table.count(Fact::ReadSpeculated), 0);
}

/// A write, a read, a crash, a read: each with somebody cut off (nobody, at 0), the first two with a slow disk.
#[derive(Clone, Copy, Debug)]
struct Episode {
    slow: u64,
    put: (u64, u64),
    get: (u64, u64),
    crash: u64,
    get_again: (u64, u64),
}

fn episodes() -> impl Strategy<Value = Vec<Episode>> {
    let at = || (1u64..=3, 0u64..=3);
    let episode = (0u64..=3, at(), at(), 0u64..=3, at())
        .prop_map(|(slow, put, get, crash, get_again)| Episode { slow, put, get, crash, get_again });
    proptest::collection::vec(episode, 1..5)
}

/// Three replicas among which nothing but reads repairs anything.
fn alone() -> Table {
    Table::with(3, |config| {
        config.exchange_every = Duration::from_secs(100_000);
        config.sloppy = false;
    })
}

/// The reads of a history, and what they have shown.
#[derive(Default)]
struct Reader {
    shown: Clock,
    /// The tag of each read that is under way, with what was shown before it began.
    open: Vec<(u64, Clock)>,
}

impl Reader {
    fn ask(&mut self, table: &mut Table, node: u64) {
        self.open.push((table.ask(node, get("key")), self.shown.clone()));
        table.deliver();
    }

    /// Takes the answers that have come. None shows less than what was shown before its read began.
    fn check(&mut self, table: &Table) {
        for (tag, before) in std::mem::take(&mut self.open) {
            match table.replies.get(&tag) {
                None => self.open.push((tag, before)),
                Some(Outcome::Found { context: token, .. }) => {
                    let cluster = ClusterId::of_name(CLUSTER);
                    let clock = context::open(cluster, b"key", token).expect("our own token");
                    assert!(clock.descends(&before), "{clock} after {before}");
                    self.shown.join(&clock);
                }
                Some(_) => {}
            }
        }
    }
}

fn cut_off(table: &mut Table, node: u64) {
    table.heal();
    table.partition(&[node]);
}

fn play(table: &mut Table, reader: &mut Reader, episode: Episode, value: &str) {
    table.slow_disks.insert(episode.slow);
    cut_off(table, episode.put.1);
    table.request(episode.put.0, at(put("key", value), Level::One));
    cut_off(table, episode.get.1);
    reader.ask(table, episode.get.0);
    reader.check(table);
    if episode.crash > 0 {
        table.heal();
        let config = table.crash(episode.crash);
        table.slow_disks.remove(&episode.crash);
        table.boot(config).expect("it opens again");
        table.advance(Duration::from_millis(1500));
        reader.check(table);
    }
    cut_off(table, episode.get_again.1);
    reader.ask(table, episode.get_again.0);
    reader.check(table);
    table.release_syncs(episode.slow, Ok(()));
    reader.check(table);
}

/// Writes that fail, partitions, slow disks and crashes: whatever a quorum read has shown, every quorum read that begins
/// later shows as well.
#[test]
fn quorum_reads_never_go_back() {
    let start = alone();
    proptest!(ProptestConfig::with_cases(40), |(episodes in episodes())| {
        let (mut table, mut reader) = (start.clone(), Reader::default());
        for (number, episode) in episodes.into_iter().enumerate() {
            play(&mut table, &mut reader, episode, &number.to_string());
        }
    });
}
