//! What to compact next: a pure function of the levels.
//!
//! Leveled compaction with the last level as the anchor (RocksDB calls it dynamic level bytes): the last level
//! holds almost everything, each level above it a tenth of the one below, and levels that would be smaller than
//! what is flushed are left empty. So old versions can be at most about a ninth of the data, whatever its size.
//!
//! A level that is too large gives the table that overlaps least of the next level, since that is what
//! has to be rewritten for it; a table that overlaps nothing is not rewritten at all but moved. Deletes are a
//! debt of their own: a table in which they are dense slows scans down and one in which they are old keeps
//! the space of what they deleted, so both sink to where deletes can be dropped (Sarkar et al., "Lethe",
//! SIGMOD 2020).

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::storage::config::Config;
use crate::storage::table::TableMeta;
use crate::storage::version::{LAST_LEVEL, LEVELS, Version};

/// How much larger each level is than the one above.
const FANOUT: u64 = 10;
/// Deletes are dense where they are one entry in so many.
const DENSE: u64 = 10;
/// Deletes are old when so many writes came after the last one in their table.
const OLD: u64 = 1 << 20;

/// Which tables to merge, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    /// The newer ones. Of level 0: newest first; of others: by key.
    pub upper: Vec<Arc<TableMeta>>,
    /// What they overlap in the level that they go to, by key.
    pub lower: Vec<Arc<TableMeta>>,
    pub from: u8,
    pub into: u8,
    /// Below there is nothing that a delete could have to hide.
    pub is_last: bool,
}

impl Choice {
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableMeta>> {
        self.upper.iter().chain(&self.lower)
    }

    /// Nothing has to be merged or dropped: the tables can be moved as they are.
    pub fn is_move(&self) -> bool {
        let mut by_key: Vec<_> = self.upper.iter().collect();
        by_key.sort_by(|a, b| a.first.cmp(&b.first));
        let disjoint = by_key.windows(2).all(|pair| pair[0].last < pair[1].first);
        let has_deletes = self.upper.iter().any(|table| table.deletes > 0);
        disjoint && self.lower.is_empty() && !(self.is_last && has_deletes)
    }
}

/// How large each level may be, in bytes, and the level into which level 0 is compacted.
struct Shape {
    targets: [u64; LEVELS],
    base: u8,
}

/// A base level smaller than what one compaction of level 0 brings would only be rewritten all the time.
fn shape(version: &Version, config: &Config) -> Shape {
    let smallest = config.memtable_bytes.saturating_mul(u64::from(config.level0_tables));
    let mut bytes = (1..=LAST_LEVEL).map(|level| version.bytes(level)).max().unwrap_or(0);
    // What is in a level above the base is to go.
    let mut targets = [0; LEVELS];
    let mut base = LAST_LEVEL;
    targets[usize::from(base)] = u64::MAX;
    while bytes > smallest && base > 1 {
        base -= 1;
        bytes /= FANOUT;
        targets[usize::from(base)] = bytes;
    }
    let highest = (1..base).find(|level| !version.level(*level).is_empty());
    Shape { targets, base: highest.unwrap_or(base) }
}

/// How far each level is beyond what it may be, in thousandths: above 1000 it is due.
fn scores(version: &Version, config: &Config, shape: &Shape) -> Vec<(u64, u8)> {
    let level0 = version.level(0).len() as u64 * 1000 / u64::from(config.level0_tables);
    let deeper = (1..LAST_LEVEL).map(|level| {
        let (bytes, target) = (version.bytes(level), shape.targets[usize::from(level)]);
        let score = if bytes == 0 { 0 } else { bytes.saturating_mul(1000) / target.max(1) };
        // Exactly full is fine.
        (score.saturating_sub(1), level)
    });
    let mut scores: Vec<(u64, u8)> = core::iter::once((level0, 0)).chain(deeper).collect();
    scores.retain(|score| score.0 >= 1000);
    scores.sort_by_key(|(score, level)| (core::cmp::Reverse(*score), *level));
    scores
}

/// The most urgent compaction, if any is due.
///
/// A table in `damaged` cannot be merged. It must not let newer tables sink below it either, or its old values
/// would come to lie above their new ones; so of level 0 only what is older than its newest damaged table is
/// taken, and nothing that overlaps damage in the level it goes to. The rest goes on as it is: reads get slower,
/// writes do not stop.
pub fn pick(version: &Version, config: &Config, damaged: &BTreeSet<u64>) -> Option<Choice> {
    let shape = shape(version, config);
    let due = scores(version, config, &shape);
    let of_size = due.into_iter().find_map(|(_, level)| match level {
        0 => from_level0(version, config, shape.base, damaged),
        level => least_overlap(version, level, damaged, |_| true),
    });
    of_size.or_else(|| {
        let newest = version.newest();
        let dense = |table: &TableMeta| table.deletes.saturating_mul(DENSE) >= table.entries;
        let old = |table: &TableMeta| newest.saturating_sub(table.newest) >= OLD;
        let ripe = |table: &TableMeta| table.deletes > 0 && (dense(table) || old(table));
        (1..LAST_LEVEL).find_map(|level| least_overlap(version, level, damaged, ripe))
    })
}

fn from_level0(version: &Version, config: &Config, base: u8, damaged: &BTreeSet<u64>) -> Option<Choice> {
    let level0 = version.level(0);
    let sound = level0.iter().rposition(|table| damaged.contains(&table.number)).map_or(0, |at| at + 1);
    let upper = level0.get(sound..).filter(|tables| tables.len() >= config.level0_tables as usize)?;
    choose(version, upper.to_vec(), 0, base, damaged)
}

/// The table of `level` for which the least has to be rewritten, per byte of its own.
fn least_overlap(
    version: &Version,
    level: u8,
    damaged: &BTreeSet<u64>,
    wanted: impl Fn(&TableMeta) -> bool,
) -> Option<Choice> {
    let tables =
        version.level(level).iter().filter(|table| !damaged.contains(&table.number) && wanted(table));
    let choices =
        tables.filter_map(|table| choose(version, alloc::vec![table.clone()], level, level + 1, damaged));
    choices.min_by_key(|choice| {
        let bytes = |tables: &[Arc<TableMeta>]| tables.iter().map(|table| table.size()).sum::<u64>();
        bytes(&choice.lower).saturating_mul(1000) / bytes(&choice.upper).max(1)
    })
}

/// `None` if what the tables overlap is damaged.
fn choose(
    version: &Version,
    upper: Vec<Arc<TableMeta>>,
    from: u8,
    into: u8,
    damaged: &BTreeSet<u64>,
) -> Option<Choice> {
    assert!(from < into && into <= LAST_LEVEL, "tables sink");
    let first: &Bytes = upper.iter().map(|table| &table.first).min()?;
    let last: &Bytes = upper.iter().map(|table| &table.last).max()?;
    let lower = version.overlapping(into, first, last).to_vec();
    if lower.iter().any(|table| damaged.contains(&table.number)) {
        return None;
    }
    let is_last = (into + 1..=LAST_LEVEL).all(|level| version.overlapping(level, first, last).is_empty());
    Some(Choice { upper, lower, from, into, is_last })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::version::tests::{table, version};

    fn config(level0_tables: u32) -> Config {
        Config { level0_tables, memtable_bytes: 1050, ..Config::default() }
    }

    fn numbers(choice: Option<Choice>) -> Option<(u8, Vec<u64>, u8, Vec<u64>)> {
        let numbers = |tables: &[Arc<TableMeta>]| tables.iter().map(|table| table.number).collect();
        choice.map(|choice| (choice.from, numbers(&choice.upper), choice.into, numbers(&choice.lower)))
    }

    fn example() -> Version {
        version(&[
            (0, table(5, "d", "f")),
            (0, table(6, "g", "k")),
            (0, table(7, "e", "h")),
            (6, table(1, "a", "c")),
            (6, table(2, "d", "e")),
            (6, table(3, "k", "m")),
            (6, table(4, "n", "z")),
        ])
    }

    #[test]
    fn nothing_is_picked_below_the_trigger() {
        assert_eq!(pick(&example(), &config(4), &BTreeSet::new()), None);
    }

    #[test]
    fn all_of_level_0_is_picked_with_what_it_overlaps() {
        // The last level has 4200 bytes, so with 3 * 1050 the level above it is in use.
        let choice = pick(&example(), &config(3), &BTreeSet::new());
        assert_eq!(numbers(choice), Some((0, alloc::vec![7, 6, 5], 5, alloc::vec![])));
        let large = Config { memtable_bytes: 4200, ..config(3) };
        let choice = pick(&example(), &large, &BTreeSet::new()).expect("level 0 is full");
        assert!(choice.is_last && !choice.is_move());
        assert_eq!(numbers(Some(choice)), Some((0, alloc::vec![7, 6, 5], 6, alloc::vec![2, 3])));
    }

    #[test]
    fn nothing_sinks_below_a_damaged_table() {
        let pick = |trigger, damaged: &[u64]| {
            let config = Config { memtable_bytes: 4200, ..config(trigger) };
            numbers(pick(&example(), &config, &damaged.iter().copied().collect()))
        };
        assert_eq!(pick(1, &[6]), Some((0, alloc::vec![5], 6, alloc::vec![2])));
        assert_eq!(pick(2, &[6]), None);
        assert_eq!(pick(1, &[5]), None);
        assert_eq!(pick(3, &[3]), None);
        assert!(pick(3, &[4]).is_some());
    }

    #[test]
    fn a_level_that_is_too_large_gives_the_table_that_overlaps_least() {
        let mut tables =
            alloc::vec![(5, table(11, "a", "f")), (5, table(12, "g", "h")), (5, table(13, "k", "q")),];
        // 21 tables of 1050 bytes below: the level above may have 2205.
        let names = "abcdefghijklmnopqrstuvw".chars().filter(|name| *name != 'g' && *name != 'w');
        for (number, name) in (20..).zip(names) {
            let key = alloc::string::String::from(name);
            tables.push((6, table(number, &key, &key)));
        }
        let choice = pick(&version(&tables), &config(4), &BTreeSet::new());
        assert_eq!(numbers(choice), Some((5, alloc::vec![12], 6, alloc::vec![26])));
        tables.remove(0);
        assert_eq!(pick(&version(&tables), &config(4), &BTreeSet::new()), None, "2100 bytes are fine");
    }

    #[test]
    fn tables_that_overlap_nothing_are_moved() {
        let sequential =
            version(&[(0, table(3, "e", "f")), (0, table(2, "c", "d")), (6, table(1, "a", "b"))]);
        let choice = pick(&sequential, &config(2), &BTreeSet::new()).expect("level 0 is full");
        assert!(choice.is_move());
        let overlapping = version(&[(0, table(3, "e", "f")), (0, table(2, "c", "e"))]);
        assert!(!pick(&overlapping, &config(2), &BTreeSet::new()).expect("full").is_move());
        let deletes = TableMeta { deletes: 1, ..table(3, "e", "f") };
        let deleting = version(&[(0, deletes), (0, table(2, "c", "d"))]);
        assert!(!pick(&deleting, &config(2), &BTreeSet::new()).expect("full").is_move());
    }

    #[test]
    fn dense_and_old_deletes_sink_although_their_level_is_small() {
        let deleting = |deletes, newest| TableMeta { deletes, newest, ..table(1, "a", "c") };
        let picked = |upper: TableMeta, newest| {
            let below = TableMeta { newest, ..table(2, "b", "d") };
            let many = (10..60).map(|n| (6, table(n, &alloc::format!("x{n}"), &alloc::format!("x{n}"))));
            let tables: Vec<_> = [(5, upper), (6, below)].into_iter().chain(many).collect();
            numbers(pick(&version(&tables), &config(4), &BTreeSet::new()))
        };
        let sinks = Some((5, alloc::vec![1], 6, alloc::vec![2]));
        assert_eq!(picked(TableMeta { entries: 11, ..deleting(1, 100) }, 100), None);
        assert_eq!(picked(TableMeta { entries: 10, ..deleting(1, 100) }, 100), sinks);
        assert_eq!(picked(TableMeta { entries: 11, ..deleting(1, 100) }, 99 + OLD), None);
        assert_eq!(picked(TableMeta { entries: 11, ..deleting(1, 100) }, 100 + OLD), sinks);
        assert_eq!(picked(TableMeta { entries: 11, ..deleting(0, 100) }, 100 + OLD), None);
    }

    #[test]
    fn levels_above_the_base_are_drained() {
        let shrunk = version(&[(2, table(1, "a", "c")), (6, table(2, "x", "z"))]);
        let choice = pick(&shrunk, &config(4), &BTreeSet::new()).expect("level 2 is above the base");
        assert!(choice.is_move());
        assert_eq!(numbers(Some(choice)), Some((2, alloc::vec![1], 3, alloc::vec![])));
    }
}
