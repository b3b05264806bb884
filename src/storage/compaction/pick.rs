//! What to compact next.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::storage::table::TableMeta;
use crate::storage::version::{LAST_LEVEL, Version};

/// Which tables to merge into level 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    /// Newest first.
    pub level0: Vec<Arc<TableMeta>>,
    /// By key.
    pub level1: Vec<Arc<TableMeta>>,
}

impl Choice {
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableMeta>> {
        self.level0.iter().chain(&self.level1)
    }
}

/// All of level 0 with everything that it overlaps in level 1, once level 0 has `trigger` tables.
///
/// A damaged table cannot be merged. It must not let newer tables sink below it either, or its old values
/// would come to lie above their new ones; so only what is older than the newest damaged table of level 0 is
/// taken, and nothing that overlaps damage in level 1. The rest goes on as it is: reads get slower, writes do
/// not stop.
pub fn pick(version: &Version, trigger: u32, damaged: &BTreeSet<u64>) -> Option<Choice> {
    let level0 = version.level(0);
    let sound = level0.iter().rposition(|table| damaged.contains(&table.number)).map_or(0, |at| at + 1);
    let level0 = level0.get(sound..).filter(|tables| tables.len() >= trigger as usize)?.to_vec();
    let first = level0.iter().map(|table| &table.first).min()?;
    let last = level0.iter().map(|table| &table.last).max()?;
    let level1: Vec<_> =
        version.level(LAST_LEVEL).iter().filter(|table| table.overlaps(first, last)).cloned().collect();
    let blocked = level1.iter().any(|table| damaged.contains(&table.number));
    (!blocked).then_some(Choice { level0, level1 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::version::tests::{table, version};

    fn numbers(choice: Option<Choice>) -> Option<(Vec<u64>, Vec<u64>)> {
        let numbers = |tables: &[Arc<TableMeta>]| tables.iter().map(|table| table.number).collect();
        choice.map(|choice| (numbers(&choice.level0), numbers(&choice.level1)))
    }

    fn example() -> Version {
        version(&[
            (0, table(5, "d", "f")),
            (0, table(6, "g", "k")),
            (0, table(7, "e", "h")),
            (1, table(1, "a", "c")),
            (1, table(2, "d", "e")),
            (1, table(3, "k", "m")),
            (1, table(4, "n", "z")),
        ])
    }

    #[test]
    fn nothing_is_picked_below_the_trigger() {
        assert_eq!(pick(&example(), 4, &BTreeSet::new()), None);
    }

    #[test]
    fn all_of_level_0_is_picked_with_what_it_overlaps() {
        let choice = pick(&example(), 3, &BTreeSet::new());
        assert_eq!(numbers(choice), Some((alloc::vec![7, 6, 5], alloc::vec![2, 3])));
    }

    #[test]
    fn nothing_sinks_below_a_damaged_table() {
        let damaged = BTreeSet::from([6]);
        assert_eq!(numbers(pick(&example(), 1, &damaged)), Some((alloc::vec![5], alloc::vec![2])));
        assert_eq!(pick(&example(), 2, &damaged), None);
        assert_eq!(pick(&example(), 1, &BTreeSet::from([5])), None);
        assert_eq!(pick(&example(), 3, &BTreeSet::from([3])), None);
        assert!(pick(&example(), 3, &BTreeSet::from([4])).is_some());
    }
}
