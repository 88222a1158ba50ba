//! What was asked for on the command line, checked.

use anyhow::{Result, bail};
use probe::profile::{Filter, Query, SampleType, Scope, Snapshot};
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The highest rate: past it the kernel throttles (`perf_event_max_sample_rate`).
pub const HZ_MAX: u32 = 10_000;

/// The shortest time between two updates: the source publishes no faster.
pub const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Everything that the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What to do.
    pub task: Task,
    /// What to sample.
    pub sampling: Sampling,
    /// The first window.
    pub window: Window,
    /// The time between two updates of plain output.
    pub interval: Duration,
    /// A theme's name; None is the default one.
    pub theme: Option<String>,
    /// The first filter.
    pub filter: Filter,
    /// Where the books go at exit.
    pub stats_json: Option<PathBuf>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Open the screen.
    Screen,
    /// Print a block every interval.
    Plain {
        /// How many blocks; None is no end.
        rounds: Option<u64>,
        /// One JSON object a block.
        json: bool,
    },
    /// Sample for a while and write a file of folded stacks.
    Record {
        /// The file.
        output: PathBuf,
        /// How long.
        duration: Duration,
    },
    /// Say whether this host can be sampled.
    Doctor,
}

/// What to sample, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Samples a second on each CPU.
    pub hz: u32,
    /// Whose.
    pub target: Target,
    /// Whether otop's own samples count.
    pub with_self: bool,
    /// Whether the terminal is drawn on: then a command gets none.
    pub on_screen: bool,
    /// Bytes of unwind tables that may be loaded.
    pub tables_bytes_max: u64,
    /// Bytes of the kernel's buffer of samples; None leaves it to the engine.
    pub ring_bytes: Option<u32>,
}

/// Whose samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Everyone's.
    Machine,
    /// One process's.
    Pid(u32),
    /// Those of a command, which is started, and of its children.
    Command(Vec<OsString>),
}

/// How far back a view looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last so many ns.
    Last(u64),
    /// Everything that is kept.
    All,
}

impl Window {
    /// The one to begin with.
    pub const DEFAULT: Self = Self::Last(10_000_000_000);

    /// What the window key goes through.
    const CYCLE: [Self; 4] = [
        Self::Last(1_000_000_000),
        Self::Last(10_000_000_000),
        Self::Last(60_000_000_000),
        Self::All,
    ];

    /// What `+` and `-` go through, in seconds.
    const STEPS_S: [u64; 10] = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800];

    /// The next of 1 s, 10 s, 60 s and all.
    #[must_use]
    pub fn next(self) -> Self {
        let longer = Self::CYCLE.iter().find(|window| window.ns() > self.ns());
        *longer.unwrap_or(&Self::CYCLE[0])
    }

    /// The next longer one.
    #[must_use]
    pub fn longer(self) -> Self {
        Self::steps().find(|step| step.ns() > self.ns()).unwrap_or(Self::All)
    }

    /// The next shorter one.
    #[must_use]
    pub fn shorter(self) -> Self {
        Self::steps().filter(|step| step.ns() < self.ns()).last().unwrap_or(Self::CYCLE[0])
    }

    fn steps() -> impl Iterator<Item = Self> {
        Self::STEPS_S.iter().map(|seconds| Self::Last(seconds * 1_000_000_000))
    }

    const fn ns(self) -> u64 {
        match self {
            Self::Last(ns) => ns,
            Self::All => u64::MAX,
        }
    }

    /// In words: `last 10s`.
    #[must_use]
    pub fn label(self) -> String {
        match self {
            Self::Last(ns) => format!("last {}", crate::format::duration_ns(ns)),
            Self::All => "all".to_owned(),
        }
    }

    /// The query for this window of `snapshot`.
    #[must_use]
    pub fn query(self, snapshot: &Snapshot, scope: Scope, filter: Filter) -> Query {
        let range = match self {
            Self::Last(ns) => snapshot.last(ns),
            Self::All => snapshot.all(),
        };
        Query { range, sample_type: 0, scope, filter }
    }

    /// How much of the window `snapshot` covers, in ns: less than the window
    /// just after the start.
    #[must_use]
    pub fn covered_ns(self, snapshot: &Snapshot) -> u64 {
        let (now_ns, started_ns) =
            (snapshot.taken_at.monotonic_ns, snapshot.started_at.monotonic_ns);
        let kept_ns = snapshot.slices.first().map_or(now_ns, |slice| slice.start_ns);
        now_ns.saturating_sub(kept_ns.max(started_ns)).min(self.ns())
    }
}

impl FromStr for Window {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "all" {
            return Ok(Self::All);
        }
        let duration = parse_duration(text)?;
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX - 1);
        if ns == 0 {
            bail!("a window of nothing shows nothing; try 10s");
        }
        Ok(Self::Last(ns))
    }
}

/// ns of CPU time that one sample of the first type stands for.
#[must_use]
pub fn period_ns(snapshot: &Snapshot) -> u64 {
    snapshot.sample_types.first().map_or(0, |SampleType { period_ns, .. }| *period_ns)
}

/// A length of time: a number with `ms`, `s`, `m` or `h`; seconds without.
///
/// # Errors
///
/// Where it is none, in one line with an example.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: Option<u64> = number.parse().ok();
    let unit_ms = match unit {
        "ms" => Some(1),
        "" | "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    match (number, unit_ms) {
        (Some(number), Some(unit_ms)) if number < 1_000_000_000 => {
            Ok(Duration::from_millis(number * unit_ms))
        }
        _ => bail!("not a length of time; write it like 500ms, 10s, 2m or 1h"),
    }
}

/// An amount of memory: a number with `K`, `M` or `G` (of 1,024 each); bytes
/// without.
///
/// # Errors
///
/// Where it is none, in one line with an example.
pub fn parse_bytes(text: &str) -> Result<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit {
        "" => Some(0),
        "K" | "k" => Some(10),
        "M" | "m" => Some(20),
        "G" | "g" => Some(30),
        _ => None,
    };
    let number: Option<u64> = number.parse().ok().filter(|number| *number < 1 << 33);
    match (number, shift) {
        (Some(number), Some(shift)) => Ok(number << shift),
        _ => bail!("not an amount of memory; write it like 512K, 64M or 1G"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, ms: Option<u128>| {
            assert_eq!(parse_duration(text).ok().map(|d| d.as_millis()), ms, "{text:?}");
        };
        check("10s", Some(10_000));
        check("2m", Some(120_000));
        check("500ms", Some(500));
        check("1h", Some(3_600_000));
        check("7", Some(7_000));
        for bad in ["", "s", "-1s", "1.5s", "10 s", "10d", "99999999999999999999s", "9999999999h"] {
            check(bad, None);
        }
    }

    #[test]
    fn amounts_of_memory() {
        let check = |text: &str, bytes: Option<u64>| {
            assert_eq!(parse_bytes(text).ok(), bytes, "{text:?}");
        };
        check("0", Some(0));
        check("4096", Some(4096));
        check("512K", Some(512 << 10));
        check("64M", Some(64 << 20));
        check("2g", Some(2 << 30));
        for bad in ["", "M", "-1M", "1.5G", "1 M", "1T", "99999999999G", "99999999999999999999"] {
            check(bad, None);
        }
    }

    #[test]
    fn windows_go_round_and_up_and_down() {
        let last = |seconds: u64| Window::Last(seconds * 1_000_000_000);
        assert_eq!(last(1).next(), last(10));
        assert_eq!(last(30).next(), last(60));
        assert_eq!(last(60).next(), Window::All);
        assert_eq!(Window::All.next(), last(1));
        assert_eq!(last(10).longer(), last(30));
        assert_eq!(last(1800).longer(), Window::All);
        assert_eq!(Window::All.shorter(), last(1800));
        assert_eq!(last(1).shorter(), last(1));
        assert_eq!("all".parse::<Window>().unwrap(), Window::All);
        assert!("0s".parse::<Window>().is_err());
    }
}
