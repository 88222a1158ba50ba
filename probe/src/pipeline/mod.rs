//! The one place that joins the others: threads and bounded channels.
//!
//! ```text
//!  drain thread            collect thread                     symbolize thread
//!  kernel::Sampler ─▶ Batch ─▶ kernel::records ─▶ process::Table     symbol::Client
//!                          └─▶ kernel::sample  ─▶ Resolver ─▶ Store ─▶ Job ─▶ worker
//!                              publishes Arc<Snapshot>          ▲─── Named ◀─┘
//!                                        Unwinding ─▶ Job ─▶ unwind thread ─▶ worker
//!              kernel::Tables ◀─ regions ──┘    ▲─── Loaded ◀─┘  tables ─▶ kernel::Tables
//! ```
//!
//! Each thread owns what it works on; there is no lock but the one around the
//! newest snapshot. When the collector falls behind, the drain waits, the ring
//! fills, and the kernel counts what it has no room for.

mod catalog;
mod collect;
mod drain;
mod finish;
mod naming;
mod own;
mod resolve;
mod table_builder;
mod table_worker;
mod timeline;
mod unwinding;
mod walk;

pub use table_worker::{ARGUMENT as UNWIND_ARGUMENT, worker_main as unwind_worker_main};

use crate::kernel::{Tables, Target, attach::Batch};
use crate::process::launch;
use crate::profile::{Budget, Command, Latency, Snapshot, Source};
use drain::KernelReport;
use hdrhistogram::Histogram;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Messages that may wait for the collector.
const QUEUE_LEN: usize = 16;

/// How live sampling is done.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Samples a second on each CPU.
    pub hz: u32,
    /// Whose.
    pub target: Target,
    /// Processes that are left out: otop itself, unless asked for.
    pub own_pids: Vec<u32>,
    /// How much is kept.
    pub budget: Budget,
    /// How often a snapshot is published.
    pub tick: Duration,
    /// Bytes of the ring buffer; None chooses by the number of CPUs and the rate.
    pub ring_bytes: Option<u32>,
    /// The program that is started anew as the symbolizer: this one.
    pub worker: PathBuf,
    /// Bytes of unwind tables that may be loaded.
    pub tables_bytes_max: u64,
    /// A command to start once sampling has begun. Then its processes alone are
    /// sampled, and its end is the end of the source.
    pub command: Option<Vec<OsString>>,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            hz: 99,
            target: Target::Machine,
            own_pids: vec![std::process::id()],
            budget: Budget::default(),
            tick: Duration::from_millis(500),
            ring_bytes: None,
            worker: "/proc/self/exe".into(),
            tables_bytes_max: 64 << 20,
            command: None,
        }
    }
}

/// What the collector is told.
enum Message {
    /// The programs are loaded and perf's records are being written.
    Attached(Box<Tables>),
    /// The kernel's buffers, as they were.
    Batch(Batch),
    /// The kernel's counters.
    Kernel(Box<KernelReport>),
    /// Names that were asked for.
    Named(naming::Named),
    /// A table that was asked for.
    Table(table_builder::Loaded),
    /// Something is not as it should be; the same line is kept once.
    Note(String),
    /// Somebody who watches asks for something.
    Command(Command),
    /// Sampling cannot start.
    Failed(String),
    /// Sampling has stopped, and everything that was sampled has been sent.
    Detached,
}

/// Live sampling: a [`Source`].
pub struct Live {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    messages: SyncSender<Message>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// The processes that read files for us; 0 where none runs.
#[derive(Clone, Debug, Default)]
struct Workers {
    symbols: Arc<AtomicU32>,
    tables: Arc<AtomicU32>,
}

impl Workers {
    fn pids(&self) -> impl Iterator<Item = u32> {
        let pids = [&self.symbols, &self.tables].map(|pid| pid.load(Ordering::Relaxed));
        pids.into_iter().filter(|pid| *pid != 0)
    }
}

#[derive(Default)]
struct Shared {
    /// How the command ended, as shells tell it.
    exit_code: OnceLock<u8>,
    newest: Mutex<Arc<Snapshot>>,
    wake: Mutex<Option<Box<dyn Fn() + Send + Sync>>>,
    ended: Mutex<Option<String>>,
}

impl Shared {
    fn publish(&self, snapshot: Snapshot) {
        *lock(&self.newest) = Arc::new(snapshot);
        self.notify();
    }

    fn end(&self, reason: String) {
        lock(&self.ended).get_or_insert(reason);
        self.notify();
    }

    fn notify(&self) {
        if let Some(wake) = lock(&self.wake).as_ref() {
            wake();
        }
    }
}

/// A thread that panicked while it held the lock has left whole values behind:
/// they are replaced, never changed in part.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// Starts to sample, in the background: this returns at once, and an error
    /// ends the source ([`Source::ended`]).
    ///
    /// # Errors
    /// Where no thread, or not the command, can be started.
    pub fn start(mut options: LiveOptions) -> Result<Self, StartError> {
        let command = options.command.take();
        let command = command.map(|line| launch::start(&line, launch::Terminal::Inherit));
        let command = command.transpose()?;
        if let Some(command) = &command {
            options.target = Target::Tree(command.pid());
        }
        let shared = Arc::new(Shared::default());
        let stop = Arc::new(AtomicBool::new(false));
        let (messages, inbox) = sync_channel(QUEUE_LEN);
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn(run)
        };
        let workers = Workers::default();
        let drain = {
            let thread = drain::Thread {
                options: options.clone(),
                stop: Arc::clone(&stop),
                shared: Arc::clone(&shared),
                workers: workers.clone(),
                out: messages.clone(),
            };
            spawn("otop-drain", Box::new(move || thread.run(command)))?
        };
        let collect = {
            let (shared, out) = (Arc::clone(&shared), messages.clone());
            let run = move || collect::run(options, workers, &inbox, &out, &shared);
            spawn("otop-collect", Box::new(run))?
        };
        let threads = Mutex::new(vec![drain, collect]);
        Ok(Self { shared, stop, messages, threads })
    }

    /// Stops sampling, waits until everything that was sampled has been counted
    /// and what can be named within a few seconds has its name, and returns the
    /// last snapshot.
    pub fn stop(&self) -> Arc<Snapshot> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in lock(&self.threads).drain(..) {
            // A panic has been reported by the hook; the last snapshot stands.
            let _ = thread.join();
        }
        self.latest()
    }

    /// How the command ended, as shells tell it; None while it runs, and where
    /// there is none.
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        self.shared.exit_code.get().copied()
    }
}

/// Why sampling was not even begun.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The command.
    #[error(transparent)]
    Command(#[from] launch::LaunchError),
    /// A thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Source for Live {
    fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&lock(&self.shared.newest))
    }

    fn on_publish(&self, wake: Box<dyn Fn() + Send + Sync>) {
        *lock(&self.shared.wake) = Some(wake);
    }

    fn command(&self, command: Command) {
        // The collector is gone only when sampling has ended: nothing is left to do.
        let _ = self.messages.try_send(Message::Command(command));
    }

    fn ended(&self) -> Option<String> {
        lock(&self.shared.ended).clone()
    }
}

/// The longest latency that is told apart from longer ones: a minute.
const LATENCY_NS_MAX: u64 = 60_000_000_000;

/// An empty histogram of latencies, in ns, to three digits.
fn histogram() -> Option<Histogram<u64>> {
    Histogram::new_with_max(LATENCY_NS_MAX, 3).ok()
}

/// A summary of `histogram`, whose values are ns.
fn latency(part: &'static str, histogram: Option<&Histogram<u64>>) -> Latency {
    histogram.map_or_else(Latency::default, |histogram| Latency {
        part,
        count: histogram.len(),
        p50_ns: histogram.value_at_quantile(0.5),
        p99_ns: histogram.value_at_quantile(0.99),
        max_ns: histogram.max(),
    })
}
