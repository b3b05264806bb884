//! [`Few`]: a list that is nearly always short.

use core::ops::{Deref, DerefMut};

use smallvec::SmallVec;

/// A list of which up to `K` entries lie in place, and cost no allocation when it is cloned or decoded. Longer ones are
/// allocated as a `Vec` is, and encoded all the same as one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Few<T, const K: usize>(SmallVec<[T; K]>);

impl<T, const K: usize> Few<T, K> {
    pub const fn new() -> Few<T, K> {
        Few(SmallVec::new_const())
    }

    pub fn with_capacity(capacity: usize) -> Few<T, K> {
        Few(SmallVec::with_capacity(capacity))
    }
}

impl<T, const K: usize> Default for Few<T, K> {
    fn default() -> Few<T, K> {
        Few::new()
    }
}

impl<T, const K: usize> Deref for Few<T, K> {
    type Target = SmallVec<[T; K]>;

    fn deref(&self) -> &SmallVec<[T; K]> {
        &self.0
    }
}

impl<T, const K: usize> DerefMut for Few<T, K> {
    fn deref_mut(&mut self) -> &mut SmallVec<[T; K]> {
        &mut self.0
    }
}

impl<T, const K: usize> FromIterator<T> for Few<T, K> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Few<T, K> {
        Few(entries.into_iter().collect())
    }
}

impl<T, const K: usize, const N: usize> From<[T; N]> for Few<T, K> {
    fn from(entries: [T; N]) -> Few<T, K> {
        entries.into_iter().collect()
    }
}

impl<T, const K: usize> IntoIterator for Few<T, K> {
    type Item = T;
    type IntoIter = smallvec::IntoIter<[T; K]>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::codec::{self, Malformed};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_encoded_as_a_vec(entries in proptest::collection::vec(any::<u32>(), 0..6)) {
            let few: Few<u32, 2> = entries.iter().copied().collect();
            prop_assert_eq!(few.spilled(), entries.len() > 2);
            prop_assert_eq!(codec::encode(&few), codec::encode(&entries));
            prop_assert_eq!(codec::decode::<Few<u32, 2>>(&codec::encode(&entries)), Ok(few));
        }
    }

    #[test]
    fn a_forged_length_is_refused_without_allocating() {
        let forged = codec::encode(&u64::MAX);
        assert_eq!(codec::decode::<Few<u64, 1>>(&forged), Err(Malformed));
        let cut = codec::encode(&3u64);
        assert_eq!(codec::decode::<Few<u64, 1>>(&cut), Err(Malformed));
        assert_eq!(codec::decode::<Vec<u64>>(&cut), Err(Malformed));
    }
}
