//! How long the views take over a large store: `cargo bench -p probe --bench
//! views`.
//!
//! 1,000,000 samples of 100,000 different stacks in 5,000 processes: 100
//! programs of 50 processes each, whose stacks share callers as those of a real
//! program do.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use probe::profile::store::NamedLine;
use probe::profile::{
    Books, Budget, Direction, Filter, FlameOptions, Frame, FrameHandle, FrameKind, Function,
    Grouping, Host, Mapping, MappingKind, Moment, Place, Process, ProcessKey, Query, SampleType,
    Scope, StackHandle, Store, ThreadHandle, flame, processes, top,
};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;

const POINTS: u64 = 1_000_000;
const PROGRAMS: u64 = 100;
const PROCESSES_PER_PROGRAM: u64 = 50;
const STACKS_PER_PROGRAM: u64 = 1_000;
const FUNCTIONS_PER_PROGRAM: u64 = 200;
const RUNS: usize = 15;

/// A stack is this deep at least, and less than twice as deep.
const DEPTH: u64 = 15;

fn main() {
    let snapshot = store().snapshot(Moment::default(), Books::default());
    let tables = &snapshot.tables;
    let (stacks, frames) = (tables.stacks.len(), tables.frames.len());
    println!("{POINTS} samples, {stacks} stack nodes, {frames} frames");
    let query = |filter: &str| {
        let filter: Filter = filter.parse().unwrap_or_default();
        Query { range: snapshot.all(), sample_type: 0, scope: Scope::Machine, filter }
    };
    let all = query("");
    for grouping in [Grouping::Function, Grouping::Line, Grouping::Module, Grouping::Process] {
        measure(&format!("top, {grouping:?}"), || top::top(&snapshot, &all, grouping).rows.len());
    }
    let callees = FlameOptions::default();
    let callers = FlameOptions { direction: Direction::Callers, ..callees };
    measure("flame", || flame::flame(&snapshot, &all, callees).nodes.len());
    measure("flame, callers", || flame::flame(&snapshot, &all, callers).nodes.len());
    measure("processes", || processes::processes(&snapshot, &all).rows.len());
    let filter = query("fn~f7 user thread=main");
    measure("top, filter", || top::top(&snapshot, &filter, Grouping::Function).rows.len());
    let one = Query { scope: Scope::Process(key(7)), ..all };
    measure("top, one process", || top::top(&snapshot, &one, Grouping::Function).rows.len());
    measure("flame, one process", || flame::flame(&snapshot, &one, callees).nodes.len());
}

/// The CPU time of this thread, which other load on the host changes little.
fn cpu_ns() -> i64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// Prints the median CPU time of a view, and how many rows it has.
fn measure(name: &str, mut view: impl FnMut() -> usize) {
    let mut times: Vec<_> = (0..RUNS)
        .map(|_| {
            let start_ns = cpu_ns();
            let rows = black_box(view());
            (cpu_ns() - start_ns, rows)
        })
        .collect();
    times.sort_unstable();
    let (median_ns, rows) = times[RUNS / 2];
    println!("{name:<20} {median_ns:>12} ns {rows:>10} rows");
}

/// Random numbers that are the same in every run (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

fn key(pid: u64) -> ProcessKey {
    let host = probe::profile::Handle::from_index(0);
    ProcessKey { host, pid: u32::try_from(pid).unwrap_or(0), start_ns: 1, exec_id: 1 }
}

fn store() -> Store {
    let samples =
        SampleType { kind: "samples".into(), unit: "count".into(), period_ns: 10_101_010 };
    let mut store = Store::new(Budget::default(), vec![samples]);
    store.host(Host::default());
    let mut random = Random(1);
    let mut threads = Vec::new();
    for pid in 0..PROGRAMS * PROCESSES_PER_PROGRAM {
        threads.push(thread(&mut store, pid));
    }
    let stacks: Vec<_> =
        (0..PROGRAMS).flat_map(|program| stacks(&mut store, &mut random, program)).collect();
    for n in 0..POINTS {
        // Every process runs a part of its program's stacks, most of them its own.
        let process = random.below(threads.len() as u64);
        let program = process % PROGRAMS;
        let own = process / PROGRAMS * STACKS_PER_PROGRAM / PROCESSES_PER_PROGRAM;
        let near = random.below(STACKS_PER_PROGRAM / PROCESSES_PER_PROGRAM);
        let far = random.below(10) == 0;
        let stack = if far { random.below(STACKS_PER_PROGRAM / 10) } else { own + near };
        let stack = stacks[usize::try_from(program * STACKS_PER_PROGRAM + stack).unwrap_or(0)];
        let thread = threads[usize::try_from(process).unwrap_or(0)];
        store.add(n * 60_000, 0, (thread, stack, 0), 1);
    }
    store
}

/// The main thread of a new process.
fn thread(store: &mut Store, pid: u64) -> ThreadHandle {
    let key = key(pid);
    let name = format!("program-{}", pid % PROGRAMS).into();
    let process = Process { key, name, exe: None, place: Place::default() };
    let process = store.process(key, || process);
    store.thread(process, key.pid, b"main")
}

/// The stacks of a program: random walks in which each function mostly calls
/// the same other one, each with a leaf of its own.
fn stacks(store: &mut Store, random: &mut Random, program: u64) -> Vec<StackHandle> {
    let stack = |leaf: u64| {
        let mut frames = vec![frame(store, program, 0, 0)];
        let mut function = 0;
        for _ in 0..DEPTH + random.below(DEPTH) {
            let site = random.below(30).saturating_sub(26);
            function = (function * 4 + site + 1) % FUNCTIONS_PER_PROGRAM;
            frames.push(frame(store, program, function, site));
        }
        frames.push(frame(store, program, leaf % FUNCTIONS_PER_PROGRAM, 10 + leaf));
        store.stack(frames)
    };
    (0..STACKS_PER_PROGRAM).filter_map(stack).collect()
}

/// A frame in a function of a program, named. Every tenth is in the kernel.
fn frame(store: &mut Store, program: u64, function: u64, site: u64) -> FrameHandle {
    let in_kernel = function % 10 == 9;
    let kind = if in_kernel { FrameKind::Kernel } else { FrameKind::Native };
    let (module, file) = if in_kernel {
        ("kernel".to_owned(), MappingKind::Kernel)
    } else {
        let device_inode = (1, program);
        (format!("program-{program}"), MappingKind::File { build_id: None, device_inode })
    };
    let mapping = store.mapping(&Mapping { kind: file, path: module.as_str().into() });
    let frame = Frame { kind, mapping, address: function << 32 | site };
    let handle = store.frame(frame);
    if !store.take_unnamed().is_empty() {
        let function = Function {
            name: format!("crate::module::part::f{function}").into(),
            file: (!in_kernel).then(|| format!("/src/{module}/part.rs").into()),
            module: module.into(),
            kind,
        };
        store.name(&frame, &[NamedLine { function, line: u32::try_from(site).unwrap_or(0) }]);
    }
    handle
}
