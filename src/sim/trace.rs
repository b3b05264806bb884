//! The trace hash: one number that two runs share only if every event of theirs was the same.

use core::hash::Hash;

use crate::base::checksum::{mix, state_hash};

/// A rolling hash over everything that a world did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Trace(u64);

impl Trace {
    pub fn word(&mut self, word: u64) {
        self.0 = mix(self.0, word);
    }

    pub fn value<T: Hash + ?Sized>(&mut self, value: &T) {
        self.word(state_hash(value));
    }

    pub fn hash(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_events_is_in_the_hash() {
        let traced = |words: [u64; 2]| {
            let mut trace = Trace::default();
            words.into_iter().for_each(|word| trace.word(word));
            trace.hash()
        };
        assert_ne!(traced([1, 2]), traced([2, 1]));
        assert_ne!(traced([0, 0]), Trace::default().hash());
    }
}
