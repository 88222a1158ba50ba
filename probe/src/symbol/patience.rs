//! How long a request may take, on a host that has no time to spare: the limit is
//! of the worker's own CPU time, since a file must not be blamed for the load.

use super::limits::{DEADLINE, STARVED_MAX};
use std::time::{Duration, Instant};

/// What a worker has been given for one request.
#[derive(Debug)]
pub(super) struct Patience {
    pid: u32,
    began: Instant,
    /// CPU time of the worker by then.
    cpu_before: Duration,
    /// When to look again.
    deadline: Instant,
}

/// What `/proc/PID/stat` tells of the worker (`proc_pid_stat(5)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    /// Whether it runs or waits for a CPU, and for nothing else.
    is_runnable: bool,
    /// User and system time.
    cpu: Duration,
}

impl Patience {
    /// For a request that is sent to `pid` now.
    pub(super) fn new(pid: u32) -> Self {
        let began = Instant::now();
        let cpu_before = progress(pid).map_or(Duration::ZERO, |progress| progress.cpu);
        Self { pid, began, cpu_before, deadline: began + DEADLINE }
    }

    /// Until when to wait.
    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Once the deadline has passed: whether to wait until a new one.
    pub(super) fn extend(&mut self) -> bool {
        let now = Instant::now();
        self.deadline = now + DEADLINE;
        let elapsed = now.saturating_duration_since(self.began);
        progress(self.pid).is_some_and(|progress| is_starved(progress, self.cpu_before, elapsed))
    }
}

fn is_starved(now: Progress, cpu_before: Duration, elapsed: Duration) -> bool {
    now.is_runnable && now.cpu.saturating_sub(cpu_before) < DEADLINE && elapsed < STARVED_MAX
}

fn progress(pid: u32) -> Option<Progress> {
    parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(stat: &str) -> Option<Progress> {
    // Fields are numbered from 1; the second is a name in parentheses.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let is_runnable = fields.next()? == "R";
    let mut ticks = fields.skip(14 - 4).map_while(|field| field.parse::<u64>().ok());
    let ticks = ticks.next()?.checked_add(ticks.next()?)?;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let cpu = Duration::from_millis(ticks.checked_mul(1000)? / per_second);
    Some(Progress { is_runnable, cpu })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_worker_that_waits_for_a_cpu_gets_more() {
        let check = |is_runnable, cpu_ms, elapsed: Duration, expected| {
            let before = Duration::from_millis(500);
            let now = Progress { is_runnable, cpu: before + Duration::from_millis(cpu_ms) };
            assert_eq!(is_starved(now, before, elapsed), expected, "{now:?} {elapsed:?}");
        };
        check(true, 300, DEADLINE, true);
        check(true, 300, STARVED_MAX, false);
        check(true, 2000, DEADLINE, false);
        // Asleep, stopped, or stuck in the kernel: not for want of a CPU.
        check(false, 300, DEADLINE, false);
    }

    #[test]
    fn reads_any_stat() {
        let check = |stat: &str, expected: Option<(bool, u64)>| {
            let seen = parse(stat);
            let seen = seen.map(|Progress { is_runnable, cpu }| (is_runnable, cpu.as_millis()));
            assert_eq!(seen, expected.map(|(runs, ms)| (runs, u128::from(ms))), "{stat:?}");
        };
        let tail = "1 7 7 0 -1 4194560 1 2 3 4 150 50 8 9 20 0 1 0 12345";
        // 100 ticks a second, on every Linux since 2.4.
        check(&format!("7 (otop) R {tail}"), Some((true, 2000)));
        check(&format!("7 () S ) R) S {tail}"), Some((false, 2000)));
        check("7 (otop) R 1 7 7", None);
        check("", None);
        assert!(progress(std::process::id()).is_some());
    }
}
