//! The budget: which destruction a cluster must survive.
//!
//! By default a fault that destroys what is on a disk is done only if every acknowledged version has a whole copy on
//! another one afterwards, and if no other disk was harmed within the time that a request may take: until then an
//! acknowledgement may be on its way that counts on both. What is refused is counted as attempted. So a loss is always
//! the store's fault.

use crate::base::time::Duration;
use crate::sim::ghost::{Ghost, Harm};

/// Whether `harm` may be done, by which `lost` acknowledged versions would lose their last copy. A request takes up to
/// `within`.
pub fn allows(unrestricted: bool, ghost: &Ghost, harm: &Harm, within: Duration, lost: usize) -> bool {
    let soon = ghost.harmed_within(harm.at, within).any(|node| node != harm.node);
    unrestricted || (lost == 0 && !soon)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Instant;
    use std::vec::Vec;

    fn harm(at: u64, node: usize) -> Harm {
        Harm { at: Instant(at * 1_000_000_000), node, forgets: true }
    }

    #[test]
    fn the_last_copy_and_two_disks_at_once_are_spared() {
        let second = Duration::from_secs(1);
        let mut ghost = Ghost::default();
        assert!(allows(false, &ghost, &harm(10, 1), second, 0));
        assert!(!allows(false, &ghost, &harm(10, 1), second, 1));
        ghost.note(harm(10, 1), Vec::new());
        assert!(!allows(false, &ghost, &harm(11, 2), second, 0));
        assert!(allows(false, &ghost, &harm(11, 1), second, 0));
        assert!(allows(false, &ghost, &harm(12, 2), second, 0));
    }

    #[test]
    fn without_a_budget_all_is_allowed() {
        let mut ghost = Ghost::default();
        ghost.note(harm(10, 1), Vec::new());
        assert!(allows(true, &ghost, &harm(10, 2), Duration::from_secs(1), 9));
    }
}
