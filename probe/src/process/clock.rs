//! The kernel's clocks: events carry `CLOCK_MONOTONIC`, the start of a process
//! `CLOCK_BOOTTIME`, which also counts while the machine sleeps.

use rustix::time::{ClockId, clock_gettime};

/// Now, in ns of `CLOCK_MONOTONIC`.
#[must_use]
pub fn monotonic_ns() -> u64 {
    read(ClockId::Monotonic)
}

/// How much `CLOCK_BOOTTIME` is ahead of `CLOCK_MONOTONIC`, in ns. It grows
/// whenever the machine sleeps.
#[must_use]
pub fn boot_offset_ns() -> u64 {
    let before = read(ClockId::Monotonic);
    let boot = read(ClockId::Boottime);
    let after = read(ClockId::Monotonic);
    boot.saturating_sub(before.midpoint(after))
}

fn read(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    part(now.tv_sec).saturating_mul(1_000_000_000).saturating_add(part(now.tv_nsec))
}
