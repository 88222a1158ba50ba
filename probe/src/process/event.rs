//! What the kernel reports about processes, in plain data.
//!
//! Modelled on the side-band records of `perf_event_open(2)`: `MMAP2`, `COMM`,
//! `FORK` and `EXIT`.

use super::regions::Region;
use crate::profile::Text;

/// One report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in ns of `CLOCK_MONOTONIC`. A [`Table`](super::Table) takes events
    /// in this order.
    pub time_ns: u64,
    /// The process that it is about (thread group id).
    pub pid: u32,
    /// What happened to it.
    pub change: Change,
}

/// What happened to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Code was mapped (`PERF_RECORD_MMAP2` without the `mmap_data` bit).
    Mmap(Region),
    /// Its name was set (`PERF_RECORD_COMM`).
    Comm {
        /// The thread that was named.
        tid: u32,
        /// The name.
        name: Text,
        /// Whether `exec` did it (`PERF_RECORD_MISC_COMM_EXEC`).
        exec: bool,
    },
    /// It, or a thread of it, came to be (`PERF_RECORD_FORK`).
    Fork {
        /// The process that forked; for a new thread, the same process.
        parent: u32,
    },
    /// A thread of it ended (`PERF_RECORD_EXIT`).
    Exit {
        /// The thread; the leader's id is the pid.
        tid: u32,
    },
}
