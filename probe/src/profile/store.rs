//! The one writer of the model: interns what it is told, keeps slices in a
//! bounded history, and hands out snapshots.

use super::slice::{SLICE_NS, Series};
use super::{
    Books, Code, Frame, FrameHandle, FrameKind, Function, FunctionHandle, Handle as _, Host,
    HostHandle, Line, Mapping, MappingHandle, MappingKind, Moment, Naming, Point, Process,
    ProcessHandle, ProcessKey, Quality, SampleType, Slice, Snapshot, StackHandle, StackTree,
    Symbol, SymbolHandle, Tables, Text, Thread, ThreadHandle, Unresolved,
};
use foldhash::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// The limits of a store. Reaching one never loses a count: what leaves is
/// counted in `aged_out`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How far back the history reaches, in slices (seconds).
    pub slices: usize,
    /// Samples kept, of all types; 12 bytes each.
    pub points: usize,
    /// Stack nodes (36 bytes) kept before the tables are rebuilt without those
    /// that no kept sample needs.
    pub stacks: usize,
    /// Frames, functions and symbols (about 150 bytes together), likewise.
    pub frames: usize,
    /// Process incarnations and, separately, threads (about 200 bytes), likewise.
    pub processes: usize,
    /// Mappings (about 150 bytes), likewise.
    pub mappings: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            slices: 30 * 60,
            points: 12_000_000,
            stacks: 1_000_000,
            frames: 200_000,
            processes: 50_000,
            mappings: 65_536,
        }
    }
}

/// A function as the symbolizer names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamedLine {
    /// The function.
    pub function: Function,
    /// The line in the function's file; 0 where unknown.
    pub line: u32,
}

/// Interns, counts and forgets. See the module's comment.
#[derive(Debug, Default)]
pub struct Store {
    budget: Budget,
    epoch: u32,
    tables: Tables,
    stacks: StackTree,
    processes: HashMap<ProcessKey, ProcessHandle>,
    threads: HashMap<(ProcessHandle, u32), ThreadHandle>,
    mappings: HashMap<MappingKind, MappingHandle>,
    frames: HashMap<Frame, FrameHandle>,
    functions: HashMap<Function, FunctionHandle>,
    /// By frame; those beyond its end are unknown.
    codes: Vec<Code>,
    unnamed: Vec<FrameHandle>,
    history: VecDeque<Arc<Slice>>,
    points: usize,
    sample_types: Vec<SampleType>,
    aged_out: u64,
    decoded: u64,
    compactions: u64,
    started_at: Moment,
}

impl Store {
    /// An empty store. `sample_types` gives the meaning of each series.
    #[must_use]
    pub fn new(budget: Budget, sample_types: Vec<SampleType>) -> Self {
        Self { budget, sample_types, ..Self::default() }
    }

    /// Sampling has begun.
    pub const fn start(&mut self, now: Moment) {
        self.started_at = now;
    }

    /// Changes whenever handles have been renumbered (but those of hosts): a cache
    /// of them is then void.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Adds a host.
    pub fn host(&mut self, host: Host) -> HostHandle {
        self.tables.hosts.push(host)
    }

    /// Changes what is known about a host.
    pub fn update_host(&mut self, handle: HostHandle, host: Host) {
        if let Some(row) = self.tables.hosts.get_mut(handle) {
            *row = host;
        }
    }

    /// The process incarnation with this key, made by `new` where it is unknown.
    pub fn process(&mut self, key: ProcessKey, new: impl FnOnce() -> Process) -> ProcessHandle {
        let Self { processes, tables, .. } = self;
        *processes.entry(key).or_insert_with(|| {
            tables.qualities.push(Quality::default());
            tables.processes.push(new())
        })
    }

    /// Changes what is known about a process; nothing where it is forgotten.
    pub fn update_process(&mut self, key: &ProcessKey, change: impl FnOnce(&mut Process)) {
        let handle = self.processes.get(key).copied();
        if let Some(row) = handle.and_then(|handle| self.tables.processes.get_mut(handle)) {
            change(row);
        }
    }

    /// The thread `tid` of a process; its name is kept up to date.
    pub fn thread(&mut self, process: ProcessHandle, tid: u32, name: &[u8]) -> ThreadHandle {
        let known = self.threads.get(&(process, tid)).copied();
        if let Some(handle) = known {
            if let Some(row) = self.tables.threads.get(handle)
                && row.name.as_str().as_bytes() != name
            {
                let name = Text::from_bytes(name);
                if name != row.name
                    && let Some(row) = self.tables.threads.get_mut(handle)
                {
                    row.name = name;
                }
            }
            return handle;
        }
        let thread = Thread { process, tid, name: Text::from_bytes(name) };
        let handle = self.tables.threads.push(thread);
        self.threads.insert((process, tid), handle);
        handle
    }

    /// The mapping, told apart from others by its kind alone.
    pub fn mapping(&mut self, mapping: &Mapping) -> MappingHandle {
        if let Some(known) = self.mappings.get(&mapping.kind) {
            return *known;
        }
        let handle = self.tables.mappings.push(mapping.clone());
        self.mappings.insert(mapping.kind.clone(), handle);
        handle
    }

    /// The row of a mapping.
    #[must_use]
    pub fn mapping_row(&self, handle: MappingHandle) -> Option<&Mapping> {
        self.tables.mappings.get(handle)
    }

    /// The frame. A new one waits in [`Store::take_unnamed`] for its name.
    pub fn frame(&mut self, frame: Frame) -> FrameHandle {
        if let Some(known) = self.frames.get(&frame) {
            return *known;
        }
        let handle = self.tables.frames.push(frame);
        self.tables.namings.push(Naming::Pending);
        self.frames.insert(frame, handle);
        self.unnamed.push(handle);
        handle
    }

    /// The stack of `frames`, root first; None where there are none.
    pub fn stack(&mut self, frames: impl IntoIterator<Item = FrameHandle>) -> Option<StackHandle> {
        self.stacks.intern(frames)
    }

    /// The frames that are new since the last call, to be named.
    pub fn take_unnamed(&mut self) -> Vec<Frame> {
        let unnamed = std::mem::take(&mut self.unnamed);
        unnamed.into_iter().filter_map(|handle| self.tables.frames.get(handle).copied()).collect()
    }

    /// Has a frame that [`Store::take_unnamed`] gave out given out once more.
    pub fn ask_again(&mut self, frame: &Frame) {
        if let Some(handle) = self.frames.get(frame) {
            self.unnamed.push(*handle);
        }
    }

    /// Names a frame: the functions there, innermost first. Nothing happens
    /// where the frame has been forgotten meanwhile.
    pub fn name(&mut self, frame: &Frame, lines: &[NamedLine]) {
        let Some(handle) = self.frames.get(frame).copied() else { return };
        let lines: Box<[Line]> = lines
            .iter()
            .map(|line| Line { function: self.function(&line.function), line: line.line })
            .collect();
        if lines.is_empty() {
            return;
        }
        let symbol = self.tables.symbols.push(Symbol { lines });
        self.set_naming(handle, Naming::Named(symbol));
    }

    /// Says that a frame has no name, and why.
    pub fn unresolved(&mut self, frame: &Frame, why: Unresolved) {
        if let Some(handle) = self.frames.get(frame).copied() {
            self.set_naming(handle, Naming::Unresolved(why));
        }
    }

    fn set_naming(&mut self, frame: FrameHandle, naming: Naming) {
        if let Some(row) = self.tables.namings.get_mut(frame) {
            *row = naming;
        }
    }

    fn function(&mut self, function: &Function) -> FunctionHandle {
        if let Some(known) = self.functions.get(function) {
            return *known;
        }
        let handle = self.tables.functions.push(function.clone());
        self.functions.insert(function.clone(), handle);
        handle
    }

    /// Adds a sample. One that is older than the whole history is counted as
    /// aged out at once.
    pub fn add(
        &mut self,
        time_ns: u64,
        sample_type: usize,
        (thread, stack, cpu): (ThreadHandle, StackHandle, u16),
        value: u64,
    ) {
        self.decoded += 1;
        let Some(slice) = self.slice_at(time_ns) else {
            self.aged_out += 1;
            return;
        };
        let slice = Arc::make_mut(slice);
        if slice.series.len() <= sample_type {
            slice.series.resize(sample_type + 1, Series::default());
        }
        let point = Point { stack, thread, offset: Slice::offset_of(time_ns), cpu };
        slice.series[sample_type].push(point, value);
        self.points += 1;
    }

    /// The slice of `time_ns`, made where it is missing; None where the history
    /// no longer reaches back so far.
    fn slice_at(&mut self, time_ns: u64) -> Option<&mut Arc<Slice>> {
        let start_ns = time_ns - time_ns % SLICE_NS;
        let after = self.history.iter().rposition(|slice| slice.start_ns <= start_ns);
        let index = match after {
            Some(index) if self.history[index].start_ns == start_ns => index,
            Some(index) => self.insert_slice(index + 1, start_ns),
            None if self.aged_out == 0 => self.insert_slice(0, start_ns),
            None => return None,
        };
        self.history.get_mut(index)
    }

    fn insert_slice(&mut self, index: usize, start_ns: u64) -> usize {
        self.history.insert(index, Arc::new(Slice { start_ns, series: Vec::new() }));
        index
    }

    /// Forgets what is too old or too much at `now_ns`, and makes room in the
    /// tables where they are full.
    pub fn age(&mut self, now_ns: u64) {
        let span_ns = self.budget.slices as u64 * SLICE_NS;
        while let Some(oldest) = self.history.front() {
            let old = oldest.start_ns + SLICE_NS + span_ns <= now_ns;
            if !old && self.points <= self.budget.points {
                break;
            }
            let gone = oldest.points_len();
            self.points -= gone;
            self.aged_out += gone as u64;
            self.history.pop_front();
        }
        if self.tables_full() {
            self.compact();
            // What is kept may itself be too much: then the history shrinks.
            while self.tables_full() && self.history.len() > 1 {
                self.drop_oldest_half();
                self.compact();
            }
        }
    }

    fn tables_full(&self) -> bool {
        self.stacks.nodes().len() > self.budget.stacks
            || self.tables.frames.len() > self.budget.frames
            || self.tables.processes.len() > self.budget.processes
            || self.tables.threads.len() > self.budget.processes
            || self.tables.mappings.len() > self.budget.mappings
    }

    fn drop_oldest_half(&mut self) {
        for _ in 0..self.history.len().div_ceil(2) {
            if let Some(oldest) = self.history.pop_front() {
                self.points -= oldest.points_len();
                self.aged_out += oldest.points_len() as u64;
            }
        }
    }

    /// Forgets everything that was sampled, and counts it as aged out.
    pub fn forget_history(&mut self) {
        self.aged_out += self.points as u64;
        self.points = 0;
        self.history.clear();
        self.compact();
    }

    /// Rebuilds the tables with what the kept samples need. Renumbers handles.
    fn compact(&mut self) {
        let old = std::mem::take(&mut self.tables);
        let old_stacks = std::mem::take(&mut self.stacks);
        let old_codes = std::mem::take(&mut self.codes);
        let history = std::mem::take(&mut self.history);
        self.processes.clear();
        self.threads.clear();
        self.frames.clear();
        self.functions.clear();
        self.mappings.clear();
        self.unnamed.clear();
        self.tables.hosts = old.hosts.clone();
        let mut moved = Moved::new(&old, &old_stacks, &old_codes);
        self.history = history.iter().map(|slice| Arc::new(moved.slice(slice, self))).collect();
        self.epoch += 1;
        self.compactions += 1;
    }

    /// Everything as of `now`; `books` says what only the source knows.
    #[must_use]
    pub fn snapshot(&self, now: Moment, mut books: Books) -> Snapshot {
        let user = &mut books.user;
        user.decoded = self.decoded;
        user.aged_out = self.aged_out;
        user.kept = self.points as u64;
        (user.named, user.pending, user.unresolved) = (0, 0, [0; 5]);
        let frames = self.tables.frames.iter().zip(self.tables.namings.iter());
        for (_, naming) in frames
            .filter(|((_, frame), _)| frame.kind != FrameKind::Marker)
            .map(|(_, naming)| naming)
        {
            match naming {
                Naming::Named(_) => user.named += 1,
                Naming::Pending => user.pending += 1,
                Naming::Unresolved(why) => user.unresolved[*why as usize] += 1,
            }
        }
        books.tables = super::TableBooks {
            stacks: self.stacks.nodes().len() as u64,
            frames: self.tables.frames.len() as u64,
            functions: self.tables.functions.len() as u64,
            processes: self.tables.processes.len() as u64,
            compactions: self.compactions,
        };
        let tables = Tables { stacks: self.stacks.nodes().clone(), ..self.tables.clone() };
        Snapshot {
            taken_at: now,
            started_at: self.started_at,
            tables,
            slices: self.history.iter().cloned().collect(),
            sample_types: self.sample_types.clone(),
            books,
        }
    }
}

/// Old handles to new ones, while the tables are rebuilt.
struct Moved<'a> {
    old: &'a Tables,
    old_stacks: &'a StackTree,
    old_codes: &'a [Code],
    threads: HashMap<ThreadHandle, ThreadHandle>,
    stacks: HashMap<StackHandle, StackHandle>,
    frames: HashMap<FrameHandle, FrameHandle>,
}

impl<'a> Moved<'a> {
    fn new(old: &'a Tables, old_stacks: &'a StackTree, old_codes: &'a [Code]) -> Self {
        let (threads, stacks, frames) = Default::default();
        Self { old, old_stacks, old_codes, threads, stacks, frames }
    }

    fn slice(&mut self, slice: &Slice, store: &mut Store) -> Slice {
        let mut slice = slice.clone();
        for point in slice.series.iter_mut().flat_map(|series| &mut series.points) {
            point.thread = self.thread(point.thread, store);
            point.stack = self.stack(point.stack, store);
        }
        slice
    }

    fn thread(&mut self, handle: ThreadHandle, store: &mut Store) -> ThreadHandle {
        if let Some(known) = self.threads.get(&handle) {
            return *known;
        }
        let new = self.old.threads.get(handle).and_then(|thread| {
            let process = self.old.processes.get(thread.process)?;
            let process = store.process(process.key, || process.clone());
            if let (Some(new), Some(old)) =
                (store.tables.qualities.get_mut(process), self.old.qualities.get(thread.process))
            {
                *new = *old;
            }
            let new = store.tables.threads.push(Thread { process, ..thread.clone() });
            store.threads.insert((process, thread.tid), new);
            Some(new)
        });
        // A handle that the old tables do not have cannot be in a slice.
        let new = new.unwrap_or(handle);
        self.threads.insert(handle, new);
        new
    }

    fn stack(&mut self, handle: StackHandle, store: &mut Store) -> StackHandle {
        if let Some(known) = self.stacks.get(&handle) {
            return *known;
        }
        let mut frames: Vec<_> = super::stack::frames(self.old_stacks.nodes(), handle)
            .filter_map(|frame| self.frame(frame, store))
            .collect();
        frames.reverse();
        let new = store.stack(frames).unwrap_or(handle);
        self.stacks.insert(handle, new);
        new
    }

    fn frame(&mut self, handle: FrameHandle, store: &mut Store) -> Option<FrameHandle> {
        if let Some(known) = self.frames.get(&handle) {
            return Some(*known);
        }
        let frame = self.old.frames.get(handle)?;
        let mapping = store.mapping(self.old.mappings.get(frame.mapping)?);
        let frame = Frame { mapping, ..*frame };
        let new = store.frame(frame);
        self.frames.insert(handle, new);
        if let Some(code) = self.old_codes.get(handle.index()) {
            store.keep_code(new, *code);
        }
        match self.old.namings.get(handle)? {
            // Asked for under its old handles: it waits to be asked for again.
            Naming::Pending => return Some(new),
            Naming::Unresolved(why) => store.unresolved(&frame, *why),
            Naming::Named(symbol) => {
                let lines = self.lines(*symbol)?;
                store.name(&frame, &lines);
            }
        }
        store.unnamed.pop();
        Some(new)
    }

    fn lines(&self, symbol: SymbolHandle) -> Option<Vec<NamedLine>> {
        let lines = self.old.symbols.get(symbol)?.lines.iter();
        let named = lines.filter_map(|line| {
            let function = self.old.functions.get(line.function)?.clone();
            Some(NamedLine { function, line: line.line })
        });
        Some(named.collect())
    }
}

mod quality;
#[cfg(test)]
mod tests;
