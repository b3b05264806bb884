//! How latencies are spread between their bounds, by tables of integers: no machine rounds them otherwise.

use crate::base::rng::Stream;
use crate::base::time::Duration;

/// How latencies are spread between `min` and `max`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Shape {
    /// All are as likely.
    #[default]
    Uniform,
    /// Most are short, as those of a queue that is seldom full: the mean lies at a fifth of the way to `max`.
    Exponential,
    /// Half of them within 3% of the way to `max`, one in ten beyond its half: a link with stragglers.
    LongTail,
}

/// Quantiles of an exponential distribution that is cut off at five means, in millionths of `max - min`.
const EXPONENTIAL: [u32; 65] = [
    0, 3_128, 6_306, 9_536, 12_818, 16_155, 19_549, 23_001, 26_514, 30_090, 33_730, 37_439, 41_217, 45_068,
    48_995, 53_000, 57_088, 61_260, 65_522, 69_876, 74_327, 78_880, 83_538, 88_308, 93_194, 98_202, 103_339,
    108_612, 114_027, 119_594, 125_319, 131_213, 137_286, 143_550, 150_016, 156_698, 163_611, 170_771,
    178_197, 185_910, 193_932, 202_290, 211_012, 220_132, 229_687, 239_722, 250_288, 261_443, 273_256,
    285_812, 299_209, 313_569, 329_039, 345_808, 364_112, 384_261, 406_671, 431_912, 460_805, 494_588,
    535_261, 586_375, 655_209, 761_014, 1_000_000,
];

/// `(1024^u - 1) / 1023`: each doubling is as likely as the next. In millionths.
const LONG_TAIL: [u32; 65] = [
    0, 112, 236, 375, 530, 702, 895, 1_109, 1_347, 1_613, 1_910, 2_240, 2_608, 3_018, 3_475, 3_985, 4_552,
    5_185, 5_890, 6_675, 7_550, 8_526, 9_613, 10_824, 12_174, 13_679, 15_355, 17_223, 19_305, 21_626, 24_211,
    27_092, 30_303, 33_881, 37_868, 42_312, 47_264, 52_782, 58_931, 65_784, 73_421, 81_931, 91_414, 101_983,
    113_760, 126_884, 141_510, 157_809, 175_972, 196_213, 218_769, 243_905, 271_916, 303_131, 337_917,
    376_682, 419_882, 468_022, 521_670, 581_454, 648_076, 722_319, 805_055, 897_254, 1_000_000,
];

impl Shape {
    pub const ALL: [Shape; 3] = [Shape::Uniform, Shape::Exponential, Shape::LongTail];

    pub fn name(self) -> &'static str {
        match self {
            Shape::Uniform => "uniform",
            Shape::Exponential => "exponential",
            Shape::LongTail => "long-tail",
        }
    }

    /// A span in `min..=max`, by one draw.
    pub fn draw(self, stream: &mut Stream, min: Duration, max: Duration) -> Duration {
        let table = match self {
            Shape::Uniform => return stream.between(min, max),
            Shape::Exponential => &EXPONENTIAL,
            Shape::LongTail => &LONG_TAIL,
        };
        let part = u128::from(quantile(table, stream.next()));
        Duration(min.0 + (u128::from(max.0 - min.0) * part / 1_000_000) as u64)
    }
}

/// A span with this mean, and never more than five times as much: the time between two faults of a rate.
pub fn gap(stream: &mut Stream, mean: Duration) -> Duration {
    let part = u128::from(quantile(&EXPONENTIAL, stream.next()));
    // The mean of the table is 193,216 millionths.
    Duration((u128::from(mean.0) * part / 193_216) as u64)
}

/// The value of the table, between whose 65 places is interpolated, at `draw` of 2^64.
fn quantile(table: &[u32; 65], draw: u64) -> u64 {
    let (place, rest) = ((draw >> 58) as usize, (draw >> 26) & 0xffff_ffff);
    let (low, high) = (u64::from(table[place]), u64::from(table[place + 1]));
    low + (((high - low) * rest) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn drawn(shape: Shape) -> Vec<u64> {
        let (min, max) = (Duration(1_000), Duration(1_001_000));
        let mut stream = Stream::new(1, "shape", 0);
        let mut spans: Vec<u64> = (0..100_000).map(|_| shape.draw(&mut stream, min, max).0).collect();
        assert!(spans.iter().all(|span| (min.0..=max.0).contains(span)), "{shape:?}");
        spans.sort_unstable();
        spans
    }

    #[test]
    fn shapes_have_the_quantiles_that_they_promise() {
        let at = |spans: &[u64], percent: usize| spans[spans.len() * percent / 100];
        let (even, short, long) = (drawn(Shape::Uniform), drawn(Shape::Exponential), drawn(Shape::LongTail));
        let mean = |spans: &[u64]| spans.iter().sum::<u64>() / spans.len() as u64;
        assert!((490_000..510_000).contains(&mean(&even)), "{}", mean(&even));
        assert!((190_000..198_000).contains(&mean(&short)), "{}", mean(&short));
        assert!((27_000..36_000).contains(&at(&long, 50)), "{}", at(&long, 50));
        assert!((480_000..520_000).contains(&at(&long, 90)), "{}", at(&long, 90));
    }

    #[test]
    fn gaps_have_their_mean_and_an_end() {
        let mut stream = Stream::new(1, "gap", 0);
        let mean = Duration::from_secs(10);
        let gaps: Vec<u64> = (0..100_000).map(|_| gap(&mut stream, mean).0).collect();
        let found = gaps.iter().sum::<u64>() / gaps.len() as u64;
        assert!((9_800_000_000..10_200_000_000).contains(&found), "{found}");
        assert!(gaps.iter().all(|gap| *gap <= mean.0 * 6));
    }
}
