//! `kvsim merge`: the shards of a sweep, run anywhere, as one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::string::String;
use std::vec::Vec;
use std::{eprintln, format};

use super::ledger::{self, Head, Line};
use super::summary::Summary;
use super::{BAD_INPUT, Merge, ci};
use crate::sim::verdict::Verdict;

pub(super) fn merge(typed: &Merge) -> Result<u8, String> {
    let mut first: Option<Head> = None;
    let mut runs: BTreeMap<(String, u64), Line> = BTreeMap::new();
    for path in &typed.files {
        let (head, lines, _) = ledger::read(path)?;
        let first = first.get_or_insert_with(|| head.clone());
        if let Some(what) = ledger::difference(&head, first) {
            return Err(format!(
                "kvsim: {}: does not fit {}: {what}",
                path.display(),
                typed.files[0].display()
            ));
        }
        if head.build != first.build {
            eprintln!(
                "kvsim: {}: written by another build than {}",
                path.display(),
                typed.files[0].display()
            );
        }
        lines.into_iter().for_each(|line| add(&mut runs, line));
    }
    let head = first.expect("the command line has at least one file");
    let planned = (head.seeds.end - head.seeds.start).saturating_mul(head.scenarios.len() as u64);
    let lines: Vec<Line> = runs.into_values().collect();
    let missing = planned - lines.len() as u64;
    let summary = Summary::new(&head, lines, planned);
    if let Some(path) = &typed.junit {
        ci::write_junit(path, &summary)?;
    }
    if typed.json {
        say!("{}", summary.json());
    } else {
        say!("{}", summary.text());
        ci::annotate(&summary);
    }
    let code = summary.exit_code();
    if missing > 0 {
        eprintln!("kvsim: {missing} of {planned} runs are in no file: a shard is missing, or did not end");
    }
    // A failure that is known weighs more than runs that are not.
    Ok(if missing > 0 && code == 0 { BAD_INPUT } else { code })
}

/// Two files may hold the same run. If they do not agree on it, the simulator is not deterministic.
fn add(runs: &mut BTreeMap<(String, u64), Line>, line: Line) {
    match runs.entry((line.record.scenario.clone(), line.record.seed)) {
        Entry::Vacant(vacant) => drop(vacant.insert(line)),
        Entry::Occupied(mut occupied) if occupied.get().record != line.record => {
            let record = &mut occupied.get_mut().record;
            record.verdict = Verdict::Nondeterminism;
            record.reason = "NONDETERMINISM: two shards ran this seed, and do not agree".into();
        }
        Entry::Occupied(_) => {}
    }
}
