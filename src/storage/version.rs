//! The set of live tables, by level. Changed only by edits that are durable in the manifest.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::base::codec::{Decode, Encode};
use crate::storage::table::TableMeta;

/// Level 0 takes what is flushed. With a fanout of 10, six more are room for a million memtables.
pub const LEVELS: usize = 7;
/// The last level: below it there is nothing that a delete could have to hide.
pub const LAST_LEVEL: u8 = LEVELS as u8 - 1;

/// A change of the set of live tables and logs. All of it happens, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Encode, Decode)]
pub struct Edit {
    /// New tables, each with its level.
    pub added: Vec<(u8, TableMeta)>,
    /// Numbers of tables that are no longer needed.
    pub removed: Vec<u64>,
    /// The log with this number is the first that is still needed.
    pub log_floor: u64,
    /// Every write up to this position is in a table.
    pub flushed: u64,
    /// No file has this number or a higher one.
    pub next_file: u64,
    /// Where damage was found: table and offset.
    pub damaged: Vec<(u64, u64)>,
}

/// The tables of each level. Level 0: newest first, ranges may overlap. Others: by key, ranges do not overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Version {
    levels: [Vec<Arc<TableMeta>>; LEVELS],
}

impl Version {
    pub fn level(&self, level: u8) -> &[Arc<TableMeta>] {
        self.levels.get(usize::from(level)).map_or(&[], |tables| tables)
    }

    /// Every level with its tables.
    pub fn levels(&self) -> impl Iterator<Item = (u8, &[Arc<TableMeta>])> {
        (0..).zip(self.levels.iter().map(Vec::as_slice))
    }

    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableMeta>> {
        self.levels.iter().flatten()
    }

    /// The tables of a level that is not 0 with keys in `first..=last`, by key.
    pub fn overlapping(&self, level: u8, first: &[u8], last: &[u8]) -> &[Arc<TableMeta>] {
        assert!(level > 0, "level 0 is not ordered by key");
        let tables = self.level(level);
        let from = tables.partition_point(|table| *table.last < *first);
        let count = tables.iter().skip(from).take_while(|table| *table.first <= *last).count();
        tables.get(from..from + count).unwrap_or(&[])
    }

    /// The tables that a lookup of `key` asks, newest first.
    pub fn candidates<'a>(&'a self, key: &'a [u8]) -> impl Iterator<Item = &'a Arc<TableMeta>> {
        let level0 = self.level(0).iter().filter(move |table| table.overlaps(key, key));
        level0.chain((1..=LAST_LEVEL).flat_map(move |level| self.overlapping(level, key, key)))
    }

    /// Bytes of the tables of a level.
    pub fn bytes(&self, level: u8) -> u64 {
        self.level(level).iter().fold(0, |sum, table| sum.saturating_add(table.size()))
    }

    /// The position of the newest write that can be in any table.
    pub fn newest(&self) -> u64 {
        self.tables().map(|table| table.newest).max().unwrap_or(0)
    }

    /// The version after `edit`, or why there can be none. An edit of our own always fits; one read from disk
    /// may not.
    pub fn apply(&self, edit: &Edit) -> Result<Version, &'static str> {
        let mut next = self.clone();
        for number in &edit.removed {
            let before = next.tables().count();
            for level in &mut next.levels {
                level.retain(|table| table.number != *number);
            }
            if next.tables().count() + 1 != before {
                return Err("a table is removed that is not there");
            }
        }
        let mut numbers: BTreeSet<u64> = next.tables().map(|table| table.number).collect();
        for (level, table) in &edit.added {
            if !numbers.insert(table.number) {
                return Err("a table is added twice");
            }
            if table.first > table.last {
                return Err("a table ends before it begins");
            }
            if table.deletes > table.entries {
                return Err("a table has more deletes than entries");
            }
            let level = next.levels.get_mut(usize::from(*level)).ok_or("a table of an unknown level")?;
            level.push(Arc::new(table.clone()));
        }
        let [newest_first, by_key @ ..] = &mut next.levels;
        newest_first.sort_by_key(|table| core::cmp::Reverse((table.newest, table.number)));
        for level in by_key {
            level.sort_by(|a, b| a.first.cmp(&b.first));
            if level.windows(2).any(|pair| pair[0].last >= pair[1].first) {
                return Err("tables of one level overlap");
            }
        }
        Ok(next)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::base::bytes::Bytes;
    use crate::storage::table::Handle;

    pub fn table(number: u64, first: &str, last: &str) -> TableMeta {
        TableMeta {
            number,
            footer: Handle { offset: 1000, len: 50, checksum: 0 },
            first: Bytes::from(first),
            last: Bytes::from(last),
            newest: number,
            entries: 10,
            deletes: 0,
        }
    }

    pub fn version(tables: &[(u8, TableMeta)]) -> Version {
        let edit = Edit { added: tables.to_vec(), ..Edit::default() };
        Version::default().apply(&edit).expect("a test's version is sound")
    }

    #[test]
    fn level_0_is_newest_first_and_the_others_by_key() {
        let version = version(&[
            (0, table(1, "a", "z")),
            (0, table(3, "a", "z")),
            (1, table(9, "m", "p")),
            (1, table(8, "q", "r")),
            (1, table(7, "a", "c")),
        ]);
        let numbers = |level| version.level(level).iter().map(|table| table.number).collect::<Vec<_>>();
        assert_eq!(numbers(0), [3, 1]);
        assert_eq!(numbers(1), [7, 9, 8]);
        assert!(version.level(2).is_empty() && version.level(LEVELS as u8).is_empty());
        let found = |first: &str, last: &str| {
            let found = version.overlapping(1, first.as_bytes(), last.as_bytes());
            found.iter().map(|table| table.number).collect::<Vec<_>>()
        };
        assert_eq!(found("c", "m"), [7, 9]);
        assert_eq!(found("d", "l"), [0u64; 0]);
        assert_eq!(found("p", "z"), [9, 8]);
        let candidates = version.candidates(b"b").map(|table| table.number).collect::<Vec<_>>();
        assert_eq!(candidates, [3, 1, 7]);
    }

    #[test]
    fn edits_that_do_not_fit_are_refused() {
        let version = version(&[(0, table(1, "a", "z")), (1, table(2, "c", "f"))]);
        let add = |level, table| Edit { added: alloc::vec![(level, table)], ..Edit::default() };
        assert!(version.apply(&Edit { removed: alloc::vec![3], ..Edit::default() }).is_err());
        assert!(version.apply(&Edit { removed: alloc::vec![1, 1], ..Edit::default() }).is_err());
        assert!(version.apply(&add(0, table(2, "a", "b"))).is_err());
        assert!(version.apply(&add(LEVELS as u8, table(3, "a", "b"))).is_err());
        assert!(version.apply(&add(0, table(3, "b", "a"))).is_err());
        assert!(version.apply(&add(1, table(3, "f", "g"))).is_err());
        assert!(version.apply(&add(1, table(3, "g", "h"))).is_ok());
        let swap = Edit { removed: alloc::vec![2], ..add(1, table(3, "a", "z")) };
        assert!(version.apply(&swap).is_ok());
    }
}
