//! The thread that asks the symbolizer for names.

use super::Message;
use super::catalog::{Catalog, Witness};
use crate::kernel::clock;
use crate::process::RegionFile;
use crate::process::files::Opened;
use crate::process::files::{Files, Proof};
use crate::process::open::OpenError;
use crate::profile::{
    BuildId, Code, Frame, FrameKind, Latency, MappingHandle, MappingKind, Store, Text, Unresolved,
};
use crate::symbol::{self, Answer, Ask, Client, Detail, Identity, Names, Object, ObjectKind};
use foldhash::HashMap;
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError, sync_channel,
};
use std::time::{Duration, Instant};

/// Jobs that may wait; frames beyond that wait in the store.
const QUEUE_LEN: usize = 256;
/// Jobs for source lines that may wait; beyond that, frames keep their names
/// without lines.
const LINES_QUEUE_LEN: usize = 1024;
/// Objects whose state is kept.
const OBJECTS_MAX: usize = 4096;
/// How long frames that are new after a batch of lines wait for theirs.
const LINES_PERIOD: Duration = Duration::from_secs(20);
/// How long nothing is asked before the worker counts as idle.
const IDLE: Duration = Duration::from_secs(2);
/// What an idle worker may keep in memory.
const IDLE_BYTES_MAX: u64 = 24 << 20;
/// Frames of one job: an answer is not late for the sake of thousands.
const JOB_FRAMES_MAX: usize = 256;

/// Where names are to be found.
#[derive(Clone, Debug)]
enum Place {
    File(Witness),
    Kernel,
    Vdso,
}

/// Frames of one mapping that want names.
#[derive(Clone, Debug)]
pub(super) struct Job {
    epoch: u32,
    kind: MappingKind,
    module: Text,
    place: Result<Place, Unresolved>,
    frames: Vec<Frame>,
    detail: Detail,
}

impl Job {
    /// One job for each mapping of `frames`.
    pub(super) fn group(
        epoch: u32,
        frames: Vec<Frame>,
        store: &Store,
        catalog: &Catalog,
    ) -> Vec<Self> {
        let mut by_mapping: HashMap<MappingHandle, Vec<Frame>> = HashMap::default();
        for frame in frames.into_iter().filter(|frame| frame.kind != FrameKind::Marker) {
            by_mapping.entry(frame.mapping).or_default().push(frame);
        }
        let jobs = by_mapping.into_iter().filter_map(|(mapping, frames)| {
            let row = store.mapping_row(mapping)?;
            let place = match row.kind {
                MappingKind::File { .. } => {
                    catalog.witness(mapping).cloned().map(Place::File).ok_or(Unresolved::NoFile)
                }
                MappingKind::Kernel => Ok(Place::Kernel),
                MappingKind::Vdso => Ok(Place::Vdso),
                MappingKind::Anonymous(_) | MappingKind::Unknown => Err(Unresolved::NoFile),
            };
            let (kind, module) = (row.kind.clone(), Text::from(row.module()));
            Some(Self { epoch, kind, module, place, frames, detail: Detail::Names })
        });
        jobs.flat_map(Self::split).collect()
    }

    fn split(self) -> Vec<Self> {
        let chunks = self.frames.chunks(JOB_FRAMES_MAX);
        chunks.map(|frames| Self { frames: frames.to_vec(), ..self.clone() }).collect()
    }
}

/// Device and inode of a file, and its build id.
pub(super) type Identified = ((u64, u64), BuildId);

/// What became of a job.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) epoch: u32,
    pub(super) frames: Vec<(Frame, Code, Names)>,
    /// A file that was known by device and inode has this build id.
    pub(super) identity: Option<Identified>,
    detail: Detail,
    took_ns: u64,
}

/// The collector's end.
pub(super) struct Naming {
    jobs: Option<SyncSender<Job>>,
    waiting: usize,
    latency: Option<Histogram<u64>>,
}

impl Naming {
    /// Starts the thread. Where that fails, nothing has a name, and a note says so.
    pub(super) fn start(exe: PathBuf, worker: Arc<AtomicU32>, out: &SyncSender<Message>) -> Self {
        let (jobs, inbox) = sync_channel(QUEUE_LEN);
        let thread = std::thread::Builder::new().name("otop-symbolize".into());
        let started = thread.spawn({
            let out = out.clone();
            move || match Client::spawn(exe) {
                Ok(client) => Symbolizer::new(client, worker, out).run(&inbox),
                Err(error) => {
                    let _ = out.send(Message::Note(error.to_string()));
                }
            }
        });
        let jobs = match started {
            Ok(_) => Some(jobs),
            Err(error) => {
                let _ = out
                    .try_send(Message::Note(format!("cannot start a thread for names: {error}")));
                None
            }
        };
        Self { jobs, waiting: 0, latency: super::histogram() }
    }

    /// Passes the jobs on; returns the frames for which there was no room.
    pub(super) fn ask(&mut self, jobs: Vec<Job>) -> Vec<Frame> {
        let mut refused = Vec::new();
        for job in jobs {
            let Some(queue) = &self.jobs else { break };
            match queue.try_send(job) {
                Ok(()) => self.waiting += 1,
                Err(TrySendError::Full(job)) => refused.extend(job.frames),
                Err(TrySendError::Disconnected(_)) => self.jobs = None,
            }
        }
        refused
    }

    /// An answer has come.
    pub(super) fn answered(&mut self, named: &Named) {
        if named.detail == Detail::Names {
            self.waiting = self.waiting.saturating_sub(1);
        }
        if let Some(latency) = &mut self.latency {
            latency.saturating_record(named.took_ns);
        }
    }

    /// Whether answers are still to come.
    pub(super) const fn waiting(&self) -> bool {
        self.waiting > 0 && self.jobs.is_some()
    }

    pub(super) fn latency(&self) -> Latency {
        super::latency("symbolize", self.latency.as_ref())
    }
}

/// What is known about a file that names were asked of.
struct Known {
    key: u64,
    identity: Option<Identity>,
    debug: Vec<PathBuf>,
}

/// The thread's end.
struct Symbolizer {
    client: Client,
    files: Files,
    known: HashMap<MappingKind, Known>,
    next_key: u64,
    worker: Arc<AtomicU32>,
    out: SyncSender<Message>,
    /// Named frames whose source lines are still to be found.
    lines: VecDeque<Job>,
    /// Not before.
    lines_at: Instant,
}

impl Symbolizer {
    fn new(client: Client, worker: Arc<AtomicU32>, out: SyncSender<Message>) -> Self {
        Self {
            client,
            files: Files::default(),
            known: HashMap::default(),
            next_key: 0,
            worker,
            out,
            lines: VecDeque::new(),
            lines_at: Instant::now(),
        }
    }

    /// Names first; lines when nobody waits for a name.
    fn run(mut self, inbox: &Receiver<Job>) {
        while let Some(job) = self.next_job(inbox) {
            let named = self.answer(job);
            self.worker.store(self.client.worker_pid().unwrap_or(0), Ordering::Relaxed);
            if self.out.send(Message::Named(named)).is_err() {
                return;
            }
        }
    }

    fn next_job(&mut self, inbox: &Receiver<Job>) -> Option<Job> {
        match inbox.try_recv() {
            Ok(job) => Some(job),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) => self.next_lines().or_else(|| self.wait(inbox)),
        }
    }

    /// The next job for lines, in batches: reading debug information costs far more
    /// than finding one more line in it.
    fn next_lines(&mut self) -> Option<Job> {
        if Instant::now() < self.lines_at {
            return None;
        }
        let job = self.lines.pop_front();
        if job.is_some() && self.lines.is_empty() {
            self.lines_at = Instant::now() + LINES_PERIOD;
        }
        job
    }

    /// Waits for a job. A worker that has grown while there was much to do is
    /// ended once there is nothing.
    fn wait(&mut self, inbox: &Receiver<Job>) -> Option<Job> {
        loop {
            match inbox.recv_timeout(IDLE) {
                Ok(job) => return Some(job),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    self.client.relieve(IDLE_BYTES_MAX);
                    self.worker.store(self.client.worker_pid().unwrap_or(0), Ordering::Relaxed);
                    if let Some(job) = self.next_lines() {
                        return Some(job);
                    }
                }
            }
        }
    }

    fn answer(&mut self, mut job: Job) -> Named {
        let start_ns = clock::monotonic_ns();
        let Found { answer, identity, has_lines } = self.find(&job);
        let took_ns = clock::monotonic_ns() - start_ns;
        let (epoch, detail) = (job.epoch, job.detail);
        let found = answer.code.into_iter().zip(answer.names);
        let frames = job.frames.iter().copied().zip(found);
        let mut frames: Vec<_> =
            frames.map(|(frame, (code, names))| (frame, code, names)).collect();
        if detail == Detail::Lines {
            // What has no lines keeps the name it has.
            frames.retain(|(_, _, names)| names.is_ok());
        } else if has_lines && self.lines.len() < LINES_QUEUE_LEN {
            job.detail = Detail::Lines;
            self.lines.push_back(job);
        }
        Named { epoch, frames, identity, detail, took_ns }
    }

    fn find(&mut self, job: &Job) -> Found {
        match self.object(job) {
            Ok((object, identity, has_lines)) => {
                let addresses = job.frames.iter().map(|frame| frame.address).collect();
                let answer = self.client.ask(Ask { object, addresses, detail: job.detail });
                Found { answer, identity, has_lines }
            }
            Err(why) => {
                let count = job.frames.len();
                let answer =
                    Answer { names: vec![Err(why); count], code: vec![Code::default(); count] };
                Found { answer, identity: None, has_lines: false }
            }
        }
    }

    /// Where to look, who that is, and whether it has source lines.
    fn object(&mut self, job: &Job) -> Result<(Object, Option<Identified>, bool), Unresolved> {
        let module = job.module.clone();
        let (key, kind, identity, has_lines) = match job.place.as_ref().map_err(|why| *why)? {
            Place::Kernel => {
                let kallsyms =
                    std::fs::File::open("/proc/kallsyms").map_err(|_| Unresolved::Denied)?;
                (
                    self.known(&job.kind).key,
                    ObjectKind::Kernel { kallsyms: kallsyms.into() },
                    None,
                    false,
                )
            }
            Place::Vdso => {
                let file = symbol::vdso_image().map_err(|_| Unresolved::NoFile)?;
                (
                    self.known(&job.kind).key,
                    ObjectKind::File { file, debug: Vec::new() },
                    None,
                    false,
                )
            }
            Place::File(witness) => {
                let (key, file, debug, identity, has_lines) = self.open(&job.kind, witness)?;
                (key, ObjectKind::File { file, debug }, identity, has_lines)
            }
        };
        Ok((Object { key, kind, module }, identity, has_lines))
    }

    /// Opens a mapped file and its debug files, and finds out who it is the first
    /// time.
    #[expect(clippy::type_complexity, reason = "one caller, which takes it apart at once")]
    fn open(
        &mut self,
        kind: &MappingKind,
        witness: &Witness,
    ) -> Result<(u64, OwnedFd, Vec<OwnedFd>, Option<Identified>, bool), Unresolved> {
        let Opened { file, proof } =
            self.files.open(&witness.process, &witness.region).map_err(OpenError::unresolved)?;
        let key = self.known(kind).key;
        let mut news = None;
        if self.known(kind).identity.is_none() {
            let identity = self.client.identify(key, file.as_fd())?;
            news = identified(&witness.region.file, &identity);
            let debug = match &*witness.region.file {
                RegionFile::File { path, .. } => {
                    symbol::candidates(&identity, Path::new(path.as_str()))
                }
                _ => Vec::new(),
            };
            let known = self.known(kind);
            known.debug = debug;
            known.identity = Some(identity);
        }
        let (build_id, has_lines, paths) = {
            let known = self.known(kind);
            let identity = known.identity.clone().unwrap_or_default();
            (identity.build_id, identity.has_debug_info, known.debug.clone())
        };
        if let Proof::IfBuildId(wanted) = proof
            && build_id != Some(wanted)
        {
            self.files.forget(&witness.region);
            return Err(Unresolved::NoFile);
        }
        let debug: Vec<_> = paths
            .iter()
            .filter_map(|path| self.files.open_path(&witness.process, path.to_str()?).ok())
            .collect();
        let has_lines = has_lines || !debug.is_empty();
        let file = file.try_clone().map_err(|_| Unresolved::Limit)?;
        Ok((key, file, debug, news, has_lines))
    }

    /// What is known about an object, which gets a key of its own when it is new.
    fn known(&mut self, kind: &MappingKind) -> &mut Known {
        if self.known.len() >= OBJECTS_MAX && !self.known.contains_key(kind) {
            self.known.clear();
        }
        let Self { known, next_key, .. } = self;
        known.entry(kind.clone()).or_insert_with(|| {
            *next_key += 1;
            Known { key: *next_key, identity: None, debug: Vec::new() }
        })
    }
}

/// What came of one request.
struct Found {
    answer: Answer,
    identity: Option<Identified>,
    has_lines: bool,
}

/// What is new about a file that is known by device and inode alone.
fn identified(file: &RegionFile, identity: &Identity) -> Option<Identified> {
    match (file, identity.build_id) {
        (RegionFile::File { build_id: None, device_inode, .. }, Some(build_id)) => {
            Some((*device_inode, build_id))
        }
        _ => None,
    }
}
