//! Whether this host lets otop work, and what mends it where it doesn't.
//!
//! Reads files only: nothing is loaded or attached.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How much of any file is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The samples a second and CPU that the verdict on the kernel's limit is for.
pub const RATE_HZ: u64 = 99;

/// The first release with everything that the programs use: `bpf_loop` came
/// with 5.17, ring buffers with 5.8.
const RELEASE_MIN: (u32, u32) = (5, 17);

/// Releases on which profiling from BPF can lock up the machine, first and
/// last.
const RELEASES_LOCKING_UP: ((u32, u32), (u32, u32)) = ((5, 19), (6, 0));

/// The inode of the initial pid namespace (`PROC_PID_INIT_INO` in the kernel's
/// `include/linux/proc_ns.h`).
const PID_NAMESPACE: &str = "pid:[4026531836]";

/// Capability numbers (the kernel's `include/uapi/linux/capability.h`).
const CAP_SYS_ADMIN: u8 = 21;
const CAP_SYSLOG: u8 = 34;
const CAP_PERFMON: u8 = 38;

/// What grants every capability that is used.
const GRANT: &str = "sudo otop";

/// What does so for root, who lacks some in a container.
const GRANT_TO_ROOT: &str = "docker run --privileged --pid=host …";

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As it should be.
    Ok,
    /// otop works, but shows less or costs more.
    Narrowed,
    /// otop does not work.
    Broken,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What, in a word or two.
    pub what: &'static str,
    /// How it came out.
    pub state: State,
    /// What was found, and what follows from it, in one line.
    pub detail: String,
    /// The one command that mends it, or where none can, the one thing to do.
    pub remedy: Option<String>,
}

impl Check {
    fn ok(what: &'static str, detail: impl Into<String>) -> Self {
        Self { what, state: State::Ok, detail: detail.into(), remedy: None }
    }

    fn bad(
        what: &'static str,
        state: State,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { what, state, detail: detail.into(), remedy: Some(remedy.into()) }
    }
}

/// Looks at this host. The worst come first; otherwise in the order in which
/// things are needed.
#[must_use]
pub fn doctor() -> Vec<Check> {
    doctor_at(Path::new("/"))
}

/// Looks at the host whose `/proc` and `/sys` are below `root`.
#[must_use]
pub fn doctor_at(root: &Path) -> Vec<Check> {
    let host = Host { root: root.to_owned() };
    let held = host.held();
    let mut checks = vec![release(&host), types(&host), lockdown(&host)];
    checks.push(user_namespace(&host));
    checks.extend(CAPABILITIES.iter().map(|capability| capability.check(held)));
    checks.extend([
        paranoid(&host, held),
        kernel_addresses(&host, held),
        sample_rate(&host),
        cpu_time(&host),
        jit(&host),
        cgroups(&host),
        pid_namespace(&host),
        ptrace_scope(&host),
        cpus(&host),
    ]);
    checks.sort_by_key(|check| std::cmp::Reverse(check.state));
    checks
}

/// Where files are read.
struct Host {
    root: PathBuf,
}

impl Host {
    fn text(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        let file = File::open(self.root.join(path)).ok()?;
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim().to_owned())
    }

    fn number(&self, path: &str) -> Option<i64> {
        self.text(path)?.parse().ok()
    }

    /// What this process may do; nothing where that cannot be read.
    fn held(&self) -> Held {
        let status = self.text("proc/self/status").unwrap_or_default();
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let mask = field("CapEff:").and_then(|mask| u64::from_str_radix(mask, 16).ok());
        // Real, effective, saved and file system user.
        let uid = field("Uid:").and_then(|ids| ids.split_ascii_whitespace().nth(1));
        Held { effective: mask.unwrap_or(0), is_root: uid == Some("0") }
    }
}

/// The rights of this process.
#[derive(Clone, Copy)]
struct Held {
    effective: u64,
    is_root: bool,
}

impl Held {
    const fn has(self, capability: u8) -> bool {
        self.effective >> capability & 1 == 1
    }

    /// The command that grants the rest.
    const fn remedy(self) -> &'static str {
        if self.is_root { GRANT_TO_ROOT } else { GRANT }
    }
}

fn release(host: &Host) -> Check {
    const WHAT: &str = "kernel release";
    let text = host.text("proc/sys/kernel/osrelease").unwrap_or_default();
    let Some(release) = parse_release(&text) else {
        let detail = "unknown: /proc/sys/kernel/osrelease cannot be read";
        return Check::bad(WHAT, State::Narrowed, detail, "mount -t proc proc /proc");
    };
    let (major, minor) = release;
    let (first, last) = RELEASES_LOCKING_UP;
    if release < RELEASE_MIN {
        let detail = format!("{major}.{minor}: 5.17 or later is needed, for bpf_loop");
        return Check::bad(WHAT, State::Broken, detail, "boot a kernel of 5.17 or later");
    }
    if (first..=last).contains(&release) {
        let detail = format!("{major}.{minor}: 5.19 to 6.0 can lock up while BPF programs sample");
        return Check::bad(WHAT, State::Narrowed, detail, "boot a kernel of 6.1 or later");
    }
    Check::ok(WHAT, format!("{major}.{minor}"))
}

/// Major and minor of `6.18.44-name`.
fn parse_release(text: &str) -> Option<(u32, u32)> {
    let (major, rest) = text.split_once('.')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((major.parse().ok()?, rest.get(..end)?.parse().ok()?))
}

fn types(host: &Host) -> Check {
    const WHAT: &str = "kernel types (BTF)";
    let path = "sys/kernel/btf/vmlinux";
    let mut magic = [0; 2];
    let read = File::open(host.root.join(path)).and_then(|mut file| file.read_exact(&mut magic));
    // BTF_MAGIC, in the byte order of the machine.
    if read.is_ok() && u16::from_ne_bytes(magic) == 0xeb9f {
        return Check::ok(WHAT, "/sys/kernel/btf/vmlinux");
    }
    let detail = "no /sys/kernel/btf/vmlinux: the programs cannot be fitted to this kernel";
    Check::bad(WHAT, State::Broken, detail, "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y")
}

fn lockdown(host: &Host) -> Check {
    const WHAT: &str = "lockdown";
    // "none [integrity] confidentiality"; the brackets mark what is in force.
    let text = host.text("sys/kernel/security/lockdown").unwrap_or_default();
    let mode = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    match mode.map(|(mode, _)| mode) {
        Some("confidentiality") => {
            let detail = "confidentiality: the kernel refuses BPF programs that read its memory";
            Check::bad(WHAT, State::Broken, detail, "boot with lockdown=integrity")
        }
        Some("integrity") => Check::ok(WHAT, "integrity: of no effect on otop"),
        _ => Check::ok(WHAT, "none"),
    }
}

fn user_namespace(host: &Host) -> Check {
    const WHAT: &str = "user namespace";
    let map = host.text("proc/self/uid_map").unwrap_or_default();
    let is_initial = map.split_ascii_whitespace().eq(["0", "0", "4294967295"]);
    if is_initial {
        return Check::ok(WHAT, "the initial one");
    }
    if map.is_empty() {
        return Check::ok(WHAT, "none: the kernel has no user namespaces");
    }
    let detail = "not the initial one: capabilities held here mean nothing to BPF";
    Check::bad(WHAT, State::Broken, detail, "run otop on the host, or in a rootful container")
}

/// A capability and what it is for.
struct Capability {
    name: &'static str,
    number: u8,
    /// Whether `CAP_SYS_ADMIN` does as well.
    is_in_sys_admin: bool,
    without: State,
    purpose: &'static str,
}

/// In the order of need. Which of them `CAP_SYS_ADMIN` covers: capabilities(7).
const CAPABILITIES: [Capability; 6] = [
    Capability {
        name: "CAP_BPF",
        number: 39,
        is_in_sys_admin: true,
        without: State::Broken,
        purpose: "load the BPF programs",
    },
    Capability {
        name: "CAP_PERFMON",
        number: CAP_PERFMON,
        is_in_sys_admin: true,
        without: State::Broken,
        purpose: "sample every process",
    },
    Capability {
        name: "CAP_SYS_PTRACE",
        number: 19,
        is_in_sys_admin: false,
        without: State::Narrowed,
        purpose: "see what other users' processes map",
    },
    Capability {
        name: "CAP_SYSLOG",
        number: CAP_SYSLOG,
        is_in_sys_admin: false,
        without: State::Narrowed,
        purpose: "name kernel functions",
    },
    Capability {
        name: "CAP_CHECKPOINT_RESTORE",
        number: 40,
        is_in_sys_admin: false,
        without: State::Narrowed,
        purpose: "read mapped files that were deleted or replaced",
    },
    Capability {
        name: "CAP_DAC_READ_SEARCH",
        number: 2,
        is_in_sys_admin: false,
        without: State::Narrowed,
        purpose: "read mapped files whatever their permissions",
    },
];

impl Capability {
    fn check(&self, held: Held) -> Check {
        let Self { name, number, is_in_sys_admin, without, purpose } = *self;
        if held.has(number) {
            Check::ok(name, format!("held: can {purpose}"))
        } else if is_in_sys_admin && held.has(CAP_SYS_ADMIN) {
            Check::ok(name, format!("covered by CAP_SYS_ADMIN: can {purpose}"))
        } else {
            Check::bad(name, without, format!("not held: cannot {purpose}"), held.remedy())
        }
    }
}

fn paranoid(host: &Host, held: Held) -> Check {
    const WHAT: &str = "perf_event_paranoid";
    let Some(value) = host.number("proc/sys/kernel/perf_event_paranoid") else {
        let detail = "no /proc/sys/kernel/perf_event_paranoid: the kernel has no perf events";
        let remedy = "boot a kernel built with CONFIG_PERF_EVENTS=y";
        return Check::bad(WHAT, State::Broken, detail, remedy);
    };
    if held.has(CAP_PERFMON) || held.has(CAP_SYS_ADMIN) {
        return Check::ok(WHAT, format!("{value}: does not apply with CAP_PERFMON"));
    }
    if value <= -1 {
        return Check::ok(WHAT, format!("{value}"));
    }
    let detail = format!("{value}: whole-machine sampling is for CAP_PERFMON alone");
    Check::bad(WHAT, State::Broken, detail, held.remedy())
}

/// `kptr_restrict` in the kernel's `Documentation/admin-guide/sysctl/kernel.rst`.
fn kernel_addresses(host: &Host, held: Held) -> Check {
    const WHAT: &str = "kptr_restrict";
    let value = host.number("proc/sys/kernel/kptr_restrict").unwrap_or(0);
    if value >= 2 {
        let detail = format!("{value}: the addresses of kernel functions are hidden from all");
        return Check::bad(WHAT, State::Narrowed, detail, "sysctl -w kernel.kptr_restrict=1");
    }
    if held.has(CAP_SYSLOG) {
        return Check::ok(WHAT, format!("{value}: kernel functions can be named"));
    }
    let detail = format!("{value}: kernel functions can be named with CAP_SYSLOG alone");
    Check::bad(WHAT, State::Narrowed, detail, held.remedy())
}

fn sample_rate(host: &Host) -> Check {
    const WHAT: &str = "perf_event_max_sample_rate";
    let Some(value) = host.number("proc/sys/kernel/perf_event_max_sample_rate") else {
        return Check::ok(WHAT, "not limited");
    };
    if u64::try_from(value).is_ok_and(|value| value >= RATE_HZ) {
        return Check::ok(WHAT, format!("{value} Hz"));
    }
    let detail = format!("{value} Hz: {RATE_HZ} Hz is refused (the kernel lowers this under load)");
    let remedy = "sysctl -w kernel.perf_event_max_sample_rate=100000";
    Check::bad(WHAT, State::Broken, detail, remedy)
}

fn cpu_time(host: &Host) -> Check {
    const WHAT: &str = "perf_cpu_time_max_percent";
    match host.number("proc/sys/kernel/perf_cpu_time_max_percent") {
        Some(0 | 100) | None => Check::ok(WHAT, "sampling is not slowed down by the kernel"),
        Some(value) => {
            Check::ok(WHAT, format!("{value} %: beyond it the kernel lowers the sample rate"))
        }
    }
}

fn jit(host: &Host) -> Check {
    const WHAT: &str = "bpf_jit_enable";
    // Absent where the kernel is built to have it always on.
    if host.number("proc/sys/net/core/bpf_jit_enable") == Some(0) {
        let detail = "0: the programs are interpreted, which costs far more";
        let remedy = "sysctl -w net.core.bpf_jit_enable=1";
        return Check::bad(WHAT, State::Narrowed, detail, remedy);
    }
    Check::ok(WHAT, "on")
}

fn cgroups(host: &Host) -> Check {
    const WHAT: &str = "cgroup v2";
    let mounts = host.text("proc/self/mountinfo").unwrap_or_default();
    let mount = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        after.starts_with("cgroup2 ").then(|| before.split(' ').nth(4))?
    });
    match mount {
        Some(mount) => Check::ok(WHAT, format!("at {}", crate::profile::Text::from(mount))),
        None => Check::bad(
            WHAT,
            State::Narrowed,
            "not mounted: samples cannot be told apart by container and unit",
            "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified",
        ),
    }
}

fn pid_namespace(host: &Host) -> Check {
    const WHAT: &str = "pid namespace";
    let link = std::fs::read_link(host.root.join("proc/self/ns/pid")).ok();
    match link.as_deref().and_then(Path::to_str) {
        Some(PID_NAMESPACE) => Check::ok(WHAT, "the initial one"),
        None => Check::ok(WHAT, "none: the kernel has no pid namespaces"),
        Some(_) => Check::bad(
            WHAT,
            State::Broken,
            "a container's: samples carry the host's pids, which /proc here does not have",
            "docker run --privileged --pid=host …",
        ),
    }
}

/// Yama (the kernel's `Documentation/admin-guide/LSM/Yama.rst`).
fn ptrace_scope(host: &Host) -> Check {
    const WHAT: &str = "ptrace_scope";
    match host.number("proc/sys/kernel/yama/ptrace_scope") {
        None | Some(0) => Check::ok(WHAT, "0: not restricted"),
        // 1 to 3 restrict attaching; what is read here is allowed by
        // PTRACE_MODE_READ, which Yama leaves to CAP_SYS_PTRACE.
        Some(value) => Check::ok(WHAT, format!("{value}: of no effect, otop attaches to nothing")),
    }
}

fn cpus(host: &Host) -> Check {
    const WHAT: &str = "CPUs";
    let online = host.text("sys/devices/system/cpu/online").unwrap_or_default();
    match count_cpus(&online) {
        Some(1) => Check::ok(WHAT, "1 on line"),
        Some(count) => Check::ok(WHAT, format!("{count} on line")),
        None => Check::bad(
            WHAT,
            State::Broken,
            "unknown: /sys/devices/system/cpu/online cannot be read",
            "mount -t sysfs sysfs /sys",
        ),
    }
}

/// How many CPUs a list such as `0-3,8,10-11` names.
fn count_cpus(list: &str) -> Option<u32> {
    list.split(',').try_fold(0_u32, |count, range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        count.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

#[cfg(test)]
mod tests;
