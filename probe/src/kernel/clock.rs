//! The clocks.

use crate::profile::Moment;
use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC` in ns: what the kernel stamps samples with.
#[must_use]
pub fn monotonic_ns() -> u64 {
    ns(ClockId::Monotonic)
}

/// This moment on both clocks.
#[must_use]
pub fn now() -> Moment {
    Moment { monotonic_ns: monotonic_ns(), wall_ns: ns(ClockId::Realtime) }
}

/// CPU time that this process has used, in ns.
#[must_use]
pub fn process_cpu_ns() -> u64 {
    ns(ClockId::ProcessCPUTime)
}

fn ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    // Neither clock is before its epoch; a broken one reads as its epoch.
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}
