//! What was counted and what was lost: the books must balance.

use super::Quality;

/// Why the walk of a user stack ended where it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WalkEnd {
    /// At the outermost frame: the stack is complete.
    Root,
    /// The thread has no user part: a kernel thread.
    NoUser,
    /// The address lies in no known executable mapping.
    NoMapping,
    /// The mapping's file has no unwind row for the address.
    NoRow,
    /// The row needs a rule that cannot be expressed.
    UnsupportedRule,
    /// Stack memory could not be read.
    Unreadable,
    /// The limit of frames was reached.
    TooDeep,
    /// The frame-pointer chain ended; whether at the root is not known.
    FramePointer,
}

impl WalkEnd {
    /// How many there are.
    pub const COUNT: usize = 8;

    /// Every end, in the order of the wire (`probe-ebpf`).
    pub const ALL: [Self; Self::COUNT] = [
        Self::Root,
        Self::NoUser,
        Self::NoMapping,
        Self::NoRow,
        Self::UnsupportedRule,
        Self::Unreadable,
        Self::TooDeep,
        Self::FramePointer,
    ];

    /// In words, for the diagnostics screen.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Root => "root reached",
            Self::NoUser => "no user stack",
            Self::NoMapping => "no mapping",
            Self::NoRow => "no unwind row",
            Self::UnsupportedRule => "unsupported rule",
            Self::Unreadable => "unreadable",
            Self::TooDeep => "too deep",
            Self::FramePointer => "frame pointers ended",
        }
    }
}

/// The kernel side, summed over CPUs.
///
/// Identity 1: `due = ran + asleep + missed_kernel`. Identity 2: `ran = filtered_self +
/// filtered_idle + filtered_policy + submitted + lost_ringbuf + lost_map_full`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelBooks {
    /// Samples that the elapsed time calls for: `time_enabled` x Hz.
    pub due: u64,
    /// Of those, the ones for which an idle CPU was not woken: there was nothing to
    /// sample.
    pub asleep: u64,
    /// Samples for which the program ran.
    pub ran: u64,
    /// Our own samples, left out.
    pub filtered_self: u64,
    /// Idle CPUs.
    pub filtered_idle: u64,
    /// Other processes than those asked for.
    pub filtered_policy: u64,
    /// Records written to the ring buffer.
    pub submitted: u64,
    /// Records for which the ring buffer had no room.
    pub lost_ringbuf: u64,
    /// Records that a full (or missing) map kept from being made.
    pub lost_map_full: u64,
}

impl KernelBooks {
    /// Samples that the kernel skipped without a word (while another BPF
    /// program ran on that CPU, or while throttled). Timer edges make `due` up
    /// to one sample a CPU uncertain, so this never goes below 0.
    #[must_use]
    pub const fn missed_kernel(&self) -> u64 {
        self.due.saturating_sub(self.ran + self.asleep)
    }

    /// Identity 2.
    #[must_use]
    pub const fn balance(&self) -> bool {
        self.ran
            == self.filtered_self
                + self.filtered_idle
                + self.filtered_policy
                + self.submitted
                + self.lost_ringbuf
                + self.lost_map_full
    }
}

/// The user side.
///
/// Identity 3: `submitted = received + in_ring`. Identity 4:
/// `received = decoded + lost_decode`. Identity 5: `decoded = kept + aged_out`, and
/// of what is kept a view shows `shown` and hides `hidden_by_filter`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserBooks {
    /// Records read from the ring buffer.
    pub received: u64,
    /// Records that made a sample.
    pub decoded: u64,
    /// Records that were malformed.
    pub lost_decode: u64,
    /// Samples in the slices that are kept.
    pub kept: u64,
    /// Samples in slices that left the history, for age or for want of room.
    pub aged_out: u64,
    /// Frames with a name, of those that are kept.
    pub named: u64,
    /// Frames that wait for a name.
    pub pending: u64,
    /// Frames without a name, by [`super::Unresolved`].
    pub unresolved: [u64; 5],
    /// Process records (mmap, fork, exec, exit) that the kernel had no room for.
    pub lost_process_records: u64,
}

/// Sizes and limits of the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableBooks {
    /// Stack nodes.
    pub stacks: u64,
    /// Frames.
    pub frames: u64,
    /// Functions.
    pub functions: u64,
    /// Process incarnations.
    pub processes: u64,
    /// How often the tables were rebuilt to make room.
    pub compactions: u64,
}

/// How long one part of otop itself takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Which part: `drain`, `symbolize`, `draw`, …
    pub part: &'static str,
    /// How often it ran.
    pub count: u64,
    /// The median, in ns.
    pub p50_ns: u64,
    /// The 99th percentile, in ns.
    pub p99_ns: u64,
    /// The longest, in ns.
    pub max_ns: u64,
}

/// Everything that was counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Books {
    /// Kernel side.
    pub kernel: KernelBooks,
    /// User side.
    pub user: UserBooks,
    /// Sizes.
    pub tables: TableBooks,
    /// How far user stacks can be trusted, of the whole machine.
    pub quality: Quality,
    /// Unwind tables that are loaded, in bytes.
    pub unwind_bytes: u64,
    /// How many may be.
    pub unwind_bytes_max: u64,
    /// The tool's own latencies.
    pub latencies: Vec<Latency>,
    /// The tool's own CPU use in the last second, in % of one CPU: user-space
    /// threads, worker included.
    pub own_cpu_percent: f32,
    /// Time spent in the BPF programs in the last second, in % of one CPU; None
    /// where the kernel keeps no statistics.
    pub bpf_cpu_percent: Option<f32>,
    /// Resident memory, worker included, in bytes.
    pub own_rss_bytes: u64,
    /// Samples a second on each CPU that were asked for.
    pub hz: u32,
    /// What is not as it should be, in one line each: a missing capability, a
    /// worker that keeps dying.
    pub notes: Vec<String>,
}

impl Books {
    /// The share of due samples that was lost anywhere, from 0 to 1.
    #[must_use]
    pub fn lost_share(&self) -> f64 {
        let kernel = &self.kernel;
        let lost = kernel.missed_kernel()
            + kernel.lost_ringbuf
            + kernel.lost_map_full
            + self.user.lost_decode;
        let due = kernel.due.max(kernel.ran).max(1);
        #[expect(clippy::cast_precision_loss, reason = "a share needs no 53rd bit")]
        let share = lost as f64 / due as f64;
        share
    }
}
