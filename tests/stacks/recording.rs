//! Sampling by the engine itself, and stacks as lists of names.

use probe::kernel::Target;
use probe::pipeline::{Live, LiveOptions};
use probe::profile::{
    Books, FrameHandle, FrameKind, Naming, Process, Range, Snapshot, Source as _, StackHandle,
    WalkEnd, stack,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use test_programs::harness::Stopped;

/// How long anything may take before its test has failed; nothing is as slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How often it is looked whether there are samples enough.
const LOOK: Duration = Duration::from_millis(100);

/// A frame of user space.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UserFrame {
    /// The function that is called, not what is inlined into it; empty where it
    /// has no name.
    pub(crate) function: String,
    /// The last part of the mapping's path.
    pub(crate) module: String,
    /// The offset in the mapped file.
    pub(crate) address: u64,
    pub(crate) kind: FrameKind,
}

/// A stack of a process, and how often it was sampled.
#[derive(Clone, Debug)]
pub(crate) struct Stack {
    pub(crate) process: String,
    /// Leaf first.
    pub(crate) user: Vec<UserFrame>,
    /// The function where the kernel was; None where it was not in the kernel.
    pub(crate) kernel: Option<String>,
    pub(crate) count: u64,
}

impl Stack {
    /// Whether it is known where the program was.
    pub(crate) fn has_named_leaf(&self) -> bool {
        match (&self.kernel, self.user.first()) {
            (Some(function), _) => !function.is_empty(),
            (None, Some(frame)) => !frame.function.is_empty(),
            (None, None) => false,
        }
    }
}

/// Sampling that has begun.
pub(crate) struct Recording {
    live: Live,
    start: Snapshot,
}

/// What was sampled.
pub(crate) struct Recorded {
    snapshot: Arc<Snapshot>,
    range: Range,
    ends_before: [u64; WalkEnd::COUNT],
}

impl Recording {
    /// Starts to sample, and leaves out what is sampled before the stacks of what
    /// runs can be unwound: the programs have to run already.
    pub(crate) fn start(hz: u32, target: Target) -> Result<Self, Stopped> {
        let live = Self::live(hz, target)?;
        let recording = Self { live, start: Snapshot::default() };
        let begun = |snapshot: &Snapshot| snapshot.books.user.received > 0;
        let first = recording.until("the first samples", begun);
        let settled = first.taken_at.monotonic_ns + 1_000_000_000;
        let start =
            recording.until("a second", |snapshot| snapshot.taken_at.monotonic_ns >= settled);
        Ok(Self { start: (*start).clone(), ..recording })
    }

    /// Starts to sample, and leaves out nothing.
    pub(crate) fn start_at_once(hz: u32) -> Result<Self, Stopped> {
        let live = Self::live(hz, Target::Machine)?;
        let recording = Self { live, start: Snapshot::default() };
        recording.until("the first samples", |snapshot| snapshot.books.user.received > 0);
        Ok(recording)
    }

    fn live(hz: u32, target: Target) -> Result<Live, Stopped> {
        Live::start(LiveOptions { hz, target, ..LiveOptions::default() })
            .map_err(|error| Stopped::failed(error.to_string()))
    }

    /// Waits until `look` says so.
    ///
    /// # Panics
    /// Where it does not for [`PATIENCE`], or the engine ends.
    #[track_caller]
    pub(crate) fn until(
        &self,
        what: &str,
        mut look: impl FnMut(&Snapshot) -> bool,
    ) -> Arc<Snapshot> {
        let end = Instant::now() + PATIENCE;
        loop {
            let snapshot = self.live.latest();
            if look(&snapshot) {
                return snapshot;
            }
            if let Some(reason) = self.live.ended() {
                panic!("sampling ended: {reason}");
            }
            assert!(Instant::now() < end, "waited in vain for {what}");
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until there are `samples` of each of the processes.
    #[track_caller]
    pub(crate) fn until_sampled(&self, pids: &[u32], samples: u64) {
        let what = format!("{samples} samples of each of {pids:?}");
        self.until(&what, |snapshot| {
            let counts = counts(snapshot, self.range(), |process| process.key.pid);
            pids.iter().all(|pid| counts.get(pid).is_some_and(|count| *count >= samples))
        });
    }

    /// Waits until there are `samples` of processes that are called `name`.
    #[track_caller]
    pub(crate) fn until_sampled_by_name(&self, name: &str, samples: u64) {
        self.until(&format!("{samples} samples of {name}"), |snapshot| {
            let counts = counts(snapshot, self.range(), |process| process.name.to_string());
            counts.get(name).is_some_and(|count| *count >= samples)
        });
    }

    /// How many samples there were before this recording's.
    pub(crate) fn sampled(&self) -> u64 {
        self.start.books.user.decoded
    }

    /// Ends sampling.
    pub(crate) fn end(self) -> Recorded {
        let range = self.range();
        Recorded { snapshot: self.live.stop(), range, ends_before: self.start.books.quality.ends }
    }

    fn range(&self) -> Range {
        Range { start_ns: self.start.taken_at.monotonic_ns, end_ns: u64::MAX }
    }
}

/// Samples in `range`, by what `key` says of their process.
fn counts<K: Ord>(
    snapshot: &Snapshot,
    range: Range,
    key: impl Fn(&Process) -> K,
) -> BTreeMap<K, u64> {
    let mut counts = BTreeMap::new();
    for (point, value) in snapshot.points(range, 0) {
        let thread = snapshot.tables.threads.get(point.thread);
        let process = thread.and_then(|thread| snapshot.tables.processes.get(thread.process));
        if let Some(process) = process {
            *counts.entry(key(process)).or_default() += value;
        }
    }
    counts
}

impl Recorded {
    /// The stacks of processes, by pid and name.
    pub(crate) fn stacks(&self, wanted: impl Fn(u32, &str) -> bool) -> Vec<Stack> {
        let tables = &self.snapshot.tables;
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        for (point, value) in self.snapshot.points(self.range, 0) {
            let process = tables.threads.get(point.thread).map(|thread| thread.process);
            *counts.entry((process, point.stack)).or_default() += value;
        }
        let stack = |((process, stack), count)| {
            let process = tables.processes.get(process?)?;
            let (pid, name) = (process.key.pid, process.name.as_str());
            wanted(pid, name).then(|| self.stack(name, stack, count))
        };
        counts.into_iter().filter_map(stack).collect()
    }

    fn stack(&self, process: &str, handle: StackHandle, count: u64) -> Stack {
        let mut stack =
            Stack { process: process.to_owned(), user: Vec::new(), kernel: None, count };
        for handle in stack::frames(&self.snapshot.tables.stacks, handle) {
            let frame = self.frame(handle);
            match frame.kind {
                FrameKind::Kernel => _ = stack.kernel.get_or_insert(frame.function),
                FrameKind::Marker => {}
                _ => stack.user.push(frame),
            }
        }
        stack
    }

    fn frame(&self, handle: FrameHandle) -> UserFrame {
        let tables = &self.snapshot.tables;
        let frame = tables.frames.get(handle).unwrap();
        let naming = tables.namings.get(handle).copied();
        let symbol = match naming {
            Some(Naming::Named(symbol)) => tables.symbols.get(symbol),
            _ => None,
        };
        let function = symbol.and_then(|symbol| symbol.lines.last());
        let function = function.and_then(|line| tables.functions.get(line.function));
        let mapping = tables.mappings.get(frame.mapping);
        UserFrame {
            function: function.map_or_else(String::new, |function| function.name.to_string()),
            module: mapping.map_or_else(String::new, |mapping| mapping.module().to_owned()),
            address: frame.address,
            kind: frame.kind,
        }
    }

    /// How walks ended, of what was sampled since the start.
    pub(crate) fn ends(&self) -> BTreeMap<WalkEnd, u64> {
        let counts = self.books().quality.ends.iter().zip(self.ends_before);
        WalkEnd::ALL.into_iter().zip(counts.map(|(end, start)| end - start)).collect()
    }

    pub(crate) fn books(&self) -> &Books {
        &self.snapshot.books
    }
}
