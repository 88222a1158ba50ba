//! Who ran: hosts, processes, threads.

use super::{HostHandle, ProcessHandle, Text};

/// A machine that samples came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// The host's name.
    pub name: Text,
    /// The kernel's release, as `uname -r` prints it.
    pub kernel: Text,
    /// CPUs that are on line now.
    pub cpus: u32,
}

/// What tells one process incarnation from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessKey {
    /// Where it ran.
    pub host: HostHandle,
    /// The pid in the initial namespace (thread group id).
    pub pid: u32,
    /// When it was forked, in ns since boot (`task_struct.start_boottime`): with
    /// the pid, what survives the reuse of pids.
    pub start_ns: u64,
    /// How often it and its ancestors had called exec
    /// (`task_struct.self_exec_id`).
    pub exec_id: u32,
}

/// One incarnation of a process. `exec` makes a new one: what ran before under
/// the same pid was another program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Who.
    pub key: ProcessKey,
    /// The command's name (`comm`): up to 15 bytes.
    pub name: Text,
    /// The executable, as the process sees it.
    pub exe: Option<Text>,
    /// The container, pod or unit it belongs to.
    pub place: Place,
}

/// What a cgroup says about a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The cgroup's id: its inode in the v2 tree.
    pub cgroup_id: u64,
    /// 64 hexadecimal digits.
    pub container: Option<Text>,
    /// The Kubernetes pod's uid.
    pub pod: Option<Text>,
    /// The systemd unit: the last `.service`, `.scope` or `.slice`.
    pub unit: Option<Text>,
}

impl Place {
    /// The most telling of them, short enough for a column.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        let container = self.container.as_ref().map(|id| id.as_str().get(..12).unwrap_or("?"));
        container.or_else(|| self.unit.as_ref().map(Text::as_str))
    }
}

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Whose it is.
    pub process: ProcessHandle,
    /// The thread id in the initial namespace.
    pub tid: u32,
    /// The thread's own name.
    pub name: Text,
}
