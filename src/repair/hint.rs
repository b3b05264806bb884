//! [`HintIndex`]: which hints this node keeps, and which of them are on their way. The hints themselves lie in the
//! storage engine; this index is built again from them at every start.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::id::NodeId;
use crate::base::invariant::{Broken, holds};
use crate::base::time::WallTime;

/// Hints on their way at a time, at first, to all targets together, so that a node that returns is not overrun.
pub const WINDOW: usize = 16;
/// The same, at most, however quiet this node is.
pub const WINDOW_MAX: usize = 64;

/// What is kept, by target and key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HintIndex {
    targets: BTreeMap<NodeId, Queue>,
    /// All hints, the oldest first.
    by_age: BTreeSet<(WallTime, NodeId, Bytes)>,
    bytes: usize,
    next_version: u64,
    /// How many may be on their way. Targets share it alike, and each may have one.
    window: usize,
}

/// What is kept for one target.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kept {
    pub target: NodeId,
    pub hints: usize,
    /// How many of them are on their way.
    pub in_flight: usize,
    /// The first key in key order.
    pub first: Bytes,
}

impl Default for HintIndex {
    fn default() -> HintIndex {
        HintIndex {
            targets: BTreeMap::new(),
            by_age: BTreeSet::new(),
            bytes: 0,
            next_version: 0,
            window: WINDOW,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Queue {
    hints: BTreeMap<Bytes, Hint>,
    in_flight: usize,
    /// The last key that was handed out: the next round goes on behind it, so that one bad hint stops no other.
    cursor: Option<Bytes>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Hint {
    bytes: usize,
    /// When the oldest write in it was kept.
    since: WallTime,
    /// Changes whenever something is added to the hint.
    version: u64,
    /// The version that is on its way. The next one waits for its end, so that a key that is written all the time
    /// takes no more than its place in the window.
    sent: Option<u64>,
}

impl HintIndex {
    pub fn len(&self) -> usize {
        self.targets.values().map(|queue| queue.hints.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// The bytes of all hints together.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A hint was stored, or added to: it has `bytes` now, and the oldest write in it was kept at `since`.
    pub fn insert(&mut self, target: NodeId, key: Bytes, bytes: usize, since: WallTime) {
        let sent = self.take(target, &key).and_then(|before| before.sent);
        self.next_version += 1;
        self.bytes += bytes;
        self.by_age.insert((since, target, key.clone()));
        let hint = Hint { bytes, since, version: self.next_version, sent };
        let queue = self.targets.entry(target).or_default();
        queue.hints.insert(key, hint);
        queue.in_flight += usize::from(sent.is_some());
    }

    /// Forgets a hint; false if there was none.
    pub fn remove(&mut self, target: NodeId, key: &Bytes) -> bool {
        self.take(target, key).is_some()
    }

    fn take(&mut self, target: NodeId, key: &Bytes) -> Option<Hint> {
        let queue = self.targets.get_mut(&target)?;
        let hint = queue.hints.remove(key)?;
        self.bytes -= hint.bytes;
        queue.in_flight -= usize::from(hint.sent.is_some());
        if queue.hints.is_empty() {
            self.targets.remove(&target);
        }
        let was_there = self.by_age.remove(&(hint.since, target, key.clone()));
        assert!(was_there, "every hint has an age");
        Some(hint)
    }

    /// A hint that has been kept since before `limit`.
    pub fn older_than(&self, limit: WallTime) -> Option<(NodeId, Bytes)> {
        let (since, target, key) = self.by_age.first()?;
        (*since < limit).then(|| (*target, key.clone()))
    }

    /// To be called once in a while: narrows the window to half if clients have suffered since, and widens it by one if
    /// not (as TCP does for congestion: Chiu and Jain, 1989). Hints can wait, clients cannot.
    pub fn adapt(&mut self, clients_suffer: bool) {
        self.window = if clients_suffer { self.window / 2 } else { self.window + 1 };
        self.window = self.window.clamp(1, WINDOW_MAX);
    }

    /// The nodes for which there are hints.
    pub fn targets(&self) -> Vec<NodeId> {
        self.targets.keys().copied().collect()
    }

    /// What holds between any two steps.
    pub fn invariants(&self) -> Result<(), Broken> {
        holds(self.by_age.len() == self.len(), "every hint has one age")?;
        holds(self.targets.is_empty() == (self.bytes == 0), "hints have bytes, and bytes have hints")?;
        self.targets.values().try_for_each(|queue| {
            let bound = queue.hints.len().min(WINDOW_MAX);
            holds(!queue.hints.is_empty(), "a target without hints is forgotten")?;
            holds(queue.in_flight <= bound, "no more hints are on their way than there are, or than may")
        })
    }

    /// What is kept, by target.
    pub fn kept(&self) -> impl Iterator<Item = Kept> {
        self.targets.iter().filter_map(|(&target, Queue { hints, in_flight, .. })| {
            let first = hints.keys().next()?.clone();
            Some(Kept { target, hints: hints.len(), in_flight: *in_flight, first })
        })
    }

    /// How many are kept for `target`.
    pub fn kept_for(&self, target: NodeId) -> usize {
        self.targets.get(&target).map_or(0, |queue| queue.hints.len())
    }

    /// Whether any is on its way.
    pub fn is_moving(&self) -> bool {
        self.targets.values().any(|queue| queue.in_flight > 0)
    }

    /// Takes the next hint for `target` on its way, with its version; `None` if all are, or its share of the window is
    /// used up.
    pub fn next_for(&mut self, target: NodeId) -> Option<(Bytes, u64)> {
        let share = (self.window / self.targets.len().max(1)).max(1);
        let queue = self.targets.get_mut(&target).filter(|queue| queue.in_flight < share)?;
        let is_idle = |entry: &(&Bytes, &Hint)| entry.1.sent.is_none();
        let behind = match &queue.cursor {
            Some(cursor) => {
                let after = (core::ops::Bound::Excluded(cursor.clone()), core::ops::Bound::Unbounded);
                queue.hints.range(after).find(is_idle)
            }
            None => None,
        };
        let (key, hint) = behind.or_else(|| queue.hints.iter().find(is_idle))?;
        let (key, version) = (key.clone(), hint.version);
        queue.hints.get_mut(&key).expect("it was just found").sent = Some(version);
        queue.in_flight += 1;
        queue.cursor = Some(key.clone());
        Some((key, version))
    }

    /// The target has that version of the hint on its disk. True if the hint is gone and is to be deleted; false if
    /// something was added to it meanwhile.
    pub fn delivered(&mut self, target: NodeId, key: &Bytes, version: u64) -> bool {
        self.failed(target, key, version);
        let hint = self.targets.get(&target).and_then(|queue| queue.hints.get(key));
        hint.is_some_and(|hint| hint.version == version) && self.remove(target, key)
    }

    /// That version of the hint did not arrive; it waits for another round.
    pub fn failed(&mut self, target: NodeId, key: &Bytes, version: u64) {
        let Some(queue) = self.targets.get_mut(&target) else { return };
        if let Some(hint) = queue.hints.get_mut(key).filter(|hint| hint.sent == Some(version)) {
            hint.sent = None;
            queue.in_flight -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    const TARGET: NodeId = NodeId(7);

    fn key(n: usize) -> Bytes {
        Bytes::from(n.to_string().as_str())
    }

    #[test]
    fn no_more_than_a_window_is_on_its_way() {
        let mut hints = HintIndex::default();
        (0..WINDOW + 5).for_each(|n| hints.insert(TARGET, key(n), 10, WallTime(0)));
        let taken: Vec<_> = core::iter::from_fn(|| hints.next_for(TARGET)).collect();
        assert_eq!(taken.len(), WINDOW);
        assert!(hints.delivered(TARGET, &taken[0].0, taken[0].1));
        hints.failed(TARGET, &taken[1].0, taken[1].1);
        assert!(hints.next_for(TARGET).is_some() && hints.next_for(TARGET).is_some());
        assert!(hints.next_for(TARGET).is_none());
        assert_eq!(hints.len(), WINDOW + 4);
    }

    /// The write that came in between would be lost with the hint.
    #[test]
    fn a_hint_that_was_added_to_meanwhile_is_kept() {
        let mut hints = HintIndex::default();
        hints.insert(TARGET, key(1), 10, WallTime(0));
        let (sent, version) = hints.next_for(TARGET).expect("one");
        hints.insert(TARGET, key(1), 20, WallTime(0));
        assert!(hints.is_moving() && hints.next_for(TARGET).is_none(), "one at a time");
        assert!(!hints.delivered(TARGET, &sent, version));
        assert!(!hints.is_moving());
        let (sent, version) = hints.next_for(TARGET).expect("again");
        assert!(hints.delivered(TARGET, &sent, version));
        assert!(hints.is_empty() && hints.bytes == 0);
    }

    #[test]
    fn a_hint_that_always_fails_stops_no_other() {
        let mut hints = HintIndex::default();
        (0..3).for_each(|n| hints.insert(TARGET, key(n), 10, WallTime(0)));
        let mut seen = Vec::new();
        for _ in 0..3 {
            let (sent, version) = hints.next_for(TARGET).expect("one");
            hints.failed(TARGET, &sent, version);
            seen.push(sent);
        }
        assert_eq!(seen, [key(0), key(1), key(2)]);
    }

    #[test]
    fn targets_share_the_window() {
        let mut hints = HintIndex::default();
        let targets = [1, 2, 3].map(NodeId);
        for target in targets {
            (0..WINDOW).for_each(|n| hints.insert(target, key(n), 1, WallTime(0)));
        }
        let mut taken = |target| core::iter::from_fn(|| hints.next_for(target)).count();
        assert_eq!(targets.map(&mut taken), [WINDOW / 3; 3]);
        (0..9).for_each(|_| hints.adapt(true));
        let (sent, version) = (key(0), 1);
        assert!(hints.delivered(targets[0], &sent, version) && hints.next_for(targets[0]).is_none());
    }

    #[test]
    fn a_broken_index_is_found() {
        let mut sound = HintIndex::default();
        (0..3).for_each(|n| sound.insert(TARGET, key(n), 10, WallTime(n as u64)));
        sound.next_for(TARGET).expect("one");
        assert_eq!(sound.invariants(), Ok(()));
        let broken = |how: fn(&mut HintIndex)| {
            let mut index = sound.clone();
            how(&mut index);
            index.invariants().is_err()
        };
        assert!(broken(|index| drop(index.by_age.pop_first())));
        assert!(broken(|index| index.bytes = 0));
        assert!(broken(|index| index.targets.values_mut().for_each(|queue| queue.in_flight = 4)));
        assert!(broken(|index| drop(index.targets.insert(NodeId(1), Queue::default()))));
    }

    #[test]
    fn bytes_are_counted_once_for_each_hint() {
        let mut hints = HintIndex::default();
        hints.insert(TARGET, key(1), 7, WallTime(0));
        hints.insert(TARGET, key(2), 5, WallTime(0));
        hints.insert(TARGET, key(1), 9, WallTime(0));
        assert_eq!(hints.bytes(), 14);
        assert!(hints.remove(TARGET, &key(1)) && !hints.remove(TARGET, &key(1)));
        assert_eq!(hints.bytes(), 5);
    }

    #[test]
    fn the_oldest_is_named_until_it_is_gone() {
        let mut hints = HintIndex::default();
        hints.insert(TARGET, key(1), 1, WallTime(20));
        hints.insert(TARGET, key(2), 1, WallTime(10));
        assert_eq!(hints.older_than(WallTime(10)), None);
        assert_eq!(hints.older_than(WallTime(11)), Some((TARGET, key(2))));
        hints.insert(TARGET, key(2), 1, WallTime(30));
        assert_eq!(hints.older_than(WallTime(21)), Some((TARGET, key(1))));
        hints.remove(TARGET, &key(1));
        assert_eq!(hints.older_than(WallTime(21)), None);
    }

    #[test]
    fn the_window_halves_when_clients_suffer_and_grows_back_slowly() {
        let mut hints = HintIndex::default();
        (0..100).for_each(|n| hints.insert(TARGET, key(n), 1, WallTime(0)));
        let taken = |hints: &HintIndex| {
            let mut hints = hints.clone();
            core::iter::from_fn(|| hints.next_for(TARGET)).count()
        };
        hints.adapt(true);
        assert_eq!(taken(&hints), WINDOW / 2);
        hints.adapt(false);
        assert_eq!(taken(&hints), WINDOW / 2 + 1);
        (0..9).for_each(|_| hints.adapt(true));
        assert_eq!(taken(&hints), 1, "something always moves");
        (0..200).for_each(|_| hints.adapt(false));
        assert_eq!(taken(&hints), WINDOW_MAX);
    }
}
