//! [`HintIndex`]: which hints this node keeps, and which of them are on their way. The hints themselves lie in the
//! storage engine; this index is built again from them at every start.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::id::NodeId;

/// Bytes of hints that a node keeps, at most. Beyond that new hints are refused, visibly, and the Merkle exchange has
/// to bring the writes to their replicas.
pub const HINTS_BYTES_MAX: usize = 256 << 20;
/// Hints on their way to one target at a time, so that a node that returns is not overrun.
pub const WINDOW: usize = 16;

/// What is kept, by target and key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HintIndex {
    targets: BTreeMap<NodeId, Queue>,
    bytes: usize,
    next_version: u64,
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
    /// Changes whenever something is added to the hint.
    version: u64,
    in_flight: bool,
}

impl HintIndex {
    pub fn len(&self) -> usize {
        self.targets.values().map(|queue| queue.hints.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Whether there is room for another hint.
    pub fn has_room(&self) -> bool {
        self.bytes < HINTS_BYTES_MAX
    }

    /// A hint was stored, or added to: it has `bytes` now.
    pub fn insert(&mut self, target: NodeId, key: Bytes, bytes: usize) {
        self.next_version += 1;
        let queue = self.targets.entry(target).or_default();
        let hint = Hint { bytes, version: self.next_version, in_flight: false };
        self.bytes += bytes;
        if let Some(old) = queue.hints.insert(key, hint) {
            self.bytes -= old.bytes;
            queue.in_flight -= usize::from(old.in_flight);
        }
    }

    /// The nodes for which there are hints.
    pub fn targets(&self) -> Vec<NodeId> {
        self.targets.keys().copied().collect()
    }

    /// Takes the next hint for `target` on its way, with its version; `None` if all are, or the window is full.
    pub fn next_for(&mut self, target: NodeId) -> Option<(Bytes, u64)> {
        let queue = self.targets.get_mut(&target).filter(|queue| queue.in_flight < WINDOW)?;
        let is_idle = |entry: &(&Bytes, &Hint)| !entry.1.in_flight;
        let behind = match &queue.cursor {
            Some(cursor) => {
                let after = (core::ops::Bound::Excluded(cursor.clone()), core::ops::Bound::Unbounded);
                queue.hints.range(after).find(is_idle)
            }
            None => None,
        };
        let (key, hint) = behind.or_else(|| queue.hints.iter().find(is_idle))?;
        let (key, version) = (key.clone(), hint.version);
        queue.hints.get_mut(&key).expect("it was just found").in_flight = true;
        queue.in_flight += 1;
        queue.cursor = Some(key.clone());
        Some((key, version))
    }

    /// The target has that version of the hint on its disk. True if the hint is gone and is to be deleted; false if
    /// something was added to it meanwhile.
    pub fn delivered(&mut self, target: NodeId, key: &Bytes, version: u64) -> bool {
        let Some(queue) = self.targets.get_mut(&target) else { return false };
        if queue.hints.get(key).is_none_or(|hint| hint.version != version) {
            return false;
        }
        let hint = queue.hints.remove(key).expect("it was just found");
        self.bytes -= hint.bytes;
        queue.in_flight -= usize::from(hint.in_flight);
        if queue.hints.is_empty() {
            self.targets.remove(&target);
        }
        true
    }

    /// That version of the hint did not arrive; it waits for another round.
    pub fn failed(&mut self, target: NodeId, key: &Bytes, version: u64) {
        let Some(queue) = self.targets.get_mut(&target) else { return };
        if let Some(hint) = queue.hints.get_mut(key).filter(|hint| hint.version == version && hint.in_flight)
        {
            hint.in_flight = false;
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
        (0..WINDOW + 5).for_each(|n| hints.insert(TARGET, key(n), 10));
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
        hints.insert(TARGET, key(1), 10);
        let (sent, version) = hints.next_for(TARGET).expect("one");
        hints.insert(TARGET, key(1), 20);
        assert!(!hints.delivered(TARGET, &sent, version));
        let (sent, version) = hints.next_for(TARGET).expect("again");
        assert!(hints.delivered(TARGET, &sent, version));
        assert!(hints.is_empty() && hints.bytes == 0);
    }

    #[test]
    fn a_hint_that_always_fails_stops_no_other() {
        let mut hints = HintIndex::default();
        (0..3).for_each(|n| hints.insert(TARGET, key(n), 10));
        let mut seen = Vec::new();
        for _ in 0..3 {
            let (sent, version) = hints.next_for(TARGET).expect("one");
            hints.failed(TARGET, &sent, version);
            seen.push(sent);
        }
        assert_eq!(seen, [key(0), key(1), key(2)]);
    }

    #[test]
    fn room_is_measured_in_bytes() {
        let mut hints = HintIndex::default();
        hints.insert(TARGET, key(1), HINTS_BYTES_MAX - 1);
        assert!(hints.has_room());
        hints.insert(TARGET, key(2), 1);
        assert!(!hints.has_room());
    }
}
