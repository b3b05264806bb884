//! Linearizability of each key: all its operations fit into one order that a single copy could have taken, and in which
//! whatever ended before something else began comes before it (Herlihy, Wing: "Linearizability: A Correctness
//! Condition for Concurrent Objects", 1990). That is a property of each object alone, so keys are judged one by one.
//!
//! [`copy`] says what a single copy does, [`search`] looks for the order. An operation whose outcome is unknown may
//! have taken effect at any time after its start, or never.

pub mod copy;
pub mod search;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use self::copy::{OneCopy, Op};
use self::search::{Answer, Span};
use super::Findings;
use super::guarantee::{Guarantee, Judgement};
use crate::base::bytes::Bytes;
use crate::base::id::ClusterId;
use crate::sim::history::{End, Operation};

/// So many places of the search are remembered for one key: some 200 MB at the worst.
const PLACES_MAX: usize = 4 << 20;

pub fn judge(cluster: ClusterId, history: &[Operation]) -> Judgement {
    let mut keys: BTreeMap<&Bytes, Vec<&Operation>> = BTreeMap::new();
    for operation in history {
        keys.entry(&operation.key).or_default().push(operation);
    }
    let (mut broken, mut undecided) = (Findings::default(), Findings::default());
    let mut count = 0;
    for (key, operations) in &keys {
        if operations.iter().any(|operation| operation.kind.is_edit()) {
            undecided.add(|| format!("{}: what merges by itself is no register", key.escape_ascii()));
            continue;
        }
        let (mut copy, spans, places) = copy::read(cluster, operations);
        count += spans.len();
        match search::search(&mut copy, &spans, PLACES_MAX) {
            Answer::Linearizable => {}
            Answer::Violation => {
                broken.add(|| unexplained(operations[places[first_without_order(&mut copy, &spans)]]));
            }
            answer => undecided.add(|| too_hard(key, answer)),
        }
    }
    let looked_at = format!("{count} operations on {} keys, each key as if there were one copy", keys.len());
    Judgement::of(Guarantee::Linearizable, broken, undecided, looked_at)
}

/// Which operation first ended so that there was no order any more, among operations for which there is none in the
/// end: later ones cannot mend it, so that the moment can be found by halving.
fn first_without_order(copy: &mut OneCopy, spans: &[Span<Op>]) -> usize {
    let mut ends: Vec<(u64, usize)> =
        spans.iter().enumerate().filter_map(|(place, span)| Some((span.end?, place))).collect();
    ends.sort_unstable();
    let first = ends.partition_point(|(end, _)| {
        let begun = copy.until(*end, spans);
        // What is too hard counts as fine: then a later operation is named.
        search::search(copy, &begun, PLACES_MAX) != Answer::Violation
    });
    ends.get(first).or(ends.last()).map_or(0, |(_, place)| *place)
}

fn unexplained(operation: &Operation) -> String {
    let found = match &operation.result {
        End::Found { values, .. } => {
            let values: Vec<String> = values.iter().map(|value| shown(value)).collect();
            format!(" found [{}], and", values.join(", "))
        }
        _ => ":".into(),
    };
    format!("{operation}{found} no order of what began before its end explains that")
}

/// The beginning of a value, which in simulations says who wrote it.
fn shown(value: &[u8]) -> String {
    let text = value[..value.len().min(16)].escape_ascii().to_string();
    if value.len() > 16 { format!("{text}…") } else { text }
}

fn too_hard(key: &Bytes, answer: Answer) -> String {
    let why = match answer {
        Answer::TooConcurrent { open } => {
            format!("{open} operations were open at once, more than {}", search::OPEN_MAX)
        }
        _ => format!("more than {PLACES_MAX} places to search"),
    };
    format!("{}: {why}", key.escape_ascii())
}
