//! A cache of table blocks, weighed by bytes, with the CLOCK rule (Corbató 1968): a hit sets a mark; the hand
//! clears marks as it passes and evicts the first block without one. Same reads, same contents, on every
//! machine.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::base::bytes::Bytes;
use crate::base::invariant::{Broken, holds};
use crate::base::map::Map;
use crate::storage::table::Footer;

/// A block's place: the table's number and the block's offset. File numbers are never used twice, so blocks
/// of removed tables are never found again, and the hand sweeps them out.
pub type Place = (u64, u64);

#[derive(Clone, Debug, Hash)]
struct Slot {
    place: Place,
    block: Bytes,
    marked: bool,
}

#[derive(Clone, Debug, Hash)]
pub struct Cache {
    capacity: u64,
    held: u64,
    slots: Vec<Slot>,
    index: Map<Place, usize>,
    hand: usize,
    footers: BTreeMap<u64, Footer>,
}

impl Cache {
    /// A cache of at most `capacity` bytes of blocks (its own bookkeeping comes on top).
    pub fn new(capacity: u64) -> Cache {
        Cache {
            capacity,
            held: 0,
            slots: Vec::new(),
            index: Map::default(),
            hand: 0,
            footers: BTreeMap::new(),
        }
    }

    pub fn get(&mut self, place: Place) -> Option<Bytes> {
        let slot = self.slots.get_mut(*self.index.get(&place)?)?;
        slot.marked = true;
        Some(slot.block.clone())
    }

    /// Enters a block that [`Cache::get`] did not find. One that is larger than the whole cache is not kept.
    pub fn insert(&mut self, place: Place, block: Bytes) {
        assert!(!self.index.contains(&place), "a block is read from disk only when it is not here");
        let weight = block.len() as u64;
        if weight > self.capacity {
            return;
        }
        while self.held + weight > self.capacity {
            self.evict();
        }
        self.held += weight;
        self.index.insert(place, self.slots.len());
        self.slots.push(Slot { place, block, marked: false });
        assert!(self.held <= self.capacity, "the cache keeps within its weight");
    }

    /// What holds between any two calls.
    pub fn invariants(&self) -> Result<(), Broken> {
        holds(self.held <= self.capacity, "the cache keeps within its weight")?;
        holds(self.index.len() == self.slots.len(), "every cached block is found by its place")
    }

    pub fn footer(&self, table: u64) -> Option<Footer> {
        self.footers.get(&table).copied()
    }

    pub fn keep_footer(&mut self, table: u64, footer: Footer) {
        self.footers.insert(table, footer);
    }

    /// The table is gone.
    pub fn forget_footer(&mut self, table: u64) {
        self.footers.remove(&table);
    }

    fn evict(&mut self) {
        assert!(!self.slots.is_empty(), "an empty cache has room");
        loop {
            self.hand = if self.hand >= self.slots.len() { 0 } else { self.hand };
            if self.slots[self.hand].marked {
                self.slots[self.hand].marked = false;
                self.hand += 1;
                continue;
            }
            // The last slot moves into the gap. It is met early on this round or late, which CLOCK does not
            // mind.
            let gone = self.slots.swap_remove(self.hand);
            self.index.remove(&gone.place);
            if let Some(moved) = self.slots.get(self.hand) {
                self.index.insert(moved.place, self.hand);
            }
            self.held -= gone.block.len() as u64;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(len: usize) -> Bytes {
        Bytes::from(alloc::vec![7u8; len])
    }

    #[test]
    fn the_cache_keeps_within_its_weight_and_finds_what_it_holds() {
        let mut cache = Cache::new(1000);
        for n in 0..200 {
            cache.insert((n, 0), block(1 + (n as usize * 37) % 300));
            assert!(cache.held <= 1000);
            assert_eq!(cache.held, cache.slots.iter().map(|slot| slot.block.len() as u64).sum::<u64>());
            for (at, slot) in cache.slots.iter().enumerate() {
                assert_eq!(cache.index.get(&slot.place), Some(&at));
            }
        }
        assert!(cache.get((199, 0)).is_some());
        assert!(cache.get((0, 0)).is_none());
    }

    #[test]
    fn a_block_that_is_used_outlives_those_that_are_not() {
        let mut cache = Cache::new(400);
        cache.insert((0, 0), block(100));
        for n in 1..50 {
            assert!(cache.get((0, 0)).is_some(), "evicted although used, at {n}");
            cache.insert((n, 0), block(100));
        }
        assert!(cache.get((1, 0)).is_none());
    }

    #[test]
    fn a_broken_cache_is_found() {
        let mut cache = Cache::new(400);
        (0..3).for_each(|n| cache.insert((n, 0), block(100)));
        assert_eq!(cache.invariants(), Ok(()));
        let mut heavy = cache.clone();
        heavy.held = 401;
        assert!(heavy.invariants().is_err());
        cache.slots.pop();
        assert!(cache.invariants().is_err());
    }

    #[test]
    fn a_block_larger_than_the_cache_is_not_kept() {
        let mut cache = Cache::new(10);
        cache.insert((0, 0), block(11));
        assert!(cache.get((0, 0)).is_none());
        cache.insert((0, 0), block(10));
        assert!(cache.get((0, 0)).is_some());
    }
}
