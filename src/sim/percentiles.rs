//! [`Percentiles`] of whole numbers: latencies, staleness, whatever a run counts.

use hdrhistogram::Histogram;

/// Exact to three digits; the maximum is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

impl Percentiles {
    /// `None` if there are no values.
    pub fn of(values: impl IntoIterator<Item = u64>) -> Option<Percentiles> {
        let mut histogram = Histogram::<u64>::new(3).expect("3 digits are possible");
        let mut max = 0;
        for value in values {
            histogram.record(value).expect("a histogram that resizes itself takes any value");
            max = max.max(value);
        }
        let at = |quantile| histogram.value_at_quantile(quantile).min(max);
        (!histogram.is_empty()).then(|| Percentiles {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max,
        })
    }

    /// With their names, as scenario files and reports spell them.
    pub fn named(&self) -> [(&'static str, u64); 5] {
        let Percentiles { p50, p90, p99, p999, max } = *self;
        [("p50", p50), ("p90", p90), ("p99", p99), ("p999", p999), ("max", max)]
    }
}
