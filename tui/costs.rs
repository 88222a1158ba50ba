//! How long the screen's own work takes.

use hdrhistogram::Histogram;
use probe::profile::Latency;
use std::fmt;

/// The longest time that is told apart from longer ones: a minute.
const NS_MAX: u64 = 60_000_000_000;

/// Times of one part of the work, to three digits.
pub struct Times {
    part: &'static str,
    histogram: Option<Histogram<u64>>,
}

impl Times {
    fn new(part: &'static str) -> Self {
        Self { part, histogram: Histogram::new_with_max(NS_MAX, 3).ok() }
    }

    /// Adds one.
    pub fn record(&mut self, ns: u64) {
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(ns);
        }
    }

    fn latency(&self) -> Latency {
        self.histogram.as_ref().map_or_else(Latency::default, |histogram| Latency {
            part: self.part,
            count: histogram.len(),
            p50_ns: histogram.value_at_quantile(0.5),
            p99_ns: histogram.value_at_quantile(0.99),
            max_ns: histogram.max(),
        })
    }
}

/// What the screen costs.
pub struct Costs {
    /// Computing a view.
    pub view: Times,
    /// Drawing a frame and writing it to the terminal.
    pub draw: Times,
}

impl Default for Costs {
    fn default() -> Self {
        Self { view: Times::new("view"), draw: Times::new("draw") }
    }
}

impl fmt::Debug for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.latencies()).finish()
    }
}

impl Costs {
    /// Those that were measured.
    #[must_use]
    pub fn latencies(&self) -> Vec<Latency> {
        let all = [self.view.latency(), self.draw.latency()];
        all.into_iter().filter(|latency| latency.count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_measured_is_told() {
        let mut costs = Costs::default();
        assert_eq!(costs.latencies(), []);
        for ns in [1_000, 2_000, u64::MAX] {
            costs.draw.record(ns);
        }
        let [draw] = costs.latencies().try_into().unwrap();
        assert_eq!((draw.part, draw.count), ("draw", 3));
        assert!(draw.p50_ns.abs_diff(2_000) <= 2);
        assert!(draw.max_ns >= NS_MAX);
    }
}
