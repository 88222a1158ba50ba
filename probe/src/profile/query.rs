//! What a view asks of a snapshot.

use super::slice::SLICE_NS;
use super::{Filter, Point, Process, ProcessKey, Snapshot, Text, Thread};

/// Monotonic ns, the end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first ns.
    pub start_ns: u64,
    /// The ns after the last.
    pub end_ns: u64,
}

impl Range {
    /// How long it is, in ns.
    #[must_use]
    pub const fn len_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns)
    }

    /// Whether the time lies in it.
    #[must_use]
    pub const fn contains(&self, time_ns: u64) -> bool {
        self.start_ns <= time_ns && time_ns < self.end_ns
    }
}

/// Whose samples count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Everyone's.
    #[default]
    Machine,
    /// One process incarnation's.
    Process(ProcessKey),
    /// One thread's.
    Thread(ProcessKey, u32),
    /// Those of every process with this [`Place::label`](super::Place::label).
    Place(Text),
}

impl Scope {
    /// Whether the samples of `thread`, which is one of `process`, count.
    #[must_use]
    pub fn contains(&self, process: &Process, thread: &Thread) -> bool {
        match self {
            Self::Machine => true,
            Self::Process(key) => process.key == *key,
            Self::Thread(key, tid) => process.key == *key && thread.tid == *tid,
            Self::Place(label) => process.place.label() == Some(label.as_str()),
        }
    }

    /// Whether it may hold more than one process.
    #[must_use]
    pub const fn has_several_processes(&self) -> bool {
        matches!(self, Self::Machine | Self::Place(_))
    }
}

/// What the rows of the top list are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Grouping {
    /// Functions.
    #[default]
    Function,
    /// Files, the kernel, its modules.
    Module,
    /// Source lines.
    Line,
    /// Processes.
    Process,
    /// Containers and units.
    Place,
}

/// What a view asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// When.
    pub range: Range,
    /// Which of `Snapshot::sample_types`.
    pub sample_type: usize,
    /// Who.
    pub scope: Scope,
    /// And of those, which.
    pub filter: Filter,
}

impl Snapshot {
    /// Every sample of one type in `range`, with its value, in the order of
    /// slices.
    pub fn points(&self, range: Range, sample_type: usize) -> impl Iterator<Item = (&Point, u64)> {
        self.slices
            .iter()
            .filter(move |s| s.start_ns < range.end_ns && s.start_ns + SLICE_NS > range.start_ns)
            .filter_map(move |s| s.series.get(sample_type).map(|series| (s, series)))
            .flat_map(move |(slice, series)| {
                series.iter().filter(move |(point, _)| range.contains(slice.time_ns(point)))
            })
    }
}
