//! Flame trees for tests.

use crate::options::Window;
use probe::profile::{
    Books, Budget, Filter, FlameOptions, FlameTree, Frame, FrameKind, Function, Host, Mapping,
    MappingKind, Moment, Place, Process, ProcessKey, SampleType, Scope, Store, flame::flame,
    store::NamedLine,
};

/// The tree of one process's samples, from `(functions from the root set apart
/// by ;, samples)`.
pub(crate) fn tree(stacks: &[(&str, u64)]) -> FlameTree {
    let cpu = SampleType { kind: "samples".into(), unit: "count".into(), period_ns: 1 };
    let mut store = Store::new(Budget::default(), vec![cpu]);
    let host = store.host(Host::default());
    let key = ProcessKey { host, pid: 1, start_ns: 1, exec_id: 1 };
    let process = store.process(key, || Process {
        key,
        name: "p".into(),
        exe: None,
        place: Place::default(),
    });
    let thread = store.thread(process, 1, b"t");
    let kind = MappingKind::File { build_id: None, device_inode: (1, 2) };
    let mapping = store.mapping(&Mapping { kind, path: "/bin/m".into() });
    for (names, samples) in stacks {
        let frames: Vec<_> = names
            .split(';')
            .map(|name| {
                let address = name.bytes().fold(0_u64, |hash, byte| hash * 257 + u64::from(byte));
                let frame = Frame { kind: FrameKind::Native, mapping, address };
                let handle = store.frame(frame);
                let (file, module) = (None, "m".into());
                let function =
                    Function { name: name.into(), file, module, kind: FrameKind::Native };
                store.name(&frame, &[NamedLine { function, line: 0 }]);
                handle
            })
            .collect();
        let stack = store.stack(frames).unwrap();
        store.add(5, 0, (thread, stack, 0), *samples);
    }
    let snapshot = store.snapshot(Moment::default(), Books::default());
    let query = Window::All.query(&snapshot, Scope::Process(key), Filter::default());
    flame(&snapshot, &query, FlameOptions::default())
}
