//! The linearizability checker against the `todc-utils` crate (the search of Wing, Gong and Lowe, in the plain), on the
//! same register histories, in alternation. Prints operations per second of both and the ratio; both must come to the
//! same verdict.
//!
//! ```text
//! cargo bench --bench linear -- [rounds] [operations of the row with 10 clients on one key]
//! ```
//!
//! Each operation of a history takes effect at a moment between its start and its end, half of them are writes, and
//! every value is written once. A *bad* history has reads that find what was replaced long before, in the last quarter
//! of the last key. The rows with more clients on one key are for ours alone: the other one would take hours.

#![allow(clippy::print_stdout, reason = "a bench prints what it found")]

use std::time::Instant as RealInstant;

use kvsim::base::bytes::Bytes;
use kvsim::base::id::ClusterId;
use kvsim::base::rng::Stream;
use kvsim::base::time::Instant;
use kvsim::sim::check::guarantee::Held;
use kvsim::sim::check::linear;
use kvsim::sim::history::{End, Kind, Operation};
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

/// One operation on a register. Value 0 is what was there before any write.
#[derive(Clone, Copy)]
struct Timed {
    client: usize,
    start: u64,
    effect: u64,
    end: u64,
    is_write: bool,
    value: u64,
}

/// The operations of so many clients on one key, in the order in which they took effect.
fn register(clients: usize, operations: usize, draws: &mut Stream, is_bad: bool) -> Vec<Timed> {
    let each = operations / clients;
    let mut all = Vec::with_capacity(operations);
    for client in 0..clients {
        let mut now = draws.below(1000);
        for number in 0..each {
            let (before, after) = (1 + draws.below(500), 1 + draws.below(500));
            let (start, effect, end) = (now * 2 + 1, now + before, (now + before + after) * 2);
            let value = (client * each + number + 1) as u64;
            all.push(Timed { client, start, effect, end, is_write: draws.below(2) == 0, value });
            now += before + after + 1 + draws.below(500);
        }
    }
    all.sort_unstable_by_key(|timed| (timed.effect, timed.client));
    let (mut written, count, stale) = (vec![0], all.len(), 4 * clients);
    for (index, timed) in all.iter_mut().enumerate() {
        let last = written.len() - 1;
        if timed.is_write {
            written.push(timed.value);
        } else if is_bad && index > count * 3 / 4 && last > stale {
            timed.value = written[last - stale];
        } else {
            timed.value = written[last];
        }
    }
    all
}

/// Whether all keys are linearizable, and in how many seconds that was found.
fn ours(keys: &[Vec<Timed>]) -> (bool, f64) {
    let mut history = Vec::new();
    for (key, timed) in keys.iter().enumerate() {
        let key = Bytes::from(format!("k{key}").as_str());
        for timed in timed {
            let value = Bytes::from(timed.value.to_string().as_str());
            let values = if timed.value == 0 { vec![] } else { vec![value.clone()] };
            let found = End::Found { values, context: Bytes::default() };
            history.push(Operation {
                client: timed.client as u32,
                kind: if timed.is_write { Kind::Put } else { Kind::Get },
                key: key.clone(),
                value: timed.is_write.then_some(value),
                expected: None,
                context: None,
                request: None,
                node: 0,
                due: Instant(timed.start),
                start: Instant(timed.start),
                end: Some(Instant(timed.end)),
                result: if timed.is_write { End::Done } else { found },
            });
        }
    }
    let began = RealInstant::now();
    let held = linear::judge(ClusterId(0), &history).held;
    assert!(held != Held::Undecided, "a history that we cannot decide");
    (held == Held::Holds, began.elapsed().as_secs_f64())
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Read(Option<u64>),
    Write(u64),
}

struct Register;

impl Specification for Register {
    type State = u64;
    type Operation = Act;

    fn init() -> u64 {
        0
    }

    fn apply(act: &Act, state: &u64) -> (bool, u64) {
        match act {
            Act::Read(value) => (*value == Some(*state), *state),
            Act::Write(value) => (true, *value),
        }
    }
}

fn theirs(keys: &[Vec<Timed>]) -> (bool, f64) {
    let mut all = Vec::new();
    for timed in keys {
        let mut events = Vec::new();
        for one in timed {
            let (call, answer) = match one.is_write {
                true => (Act::Write(one.value), Act::Write(one.value)),
                false => (Act::Read(None), Act::Read(Some(one.value))),
            };
            events.push((one.start, one.client, Action::Call(call)));
            events.push((one.end, one.client, Action::Response(answer)));
        }
        events.sort_by_key(|event| (event.0, event.1));
        all.push(events.into_iter().map(|(_, client, action)| (client, action)).collect::<Vec<_>>());
    }
    let began = RealInstant::now();
    let ok = all
        .into_iter()
        .all(|actions| WGLChecker::<Register>::is_linearizable(History::from_actions(actions)));
    (ok, began.elapsed().as_secs_f64())
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let rounds = numbers.first().copied().unwrap_or(3).max(1);
    let ten = numbers.get(1).copied().unwrap_or(1_000);
    println!("{:<44}{:>10}{:>14}{:>14}{:>9}", "history", "verdict", "ours op/s", "todc op/s", "ratio");
    for (keys, clients, operations, is_bad, compared) in [
        (100, 5, 100_000, false, true),
        (100, 5, 100_000, true, true),
        (1, 5, 10_000, false, true),
        (1, 5, 10_000, true, true),
        (1, 10, ten, false, true),
        (1, 16, 10_000, false, false),
        (1, 16, 10_000, true, false),
        (1, 32, 10_000, false, false),
        (1, 32, 10_000, true, false),
    ] {
        let mut draws = Stream::new(1, "bench", (keys * clients) as u64);
        let registers: Vec<Vec<Timed>> = (0..keys)
            .map(|key| register(clients, operations / keys, &mut draws, is_bad && key == keys - 1))
            .collect();
        let (mut mine, mut other) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (verdict, seconds) = ours(&registers);
            assert_eq!(verdict, !is_bad);
            mine.push(seconds);
            if compared {
                let (verdict, seconds) = theirs(&registers);
                assert_eq!(verdict, !is_bad);
                other.push(seconds);
            }
        }
        let rate = |seconds: f64| operations as f64 / seconds;
        let mine = rate(median(mine));
        let (other, ratio) = match compared {
            true => {
                let other = rate(median(other));
                (format!("{other:.0}"), format!("{:.0}", mine / other))
            }
            false => ("-".into(), "-".into()),
        };
        let what = format!(
            "{operations} operations, {keys} keys, {clients} clients{}",
            if is_bad { ", bad" } else { "" }
        );
        let verdict = if is_bad { "broken" } else { "holds" };
        println!("{what:<44}{verdict:>10}{mine:>14.0}{other:>14}{ratio:>9}");
    }
}
