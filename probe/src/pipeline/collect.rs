//! The thread that owns the model: takes in what the others send, and publishes
//! snapshots.

use super::drain::KernelReport;
use super::finish::{Attempt, Finisher};
use super::naming::{Job, Named, Naming};
use super::own::OwnCost;
use super::resolve::Resolver;
use super::timeline::{Moment, Timeline};
use super::unwinding::{Parts, Unwinding};
use super::{LiveOptions, Message, Shared, Workers};
use crate::kernel::{RawSample, Tables, attach::Batch, clock};
use crate::profile::{Books, Code, Command, Host, HostHandle, SampleType, Snapshot, Store};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

/// How often snapshots are published at the start, so that the first named
/// picture need not wait for a whole tick.
const FIRST_TICK: Duration = Duration::from_millis(50);
/// For how long.
const FIRST_TICKS: Duration = Duration::from_secs(2);
/// How long names are waited for after sampling has ended.
const LAST_NAMES: Duration = Duration::from_secs(5);
/// Notes that are kept.
const NOTES_MAX: usize = 16;

/// Collects until everything has been said.
pub(super) fn run(
    options: LiveOptions,
    workers: Workers,
    inbox: &Receiver<Message>,
    out: &SyncSender<Message>,
    shared: &Shared,
) {
    let mut collector = Collector::new(options, workers, out.clone());
    let mut reason = String::new();
    loop {
        let timeout = collector.next_tick.saturating_duration_since(Instant::now());
        match inbox.recv_timeout(timeout) {
            Ok(Message::Failed(why)) => {
                reason = why;
                break;
            }
            Ok(Message::Detached) | Err(RecvTimeoutError::Disconnected) => break,
            Ok(message) => collector.take(message),
            Err(RecvTimeoutError::Timeout) => {}
        }
        // Not only when nothing is left to take in: a busy host is never quiet.
        if Instant::now() >= collector.next_tick {
            shared.publish(collector.tick());
        }
    }
    collector.finish(inbox);
    shared.publish(collector.tick());
    shared.end(reason);
}

struct Collector {
    options: LiveOptions,
    store: Store,
    host: HostHandle,
    resolver: Resolver,
    timeline: Timeline,
    naming: Naming,
    workers: Workers,
    out: SyncSender<Message>,
    /// From the time when the programs are loaded.
    unwinding: Option<Unwinding>,
    finisher: Finisher,
    books: Books,
    kernel: KernelReport,
    own: OwnCost,
    /// Records that were looked at.
    received: u64,
    lost_decode: u64,
    started: Instant,
    next_tick: Instant,
    next_second: Instant,
}

impl Collector {
    fn new(options: LiveOptions, workers: Workers, out: SyncSender<Message>) -> Self {
        let cpu = SampleType {
            kind: "samples".into(),
            unit: "count".into(),
            period_ns: 1_000_000_000 / u64::from(options.hz.max(1)),
        };
        let mut store = Store::new(options.budget, vec![cpu]);
        let host = store.host(host(0));
        let now = Instant::now();
        let naming = Naming::start(options.worker.clone(), Arc::clone(&workers.symbols), &out);
        Self {
            books: Books {
                hz: options.hz,
                unwind_bytes_max: options.tables_bytes_max,
                ..Books::default()
            },
            options,
            store,
            host,
            resolver: Resolver::new(host),
            timeline: Timeline::default(),
            naming,
            workers,
            out,
            unwinding: None,
            finisher: Finisher::default(),
            kernel: KernelReport::default(),
            own: OwnCost::default(),
            received: 0,
            lost_decode: 0,
            started: now,
            next_tick: now + FIRST_TICK,
            next_second: now,
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Attached(tables) => {
                self.store.start(clock::now());
                self.start_unwinding(*tables);
                if let Err(error) = self.resolver.scan() {
                    self.note(format!(
                        "cannot read /proc ({error}): only new processes have names"
                    ));
                }
            }
            Message::Batch(batch) => self.batch(&batch),
            Message::Kernel(report) => self.kernel = *report,
            Message::Named(named) => self.named(&named),
            Message::Table(loaded) => {
                if let Some(unwinding) = &mut self.unwinding {
                    unwinding.loaded(loaded, &self.resolver.processes);
                }
                self.finish_waiting(false);
            }
            Message::Note(note) => self.note(note),
            Message::Command(Command::Reset) => self.store.forget_history(),
            Message::Failed(_) | Message::Detached => {}
        }
    }

    fn start_unwinding(&mut self, tables: Tables) {
        let parts = Parts {
            tables,
            exe: self.options.worker.clone(),
            bytes_max: self.options.tables_bytes_max,
            worker_pid: Arc::clone(&self.workers.tables),
            out: self.out.clone(),
        };
        match Unwinding::start(parts) {
            Ok(unwinding) => self.unwinding = Some(unwinding),
            Err(error) => self.note(format!(
                "cannot start a thread for unwind tables ({error}): stacks go by frame pointers"
            )),
        }
    }

    fn note(&mut self, note: String) {
        let notes = &mut self.books.notes;
        if notes.len() < NOTES_MAX && !notes.contains(&note) {
            notes.push(note);
        }
    }

    fn batch(&mut self, batch: &Batch) {
        let mut timeline = std::mem::take(&mut self.timeline);
        timeline.advance(batch, |moment| match moment {
            Moment::Record(record) => {
                if let Some(unwinding) = &mut self.unwinding {
                    unwinding.record(&record);
                }
                self.resolver.record(record);
            }
            Moment::Malformed => {
                self.received += 1;
                self.lost_decode += 1;
            }
            Moment::Sample(sample, record) => {
                self.received += 1;
                self.sample(&sample, record);
            }
        });
        self.timeline = timeline;
        self.resolver.look_up_wanted();
        self.resolver.processes.expire(batch.complete_until_ns);
        if let Some(unwinding) = &mut self.unwinding {
            unwinding.update(&self.resolver.processes);
        }
        self.finish_waiting(false);
        self.ask();
    }

    /// Adds a sample, or has it wait for what its stack takes to be finished.
    fn sample(&mut self, sample: &RawSample<'_>, record: &[u8]) {
        let Some(unwinding) = &mut self.unwinding else { return self.add(sample) };
        unwinding.sampled(sample);
        if sample.copy.is_none() {
            return self.add(sample);
        }
        match self.finisher.take(sample, record, (&mut self.resolver, unwinding)) {
            Attempt::Finished(user, end) => self.add(&sample.with_user(&user, end)),
            Attempt::AsItIs => self.add(sample),
            Attempt::Waits => {}
        }
    }

    fn add(&mut self, sample: &RawSample<'_>) {
        self.books.quality += self.resolver.sample(sample, &mut self.store);
    }

    /// Looks again at the samples that wait; with `give_up`, none waits any longer.
    fn finish_waiting(&mut self, give_up: bool) {
        let Self { finisher, resolver, unwinding, books, store, .. } = self;
        let Some(unwinding) = unwinding else { return };
        finisher.retry((resolver, unwinding), give_up, |resolver, sample| {
            books.quality += resolver.sample(sample, store);
        });
    }

    /// Asks for the names of frames that are new.
    fn ask(&mut self) {
        let epoch = self.store.epoch();
        let unnamed = self.store.take_unnamed();
        let jobs = Job::group(epoch, unnamed, &self.store, &self.resolver.catalog);
        for frame in self.naming.ask(jobs) {
            // The queue is full: the frame waits for another turn.
            self.store.ask_again(&frame);
        }
    }

    fn named(&mut self, named: &Named) {
        self.naming.answered(named);
        if let Some((device_inode, build_id)) = named.identity {
            self.resolver.catalog.identified(device_inode, build_id);
        }
        if named.epoch != self.store.epoch() {
            // Renumbered meanwhile: those frames have been asked for anew.
            return;
        }
        for (frame, code, names) in &named.frames {
            // Known with the name, and not looked at again with the lines.
            if *code != Code::default() {
                self.store.set_code(frame, *code);
            }
            match names {
                Ok(lines) => self.store.name(frame, lines),
                Err(why) => self.store.unresolved(frame, *why),
            }
        }
    }

    fn tick(&mut self) -> Snapshot {
        let now = Instant::now();
        let early = now.duration_since(self.started) < FIRST_TICKS;
        self.next_tick = now + if early { FIRST_TICK } else { self.options.tick };
        let moment = clock::now();
        self.store.age(moment.monotonic_ns);
        if now >= self.next_second {
            self.next_second = now + Duration::from_secs(1);
            let workers: Vec<u32> = self.workers.pids().collect();
            self.own.update(&workers, self.kernel.busy_ns);
            if let Some(unwinding) = &mut self.unwinding {
                unwinding.expire(&self.resolver.processes);
            }
            self.store.update_host(self.host, host(self.kernel.cpus));
        }
        self.store.snapshot(moment, self.current_books())
    }

    fn current_books(&self) -> Books {
        let mut books = self.books.clone();
        books.kernel = self.kernel.books;
        let user = &mut books.user;
        // What waits for its stack to be finished counts as still on its way.
        user.received = self.received.saturating_sub(self.finisher.len() as u64);
        user.lost_decode = self.lost_decode;
        user.lost_process_records = self.timeline.lost_records();
        let tables = self.unwinding.as_ref().map(|unwinding| unwinding.latency.clone());
        books.latencies = [self.kernel.drain.clone(), self.naming.latency()]
            .into_iter()
            .chain(tables)
            .filter(|latency| latency.count > 0)
            .collect();
        books.unwind_bytes = self.unwinding.as_ref().map_or(0, |unwinding| unwinding.table_bytes);
        books.own_cpu_percent = self.own.cpu_percent;
        books.bpf_cpu_percent = Some(self.own.bpf_percent);
        books.own_rss_bytes = self.own.rss_bytes;
        books
    }

    /// Takes in everything that is still on its way.
    fn finish(&mut self, inbox: &Receiver<Message>) {
        // What was held back is complete now.
        self.batch(&Batch { complete_until_ns: u64::MAX, ..Batch::default() });
        let deadline = Instant::now() + LAST_NAMES;
        while self.naming.waiting() || self.finisher.len() > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            match inbox.recv_timeout(left) {
                Ok(message) => self.take(message),
                Err(_) => break,
            }
            self.finish_waiting(false);
            self.ask();
        }
        self.finish_waiting(true);
    }
}

/// This host, with `cpus` on line.
fn host(cpus: u32) -> Host {
    let uname = rustix::system::uname();
    Host {
        name: crate::profile::Text::from_bytes(uname.nodename().to_bytes()),
        kernel: crate::profile::Text::from_bytes(uname.release().to_bytes()),
        cpus,
    }
}
