//! Small snapshots, for the tests of the views.

use super::store::NamedLine;
use super::{
    Books, Budget, Filter, Frame, FrameKind, Function, Host, HostHandle, Mapping, MappingKind,
    Moment, Place, Process, ProcessHandle, ProcessKey, Query, SampleType, Scope, Snapshot, Store,
    Unresolved,
};
use proptest::prelude::*;

/// Time between two samples: ten a second.
const STEP_NS: u64 = 100_000_000;

/// A snapshot of one sample after another, each with its value.
///
/// A sample is written as `process;frame;frame`, root first. A process `name:pid`
/// has pid 1 without one; processes whose name begins with `c` are in a
/// container. A frame is written as the functions there, outermost first and
/// joined by `+`, each as `name@line`. `k_…` is a kernel function, `?module` a
/// frame that waits for its name, `!module` one without.
pub(crate) fn snapshot<S: AsRef<str>>(samples: &[(S, u64)]) -> Snapshot {
    let samples_type =
        SampleType { kind: "samples".into(), unit: "count".into(), period_ns: 10_101_010 };
    let mut store = Store::new(Budget::default(), vec![samples_type]);
    let host = store.host(Host::default());
    let mut time_ns = 0;
    let mut seen = Vec::new();
    for (cpu, (sample, value)) in (0_u16..).zip(samples) {
        let mut parts = sample.as_ref().split(';');
        let (process, tid) = process(&mut store, host, parts.next().unwrap());
        let thread = store.thread(process, tid, b"worker");
        let frames: Vec<_> = parts.map(|text| frame(&mut store, &mut seen, text)).collect();
        let stack = store.stack(frames).unwrap();
        store.add(time_ns, 0, (thread, stack, cpu % 4), *value);
        time_ns += STEP_NS;
    }
    let now = Moment { monotonic_ns: time_ns, wall_ns: time_ns };
    store.snapshot(now, Books::default())
}

/// Everything in a snapshot.
pub(crate) fn everything(snapshot: &Snapshot) -> Query {
    let range = snapshot.all();
    Query { range, sample_type: 0, scope: Scope::Machine, filter: Filter::default() }
}

/// What the filter `expression` leaves of it.
pub(crate) fn filtered(snapshot: &Snapshot, expression: &str) -> Query {
    Query { filter: expression.parse().unwrap(), ..everything(snapshot) }
}

/// Samples of few processes and functions, so that everything meets: recursion,
/// inlines, shared callers, names that are missing, values other than 1.
pub(crate) fn any_samples() -> impl Strategy<Value = Vec<(String, u64)>> {
    let frame = prop_oneof![
        8 => "[a-d]@[12]",
        2 => "[a-d]@[12]\\+[a-d]@[12]",
        2 => "k_[ab]",
        1 => "\\?[mn]",
        1 => "![mn]",
    ];
    let stack = proptest::collection::vec(frame, 1..8).prop_map(|frames| frames.join(";"));
    let sample = ("[cpq]:[1-3]", stack, prop_oneof![4 => Just(1), 1 => 0..1000_u64])
        .prop_map(|(process, stack, value)| (format!("{process};{stack}"), value));
    proptest::collection::vec(sample, 0..40)
}

/// Queries with and without a filter, a scope, and a range.
pub(crate) fn any_query() -> impl Strategy<Value = (Scope, String, u64)> {
    let scope = prop_oneof![
        Just(Scope::Machine),
        Just(Scope::Process(key("p:1").0)),
        Just(Scope::Thread(key("q:2").0, 2)),
        Just(Scope::Place("cccccccccccc".into())),
    ];
    let filter = prop_oneof![
        Just(""),
        Just("user"),
        Just("kernel"),
        Just("fn~b"),
        Just("cpu=1 a"),
        Just("comm=Q"),
        Just("pid=2 kind=kernel"),
        Just("place=CCC fn~A"),
        Just("nothing"),
    ];
    (scope, filter.prop_map(str::to_owned), 0..5_000_000_000_u64)
}

/// The key and name of `name:pid`. Processes of different names are different
/// ones, whatever their pid.
pub(crate) fn key(text: &str) -> (ProcessKey, &str) {
    let (name, pid) = text.split_once(':').unwrap_or((text, "1"));
    let host = super::Handle::from_index(0);
    let start_ns = u64::from(name.as_bytes()[0]);
    (ProcessKey { host, pid: pid.parse().unwrap(), start_ns, exec_id: 1 }, name)
}

fn process(store: &mut Store, host: HostHandle, text: &str) -> (ProcessHandle, u32) {
    let (key, name) = key(text);
    let key = ProcessKey { host, ..key };
    let container = name.starts_with('c').then(|| "c".repeat(64).into());
    let place = Place { container, ..Place::default() };
    let process = store.process(key, || Process { key, name: name.into(), exe: None, place });
    (process, key.pid)
}

fn frame(store: &mut Store, seen: &mut Vec<String>, text: &str) -> super::FrameHandle {
    let kind = if text.starts_with("k_") { FrameKind::Kernel } else { FrameKind::Native };
    let module = text.strip_prefix(['?', '!']).unwrap_or("app");
    let (path, mapping) = if kind == FrameKind::Kernel {
        ("[kernel]".to_owned(), MappingKind::Kernel)
    } else {
        let inode = module.bytes().fold(0, |inode, byte| inode * 256 + u64::from(byte));
        (format!("/bin/{module}"), MappingKind::File { build_id: None, device_inode: (1, inode) })
    };
    let mapping = store.mapping(&Mapping { kind: mapping, path: path.as_str().into() });
    let known = seen.iter().position(|known| known == text);
    let address = known.unwrap_or_else(|| {
        seen.push(text.to_owned());
        seen.len() - 1
    });
    let frame = Frame { kind, mapping, address: address as u64 };
    let handle = store.frame(frame);
    match text.as_bytes()[0] {
        b'?' => {}
        b'!' => store.unresolved(&frame, Unresolved::Stripped),
        _ => store.name(&frame, &lines(text, kind)),
    }
    handle
}

fn lines(text: &str, kind: FrameKind) -> Vec<NamedLine> {
    let line = |text: &str| {
        let (name, line) = text.split_once('@').unwrap_or((text, "0"));
        let module = if kind == FrameKind::Kernel { "kernel" } else { "app" };
        let file = (kind != FrameKind::Kernel).then(|| "app.rs".into());
        let function = Function { name: name.into(), file, module: module.into(), kind };
        NamedLine { function, line: line.parse().unwrap() }
    };
    text.rsplit('+').map(line).collect()
}
