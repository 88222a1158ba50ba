//! Loads the BPF object, attaches it to every CPU, and reads what it wrote.

use super::{cpus, idle, perf, sideband::SideBand, tables::Tables};
use crate::profile::KernelBooks;
use aya::maps::{Array, HashMap, MapData, MapError, PerCpuArray, RingBuf};
use aya::programs::{BtfTracePoint, PerfEvent, ProgramError};
use aya::{Btf, Ebpf, EbpfError, EbpfLoader};
use probe_ebpf::{CpuBooks, OWN_PIDS_MAX, Settings};
use rustix::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::collections::BTreeMap;
use std::io;

/// The slowest rate that makes sense, in samples a second on each CPU.
pub const HZ_MIN: u32 = 1;
/// The fastest; `kernel.perf_event_max_sample_rate` may allow less.
pub const HZ_MAX: u32 = 10_000;
/// The ring buffer never takes more than this much kernel memory.
const RING_BYTES_MAX: u32 = 64 << 20;
/// Nor less: a page is what the kernel asks for at least.
const RING_BYTES_MIN: u32 = 4096;
/// What a sample needs in the ring, on average, generously.
const SAMPLE_BYTES: u64 = 1024;

/// Why sampling cannot start, or cannot go on. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel was built without BTF, or hides it.
    #[error(
        "cannot read /sys/kernel/btf/vmlinux ({0}): otop needs a kernel with CONFIG_DEBUG_INFO_BTF=y, as distributions ship it"
    )]
    Btf(#[source] aya::BtfError),
    /// Not allowed.
    #[error(
        "no permission to {0}: run it as root (sudo otop), or see `otop doctor` for the capabilities it needs"
    )]
    Permission(&'static str),
    /// The kernel refused the programs.
    #[error(
        "the kernel refused otop's BPF program ({0}): Linux 5.17 or newer is needed; `otop doctor` says more"
    )]
    Load(#[source] Box<EbpfError>),
    /// The kernel refused a program.
    #[error(
        "the kernel refused otop's BPF program ({0}): Linux 5.17 or newer is needed; `otop doctor` says more"
    )]
    Program(#[source] Box<ProgramError>),
    /// A map could not be used.
    #[error("cannot use a BPF map: {0}")]
    Map(#[from] MapError),
    /// The object lacks something: it and this program are of different builds.
    #[error("otop's BPF object has no {0}: this build is broken, build it again")]
    Object(&'static str),
    /// The perf events could not be opened.
    #[error(
        "cannot open the cpu-clock perf event on CPU {cpu} at {hz} Hz ({source}); `otop doctor` says what is missing"
    )]
    PerfEvent {
        /// On this CPU.
        cpu: u32,
        /// At this rate.
        hz: u32,
        /// Why.
        source: io::Error,
    },
    /// The list of CPUs could not be read.
    #[error("cannot find out which CPUs are on line: {0}")]
    Cpus(#[source] io::Error),
}

impl From<EbpfError> for Error {
    fn from(error: EbpfError) -> Self {
        if denied(&error) {
            Self::Permission("load BPF programs")
        } else {
            Self::Load(Box::new(error))
        }
    }
}

impl From<ProgramError> for Error {
    fn from(error: ProgramError) -> Self {
        if denied(&error) {
            Self::Permission("load BPF programs")
        } else {
            Self::Program(Box::new(error))
        }
    }
}

/// Whether EPERM is at the bottom of it. (EACCES is how the verifier says no.)
fn denied(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let code = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
        if code == Some(libc::EPERM) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whose samples are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Everyone's.
    #[default]
    Machine,
    /// These processes'.
    Processes(Vec<u32>),
    /// This process's and those of everything that it forks.
    Tree(u32),
}

/// How to sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Samples a second on each CPU.
    pub hz: u32,
    /// Whose.
    pub target: Target,
    /// Processes that are otop itself, left out; at most [`OWN_PIDS_MAX`].
    pub own_pids: Vec<u32>,
    /// Bytes of the ring buffer; None chooses by the number of CPUs and the rate.
    pub ring_bytes: Option<u32>,
}

/// What one drain brings: bytes that nobody has looked at yet.
#[derive(Debug, Default)]
pub struct Batch {
    /// Records of the BPF ring, one after the other.
    pub samples: Vec<u8>,
    /// Where each of them ends in `samples`.
    pub sample_ends: Vec<u32>,
    /// perf's process records, of every CPU, each in the order of time.
    pub records: Vec<u8>,
    /// When the drain began: every sample and record up to here is in this batch
    /// or an earlier one.
    pub complete_until_ns: u64,
}

impl Batch {
    /// The sample records.
    pub fn samples(&self) -> impl Iterator<Item = &[u8]> {
        let ends = self.sample_ends.iter().map(|end| *end as usize);
        let starts = std::iter::once(0).chain(ends.clone());
        starts.zip(ends).filter_map(|(start, end)| self.samples.get(start..end))
    }
}

/// The attached programs. Dropping it detaches them.
pub struct Sampler {
    program: OwnedFd,
    cpus: BTreeMap<u32, Cpu>,
    hz: u32,
    /// `time_enabled` of events that were closed since their CPU went away.
    retired_ns: u64,
    ring: RingBuf<MapData>,
    counters: PerCpuArray<MapData, PodBooks>,
    settings: Array<MapData, PodSettings>,
    /// Keeps the object's other maps and its link.
    _object: Ebpf,
}

#[derive(Debug)]
struct Cpu {
    clock: OwnedFd,
    side: SideBand,
    /// How long the CPU had been idle when the event was opened.
    idle_ns: u64,
}

#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
struct PodBooks(CpuBooks);

// SAFETY: repr(C), only u64s, no padding, every bit pattern is valid.
unsafe impl aya::Pod for PodBooks {}

#[repr(transparent)]
#[derive(Clone, Copy, Debug)]
struct PodSettings(Settings);

// SAFETY: repr(C), only u32s, no padding, every bit pattern is valid.
unsafe impl aya::Pod for PodSettings {}

impl Sampler {
    /// Loads and verifies the programs, and starts to record what processes do;
    /// samples are taken from [`Sampler::start`] on, so that what is mapped can be
    /// looked up in between without a gap. What the walk looks up is filled through
    /// the [`Tables`].
    ///
    /// # Errors
    /// Where the kernel refuses; see [`Error`].
    pub fn load(options: &Options) -> Result<(Self, Tables), Error> {
        let online = cpus::online().map_err(Error::Cpus)?;
        let btf = Btf::from_sys_fs().map_err(|error| {
            if denied(&error) {
                Error::Permission("read the kernel's BTF")
            } else {
                Error::Btf(error)
            }
        })?;
        let ring_bytes = options.ring_bytes.unwrap_or_else(|| ring_bytes(online.len(), options.hz));
        let ring_bytes = ring_bytes.clamp(RING_BYTES_MIN, RING_BYTES_MAX).next_power_of_two();
        let mut object = EbpfLoader::new()
            .btf(Some(&btf))
            .map_max_entries("samples", ring_bytes)
            .load(probe_ebpf::OBJECT)?;
        let program = load_program(&mut object)?;
        attach_tracepoint(&mut object, "forget_mappings", "sched_process_exec", &btf)?;
        choose_targets(&mut object, options, &btf)?;
        let ring = RingBuf::try_from(take_map(&mut object, "samples")?)?;
        let counters = PerCpuArray::try_from(take_map(&mut object, "counters")?)?;
        let settings = Array::try_from(take_map(&mut object, "configuration")?)?;
        let tables = Tables::new(
            take_map(&mut object, "processes")?,
            take_map(&mut object, "tables")?,
            take_map(&mut object, "rules")?,
        )?;
        let mut sampler = Self {
            program,
            cpus: BTreeMap::new(),
            hz: options.hz.clamp(HZ_MIN, HZ_MAX),
            retired_ns: 0,
            ring,
            counters,
            settings,
            _object: object,
        };
        sampler.configure(options)?;
        for cpu in online {
            sampler.open_cpu(cpu)?;
        }
        Ok((sampler, tables))
    }

    fn configure(&mut self, options: &Options) -> Result<(), Error> {
        let mut settings = Settings {
            only_targets: u32::from(options.target != Target::Machine),
            ..Settings::default()
        };
        for (slot, pid) in settings.own_pids.iter_mut().zip(&options.own_pids) {
            *slot = *pid;
        }
        debug_assert!(options.own_pids.len() <= OWN_PIDS_MAX);
        Ok(self.settings.set(0, PodSettings(settings), 0)?)
    }

    /// Changes which processes are otop itself: a worker was started anew.
    ///
    /// # Errors
    /// Where the map cannot be written.
    pub fn set_own_pids(&mut self, pids: &[u32]) -> Result<(), Error> {
        let mut settings = self.settings.get(&0, 0)?.0;
        settings.own_pids = [0; OWN_PIDS_MAX];
        for (slot, pid) in settings.own_pids.iter_mut().zip(pids) {
            *slot = *pid;
        }
        Ok(self.settings.set(0, PodSettings(settings), 0)?)
    }

    fn open_cpu(&mut self, cpu: u32) -> Result<(), Error> {
        let hz = self.hz;
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::PermissionDenied => {
                Error::Permission("open perf events for every process")
            }
            _ => Error::PerfEvent { cpu, hz, source },
        };
        let side = SideBand::open(cpu).map_err(failed)?;
        let clock = perf::open_cpu_clock(cpu, hz).map_err(failed)?;
        perf::set_bpf(&clock, self.program.as_raw_fd()).map_err(failed)?;
        let idle_ns = idle::idle_ns().get(&cpu).copied().unwrap_or(0);
        self.cpus.insert(cpu, Cpu { clock, side, idle_ns });
        Ok(())
    }

    /// Starts to take samples, on every CPU.
    ///
    /// # Errors
    /// Where an event cannot be enabled.
    pub fn start(&mut self) -> Result<(), Error> {
        for (cpu, events) in &self.cpus {
            let hz = self.hz;
            perf::enable(&events.clock).map_err(|source| Error::PerfEvent {
                cpu: *cpu,
                hz,
                source,
            })?;
        }
        Ok(())
    }

    /// Stops taking samples; what is in the rings can still be drained.
    pub fn stop(&mut self) {
        for events in self.cpus.values() {
            // An event that cannot be disabled ends when its descriptor is closed.
            let _ = perf::disable(&events.clock);
        }
    }

    /// Attaches to CPUs that came on line and forgets those that went; a CPU that
    /// vanishes again while it is attached to is left for the next call.
    ///
    /// # Errors
    /// Where the list of CPUs cannot be read.
    pub fn follow_cpus(&mut self) -> Result<(), Error> {
        let online = cpus::online().map_err(Error::Cpus)?;
        let gone: Vec<u32> =
            self.cpus.keys().copied().filter(|cpu| !online.contains(cpu)).collect();
        for cpu in gone {
            if let Some(events) = self.cpus.remove(&cpu) {
                self.retired_ns += perf::time_enabled_ns(&events.clock).unwrap_or(0);
            }
        }
        for cpu in online {
            if self.cpus.contains_key(&cpu) || self.open_cpu(cpu).is_err() {
                continue;
            }
            let enabled = self.cpus.get(&cpu).map(|events| perf::enable(&events.clock));
            if !matches!(enabled, Some(Ok(()))) {
                self.cpus.remove(&cpu);
            }
        }
        Ok(())
    }

    /// How many CPUs are attached to.
    #[must_use]
    pub fn cpus_len(&self) -> usize {
        self.cpus.len()
    }

    /// Moves everything that is in the rings to `batch`, which is emptied first.
    /// The samples come first: whatever was mapped before a sample of this batch
    /// was taken is then in its records.
    pub fn drain(&mut self, batch: &mut Batch) {
        batch.samples.clear();
        batch.sample_ends.clear();
        batch.records.clear();
        batch.complete_until_ns = super::clock::monotonic_ns();
        while let Some(record) = self.ring.next() {
            batch.samples.extend_from_slice(&record);
            let Ok(end) = u32::try_from(batch.samples.len()) else { break };
            batch.sample_ends.push(end);
        }
        for events in self.cpus.values_mut() {
            events.side.drain(&mut batch.records);
        }
    }

    /// The descriptors that become readable when many process records wait.
    pub fn wake_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.cpus.values().map(|events| events.side.event().as_fd())
    }

    /// The counters of the kernel side, and the ns that were spent in the program.
    ///
    /// # Errors
    /// Where the map cannot be read.
    pub fn books(&self) -> Result<(KernelBooks, u64), Error> {
        // Time first: the count that belongs to it is then never too small.
        let enabled_ns = self
            .cpus
            .iter()
            .map(|(number, cpu)| (*number, perf::time_enabled_ns(&cpu.clock).unwrap_or(0)));
        let enabled_ns: BTreeMap<u32, u64> = enabled_ns.collect();
        let idle_ns = idle::idle_ns();
        let period_ns = 1_000_000_000 / u64::from(self.hz);
        let mut sum = KernelBooks { due: self.retired_ns / period_ns, ..KernelBooks::default() };
        let mut busy_ns = 0;
        for (number, PodBooks(cpu)) in (0..).zip(self.counters.get(&0, 0)?.iter()) {
            sum.ran += cpu.ran;
            sum.filtered_self += cpu.filtered_self;
            sum.filtered_idle += cpu.filtered_idle;
            sum.filtered_policy += cpu.filtered_policy;
            sum.submitted += cpu.submitted;
            sum.lost_ringbuf += cpu.lost_ringbuf;
            sum.lost_map_full += cpu.lost_map_full;
            busy_ns += cpu.busy_ns;
            let due = enabled_ns.get(&number).map_or(0, |ns| ns / period_ns);
            sum.due += due;
            let since_ns = self.cpus.get(&number).map_or(u64::MAX, |cpu| cpu.idle_ns);
            let idle_ns = idle_ns.get(&number).map_or(0, |ns| ns.saturating_sub(since_ns));
            let asleep = (idle_ns / period_ns).saturating_sub(cpu.filtered_idle);
            sum.asleep += asleep.min(due.saturating_sub(cpu.ran));
        }
        Ok((sum, busy_ns))
    }
}

/// A ring that holds a second of samples of every CPU.
fn ring_bytes(cpus: usize, hz: u32) -> u32 {
    let bytes = cpus as u64 * u64::from(hz) * SAMPLE_BYTES;
    let bytes = bytes.clamp(512 << 10, u64::from(RING_BYTES_MAX));
    u32::try_from(bytes).map_or(RING_BYTES_MAX, |bytes| bytes)
}

fn load_program(object: &mut Ebpf) -> Result<OwnedFd, Error> {
    let program: &mut PerfEvent =
        object.program_mut("sample").ok_or(Error::Object("program `sample`"))?.try_into()?;
    program.load()?;
    let fd = program.fd()?.as_fd().try_clone_to_owned();
    fd.map_err(|error| Error::Program(Box::new(ProgramError::IOError(error))))
}

fn choose_targets(object: &mut Ebpf, options: &Options, btf: &Btf) -> Result<(), Error> {
    let pids: &[u32] = match &options.target {
        Target::Machine => &[],
        Target::Processes(pids) => pids,
        Target::Tree(pid) => std::slice::from_ref(pid),
    };
    let map = object.map_mut("targets").ok_or(Error::Object("map `targets`"))?;
    let mut targets: HashMap<_, u32, u8> = HashMap::try_from(map)?;
    for pid in pids {
        targets.insert(*pid, 1, 0)?;
    }
    if let Target::Tree(_) = options.target {
        attach_tracepoint(object, "follow_fork", "sched_process_fork", btf)?;
    }
    Ok(())
}

fn attach_tracepoint(
    object: &mut Ebpf,
    program: &'static str,
    tracepoint: &str,
    btf: &Btf,
) -> Result<(), Error> {
    let program = object.program_mut(program).ok_or(Error::Object(program))?;
    let program: &mut BtfTracePoint = program.try_into()?;
    program.load(tracepoint, btf)?;
    program.attach()?;
    Ok(())
}

fn take_map(object: &mut Ebpf, name: &'static str) -> Result<aya::maps::Map, Error> {
    object.take_map(name).ok_or(Error::Object(name))
}
