//! The side of symbolization that is trusted: starts the worker, sends it
//! requests, checks its answers, and ends it when it does not answer.

use super::channel::{pair, receive, send};
use super::limits::{ADDRESSES_MAX, BLAMED_MAX, DESCRIPTORS_MAX, RESIDENT_BYTES_MAX};
#[cfg(doc)]
use super::limits::{DEADLINE, STARVED_MAX};
use super::patience::Patience;
use super::restarts::Restarts;
use super::wire::{Found, Label, Line, Op, Reply, Request};
use super::worker::ARGUMENT;
use super::{Answer, Ask, Detail, Identity, ObjectKind};
use crate::profile::store::NamedLine;
use crate::profile::{Code, Function, Text, Unresolved};
use foldhash::HashMap;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Why there is no symbolizer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The worker could not be started.
    #[error(
        "cannot start the symbolizer {exe}: {source}; functions have no names until it can \
         (is the limit of processes or open files reached?)"
    )]
    Start {
        /// The program.
        exe: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What was asked, and how it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests sent.
    pub requests: u64,
    /// Addresses in them.
    pub addresses: u64,
    /// Workers started, the first included.
    pub starts: u64,
    /// Workers ended for missing the deadline.
    pub timeouts: u64,
    /// Workers that died during a request.
    pub deaths: u64,
    /// Workers ended for an answer that made no sense.
    pub nonsense: u64,
    /// Workers replaced for having grown too large.
    pub outgrown: u64,
    /// Files that ended a worker, and are not sent again (with that detail).
    pub blamed: u64,
    /// The worker's resident memory after the last request, in bytes.
    pub resident_bytes: u64,
}

/// The symbolizer. It blocks for up to [`DEADLINE`], or [`STARVED_MAX`] on a host
/// that is too busy, for each [`ADDRESSES_MAX`] addresses, so it belongs on a thread of its own.
#[derive(Debug)]
pub struct Client {
    exe: PathBuf,
    worker: Option<Worker>,
    /// Workers that were killed and are not gone yet.
    dying: Vec<Child>,
    restarts: Restarts,
    blamed: HashMap<u64, Blame>,
    stats: Stats,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    socket: OwnedFd,
}

/// What a file is known to end a worker with.
#[derive(Clone, Copy, Debug)]
struct Blame {
    detail: Detail,
    why: Unresolved,
}

/// What came of one request.
enum Failure {
    /// The worker was gone before it got the request: not the file's doing.
    Gone,
    /// There is no worker, and none may be started now.
    NoWorker,
    /// The worker did not survive the request.
    Ended(Unresolved),
}

impl Client {
    /// Starts a worker: `exe` with [`ARGUMENT`], which has to call
    /// [`super::worker_main`] then. `/proc/self/exe` is this program itself.
    ///
    /// # Errors
    ///
    /// [`Error::Start`].
    pub fn spawn(exe: impl Into<PathBuf>) -> Result<Self, Error> {
        let mut this = Self {
            exe: exe.into(),
            worker: None,
            dying: Vec::new(),
            restarts: Restarts::default(),
            blamed: HashMap::default(),
            stats: Stats::default(),
        };
        this.start().map_err(|source| Error::Start { exe: this.exe.clone(), source })?;
        Ok(this)
    }

    /// Looks up names. Every address gets its answer, if only a reason.
    pub fn ask(&mut self, ask: Ask) -> Answer {
        let Ask { object, addresses, detail } = ask;
        let (op, files) = match object.kind {
            ObjectKind::File { file, debug } => {
                (Op::File, std::iter::once(file).chain(debug).collect())
            }
            ObjectKind::Kernel { kallsyms } => (Op::Kernel, vec![kallsyms]),
        };
        let mut answer = Answer::default();
        for addresses in addresses.chunks(ADDRESSES_MAX) {
            let found = self.found(op, object.key, &files, addresses, detail);
            for (code, found) in found {
                answer.code.push(code);
                answer.names.push(named(found, &object.module));
            }
        }
        answer
    }

    /// What a file says that it is.
    ///
    /// # Errors
    ///
    /// The reason why its names cannot be found either.
    pub fn identify(&mut self, key: u64, file: BorrowedFd<'_>) -> Result<Identity, Unresolved> {
        if let Some(Blame { detail: Detail::Names, why }) = self.blamed.get(&key) {
            return Err(*why);
        }
        let request =
            Request { op: Op::Identify, detail: Detail::Names, key, addresses: Vec::new() };
        match self.exchange(&request, &[file]) {
            Ok(Exchange { identity: Some(identity), .. }) => identity,
            Ok(_) => Err(Unresolved::Limit),
            Err(why) => Err(why),
        }
    }

    /// Ends the worker where it holds more than `resident_bytes_max`; the next
    /// request starts a new one. For when nothing is asked: what it has read
    /// can be read again.
    pub fn relieve(&mut self, resident_bytes_max: u64) {
        if self.stats.resident_bytes > resident_bytes_max {
            self.end();
            self.stats.resident_bytes = 0;
        }
    }

    /// What was asked so far, and how it went.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { blamed: self.blamed.len() as u64, ..self.stats }
    }

    /// The worker's process id, where one runs.
    #[must_use]
    pub fn worker_pid(&self) -> Option<u32> {
        self.worker.as_ref().map(|worker| worker.child.id())
    }

    /// One answer an address, with less detail where the file asks for that.
    fn found(
        &mut self,
        op: Op,
        key: u64,
        files: &[OwnedFd],
        addresses: &[u64],
        mut detail: Detail,
    ) -> Vec<(Code, Found)> {
        let files: Vec<_> = files.iter().take(DESCRIPTORS_MAX).map(OwnedFd::as_fd).collect();
        loop {
            match self.blamed.get(&key) {
                Some(Blame { detail: Detail::Names, why }) => {
                    return nothing(*why, addresses);
                }
                Some(Blame { detail: Detail::Lines, .. }) => detail = Detail::Names,
                None => {}
            }
            let request = Request { op, detail, key, addresses: addresses.to_vec() };
            match self.exchange(&request, &files) {
                Ok(exchange) => return exchange.found,
                // What debug information could not do, the symbol table may.
                Err(_) if detail == Detail::Lines && self.blamed.contains_key(&key) => {}
                Err(why) => return nothing(why, addresses),
            }
        }
    }

    /// Sends a request and collects its answer, with another worker if the first
    /// turns out to be gone.
    fn exchange(
        &mut self,
        request: &Request,
        files: &[BorrowedFd<'_>],
    ) -> Result<Exchange, Unresolved> {
        self.reap();
        self.stats.requests += 1;
        self.stats.addresses += request.addresses.len() as u64;
        let outcome = match self.try_exchange(request, files) {
            Err(Failure::Gone) => self.try_exchange(request, files),
            outcome => outcome,
        };
        match outcome {
            Ok(exchange) => {
                self.weigh();
                Ok(exchange)
            }
            Err(Failure::Gone | Failure::NoWorker) => Err(Unresolved::Limit),
            Err(Failure::Ended(why)) => {
                if self.blamed.len() >= BLAMED_MAX {
                    self.blamed.clear();
                }
                self.blamed.insert(request.key, Blame { detail: request.detail, why });
                Err(why)
            }
        }
    }

    fn try_exchange(
        &mut self,
        request: &Request,
        files: &[BorrowedFd<'_>],
    ) -> Result<Exchange, Failure> {
        if self.worker.is_none() {
            self.start().map_err(|_| Failure::NoWorker)?;
        }
        let worker = self.worker.as_ref().ok_or(Failure::NoWorker)?;
        let patience = Patience::new(worker.child.id());
        if send(&worker.socket, &request.encode(), files, Some(patience.deadline())).is_err() {
            self.end();
            return Err(Failure::Gone);
        }
        let outcome = Exchange::receive(worker, request, patience);
        outcome.map_err(|error| {
            self.end();
            match error.kind() {
                io::ErrorKind::TimedOut => {
                    self.stats.timeouts += 1;
                    Failure::Ended(Unresolved::Timeout)
                }
                io::ErrorKind::InvalidData => {
                    self.stats.nonsense += 1;
                    Failure::Ended(Unresolved::Limit)
                }
                _ => {
                    self.stats.deaths += 1;
                    Failure::Ended(Unresolved::Limit)
                }
            }
        })
    }

    fn start(&mut self) -> io::Result<()> {
        if !self.restarts.take(Instant::now()) {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let (ours, theirs) = pair()?;
        let child = Command::new(&self.exe)
            .arg(ARGUMENT)
            .env_clear()
            .current_dir("/")
            // The terminal's signals are not for it: it ends when we do.
            .process_group(0)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        self.stats.starts += 1;
        self.worker = Some(Worker { child, socket: ours });
        Ok(())
    }

    /// Kills the worker. It may be stuck in the kernel (a hung file system), so
    /// nobody waits for its end.
    fn end(&mut self) {
        if let Some(Worker { mut child, .. }) = self.worker.take() {
            // Fails only for a child that is gone.
            let _ = child.kill();
            self.dying.push(child);
        }
        self.reap();
    }

    fn reap(&mut self) {
        self.dying.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }

    /// Looks at the worker's memory, and ends a worker that has grown too large;
    /// the next request starts a new one.
    fn weigh(&mut self) {
        let Some(worker) = &self.worker else { return };
        self.stats.resident_bytes = resident_bytes(worker.child.id()).unwrap_or(0);
        if self.stats.resident_bytes > RESIDENT_BYTES_MAX {
            self.stats.outgrown += 1;
            self.end();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end();
    }
}

/// A whole answer, of one or more messages.
#[derive(Debug, Default)]
struct Exchange {
    found: Vec<(Code, Found)>,
    identity: Option<Result<Identity, Unresolved>>,
}

impl Exchange {
    fn receive(worker: &Worker, request: &Request, mut patience: Patience) -> io::Result<Self> {
        let mut this = Self::default();
        let count = request.addresses.len();
        while this.found.len() < count || (request.op == Op::Identify && this.identity.is_none()) {
            let message = match receive(&worker.socket, Some(patience.deadline())) {
                Err(error) if error.kind() == io::ErrorKind::TimedOut && patience.extend() => {
                    continue;
                }
                received => received?,
            };
            let message = message.ok_or(io::ErrorKind::UnexpectedEof)?;
            match Reply::decode(&message.bytes).ok_or(io::ErrorKind::InvalidData)? {
                Reply::Names(names) if this.found.len() + names.len() <= count => {
                    this.found.extend(names);
                }
                Reply::Identity(identity) if request.op == Op::Identify => {
                    this.identity = Some(identity);
                }
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        Ok(this)
    }
}

/// The answer where there is none.
fn nothing(why: Unresolved, addresses: &[u64]) -> Vec<(Code, Found)> {
    vec![(Code::default(), Err(why)); addresses.len()]
}

/// The worker's words as text that is safe to show.
fn named(found: Found, module: &Text) -> Result<Vec<NamedLine>, Unresolved> {
    let lines = found?.into_iter().map(|Line { label, kind, line, file, module: other }| {
        let module = other.map_or_else(|| module.clone(), |other| Text::from_bytes(&other));
        let name = match label {
            Label::Name(name) => Text::from_bytes(&name),
            Label::Start(offset) => Text::from(format!("{module}!fn_{offset:x}")),
        };
        let file = file.map(|file| Text::from_bytes(&file));
        NamedLine { function: Function { name, file, module, kind }, line }
    });
    Ok(lines.collect())
}

/// `/proc/PID/statm`, second field (`proc(5)`), in bytes.
fn resident_bytes(pid: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(rustix::param::page_size() as u64)
}
