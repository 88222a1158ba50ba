//! What a screen, an export and the tee see: everything, as of one moment.

use super::{
    Books, Frame, FrameHandle, Function, FunctionHandle, Host, HostHandle, Mapping, MappingHandle,
    Naming, Process, ProcessHandle, Quality, Range, Shelf, Slice, StackHandle, StackNode, Symbol,
    SymbolHandle, Text, Thread, ThreadHandle,
};
use std::sync::Arc;

/// One moment on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// `CLOCK_MONOTONIC` ns: what the kernel stamps samples with. Rates use this.
    pub monotonic_ns: u64,
    /// Unix ns, for people and for the wire.
    pub wall_ns: u64,
}

impl Moment {
    /// The Unix time of a monotonic time near this moment.
    #[must_use]
    pub const fn wall_of(&self, monotonic_ns: u64) -> u64 {
        self.wall_ns.saturating_add(monotonic_ns).saturating_sub(self.monotonic_ns)
    }
}

/// What the values of a series mean (OTLP `Profile.sample_type`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleType {
    /// `samples`, `off_cpu`, `alloc_space`, …
    pub kind: Text,
    /// `count`, `nanoseconds`, `bytes`.
    pub unit: Text,
    /// ns of CPU time that one sample stands for; 0 where it stands for none.
    pub period_ns: u64,
}

/// The tables that handles point into.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    /// Machines.
    pub hosts: Shelf<HostHandle, Host>,
    /// Process incarnations.
    pub processes: Shelf<ProcessHandle, Process>,
    /// How far the stacks of each can be trusted; as long as `processes`.
    pub qualities: Shelf<ProcessHandle, Quality>,
    /// Threads.
    pub threads: Shelf<ThreadHandle, Thread>,
    /// Files and other code regions.
    pub mappings: Shelf<MappingHandle, Mapping>,
    /// Code locations.
    pub frames: Shelf<FrameHandle, Frame>,
    /// How far the naming of each frame is; as long as `frames`.
    pub namings: Shelf<FrameHandle, Naming>,
    /// What the symbolizer found.
    pub symbols: Shelf<SymbolHandle, Symbol>,
    /// Functions, each once.
    pub functions: Shelf<FunctionHandle, Function>,
    /// Stacks as a parent tree.
    pub stacks: Shelf<StackHandle, StackNode>,
}

/// Everything that is known, as of one moment. It never changes: freezing the
/// screen means keeping one.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When it was taken.
    pub taken_at: Moment,
    /// When sampling began; zero while it has not.
    pub started_at: Moment,
    /// Rows for every handle.
    pub tables: Tables,
    /// Oldest first, without gaps in order but possibly in time.
    pub slices: Vec<Arc<Slice>>,
    /// What the values of each series mean.
    pub sample_types: Vec<SampleType>,
    /// What was counted and what was lost.
    pub books: Books,
}

impl Snapshot {
    /// The last `window_ns` before this snapshot was taken.
    #[must_use]
    pub const fn last(&self, window_ns: u64) -> Range {
        Range {
            start_ns: self.taken_at.monotonic_ns.saturating_sub(window_ns),
            end_ns: self.taken_at.monotonic_ns.saturating_add(1),
        }
    }

    /// Everything that is kept.
    #[must_use]
    pub fn all(&self) -> Range {
        let start_ns = self.slices.first().map_or(0, |slice| slice.start_ns);
        Range { start_ns, end_ns: u64::MAX }
    }
}
