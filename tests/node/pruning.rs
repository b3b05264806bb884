//! Clock pruning (pitfall 7 of Dynamo-style stores): what the knob does, and what it costs.

use std::collections::BTreeSet;

use kvsim::base::time::Duration;
use kvsim::node::fact::Fact;
use kvsim::node::request::{Command, Outcome, Rejection, Request};

use crate::table::{Table, get};

fn table(clock_length_max: u32) -> Table {
    Table::with(3, |config| {
        config.clock_length_max = clock_length_max;
        // No hints, and comparisons so rarely that the replicas do not hand each other back what was pruned.
        config.sloppy = false;
        config.exchange_every = Duration::from_secs(40);
    })
}

/// The nodes restart in turn, and each writes the key in each of its lives.
fn live(table: &mut Table, lives: u64, nodes: &[u64]) {
    for life in 0..lives {
        for &node in nodes {
            let config = table.crash(node);
            table.boot(config).expect("it starts");
            table.advance(Duration::from_secs(3));
            let outcome = table.put(node, "key", &format!("n{node}-{life}"));
            assert!(matches!(outcome, Some(Outcome::Written { .. })), "{outcome:?}");
        }
    }
}

fn actors(table: &mut Table, node: u64) -> usize {
    table.peek(node, "key").clock().actors().len()
}

#[test]
fn a_clock_names_every_life_unless_it_is_pruned() {
    let mut whole = table(0);
    live(&mut whole, 4, &[1, 2]);
    assert_eq!((actors(&mut whole, 2), whole.count(Fact::ClockPruned)), (8, 0));
    let mut pruned = table(3);
    live(&mut pruned, 4, &[1, 2]);
    assert_eq!(actors(&mut pruned, 2), 3);
    assert!(pruned.count(Fact::ClockPruned) > 2);
    assert_eq!(pruned.get(3, "key").0, ["n2-3"]);
}

/// Who may still number writes is never forgotten, however short the clock is to be: else a dot would be given twice as
/// soon as its node lost the key.
#[test]
fn an_actor_that_lives_is_not_pruned() {
    let mut table = table(1);
    let mut dots = BTreeSet::new();
    for round in 0..4 {
        for node in 1..=3 {
            let outcome = table.put(node, "key", &format!("n{node}-{round}"));
            let Some(Outcome::Written { dot, .. }) = outcome else { panic!("{outcome:?}") };
            assert!(dots.insert(dot), "{dot} was given twice");
        }
    }
    assert_eq!((actors(&mut table, 1), table.count(Fact::ClockPruned)), (3, 0));
}

/// Pitfall 7: a pruned clock no longer descends from what it replaced.
#[test]
fn pitfall_7_a_replica_that_was_away_brings_back_what_was_replaced() {
    for (clock_length_max, expected) in [(0, vec!["n2-2"]), (2, vec!["n2-2", "old"])] {
        let mut table = table(clock_length_max);
        table.put(1, "key", "old");
        table.partition(&[3]);
        live(&mut table, 3, &[1, 2]);
        table.heal();
        table.advance(Duration::from_secs(170));
        let (mut values, _) = table.get(1, "key");
        values.sort();
        assert_eq!(values, expected, "at {clock_length_max}");
    }
}

/// And a client that has seen more than anybody remembers is turned away.
#[test]
fn pitfall_7_a_context_from_before_finds_nobody_who_knows_as_much() {
    for (clock_length_max, refused) in [(0, false), (2, true)] {
        let mut table = table(clock_length_max);
        table.put(1, "key", "old");
        let (_, context) = table.get(2, "key");
        table.partition(&[3]);
        live(&mut table, 3, &[1, 2]);
        let request = Request { command: Command::Get { context: Some(context) }, ..get("key") };
        let tag = table.ask(1, request);
        table.advance(Duration::from_secs(3));
        let outcome = &table.replies[&tag];
        assert_eq!(matches!(outcome, Outcome::Rejected(Rejection::Behind)), refused, "{outcome:?}");
    }
}
