//! `/proc/PID/stat` (`proc_pid_stat(5)`).

use crate::profile::Text;

/// `PF_KTHREAD` in the kernel's `include/linux/sched.h`.
const PF_KTHREAD: u64 = 0x0020_0000;

/// When a process began, as exactly as is known: in ns since boot
/// (`CLOCK_BOOTTIME`), both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StartRange {
    /// Not before.
    pub min_ns: u64,
    /// Not after.
    pub max_ns: u64,
}

impl StartRange {
    /// The range of a start that is known in clock ticks.
    ///
    /// The kernel rounds down (`nsec_to_clock_t`).
    #[must_use]
    pub fn of_ticks(ticks: u64, ticks_per_second: u64) -> Self {
        let tick_ns = 1_000_000_000 / ticks_per_second.max(1);
        let min_ns = ticks.saturating_mul(tick_ns);
        Self { min_ns, max_ns: min_ns.saturating_add(tick_ns.saturating_sub(1)) }
    }

    /// Whether a process that began at `start_ns` can be meant.
    #[must_use]
    pub const fn contains(self, start_ns: u64) -> bool {
        self.min_ns <= start_ns && start_ns <= self.max_ns
    }

    /// Whether both can mean the same process.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.min_ns <= other.max_ns && other.min_ns <= self.max_ns
    }

    /// What is left of two that mean the same process.
    #[must_use]
    pub fn overlap(self, other: Self) -> Self {
        Self { min_ns: self.min_ns.max(other.min_ns), max_ns: self.max_ns.min(other.max_ns) }
    }
}

/// What `stat` says, as far as it is of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// The command's name, which may hold any byte, also `)` and newlines.
    pub name: Text,
    /// Whether it is a kernel thread: those map nothing.
    pub is_kernel_thread: bool,
    /// How many threads it has.
    pub threads: u32,
    /// When it began, in clock ticks since boot.
    pub start_ticks: u64,
}

impl Stat {
    /// Reads the one line of the file; None where it isn't one.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let open = line.iter().position(|byte| *byte == b'(')?;
        // The name may hold parentheses; what follows it never does.
        let close = line.iter().rposition(|byte| *byte == b')')?;
        let name = line.get(open + 1..close)?;
        let rest = std::str::from_utf8(line.get(close + 1..)?).ok()?;
        // Fields are numbered from 1 in the manual; the one after the name is 3.
        let mut fields = rest.split_ascii_whitespace();
        let flags: u64 = fields.nth(9 - 3)?.parse().ok()?;
        let threads = fields.nth(20 - 10)?.parse().ok()?;
        let start_ticks = fields.nth(22 - 21)?.parse().ok()?;
        Some(Self {
            name: Text::from_bytes(name),
            is_kernel_thread: flags & PF_KTHREAD != 0,
            threads,
            start_ticks,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AFTER_NAME: &str = " S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 3 0 12345 1 2 3\n";

    #[track_caller]
    fn check(name: &[u8], expected: &str) {
        let line = [b"7 (", name, b")", AFTER_NAME.as_bytes()].concat();
        let stat = Stat::parse(&line).expect("a line of stat");
        assert_eq!(stat.name.as_str(), expected);
        assert_eq!((stat.start_ticks, stat.threads, stat.is_kernel_thread), (12345, 3, false));
    }

    #[test]
    fn reads_any_name() {
        check(b"bash", "bash");
        check(b"a b c", "a b c");
        check(b") S 1 (", ") S 1 (");
        check(b"((", "((");
        check(b"", "");
        check(b"x\n\x1b", "x\\x0a\\x1b");
    }

    #[test]
    fn tells_kernel_threads() {
        let line = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 4 0 0 1";
        let stat = Stat::parse(line).expect("a line of stat");
        assert!(stat.is_kernel_thread);
    }

    #[test]
    fn reads_its_own() {
        let line = std::fs::read("/proc/self/stat").expect("own stat");
        let stat = Stat::parse(&line).expect("a line of stat");
        let comm = std::fs::read("/proc/self/comm").expect("own comm");
        assert_eq!(stat.name, Text::from_bytes(comm.trim_ascii_end()));
        assert!(stat.start_ticks > 0 && stat.threads > 0);
    }

    #[test]
    fn a_tick_covers_its_time_and_no_other() {
        let range = StartRange::of_ticks(12, 100);
        assert_eq!(range, StartRange { min_ns: 120_000_000, max_ns: 129_999_999 });
        assert!(range.contains(125_000_000) && !range.contains(130_000_000));
        assert!(!range.overlaps(StartRange::of_ticks(13, 100)));
        let _ = StartRange::of_ticks(u64::MAX, 0);
    }

    proptest! {
        #[test]
        fn never_panics(line in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Stat::parse(&line);
        }

        #[test]
        fn survives_mutation(at in 0..70_usize, byte in any::<u8>(), cut in 0..75_usize) {
            let mut line = format!("7 (name){AFTER_NAME}").into_bytes();
            if let Some(old) = line.get_mut(at) {
                *old = byte;
            }
            line.truncate(cut);
            let _ = Stat::parse(&line);
        }
    }
}
