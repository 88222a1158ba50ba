//! The thread that has unwind tables made and loads them into the kernel.

use super::Message;
use super::table_worker::TableWorker;
use crate::kernel::tables::{TableMemory, UnwindTables};
use crate::process::Region;
use crate::process::files::{Files, Owner};
use crate::profile::Latency;
use crate::unwind::RuleBook;
use foldhash::HashMap;
use hdrhistogram::Histogram;
use probe_ebpf::table::{BUCKET_SHIFT, DIRECTORY_ENTRIES, Page, Rule, TABLES_MAX};
use rustix::fs::fstat;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

/// How long a worker is kept that has nothing to do.
const IDLE: Duration = Duration::from_secs(2);

/// A file that wants a table.
#[derive(Debug)]
pub(super) struct Job {
    /// The collector's name for it.
    pub(super) file: usize,
    pub(super) place: Place,
}

/// Where a file is.
#[derive(Debug)]
pub(super) enum Place {
    Mapped(Owner, Region),
    Vdso,
}

/// What became of a job.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) file: usize,
    /// The table; None where the file has no unwind information, or cannot be read.
    pub(super) table: Option<LoadedTable>,
    /// Rules that are new: they continue the list of all rules.
    pub(super) rules: Vec<Rule>,
    /// Tables that had to go to make room.
    pub(super) evicted: Vec<u16>,
    /// Bytes of all tables that are loaded.
    pub(super) bytes: u64,
    pub(super) latency: Latency,
}

/// A table in the kernel.
#[derive(Clone, Debug)]
pub(super) struct LoadedTable {
    pub(super) number: u16,
    /// The file offset from which it counts.
    pub(super) base: u32,
    /// How many of its pages are the directory.
    pub(super) directory: u32,
    pub(super) memory: Arc<TableMemory>,
}

impl LoadedTable {
    /// Bytes of code that the directory covers.
    pub(super) fn span(&self) -> u64 {
        (u64::from(self.directory) * DIRECTORY_ENTRIES as u64) << BUCKET_SHIFT
    }
}

/// What tells one file's content from another's: device, inode, size, and the time
/// of the last change in ns.
type Content = (u64, u64, i64, i64);

struct Slot {
    content: Content,
    table: LoadedTable,
    bytes: u64,
    /// The number of the job that asked for it last.
    used: u64,
}

/// The thread.
pub(super) struct Builder {
    pub(super) maps: UnwindTables,
    pub(super) exe: PathBuf,
    pub(super) bytes_max: u64,
    pub(super) worker_pid: Arc<AtomicU32>,
    pub(super) out: SyncSender<Message>,
}

impl Builder {
    pub(super) fn run(self, inbox: &Receiver<Job>) {
        let mut state = State {
            builder: self,
            book: RuleBook::default(),
            rules_set: 0,
            rules_told: 0,
            files: Files::default(),
            slots: HashMap::default(),
            worker: None,
            jobs: 0,
            latency: super::histogram(),
        };
        loop {
            match inbox.recv_timeout(IDLE) {
                Ok(job) => {
                    let loaded = state.load(&job);
                    if state.builder.out.send(Message::Table(loaded)).is_err() {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => state.end_worker(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

struct State {
    builder: Builder,
    book: RuleBook,
    /// How many of the book's rules the kernel has.
    rules_set: usize,
    /// How many of them the collector has.
    rules_told: usize,
    files: Files,
    slots: HashMap<u16, Slot>,
    worker: Option<TableWorker>,
    jobs: u64,
    latency: Option<Histogram<u64>>,
}

impl State {
    fn load(&mut self, job: &Job) -> Loaded {
        self.jobs += 1;
        let start = Instant::now();
        let mut evicted = Vec::new();
        let table = self.open(&job.place).and_then(|file| self.table(file.as_fd(), &mut evicted));
        if let Some(latency) = &mut self.latency {
            latency
                .saturating_record(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
        let bytes = self.bytes();
        let latency = super::latency("unwind table", self.latency.as_ref());
        let rules = self.book.rules().get(self.rules_told..).unwrap_or_default().to_vec();
        self.rules_told += rules.len();
        Loaded { file: job.file, table, rules, evicted, bytes, latency }
    }

    fn open(&mut self, place: &Place) -> Option<Arc<OwnedFd>> {
        match place {
            // Whether the build id is the mapping's cannot be told here without
            // parsing; a wrong table makes the walk end, and the check of return
            // addresses shows it.
            Place::Mapped(owner, region) => Some(self.files.open(*owner, region).ok()?.file),
            Place::Vdso => Some(Arc::new(crate::symbol::vdso_image().ok()?)),
        }
    }

    fn table(&mut self, file: BorrowedFd<'_>, evicted: &mut Vec<u16>) -> Option<LoadedTable> {
        let content = content(file)?;
        let known = self.slots.values_mut().find(|slot| slot.content == content);
        if let Some(slot) = known {
            slot.used = self.jobs;
            return Some(slot.table.clone());
        }
        let mut table = self.ask(file)?;
        let ids = self.book.intern(&table.rules);
        table.renumber(&ids);
        let bytes = size_of_val(table.pages()) as u64;
        self.make_room(bytes, evicted);
        let number = (0..).find(|number| !self.slots.contains_key(number))?;
        self.set_rules()?;
        let memory = Arc::new(self.builder.maps.set_table(number, table.pages()).ok()?);
        let (base, directory) = (table.base(), table.directory());
        let table = LoadedTable { number, base, directory, memory };
        self.slots.insert(number, Slot { content, table: table.clone(), bytes, used: self.jobs });
        Some(table)
    }

    /// Has the worker make a table. One that does not answer is replaced for the
    /// next file, and this one has no table.
    fn ask(&mut self, file: BorrowedFd<'_>) -> Option<crate::unwind::Table> {
        if self.worker.is_none() {
            self.worker = TableWorker::start(&self.builder.exe).ok();
            let pid = self.worker.as_ref().map_or(0, TableWorker::pid);
            self.builder.worker_pid.store(pid, Ordering::Relaxed);
        }
        match self.worker.as_ref()?.table(file) {
            Ok(table) => table,
            Err(_) => {
                self.end_worker();
                None
            }
        }
    }

    fn end_worker(&mut self) {
        self.worker = None;
        self.builder.worker_pid.store(0, Ordering::Relaxed);
    }

    /// Loads the rules that are new; rules are loaded before the table that names
    /// them.
    fn set_rules(&mut self) -> Option<()> {
        for (id, rule) in self.book.rules().iter().enumerate().skip(self.rules_set) {
            self.builder.maps.set_rule(u16::try_from(id).ok()?, *rule).ok()?;
        }
        self.rules_set = self.book.rules().len();
        Some(())
    }

    fn bytes(&self) -> u64 {
        self.slots.values().map(|slot| slot.bytes).sum()
    }

    /// Evicts what was asked for least recently until `bytes` more fit.
    fn make_room(&mut self, bytes: u64, evicted: &mut Vec<u16>) {
        let full = |state: &Self| {
            state.bytes() + bytes > state.builder.bytes_max
                || state.slots.len() >= TABLES_MAX as usize
        };
        while full(self) {
            let oldest = self.slots.iter().min_by_key(|(_, slot)| slot.used);
            let Some(number) = oldest.map(|(number, _)| *number) else { return };
            self.slots.remove(&number);
            // An empty table takes a page.
            let _ = self.builder.maps.set_table(number, &[] as &[Page]);
            evicted.push(number);
        }
    }
}

fn content(file: BorrowedFd<'_>) -> Option<Content> {
    let stat = fstat(file).ok()?;
    let changed_ns =
        stat.st_ctime.wrapping_mul(1_000_000_000).wrapping_add_unsigned(stat.st_ctime_nsec);
    Some((stat.st_dev, stat.st_ino, stat.st_size, changed_ns))
}
