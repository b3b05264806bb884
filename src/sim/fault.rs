//! Faults: what a scenario declares, or a rate draws, for a certain time, and the account of what they did.
//!
//! A fault counts as effective only if it changed something: a partition that dropped a frame, a crash that hit a
//! running node, a pause in which an input waited. A scenario whose faults had no effect tested nothing, and its
//! verdict is `vacuous`.

use std::format;
use std::string::String;
use std::vec::Vec;

use crate::base::time::{Duration, Instant};
use crate::sim::clock::{ClockFault, Which};
use crate::sim::disk::{Damage, DiskFault, Files, Unsynced};
use crate::sim::impair::Impairment;
use crate::sim::network::{Flap, LinkFault};

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    pub at: Instant,
    /// How long it lasts, or how long a node stays down. `None`: until clients stop.
    pub lasts: Option<Duration>,
    pub action: Action,
    /// Drawn by a rate or a swarm, and not written down one by one.
    pub drawn: bool,
}

/// The moment at which a crash strikes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Moment {
    /// Just before a sync ends that had something to do: whatever was promised too early is broken then.
    #[default]
    Sync,
    /// Between two steps.
    Event,
    /// Within a step or a slice of a job, between two operations on the disk.
    Disk,
    /// Between two slices of a job.
    Job,
}

/// What a fault does. Nodes are numbered from 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Cuts links, given as (from, to).
    Partition { links: Vec<(usize, usize)>, sides: String, flap: Option<Flap> },
    /// Makes links worse.
    Link { links: Vec<(usize, usize)>, ends: String, what: LinkFault },
    /// Power is lost at a node; what was not synced is lost or torn.
    Crash { node: usize, lose: Unsynced, on: Moment },
    /// A crashed node starts again, from its own disk.
    Restart { node: usize },
    /// Makes a host worse.
    Host { node: usize, what: Impairment },
    /// Makes a clock wrong.
    Clock { node: usize, which: Which, what: ClockFault },
    /// Makes a disk fail for a time; what is on it stays.
    Disk { node: usize, what: DiskFault },
    /// Changes what is on a disk.
    Damage { node: usize, what: Damage, files: Files },
    /// Two nodes go down and find each other's disks when they start.
    Swap { nodes: (usize, usize) },
    /// A node goes down and comes back with an empty disk.
    Wipe { node: usize },
    /// A node goes down and comes back with a copy of its disk that was taken `age` before.
    Restore { node: usize, age: Duration },
}

impl Action {
    /// The kind, as scenario files and reports call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Action::Partition { .. } => "partition",
            Action::Link { what, .. } => what.kind(),
            Action::Crash { .. } => "crash",
            Action::Restart { .. } => "restart",
            Action::Host { what, .. } => what.kind(),
            Action::Clock { .. } => "clock",
            Action::Disk { what, .. } => what.kind(),
            Action::Damage { what, .. } => what.kind(),
            Action::Swap { .. } => "swap",
            Action::Wipe { .. } => "wipe",
            Action::Restore { .. } => "restore",
        }
    }

    /// The hosts that it is about; none for what happens on links.
    pub fn hosts(&self) -> [Option<usize>; 2] {
        match self {
            Action::Partition { .. } | Action::Link { .. } => [None; 2],
            Action::Swap { nodes: (one, other) } => [Some(*one), Some(*other)],
            Action::Crash { node, .. }
            | Action::Restart { node }
            | Action::Host { node, .. }
            | Action::Clock { node, .. }
            | Action::Disk { node, .. }
            | Action::Damage { node, .. }
            | Action::Wipe { node }
            | Action::Restore { node, .. } => [Some(*node), None],
        }
    }

    /// What it is about, for the timeline.
    pub fn whom(&self) -> String {
        match (self, self.hosts()) {
            (Action::Partition { sides: ends, .. } | Action::Link { ends, .. }, _) => ends.clone(),
            (_, [Some(one), Some(other)]) => format!("n{} and n{}", one + 1, other + 1),
            (_, [one, _]) => one.map(|node| format!("n{}", node + 1)).unwrap_or_default(),
        }
    }

    /// Whether `node` may look worse to others because of it. A fault of some links is one of all nodes: what was to
    /// come through them is missed elsewhere too.
    fn disturbs(&self, node: usize) -> bool {
        matches!(self, Action::Partition { .. } | Action::Link { .. }) || self.hosts().contains(&Some(node))
    }

    /// Whether it may decide what is on a disk, or who can still be asked: what was promised before is held against
    /// the disks first.
    pub fn changes_disks(&self) -> bool {
        !matches!(
            self,
            Action::Link { .. } | Action::Host { .. } | Action::Clock { .. } | Action::Disk { .. }
        )
    }

    /// Whether there is an end at which something is undone. (A crash ends by its own time, which begins when it
    /// strikes.)
    pub fn ends(&self) -> bool {
        match self {
            Action::Crash { .. } | Action::Restart { .. } | Action::Damage { .. } => false,
            Action::Clock { what, .. } => !matches!(what, ClockFault::Jump(_)),
            _ => true,
        }
    }
}

/// The links that part the groups from each other and, unless the cut is `partial`, from the rest. `one_way` cuts only
/// what leaves a group.
pub fn links_between(
    groups: &[Vec<usize>],
    nodes: usize,
    one_way: bool,
    partial: bool,
) -> Vec<(usize, usize)> {
    let side = |node: usize| groups.iter().position(|group| group.contains(&node));
    let is_cut = |&(from, to): &(usize, usize)| {
        let (from, to) = (side(from), side(to));
        let outside = partial && (from.is_none() || to.is_none());
        from != to && !outside && !(one_way && (from.is_none() || to.is_some_and(|to| from > Some(to))))
    };
    let pairs = (0..nodes).flat_map(|from| (0..nodes).map(move |to| (from, to)));
    pairs.filter(is_cut).collect()
}

/// What one fault did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Effect {
    pub began: Option<Instant>,
    pub ended: Option<Instant>,
    pub effective: bool,
    /// Not applied, because no whole copy of some acknowledged version would have been left.
    pub refused: bool,
    /// How often it was met: frames dropped, inputs delayed, bytes taken, and so on.
    pub amount: u64,
}

/// When a fault last disturbed `node`: now, if one is on; zero, if none ever did.
pub fn disturbed(faults: &[Fault], effects: &[Effect], node: usize, now: Instant) -> Instant {
    let disturbing = faults.iter().zip(effects).filter(|(fault, _)| fault.action.disturbs(node));
    let spans = disturbing.filter_map(|(fault, effect)| span(fault, effect, now));
    spans.map(|(_, ended)| ended).max().unwrap_or_default()
}

/// Since when `node` may have been too ill to follow what happened: since the first of those faults of its own that
/// came within `close` of each other, and of `now`. `now`, if there are none.
pub fn ill_since(
    faults: &[Fault],
    effects: &[Effect],
    node: usize,
    close: Duration,
    now: Instant,
) -> Instant {
    let own = faults.iter().zip(effects).filter(|(fault, _)| fault.action.hosts().contains(&Some(node)));
    let mut spans: Vec<_> = own.filter_map(|(fault, effect)| span(fault, effect, now)).collect();
    spans.sort_unstable_by_key(|(_, ended)| core::cmp::Reverse(*ended));
    spans.into_iter().fold(
        now,
        |since, (began, ended)| {
            if since.since(ended) <= close { since.min(began) } else { since }
        },
    )
}

/// When a fault began, and when it was over: `now`, if it is still on.
fn span(fault: &Fault, effect: &Effect, now: Instant) -> Option<(Instant, Instant)> {
    let began = effect.began?;
    Some((began, effect.ended.unwrap_or(if fault.action.ends() { now } else { began })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_disturbed_by_its_own_faults_and_by_those_of_links() {
        let fault = |action| Fault { at: Instant(3), lasts: None, action, drawn: false };
        let links = Action::Partition { links: Vec::new(), sides: String::new(), flap: None };
        let faults = [fault(Action::Host { node: 1, what: Impairment::Pause }), fault(links)];
        let mut effects = [Effect::default(); 2];
        let disturbed =
            |effects: &[Effect]| [0, 1].map(|node| disturbed(&faults, effects, node, Instant(9)).0);
        assert_eq!(disturbed(&effects), [0, 0]);
        effects[0].began = Some(Instant(3));
        assert_eq!(disturbed(&effects), [0, 9]);
        effects[0].ended = Some(Instant(5));
        assert_eq!(disturbed(&effects), [0, 5]);
        effects[1].began = Some(Instant(6));
        assert_eq!(disturbed(&effects), [9, 9]);
    }

    #[test]
    fn a_node_is_ill_since_the_first_of_the_faults_that_follow_each_other() {
        let pause = |node| Fault {
            at: Instant(0),
            lasts: None,
            action: Action::Host { node, what: Impairment::Pause },
            drawn: false,
        };
        let faults = [pause(0), pause(1), pause(0), pause(0)];
        let effect = |(began, ended): (u64, Option<u64>)| Effect {
            began: Some(Instant(began)),
            ended: ended.map(Instant),
            ..Effect::default()
        };
        let ill = |spans: [(u64, Option<u64>); 4], now| {
            ill_since(&faults, &spans.map(effect), 0, Duration(5), Instant(now)).0
        };
        let spans = [(10, Some(20)), (1, Some(100)), (40, Some(50)), (54, Some(60))];
        assert_eq!(
            ill(spans, 65),
            40,
            "two of them are close, the first is not, and the second is another's"
        );
        assert_eq!(ill(spans, 66), 66, "it has had time to hear what it missed");
        assert_eq!(ill([(10, Some(20)), (1, None), (40, None), (54, Some(60))], 90), 40, "it is still ill");
    }

    #[test]
    fn a_group_is_cut_off_from_the_rest_in_both_directions() {
        let links = links_between(&[std::vec![2]], 3, false, false);
        assert_eq!(links, [(0, 2), (1, 2), (2, 0), (2, 1)]);
    }

    #[test]
    fn a_one_way_partition_cuts_only_what_leaves_the_group() {
        let links = links_between(&[std::vec![2]], 3, true, false);
        assert_eq!(links, [(2, 0), (2, 1)]);
    }

    #[test]
    fn several_groups_are_cut_off_from_each_other_too() {
        let links = links_between(&[std::vec![0], std::vec![1]], 3, false, false);
        assert_eq!(links.len(), 6);
    }

    #[test]
    fn a_partial_cut_leaves_the_rest_in_touch_with_both_sides() {
        let links = links_between(&[std::vec![0], std::vec![1]], 3, false, true);
        assert_eq!(links, [(0, 1), (1, 0)]);
    }
}
