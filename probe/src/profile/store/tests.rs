//! What the store keeps, ages out and counts.

use super::super::{Call, FrameKind, Place, Verdict, WalkEnd};
use super::*;

fn store(budget: Budget) -> (Store, HostHandle) {
    let cpu = SampleType { kind: "samples".into(), unit: "count".into(), period_ns: 10_101_010 };
    let mut store = Store::new(budget, vec![cpu]);
    let host = store.host(Host::default());
    (store, host)
}

/// Adds a sample of process `pid` in a stack of `addresses`, root first.
fn add(store: &mut Store, host: HostHandle, pid: u32, addresses: &[u64], time_ns: u64) {
    let key = ProcessKey { host, pid, start_ns: 1, exec_id: 1 };
    let process = store.process(key, || Process {
        key,
        name: format!("p{pid}").into(),
        exe: None,
        place: Place::default(),
    });
    let thread = store.thread(process, pid, b"main");
    let kind = MappingKind::File { build_id: None, device_inode: (1, 2) };
    let mapping = store.mapping(&Mapping { kind, path: "/bin/x".into() });
    let frames: Vec<_> = addresses
        .iter()
        .map(|address| store.frame(Frame { kind: FrameKind::Native, mapping, address: *address }))
        .collect();
    if let Some(stack) = store.stack(frames) {
        store.add(time_ns, 0, (thread, stack, 0), 1);
    }
}

/// Every sample as (pid, addresses leaf first).
fn samples(snapshot: &Snapshot) -> Vec<(u32, Vec<u64>)> {
    let tables = &snapshot.tables;
    snapshot
        .points(snapshot.all(), 0)
        .map(|(point, _)| {
            let thread = tables.threads.get(point.thread).unwrap();
            let pid = tables.processes.get(thread.process).unwrap().key.pid;
            let addresses = super::super::stack::frames(&tables.stacks, point.stack)
                .map(|frame| tables.frames.get(frame).unwrap().address)
                .collect();
            (pid, addresses)
        })
        .collect()
}

#[test]
fn what_ages_out_is_counted_and_the_rest_is_kept() {
    let (mut store, host) = store(Budget { slices: 2, ..Budget::default() });
    for second in 0..5 {
        add(&mut store, host, 7, &[1, 2, 3], second * SLICE_NS + 5);
    }
    store.age(5 * SLICE_NS);
    let snapshot = store.snapshot(Moment::default(), Books::default());
    let user = snapshot.books.user;
    assert_eq!((user.decoded, user.kept, user.aged_out), (5, 2, 3));
    assert_eq!(samples(&snapshot).len(), 2);
    // One that comes too late for the history is counted, too.
    add(&mut store, host, 7, &[1], 5);
    let user = store.snapshot(Moment::default(), Books::default()).books.user;
    assert_eq!((user.decoded, user.kept, user.aged_out), (6, 2, 4));
}

#[test]
fn compaction_changes_no_stack_and_forgets_the_rest() {
    let budget = Budget { slices: 10, stacks: 1000, ..Budget::default() };
    let (mut store, host) = store(budget);
    for n in 0..2000 {
        add(&mut store, host, 7, &[1, 1000 + n], SLICE_NS * (n / 100));
    }
    let before = samples(&store.snapshot(Moment::default(), Books::default()));
    let epoch = store.epoch();
    store.age(SLICE_NS * 20);
    assert!(store.epoch() > epoch);
    let after = store.snapshot(Moment::default(), Books::default());
    assert!(after.tables.stacks.len() <= 1000);
    let kept = samples(&after);
    assert!(kept.len() >= 500);
    assert_eq!(before[before.len() - kept.len()..], kept);
    let user = after.books.user;
    assert_eq!(user.decoded, user.kept + user.aged_out);
    assert_eq!(user.kept, kept.len() as u64);
}

#[test]
fn names_survive_compaction_and_find_their_frame() {
    let (mut store, host) = store(Budget { slices: 10, stacks: 3, ..Budget::default() });
    add(&mut store, host, 7, &[1, 2], 0);
    let unnamed = store.take_unnamed();
    assert_eq!(unnamed.len(), 2);
    let function =
        Function { name: "main".into(), file: None, module: "x".into(), kind: FrameKind::Native };
    store.name(&unnamed[0], &[NamedLine { function, line: 3 }]);
    add(&mut store, host, 7, &[1, 5, 6], 11 * SLICE_NS);
    store.age(12 * SLICE_NS);
    let snapshot = store.snapshot(Moment::default(), Books::default());
    let user = snapshot.books.user;
    assert_eq!((user.named, user.pending), (1, 2));
    store.name(&Frame { address: 999, ..unnamed[0] }, &[]);
    store.unresolved(&unnamed[1], Unresolved::Stripped);
    let new: Vec<_> = store.take_unnamed().iter().map(|frame| frame.address).collect();
    assert_eq!(new, [6, 5]);
}

#[test]
fn quality_survives_compaction() {
    let (mut store, host) = store(Budget { slices: 10, stacks: 3, ..Budget::default() });
    add(&mut store, host, 6, &[8, 9], 0);
    add(&mut store, host, 7, &[1, 2], 12 * SLICE_NS);
    let mut one = Quality::default();
    one.count_end(WalkEnd::Root);
    one.count_frame(Verdict::Wrong);
    let seven = ProcessHandle::from_index(1);
    store.add_quality(ProcessHandle::from_index(0), one);
    store.add_quality(seven, one);
    store.add_quality(seven, one);
    let frame = |store: &Store, address| {
        let found = store.tables.frames.iter().find(|(_, frame)| frame.address == address);
        found.map(|(handle, frame)| (handle, *frame)).unwrap()
    };
    let (caller, row) = frame(&store, 1);
    assert_eq!(store.judge(caller, None), Verdict::Unchecked);
    store.set_code(&row, Code { call: Call::Missing, function: None });
    assert_eq!(store.judge(caller, None), Verdict::Wrong);
    let epoch = store.epoch();
    store.age(13 * SLICE_NS);
    assert!(store.epoch() > epoch);
    // The other process has no sample left.
    let qualities: Vec<_> = store.tables.qualities.iter().map(|(_, row)| *row).collect();
    let mut two = one;
    two += one;
    assert_eq!(qualities, [two]);
    let (caller, _) = frame(&store, 1);
    assert_eq!(store.judge(caller, None), Verdict::Wrong);
    assert_eq!(store.judge(frame(&store, 2).0, None), Verdict::Unchecked);
}
