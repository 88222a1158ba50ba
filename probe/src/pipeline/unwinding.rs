//! Tells the kernel's walk who has what mapped, and asks for unwind tables.

use super::Message;
use super::table_builder::{Builder, Job, Loaded, LoadedTable, Place};
use super::walk::Code;
use crate::kernel::records::{ProcessRecord, What};
use crate::kernel::tables::Processes;
use crate::kernel::{RawSample, Tables};
use crate::process::files::Owner;
use crate::process::life::Incarnation;
use crate::process::{Region, RegionFile, Regions, Table};
use crate::profile::{Latency, WalkEnd};
use crate::unwind::lookup;
use foldhash::{HashMap, HashSet};
use probe_ebpf::table::{self, REGION_FRAME_POINTER, REGION_TABLE, REGION_UNKNOWN, Rule};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Files that may wait for a table; those beyond ask again with the next batch.
const QUEUE_LEN: usize = 256;

/// Files whose state is kept; when more were mapped, all are asked for anew (which
/// finds the tables that are loaded).
const FILES_MAX: usize = 16_384;

#[derive(Debug)]
struct File {
    /// Keeps the address that the file is known by.
    _file: Arc<RegionFile>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Asked,
    Loaded(LoadedTable),
    /// No unwind information: its compiler may have kept frame pointers.
    None,
}

/// What the walk knows of a process.
#[derive(Clone, Debug, Default)]
struct Known {
    whose: Option<(u64, u32)>,
    regions: usize,
    /// Files of it that have no table yet.
    waits_for: Vec<usize>,
}

/// See the module's comment.
pub(super) struct Unwinding {
    processes: Processes,
    builder: SyncSender<Job>,
    files: HashMap<usize, File>,
    known: HashMap<u32, Known>,
    dirty: HashSet<u32>,
    /// By number.
    rules: Vec<Rule>,
    pub(super) table_bytes: u64,
    pub(super) latency: Latency,
}

/// What the thread that makes tables needs.
pub(super) struct Parts {
    pub(super) tables: Tables,
    pub(super) exe: PathBuf,
    pub(super) bytes_max: u64,
    pub(super) worker_pid: Arc<AtomicU32>,
    pub(super) out: SyncSender<Message>,
}

impl Unwinding {
    /// Starts the thread that makes tables.
    pub(super) fn start(parts: Parts) -> std::io::Result<Self> {
        let Parts { tables: Tables { processes, unwind: maps }, exe, bytes_max, worker_pid, out } =
            parts;
        let (builder, inbox) = sync_channel(QUEUE_LEN);
        let thread = std::thread::Builder::new().name("otop-unwind".into());
        let run = Builder { maps, exe, bytes_max, worker_pid, out };
        thread.spawn(move || run.run(&inbox))?;
        Ok(Self {
            processes,
            builder,
            files: HashMap::default(),
            known: HashMap::default(),
            dirty: HashSet::default(),
            rules: Vec::new(),
            table_bytes: 0,
            latency: Latency::default(),
        })
    }

    /// Takes in what a process did.
    pub(super) fn record(&mut self, record: &ProcessRecord) {
        match record.what {
            What::Mmap { .. } => _ = self.dirty.insert(record.pid),
            // What is known under its pid is another's.
            What::Fork { parent } if parent != record.pid => self.forget(record.pid),
            What::Fork { .. } | What::Comm { .. } | What::Exit => {}
        }
    }

    /// A process was sampled: from now on the walk has to know what it has mapped,
    /// and whose it is.
    pub(super) fn sampled(&mut self, sample: &RawSample<'_>) {
        if sample.walk_end == WalkEnd::NoUser {
            return;
        }
        let whose = Some((sample.start_ns, sample.exec_id));
        let known = self.known.entry(sample.pid).or_default();
        if known.whose != whose {
            known.whose = whose;
            self.dirty.insert(sample.pid);
        }
    }

    /// Passes on what has changed since the last call.
    pub(super) fn update(&mut self, processes: &Table) {
        if self.files.len() > FILES_MAX {
            self.files.clear();
        }
        for pid in std::mem::take(&mut self.dirty) {
            match processes.current(pid) {
                Some((start, program)) => self.upload(Owner { pid, start }, program),
                None => self.forget(pid),
            }
        }
    }

    /// Forgets processes that have ended.
    pub(super) fn expire(&mut self, processes: &Table) {
        let gone: Vec<u32> =
            self.known.keys().copied().filter(|pid| processes.current(*pid).is_none()).collect();
        gone.into_iter().for_each(|pid| self.forget(pid));
    }

    fn forget(&mut self, pid: u32) {
        if let Some(known) = self.known.remove(&pid) {
            self.processes.remove_process(pid, known.regions);
        }
    }

    fn upload(&mut self, owner: Owner, program: &Incarnation) {
        let pid = owner.pid;
        let whose = self.known.get(&pid).and_then(|known| known.whose);
        let mut waits_for = Vec::new();
        let regions: Vec<_> = program
            .regions
            .iter()
            .map(|region| self.region(owner, region, &mut waits_for))
            .collect();
        if regions.is_empty() {
            return self.forget(pid);
        }
        // Where the map is full the walk goes by frame pointers, and says so.
        let _ = self.processes.set_process(pid, whose, &regions);
        self.known.insert(pid, Known { whose, regions: regions.len(), waits_for });
    }

    fn region(
        &mut self,
        owner: Owner,
        region: &Region,
        waits_for: &mut Vec<usize>,
    ) -> table::Region {
        let pages = (region.end - region.start) >> 12;
        let mut known = table::Region {
            start: region.start,
            base: 0,
            pages: u32::try_from(pages).unwrap_or(u32::MAX),
            table: 0,
            kind: REGION_FRAME_POINTER,
        };
        if !matches!(*region.file, RegionFile::File { .. } | RegionFile::Vdso) {
            return known;
        }
        let id = Arc::as_ptr(&region.file) as usize;
        match self.state(id, owner, region) {
            State::Loaded(table) => {
                let offset = region.offset.wrapping_sub(u64::from(table.base));
                known.base = region.start.wrapping_sub(offset);
                (known.table, known.kind) = (table.number, REGION_TABLE);
                // What lies beyond the directory must not be looked up in it.
                let end = u64::from(table.base) + table.span();
                let left = end.saturating_sub(region.offset) >> 12;
                known.pages = known.pages.min(u32::try_from(left).unwrap_or(u32::MAX));
            }
            State::Asked => {
                known.kind = REGION_UNKNOWN;
                waits_for.push(id);
            }
            State::None => {}
        }
        known
    }

    /// The state of a region's file, which is asked for when it is new.
    fn state(&mut self, id: usize, owner: Owner, region: &Region) -> State {
        if let Some(file) = self.files.get(&id) {
            return file.state.clone();
        }
        let place = if *region.file == RegionFile::Vdso {
            Place::Vdso
        } else {
            Place::Mapped(owner, region.clone())
        };
        if self.builder.try_send(Job { file: id, place }).is_ok() {
            self.files.insert(id, File { _file: Arc::clone(&region.file), state: State::Asked });
        } else {
            self.dirty.insert(owner.pid);
        }
        State::Asked
    }

    /// Takes in a table, and tells the walk of it.
    pub(super) fn loaded(&mut self, loaded: Loaded, processes: &Table) {
        let Loaded { file, table, rules, evicted, bytes, latency } = loaded;
        self.rules.extend(rules);
        (self.table_bytes, self.latency) = (bytes, latency);
        if let Some(file) = self.files.get_mut(&file) {
            file.state = table.map_or(State::None, State::Loaded);
        }
        let waiting = self.known.iter().filter(|(_, known)| known.waits_for.contains(&file));
        self.dirty.extend(waiting.map(|(pid, _)| *pid));
        if !evicted.is_empty() {
            self.evicted(&evicted);
        }
        self.update(processes);
    }

    /// What is at `address` of a process with these regions; the table that is
    /// needed for it is asked for.
    pub(super) fn code(&mut self, owner: Owner, regions: &Regions, address: u64) -> Code {
        let Some(region) = regions.lookup(address) else { return Code::Unmapped };
        if !matches!(*region.file, RegionFile::File { .. } | RegionFile::Vdso) {
            return Code::FramePointer;
        }
        let id = Arc::as_ptr(&region.file) as usize;
        match self.state(id, owner, region) {
            State::Asked => Code::Pending,
            State::None => Code::FramePointer,
            State::Loaded(table) => {
                let offset = region.file_offset(address).wrapping_sub(u64::from(table.base));
                let number = lookup(table.memory.pages(), table.directory, offset);
                let rule = number.and_then(|number| self.rules.get(usize::from(number)));
                Code::Rule(rule.copied().unwrap_or_default())
            }
        }
    }

    /// Whoever maps a file whose table has gone asks for it with its next sample.
    fn evicted(&mut self, numbers: &[u16]) {
        self.files.retain(|_, file| match &file.state {
            State::Loaded(table) => !numbers.contains(&table.number),
            State::Asked | State::None => true,
        });
        for known in self.known.values_mut() {
            known.whose = None;
        }
    }
}
