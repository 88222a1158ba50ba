//! From addresses to frames, as they were mapped when the sample was taken.

use super::catalog::Catalog;
use super::quality;
use crate::kernel::records::{ProcessRecord, What};
use crate::kernel::{CodeAddress, RawSample};
use crate::process::table::Who;
use crate::process::{Cgroups, Change, Event, Proc, Region, RegionFile, Table, clock, maps, scan};
use crate::profile::{
    Frame, HostHandle, Place, Process, ProcessHandle, ProcessKey, Quality, Store, Text, WalkEnd,
};
use std::sync::Arc;

/// Everything that is needed to say what an address was.
pub(super) struct Resolver {
    pub(super) processes: Table,
    pub(super) catalog: Catalog,
    proc: Proc,
    cgroups: Cgroups,
    host: HostHandle,
}

impl Resolver {
    pub(super) fn new(host: HostHandle) -> Self {
        let proc = Proc::default();
        let cgroups = Cgroups::new(&proc);
        let processes = Table::new(clock::boot_offset_ns());
        Self { processes, catalog: Catalog::default(), proc, cgroups, host }
    }

    /// Looks at every process that runs. An unreadable /proc is an error of the
    /// caller's to tell: what starts from now on is known without it.
    pub(super) fn scan(&mut self) -> std::io::Result<()> {
        for seen in scan::scan(&mut self.proc, &mut self.cgroups)?.processes {
            self.processes.seed(seen);
        }
        Ok(())
    }

    /// Looks at processes that were spoken of without having been seen.
    pub(super) fn look_up_wanted(&mut self) {
        for pid in self.processes.take_wanted() {
            if let Some(seen) = scan::one(&mut self.proc, &mut self.cgroups, pid) {
                self.processes.seed(seen);
            }
        }
    }

    /// Takes in what a process did.
    pub(super) fn record(&mut self, record: ProcessRecord) {
        let ProcessRecord { time_ns, pid, tid, what } = record;
        let change = match what {
            What::Mmap { start, end, offset, build_id, device_inode, path } => {
                let mut file = maps::region_file(&path, device_inode);
                if let RegionFile::File { build_id: unset, .. } = &mut file {
                    *unset = build_id;
                }
                Change::Mmap(Region { start, end, offset, file: Arc::new(file) })
            }
            What::Comm { exec, name } => Change::Comm { tid, name: Text::from_bytes(&name), exec },
            What::Fork { parent } => Change::Fork { parent },
            What::Exit => Change::Exit { tid },
        };
        self.processes.apply(Event { time_ns, pid, change });
    }

    /// Adds a sample to the store; gives what its stack is worth.
    pub(super) fn sample(&mut self, sample: &RawSample<'_>, store: &mut Store) -> Quality {
        self.catalog.refresh(store);
        let key = ProcessKey {
            host: self.host,
            pid: sample.pid,
            start_ns: sample.start_ns,
            exec_id: sample.exec_id,
        };
        let process = self.process(key, sample, store);
        let thread = store.thread(process, sample.tid, sample.thread_name);
        let frames = self.frames(key, sample, store);
        let handles: Vec<_> = frames.into_iter().map(|frame| store.frame(frame)).collect();
        let quality = quality::of(sample, &handles, store);
        store.add_quality(process, quality);
        let cut = is_cut(sample).then(|| self.catalog.cut(store)).map(|cut| store.frame(cut));
        if let Some(stack) = store.stack(cut.into_iter().chain(handles)) {
            store.add(sample.time_ns, 0, (thread, stack, sample.cpu), 1);
        }
        quality
    }

    fn process(
        &mut self,
        key: ProcessKey,
        sample: &RawSample<'_>,
        store: &mut Store,
    ) -> ProcessHandle {
        let who = who(sample);
        let Self { processes, cgroups, .. } = self;
        store.process(key, || {
            let known = processes.find(who);
            let place = cgroups.by_id(sample.cgroup_id).cloned();
            Process {
                key,
                name: Text::from_bytes(sample.process_name),
                exe: known.and_then(|known| known.exe.clone()),
                place: place
                    .or_else(|| known.map(|known| known.place.clone()))
                    .unwrap_or_else(|| Place { cgroup_id: sample.cgroup_id, ..Place::default() }),
            }
        })
    }

    /// The frames of a sample, root first: never none.
    fn frames(&mut self, key: ProcessKey, sample: &RawSample<'_>, store: &mut Store) -> Vec<Frame> {
        let Self { processes, catalog, .. } = self;
        let program = processes.find(who(sample));
        let mut frames = Vec::with_capacity(sample.user().len() + sample.kernel().len() + 1);
        for address in sample.user().rev().map(CodeAddress::lookup) {
            let region = program.and_then(|program| program.regions.lookup(address));
            frames.push(match region {
                Some(region) => catalog.frame(store, key, region, address),
                None => catalog.unknown(store),
            });
        }
        for address in sample.kernel().rev().map(CodeAddress::lookup) {
            frames.push(catalog.kernel(store, address));
        }
        if frames.is_empty() {
            frames.push(catalog.cut(store));
        }
        frames
    }
}

/// Whether the user's part is known to lack its root: then the stack says so there.
fn is_cut(sample: &RawSample<'_>) -> bool {
    match sample.walk_end {
        WalkEnd::NoMapping
        | WalkEnd::NoRow
        | WalkEnd::UnsupportedRule
        | WalkEnd::Unreadable
        | WalkEnd::TooDeep => sample.user().len() > 0,
        WalkEnd::Root | WalkEnd::NoUser | WalkEnd::FramePointer => false,
    }
}

fn who(sample: &RawSample<'_>) -> Who {
    Who {
        pid: sample.pid,
        start_ns: sample.start_ns,
        exec_id: sample.exec_id,
        time_ns: sample.time_ns,
    }
}
