//! A cache of table blocks, weighed by bytes, with the rule of S3-FIFO (Yang et al., "FIFO Queues are All You Need for
//! Cache Eviction", SOSP 2023). Same reads, same contents, on every machine.
//!
//! New blocks enter a short queue, a tenth of the cache. Those that were asked for twice more before they reach its
//! front move on to the main queue; the others leave, and only their places are remembered for a while: who is
//! remembered enters the main queue at once. In the main queue every hit buys another round. So a scan of the whole
//! store passes through the short queue and leaves the main one as it is, and a new working set is in the main queue
//! after its second turn.
//!
//! What hits, with 64 MiB of blocks of 4 KiB from a store four times as large: of reads by Zipf's law 85 %; of 12,000
//! blocks read by chance, and others after 400,000 reads, 94 %; of such blocks and those of a scan in turn 50 %, which
//! is all that can be. (The CLOCK that was here before had 82, 8 and 28 %: it filled the gap at its hand with the
//! newest block, which was the next to go, so nothing new ever got in.)
//!
//! **It has one shard**, on purpose. Caches are sharded so that threads do not wait for each other's lock. This one
//! has no lock: it belongs to the engine, which has one owner, and jobs read past it. Shards would only hash every
//! place once more, and cut the memory into parts of which one is too small while another is not full. For the same
//! reason it is not a crate: `quick_cache` and `moka` are built for many threads, and a simulated world copies its
//! caches and hashes them as part of its state, the order of eviction included, which crates keep to themselves.
//!
//! The footers and filters of tables are held beside the blocks, found with one look-up by the table's number: every
//! read of a key begins with them, in each table that may have it. Filters weigh like blocks, up to half of the
//! cache; those beyond that come and go like blocks. Footers weigh nothing: they are less than a hundred bytes each.

use alloc::collections::VecDeque;

use crate::base::bytes::Bytes;
use crate::base::invariant::{Broken, holds};
use crate::base::map::Map;
use crate::storage::table::Footer;

/// A block's place: the table's number and the block's offset. File numbers are never used twice, so blocks
/// of removed tables are never found again, and the queues carry them out.
pub type Place = (u64, u64);

/// The share of new blocks: one part of so many.
const NEW_SHARE: u64 = 10;
/// A new block that was hit less often leaves.
const HITS_TO_STAY: u8 = 2;
/// More hits than these buy nothing.
const HITS_MAX: u8 = 3;

/// A block in a queue.
#[derive(Clone, Debug, Hash)]
struct Slot {
    place: Place,
    block: Bytes,
    hits: u8,
}

/// First in, first out. What is in it is found by its number: the first ever to enter is 0, the next 1.
#[derive(Clone, Debug, Hash)]
struct Queue<T> {
    items: VecDeque<T>,
    /// The number of the front.
    front: u64,
}

/// Where the block of a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Spot {
    New(u64),
    Main(u64),
    /// Nowhere any more.
    Gone(u64),
}

/// What is known of a table.
#[derive(Clone, Debug, Hash)]
struct Known {
    footer: Footer,
    filter: Option<Bytes>,
}

#[derive(Clone, Debug, Hash)]
pub struct Cache {
    /// In bytes, as the three that follow.
    capacity: u64,
    new_bytes: u64,
    main_bytes: u64,
    filter_bytes: u64,
    new: Queue<Slot>,
    main: Queue<Slot>,
    /// At most as many as there are blocks.
    gone: Queue<Place>,
    spots: Map<Place, Spot>,
    tables: Map<u64, Known>,
}

impl<T> Queue<T> {
    fn new() -> Queue<T> {
        Queue { items: VecDeque::new(), front: 0 }
    }

    /// The number under which it is found.
    fn push(&mut self, item: T) -> u64 {
        self.items.push_back(item);
        self.front + self.items.len() as u64 - 1
    }

    fn pop(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        self.front += 1;
        Some(item)
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.items.get_mut(number.checked_sub(self.front)? as usize)
    }
}

impl Cache {
    /// A cache of at most `capacity` bytes of blocks and filters (its own bookkeeping comes on top).
    pub fn new(capacity: u64) -> Cache {
        Cache {
            capacity,
            new_bytes: 0,
            main_bytes: 0,
            filter_bytes: 0,
            new: Queue::new(),
            main: Queue::new(),
            gone: Queue::new(),
            spots: Map::default(),
            tables: Map::default(),
        }
    }

    pub fn get(&mut self, place: Place) -> Option<Bytes> {
        let slot = match *self.spots.get(&place)? {
            Spot::New(number) => self.new.get_mut(number),
            Spot::Main(number) => self.main.get_mut(number),
            Spot::Gone(_) => None,
        }?;
        slot.hits = HITS_MAX.min(slot.hits + 1);
        Some(slot.block.clone())
    }

    /// Enters a block that [`Cache::get`] did not find. One that is larger than all the room is not kept.
    pub fn insert(&mut self, place: Place, block: Bytes) {
        let weight = block.len() as u64;
        if weight > self.capacity - self.filter_bytes {
            return;
        }
        self.make_room(weight);
        let slot = Slot { place, block, hits: 0 };
        let before = match self.spots.get(&place) {
            Some(Spot::Gone(_)) => self.enter_main(slot),
            _ => {
                self.new_bytes += weight;
                let spot = Spot::New(self.new.push(slot));
                self.spots.insert(place, spot)
            }
        };
        let is_missing = before.is_none_or(|spot| matches!(spot, Spot::Gone(_)));
        assert!(is_missing, "a block is read from disk only when it is not here");
        assert!(self.held() <= self.capacity, "the cache keeps within its weight");
    }

    fn enter_main(&mut self, slot: Slot) -> Option<Spot> {
        let place = slot.place;
        self.main_bytes += slot.block.len() as u64;
        let spot = Spot::Main(self.main.push(slot));
        self.spots.insert(place, spot)
    }

    /// What holds between any two calls.
    pub fn invariants(&self) -> Result<(), Broken> {
        holds(self.held() <= self.capacity, "the cache keeps within its weight")?;
        holds(self.filter_bytes <= self.capacity / 2, "filters leave half of the cache to blocks")?;
        let remembered = self.new.items.len() + self.main.items.len() + self.gone.items.len();
        let is_found = self.spots.len() <= remembered && self.spots.len() >= self.blocks();
        holds(is_found, "every cached block is found by its place")
    }

    fn blocks(&self) -> usize {
        self.new.items.len() + self.main.items.len()
    }

    fn held(&self) -> u64 {
        self.new_bytes + self.main_bytes + self.filter_bytes
    }

    pub fn footer(&self, table: u64) -> Option<Footer> {
        self.tables.get(&table).map(|known| known.footer)
    }

    pub fn keep_footer(&mut self, table: u64, footer: Footer) {
        self.tables.insert(table, Known { footer, filter: None });
    }

    /// The filter of a table, if it is kept.
    pub fn filter(&self, table: u64) -> Option<&[u8]> {
        self.tables.get(&table)?.filter.as_deref()
    }

    /// Keeps the filter of a table whose footer is kept, until the table is gone. False if filters have their half of
    /// the cache already.
    pub fn keep_filter(&mut self, table: u64, filter: &Bytes) -> bool {
        let weight = filter.len() as u64;
        if self.filter_bytes + weight > self.capacity / 2 {
            return false;
        }
        self.make_room(weight);
        let Some(known) = self.tables.get_mut(&table) else { return false };
        assert!(known.filter.is_none(), "a filter is read from disk only when it is not here");
        known.filter = Some(filter.clone());
        self.filter_bytes += weight;
        true
    }

    /// The table is gone.
    pub fn forget_table(&mut self, table: u64) {
        let filter = self.tables.remove(&table).and_then(|known| known.filter);
        self.filter_bytes -= filter.map_or(0, |filter| filter.len() as u64);
    }

    /// Evicts blocks until so many bytes more fit.
    fn make_room(&mut self, weight: u64) {
        while self.held() + weight > self.capacity {
            assert!(self.blocks() > 0, "an empty cache has room");
            if self.new_bytes > self.capacity / NEW_SHARE || self.main.items.is_empty() {
                self.evict_new();
            } else {
                self.evict_main();
            }
        }
    }

    /// The oldest of the new blocks leaves its queue.
    fn evict_new(&mut self) {
        let Some(slot) = self.new.pop() else { return };
        self.new_bytes -= slot.block.len() as u64;
        if slot.hits >= HITS_TO_STAY {
            self.enter_main(Slot { hits: 0, ..slot });
            return;
        }
        let spot = Spot::Gone(self.gone.push(slot.place));
        self.spots.insert(slot.place, spot);
        while self.gone.items.len() > self.blocks() {
            let number = self.gone.front;
            let Some(place) = self.gone.pop() else { return };
            // It may be back, and may even have gone again.
            if self.spots.get(&place) == Some(&Spot::Gone(number)) {
                self.spots.remove(&place);
            }
        }
    }

    /// The oldest block of the main queue leaves, or goes round once more.
    fn evict_main(&mut self) {
        let Some(slot) = self.main.pop() else { return };
        self.main_bytes -= slot.block.len() as u64;
        if slot.hits > 0 {
            self.enter_main(Slot { hits: slot.hits - 1, ..slot });
        } else {
            self.spots.remove(&slot.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::table::Handle;

    fn block(len: usize) -> Bytes {
        Bytes::from(alloc::vec![7u8; len])
    }

    /// Reads a block of 100 bytes; whether it was there.
    fn read(cache: &mut Cache, n: u64) -> bool {
        let hit = cache.get((n, 0)).is_some();
        if !hit {
            cache.insert((n, 0), block(100));
        }
        hit
    }

    #[test]
    fn the_cache_keeps_within_its_weight_and_finds_what_it_holds() {
        let mut cache = Cache::new(1000);
        for n in 0..600u64 {
            let place = (n * n % 67, 0);
            if cache.get(place).is_none() {
                cache.insert(place, block(1 + (n as usize * 37) % 300));
            }
            assert_eq!(cache.invariants(), Ok(()));
            assert_eq!(
                cache.new_bytes,
                cache.new.items.iter().map(|slot| slot.block.len() as u64).sum::<u64>()
            );
            assert_eq!(
                cache.main_bytes,
                cache.main.items.iter().map(|slot| slot.block.len() as u64).sum::<u64>()
            );
            let held = [&cache.new, &cache.main].map(|queue| queue.items.iter().map(|slot| slot.place));
            let held: alloc::vec::Vec<Place> = held.into_iter().flatten().collect();
            assert!(held.contains(&place) && held.iter().all(|place| cache.get(*place).is_some()));
        }
        assert!(!cache.main.items.is_empty() && !cache.gone.items.is_empty());
        assert!(cache.gone.items.len() <= cache.blocks());
    }

    #[test]
    fn a_scan_does_not_flush_the_blocks_that_are_in_use() {
        let mut cache = Cache::new(10_000);
        let hot = 0..80;
        for n in hot.clone().cycle().take(3 * 80) {
            read(&mut cache, n);
        }
        // Ten times the cache, and nobody asks for a hot block meanwhile.
        (1000..2000).for_each(|n| assert!(!read(&mut cache, n)));
        assert_eq!(hot.filter(|n| read(&mut cache, *n)).count(), 80);
    }

    #[test]
    fn a_new_working_set_takes_the_place_of_an_old_one() {
        let mut cache = Cache::new(10_000);
        for start in [0, 1000, 2000] {
            let hits = |cache: &mut Cache| (start..start + 80).filter(|n| read(cache, *n)).count();
            for _ in 0..6 {
                hits(&mut cache);
            }
            assert_eq!(hits(&mut cache), 80, "from {start}");
        }
    }

    #[test]
    fn a_block_that_is_used_outlives_those_that_are_not() {
        let mut cache = Cache::new(10_000);
        read(&mut cache, 9999);
        // More than fit, in a circle: they come back as soon as they are gone, and so into the main queue.
        for n in 0..3000 {
            read(&mut cache, n % 150);
            assert!(read(&mut cache, 9999), "evicted although used, at {n}");
        }
        assert!(cache.main.items.len() > 50);
    }

    #[test]
    fn a_broken_cache_is_found() {
        let mut cache = Cache::new(400);
        (0..3).for_each(|n| cache.insert((n, 0), block(100)));
        assert_eq!(cache.invariants(), Ok(()));
        let mut heavy = cache.clone();
        heavy.main_bytes = 401;
        assert!(heavy.invariants().is_err());
        cache.new.items.pop_back();
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

    #[test]
    fn filters_are_kept_until_their_table_goes_and_leave_half_of_the_cache_to_blocks() {
        let part = Handle { offset: 0, len: 0, checksum: 0 };
        let mut cache = Cache::new(1000);
        (0..10).for_each(|n| cache.insert((n, 7), block(100)));
        for table in 0..4 {
            cache.keep_footer(table, Footer { version: 2, filter: part, index: part });
            assert_eq!(cache.keep_filter(table, &block(200)), table < 2);
            assert_eq!(cache.invariants(), Ok(()));
        }
        for n in 20..90 {
            read(&mut cache, n);
        }
        assert_eq!(cache.filter(0), Some(&[7u8; 200][..]));
        assert_eq!((cache.filter(3), cache.blocks()), (None, 6));
        cache.forget_table(0);
        assert_eq!((cache.filter(0), cache.filter_bytes), (None, 200));
        assert!(cache.keep_filter(3, &block(200)));
    }
}
