//! Keyed randomness: a draw is a pure function of (seed, purpose, entity, ordinal).
//!
//! Every use of chance has its own [`Stream`], named by what it is for and which link, node or client it belongs to.
//! So a new kind of fault, or one more draw somewhere, moves no other draw, and old seeds keep their meaning in new
//! code. The generator is ChaCha8 (Bernstein 2008), whose output is the same on every machine; ranges and shuffles
//! are our own, because libraries do not promise theirs for ever.

use core::fmt;
use core::hash::{Hash, Hasher};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::base::time::Duration;

/// A probability in parts per million. Integers, so that no machine rounds it otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ppm(pub u32);

impl Ppm {
    pub const NEVER: Ppm = Ppm(0);
    pub const ALWAYS: Ppm = Ppm(1_000_000);
}

/// As a percentage, exact: a millionth is the fourth decimal.
impl fmt::Display for Ppm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = alloc::format!("{:04}", self.0 % 10_000);
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{}%", self.0 / 10_000),
            decimals => write!(f, "{}.{decimals}%", self.0 / 10_000),
        }
    }
}

/// An endless sequence of draws for one purpose and entity.
#[derive(Clone)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of `purpose` (a name such as `"net.loss"`) for `entity` (a link, a node, a client) under `seed`.
    pub fn new(seed: u64, purpose: &str, entity: u64) -> Stream {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&entity.to_le_bytes());
        key[16..24].copy_from_slice(&crate::base::checksum::checksum(0, purpose.as_bytes()).to_le_bytes());
        Stream(ChaCha8Rng::from_seed(key))
    }

    /// The next 64 random bits.
    #[expect(clippy::should_implement_trait, reason = "an endless stream is never collected or zipped")]
    pub fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// The 64 bits that the `ordinal`-th call of [`Stream::next`] on a new stream gives; the next call goes on
    /// from there.
    pub fn at(&mut self, ordinal: u64) -> u64 {
        self.0.set_word_pos(u128::from(ordinal) * 2);
        self.next()
    }

    /// A number in `0..bound`. Panics if `bound` is zero. (Multiply and shift; the bias is below bound / 2^64.)
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a draw from nothing");
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// A span in `low..=high`. Panics if `low > high`.
    pub fn between(&mut self, low: Duration, high: Duration) -> Duration {
        assert!(low <= high, "a range that ends before it begins");
        Duration(low.0 + self.below((high.0 - low.0).saturating_add(1)))
    }

    /// True with probability `chance`. Always draws once, so that a changed probability moves no later draw.
    pub fn chance(&mut self, chance: Ppm) -> bool {
        self.below(1_000_000) < u64::from(chance.0)
    }

    /// One of `items`, or `None` if there are none (then nothing is drawn).
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len() as u64) as usize) }
    }

    /// Shuffles `items` (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// How far it is, in words of 32 bits, and of which stream: the generator's own `Debug` tells nothing.
impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = crate::base::checksum::checksum(0, &self.0.get_seed());
        f.debug_struct("Stream").field("drawn", &self.0.get_word_pos()).field("of", &of).finish()
    }
}

/// A stream's state is its key and its position.
impl Hash for Stream {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write(&self.0.get_seed());
        hasher.write_u128(self.0.get_word_pos());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Golden: seeds that failed years ago must still mean the same run.
    #[test]
    fn golden_draws() {
        let mut stream = Stream::new(42, "net.loss", 7);
        let draws: Vec<u64> = (0..3).map(|_| stream.next()).collect();
        assert_eq!(
            draws,
            [5_068_624_838_517_315_396, 16_859_308_905_815_076_339, 14_667_995_208_105_126_170]
        );
        assert_eq!(stream.at(1), draws[1]);
        assert_eq!(stream.next(), draws[2]);
    }

    #[test]
    fn streams_of_other_purposes_entities_and_seeds_differ() {
        let first = |seed, purpose, entity| Stream::new(seed, purpose, entity).next();
        let base = first(1, "a", 1);
        assert_ne!(base, first(2, "a", 1));
        assert_ne!(base, first(1, "b", 1));
        assert_ne!(base, first(1, "a", 2));
    }

    #[test]
    fn ranges_hold_their_bounds_and_chances_their_rate() {
        let mut stream = Stream::new(1, "range", 0);
        assert!((0..1000).all(|_| stream.below(7) < 7));
        let hits = (0..100_000).filter(|_| stream.chance(Ppm(250_000))).count();
        assert!((24_000..26_000).contains(&hits), "{hits}");
        assert!((0..1000).all(|_| !stream.chance(Ppm::NEVER) && stream.chance(Ppm::ALWAYS)));
    }

    #[test]
    fn shares_print_as_they_are_typed() {
        for (ppm, text) in
            [(0, "0%"), (5_000, "0.5%"), (1, "0.0001%"), (1_000_000, "100%"), (10_500, "1.05%")]
        {
            assert_eq!(alloc::string::ToString::to_string(&Ppm(ppm)), text);
        }
    }

    #[test]
    fn a_shuffle_is_a_permutation() {
        let mut items: Vec<u32> = (0..50).collect();
        Stream::new(3, "shuffle", 0).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<u32>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<u32>>());
    }
}
