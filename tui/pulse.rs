//! How busy the machine is right now, for the header.

use crate::format::share;
use crate::options::period_ns;
use probe::profile::{Snapshot, slice::SLICE_NS};

/// The time it is averaged over: two slices, so that it is steady.
const SPAN_NS: u64 = 2 * SLICE_NS;

/// How busy the machine is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pulse {
    /// Samples a second, of all CPUs.
    pub samples_per_s: f64,
    /// The busy share of each CPU that was seen, from 0 to 1.
    pub busy: Vec<f64>,
}

impl Pulse {
    /// Counts the samples of the last two seconds.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        let age_ns =
            snapshot.taken_at.monotonic_ns.saturating_sub(snapshot.started_at.monotonic_ns);
        let span_ns = SPAN_NS.min(age_ns).max(1);
        let cpus = snapshot.tables.hosts.iter().map(|(_, host)| host.cpus as usize).max();
        let mut values = vec![0_u64; cpus.unwrap_or(0).min(usize::from(u16::MAX))];
        let mut samples = 0;
        for (point, value) in snapshot.points(snapshot.last(span_ns), 0) {
            let cpu = usize::from(point.cpu);
            if values.len() <= cpu {
                values.resize(cpu + 1, 0);
            }
            values[cpu] += value;
            samples += 1;
        }
        let period_ns = period_ns(snapshot);
        let busy = |value: &u64| share(value.saturating_mul(period_ns), span_ns).min(1.0);
        Self {
            samples_per_s: share(samples * SLICE_NS, span_ns),
            busy: values.iter().map(busy).collect(),
        }
    }

    /// The busy share of the whole machine, from 0 to 1.
    #[must_use]
    pub fn load(&self) -> f64 {
        share(1, self.busy.len() as u64) * self.busy.iter().sum::<f64>()
    }
}
