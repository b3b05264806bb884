//! Faults that a scenario declares for a certain time, and the account of what they did.
//!
//! A fault counts as effective only if it changed something: a partition that dropped a frame, a crash that hit a
//! running node, a restart after which the node ran. A scenario whose faults had no effect tested nothing, and its
//! verdict is `vacuous`.

use std::string::String;
use std::vec::Vec;

use crate::base::time::{Duration, Instant};
use crate::sim::disk::Unsynced;

/// One declared fault.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    pub at: Instant,
    pub action: Action,
}

/// What a fault does. Nodes are numbered from 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Cuts links for a time, or until clients stop.
    Partition { lasts: Option<Duration>, links: Vec<(usize, usize)>, sides: String },
    /// Power is lost at a node; what was not synced is lost or torn.
    Crash { node: usize, lose: Unsynced },
    /// A crashed node starts again, from its own disk.
    Restart { node: usize },
    /// A process does not run for a time, as while its machine is moved or its memory swapped. What it was sent waits.
    Pause { node: usize, lasts: Duration },
}

impl Action {
    /// The kind, as scenario files and reports call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Action::Partition { .. } => "partition",
            Action::Crash { .. } => "crash",
            Action::Restart { .. } => "restart",
            Action::Pause { .. } => "pause",
        }
    }
}

/// The links that part the groups from each other and from the rest. `one_way` cuts only what leaves a group.
pub fn links_between(groups: &[Vec<usize>], nodes: usize, one_way: bool) -> Vec<(usize, usize)> {
    let side = |node: usize| groups.iter().position(|group| group.contains(&node));
    let pairs = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
    pairs.filter(|&(from, to)| side(from) != side(to) && !(one_way && side(from).is_none())).collect()
}

/// What one declared fault did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Effect {
    pub began: Option<Instant>,
    pub ended: Option<Instant>,
    pub effective: bool,
    /// Frames that a partition dropped, or bytes that a crash took.
    pub amount: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_cut_off_from_the_rest_in_both_directions() {
        let links = links_between(&[std::vec![2]], 3, false);
        assert_eq!(links, [(0, 2), (1, 2), (2, 0), (2, 1)]);
    }

    #[test]
    fn a_one_way_partition_cuts_only_what_leaves_the_group() {
        let links = links_between(&[std::vec![2]], 3, true);
        assert_eq!(links, [(2, 0), (2, 1)]);
    }

    #[test]
    fn several_groups_are_cut_off_from_each_other_too() {
        let links = links_between(&[std::vec![0], std::vec![1]], 3, false);
        assert_eq!(links.len(), 6);
    }
}
