//! How long each CPU has been idle.

use std::collections::BTreeMap;

/// Idle time of each CPU since boot, in ns, from `/proc/stat` (`proc_stat(5)`:
/// idle and iowait, in clock ticks). Empty where it cannot be read.
pub(super) fn idle_ns() -> BTreeMap<u32, u64> {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    parse(&stat, rustix::param::clock_ticks_per_second())
}

fn parse(stat: &str, ticks_per_second: u64) -> BTreeMap<u32, u64> {
    let tick_ns = 1_000_000_000 / ticks_per_second.max(1);
    let cpu = |line: &str| {
        let (cpu, times) = line.strip_prefix("cpu")?.split_once(' ')?;
        let mut times = times.split_ascii_whitespace().skip(3).map(str::parse::<u64>);
        let (idle, iowait) = (times.next()?.ok()?, times.next()?.ok()?);
        Some((cpu.parse().ok()?, idle.saturating_add(iowait).saturating_mul(tick_ns)))
    };
    stat.lines().filter_map(cpu).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_cpu() {
        let stat = "cpu  9 9 9 9 9 9\ncpu0 1 2 3 40 5 6 7\ncpu12 1 2 3 4 0 6\nintr 5\ncpux 1\n";
        let expected = BTreeMap::from([(0, 450_000_000), (12, 40_000_000)]);
        assert_eq!(parse(stat, 100), expected);
    }
}
