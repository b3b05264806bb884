//! [`Map`]: a hash map with a fixed seed and no iteration. Lookups are as fast as a hash map's; an order that could
//! reach a message, a file or a hash does not exist. Where order matters, use a `BTreeMap`.

use alloc::format;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::hash::{Hash, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::base::checksum::state_hash;

/// A hash map that cannot be iterated.
#[derive(Clone)]
pub struct Map<K, V>(HashMap<K, V, FixedState>);

impl<K, V> Default for Map<K, V> {
    fn default() -> Map<K, V> {
        Map(HashMap::with_hasher(FixedState::with_seed(0x6b76_7369_6d21)))
    }
}

impl<K: Eq + Hash, V> Map<K, V> {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.0.get(key)
    }

    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key)
    }

    /// The value of `key`, made by `default` first if there is none.
    pub fn get_or_insert_with(&mut self, key: K, default: impl FnOnce() -> V) -> &mut V {
        self.0.entry(key).or_insert_with(default)
    }

    pub fn contains<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.contains_key(key)
    }

    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.0.remove(key)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// The sum of the entries' hashes: the same whatever the order in which they lie.
impl<K: Eq + Hash, V: Hash> Hash for Map<K, V> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let sum = self.0.iter().fold(0u64, |sum, entry| sum.wrapping_add(state_hash(&entry)));
        hasher.write_u64(self.0.len() as u64);
        hasher.write_u64(sum);
    }
}

/// In the order of what the entries look like, because the map has none.
impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut entries: Vec<_> = self.0.iter().map(|entry| (format!("{:?}", entry.0), entry)).collect();
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        f.debug_map().entries(entries.into_iter().map(|(_, entry)| entry)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_map_does_not_depend_on_its_history() {
        let mut forward = Map::default();
        let mut backward = Map::default();
        for n in 0..100u32 {
            forward.insert(n, n * n);
            backward.insert(99 - n, (99 - n) * (99 - n));
        }
        assert_eq!(state_hash(&forward), state_hash(&backward));
        backward.insert(7, 0);
        assert_ne!(state_hash(&forward), state_hash(&backward));
    }
}
