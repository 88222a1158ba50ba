//! The thread that empties the kernel's buffers, and does nothing else.

use super::{LiveOptions, Message, Shared, Workers};
use crate::kernel::attach::{Batch, Sampler};
use crate::kernel::{self, clock};
use crate::process::launch::{self, LaunchError, Launched};
use crate::profile::{KernelBooks, Latency};
use hdrhistogram::Histogram;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

/// How often the buffers are emptied where nothing is urgent.
const PERIOD: Duration = Duration::from_millis(100);

/// No more often than this, however many processes are started.
const PERIOD_MIN: Duration = Duration::from_millis(10);

/// How often the counters are read and the CPUs looked after.
const BOOKS_PERIOD: Duration = Duration::from_secs(1);

/// What the kernel side has counted.
#[derive(Clone, Debug, Default)]
pub(super) struct KernelReport {
    pub(super) books: KernelBooks,
    /// ns spent in the BPF program since it was attached.
    pub(super) busy_ns: u64,
    pub(super) cpus: u32,
    pub(super) drain: Latency,
}

/// Why sampling did not start.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Kernel(#[from] kernel::Error),
    #[error(transparent)]
    Command(#[from] LaunchError),
}

/// What the thread is given.
pub(super) struct Thread {
    pub(super) options: LiveOptions,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) shared: Arc<Shared>,
    pub(super) workers: Workers,
    pub(super) out: SyncSender<Message>,
}

impl Thread {
    /// Loads and attaches, then drains until it is told to stop, or `command` has
    /// ended.
    pub(super) fn run(self, command: Option<Launched>) {
        if let Err(error) = self.sample(command) {
            // Nobody listens where the collector has ended before.
            let _ = self.out.send(Message::Failed(error.to_string()));
        }
    }

    fn sample(&self, mut command: Option<Launched>) -> Result<(), Error> {
        let options = &self.options;
        let (sampler, tables) = Sampler::load(&kernel::Options {
            hz: options.hz,
            target: options.target.clone(),
            own_pids: options.own_pids.clone(),
            ring_bytes: options.ring_bytes,
        })?;
        // The records of what is mapped from here on are being written; the scan
        // that this message starts finds what was mapped before.
        let _ = self.out.send(Message::Attached(Box::new(tables)));
        let mut drain = Drain {
            sampler,
            latency: super::histogram(),
            next_books: Instant::now() + BOOKS_PERIOD,
            left_out: Vec::new(),
        };
        drain.sampler.start()?;
        if let Some(command) = &mut command {
            command.release()?;
        }
        while !self.stop.load(Ordering::Relaxed) && !self.has_ended(command.as_mut()) {
            self.leave_workers_out(&mut drain)?;
            if !drain.round(&self.out) {
                return Ok(());
            }
            drain.wait();
        }
        drain.sampler.stop();
        drain.round(&self.out);
        let _ = self.out.send(Message::Kernel(Box::new(drain.report())));
        let _ = self.out.send(Message::Detached);
        Ok(())
    }

    /// Whether there was a command, which has ended.
    fn has_ended(&self, command: Option<&mut Launched>) -> bool {
        // A child that cannot be waited for has been waited for.
        let Some(status) = command.map(Launched::try_wait).and_then(Result::unwrap_or_default)
        else {
            return false;
        };
        let _ = self.shared.exit_code.set(launch::exit_code(status));
        true
    }

    /// The workers are part of otop: where otop is left out, they are, too.
    fn leave_workers_out(&self, drain: &mut Drain) -> Result<(), kernel::Error> {
        if self.options.own_pids.is_empty() {
            return Ok(());
        }
        let pids: Vec<u32> =
            self.options.own_pids.iter().copied().chain(self.workers.pids()).collect();
        if pids != drain.left_out {
            drain.sampler.set_own_pids(&pids)?;
            drain.left_out = pids;
        }
        Ok(())
    }
}

struct Drain {
    sampler: Sampler,
    latency: Option<Histogram<u64>>,
    next_books: Instant,
    /// Processes that the sampler leaves out.
    left_out: Vec<u32>,
}

impl Drain {
    /// Empties the buffers once; false where nobody listens any more.
    fn round(&mut self, out: &SyncSender<Message>) -> bool {
        let start_ns = clock::monotonic_ns();
        let mut batch = Batch::default();
        self.sampler.drain(&mut batch);
        if let Some(latency) = &mut self.latency {
            latency.saturating_record(clock::monotonic_ns() - start_ns);
        }
        if out.send(Message::Batch(batch)).is_err() {
            return false;
        }
        if Instant::now() < self.next_books {
            return true;
        }
        self.next_books = Instant::now() + BOOKS_PERIOD;
        if let Err(error) = self.sampler.follow_cpus() {
            let _ = out.send(Message::Note(error.to_string()));
        }
        out.send(Message::Kernel(Box::new(self.report()))).is_ok()
    }

    fn report(&self) -> KernelReport {
        // A map that cannot be read now was read a second ago: the next one will do.
        let (books, busy_ns) = self.sampler.books().unwrap_or_default();
        KernelReport {
            books,
            busy_ns,
            cpus: u32::try_from(self.sampler.cpus_len()).unwrap_or(u32::MAX),
            drain: super::latency("drain", self.latency.as_ref()),
        }
    }

    /// Waits for the next round: a period, or less where processes are started
    /// faster than that (the walk needs to know what they have mapped).
    fn wait(&self) {
        std::thread::sleep(PERIOD_MIN);
        let rest = PERIOD.saturating_sub(PERIOD_MIN);
        let mut fds: Vec<_> =
            self.sampler.wake_fds().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        let timeout = Timespec { tv_sec: 0, tv_nsec: rest.subsec_nanos().into() };
        if poll(&mut fds, Some(&timeout)).is_err() {
            // Interrupted by a signal, say: a round too early does no harm.
            std::thread::sleep(PERIOD_MIN);
        }
    }
}
