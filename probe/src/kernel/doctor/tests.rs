//! Verdicts on made-up hosts.

use super::*;
use std::sync::atomic::{AtomicU32, Ordering};

const BTF: &str = "\u{9f}\u{eb}";
const FULL: &str = "000001ffffffffff";

/// A host where all is well, below a directory of its own.
struct Fake(PathBuf);

impl Fake {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("doctor-{}-{number}", std::process::id());
        let fake = Self(std::env::temp_dir().join(name));
        fake.put("proc/sys/kernel/osrelease", "6.18.44-generic\n");
        fake.capabilities(FULL);
        fake.put("proc/self/uid_map", "         0          0 4294967295\n");
        fake.put("proc/self/mountinfo", "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        fake.put("proc/sys/kernel/perf_event_paranoid", "2\n");
        fake.put("proc/sys/kernel/kptr_restrict", "1\n");
        fake.put("proc/sys/kernel/perf_event_max_sample_rate", "100000\n");
        fake.put("proc/sys/kernel/perf_cpu_time_max_percent", "25\n");
        fake.put("proc/sys/net/core/bpf_jit_enable", "1\n");
        fake.put("sys/devices/system/cpu/online", "0-3,8\n");
        fake.put("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
        fake.put("sys/kernel/btf/vmlinux", "");
        let btf: Vec<u8> = BTF.chars().map(|c| c as u8).collect();
        std::fs::write(fake.0.join("sys/kernel/btf/vmlinux"), btf).expect("a file");
        fake.namespace(PID_NAMESPACE);
        fake
    }

    fn put(&self, path: &str, text: &str) -> &Self {
        let path = self.0.join(path);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        std::fs::write(path, text).expect("a file");
        self
    }

    fn remove(&self, path: &str) -> &Self {
        std::fs::remove_file(self.0.join(path)).expect("a file");
        self
    }

    fn capabilities(&self, mask: &str) -> &Self {
        self.put("proc/self/status", &format!("Name:\totop\nCapPrm:\t0\nCapEff:\t{mask}\n"))
    }

    fn namespace(&self, name: &str) -> &Self {
        let link = self.0.join("proc/self/ns/pid");
        std::fs::create_dir_all(link.parent().expect("a directory")).expect("a directory");
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(name, link).expect("a link");
        self
    }

    fn get(&self, what: &str) -> Check {
        let checks = doctor_at(&self.0);
        let check = checks.into_iter().find(|check| check.what == what);
        check.unwrap_or_else(|| panic!("{what} is not looked at"))
    }

    #[track_caller]
    fn check(&self, what: &str, state: State, detail: &str, remedy: &str) {
        let check = self.get(what);
        assert_eq!(check.state, state, "{check:?}");
        assert!(check.detail.contains(detail), "{check:?}");
        assert_eq!(check.remedy.is_none(), state == State::Ok, "{check:?}");
        assert!(check.remedy.as_deref().unwrap_or_default().contains(remedy), "{check:?}");
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn all_is_well() {
    for check in doctor_at(&Fake::new().0) {
        assert_eq!((check.state, &check.remedy), (State::Ok, &None), "{check:?}");
    }
}

#[test]
fn an_empty_root_is_no_panic() {
    let checks = doctor_at(Path::new("/nowhere/at/all"));
    assert!(checks.iter().any(|check| check.state == State::Broken));
    for check in &checks {
        assert_eq!(check.remedy.is_none(), check.state == State::Ok, "{check:?}");
    }
    let states: Vec<_> = checks.iter().map(|check| std::cmp::Reverse(check.state)).collect();
    assert!(states.is_sorted());
}

#[test]
fn looks_at_this_host() {
    let checks = doctor();
    let cpus = checks.iter().find(|check| check.what == "CPUs").expect("CPUs");
    assert_eq!(cpus.state, State::Ok, "{cpus:?}");
}

#[test]
fn releases() {
    let check = |text: &str, state, detail: &str, remedy: &str| {
        Fake::new().put("proc/sys/kernel/osrelease", text).check(
            "kernel release",
            state,
            detail,
            remedy,
        );
    };
    check("6.1.0-13-amd64", State::Ok, "6.1", "");
    check("5.17", State::Ok, "5.17", "");
    check("10.0-rc1", State::Ok, "10.0", "");
    check("5.16.9", State::Broken, "5.17 or later", "5.17");
    check("4.19.0", State::Broken, "4.19", "5.17");
    check("5.19.0-50-generic", State::Narrowed, "lock up", "6.1");
    check("6.0.19", State::Narrowed, "lock up", "6.1");
    check("5.18.2", State::Ok, "5.18", "");
    check("unknown", State::Narrowed, "unknown", "mount");
}

#[test]
fn capabilities() {
    let without = |bits: &[u8]| {
        let mask = bits.iter().fold(u64::MAX >> 23, |mask, bit| mask & !(1 << bit));
        let fake = Fake::new();
        fake.capabilities(&format!("{mask:016x}"));
        fake
    };
    without(&[39]).check("CAP_BPF", State::Ok, "CAP_SYS_ADMIN", "");
    without(&[39, 21]).check("CAP_BPF", State::Broken, "cannot load", "sudo otop");
    without(&[38]).check("CAP_PERFMON", State::Ok, "CAP_SYS_ADMIN", "");
    without(&[38, 21]).check("CAP_PERFMON", State::Broken, "cannot sample", "sudo otop");
    without(&[38, 21]).check("perf_event_paranoid", State::Broken, "2:", "sudo otop");
    without(&[19]).check("CAP_SYS_PTRACE", State::Narrowed, "other users", "sudo otop");
    without(&[34]).check("CAP_SYSLOG", State::Narrowed, "kernel functions", "sudo otop");
    without(&[34]).check("kptr_restrict", State::Narrowed, "CAP_SYSLOG", "sudo otop");
    without(&[40]).check("CAP_CHECKPOINT_RESTORE", State::Narrowed, "deleted", "sudo otop");
    without(&[2]).check("CAP_DAC_READ_SEARCH", State::Narrowed, "permissions", "sudo otop");
    let root = Fake::new();
    root.put("proc/self/status", "Uid:\t0\t0\t0\t0\nCapEff:\t00000000a80425fb\n");
    root.check("CAP_BPF", State::Broken, "not held", "docker run --privileged");
    let garbled = Fake::new();
    garbled.capabilities("zz").check("CAP_BPF", State::Broken, "not held", "sudo otop");
}

#[test]
fn settings() {
    let check = |path: &str, text: &str, what: &str, state, remedy: &str| {
        Fake::new().put(path, text).check(what, state, "", remedy);
    };
    let kernel = "proc/sys/kernel/";
    let path = format!("{kernel}kptr_restrict");
    check(&path, "0", "kptr_restrict", State::Ok, "");
    check(&path, "2", "kptr_restrict", State::Narrowed, "sysctl -w kernel.kptr_restrict=1");
    let path = format!("{kernel}perf_event_max_sample_rate");
    let what = "perf_event_max_sample_rate";
    check(&path, "99", what, State::Ok, "");
    check(&path, "98", what, State::Broken, "sysctl -w kernel.perf_event_max_sample_rate=");
    check(&path, "-5", what, State::Broken, "sysctl");
    let path = "proc/sys/net/core/bpf_jit_enable";
    check(path, "0", "bpf_jit_enable", State::Narrowed, "sysctl -w net.core.bpf_jit_enable=1");
    let path = "sys/kernel/security/lockdown";
    check(path, "none [integrity] confidentiality", "lockdown", State::Ok, "");
    check(path, "none integrity [confidentiality]", "lockdown", State::Broken, "integrity");
    let path = "proc/sys/kernel/yama/ptrace_scope";
    check(path, "3", "ptrace_scope", State::Ok, "");
    let path = "proc/self/mountinfo";
    check(path, "32 31 0:29 / /x rw - cgroup cgroup rw,cpu", "cgroup v2", State::Narrowed, "mount");
}

#[test]
fn what_is_missing() {
    let fake = Fake::new();
    let perf = "proc/sys/kernel/perf_event_paranoid";
    fake.remove(perf).check("perf_event_paranoid", State::Broken, "no perf events", "CONFIG");
    let btf = "sys/kernel/btf/vmlinux";
    fake.put(btf, "xx").check("kernel types (BTF)", State::Broken, "fitted", "CONFIG");
    fake.remove(btf).check("kernel types (BTF)", State::Broken, "fitted", "CONFIG");
    fake.remove("sys/kernel/security/lockdown").check("lockdown", State::Ok, "none", "");
}

#[test]
fn containers() {
    let fake = Fake::new();
    fake.namespace("pid:[4026532001]");
    fake.check("pid namespace", State::Broken, "container", "--pid=host");
    fake.put("proc/self/uid_map", "0 100000 65536");
    fake.check("user namespace", State::Broken, "not the initial", "on the host");
}

#[test]
fn counts_cpus() {
    for (list, expected) in [
        ("0", Some(1)),
        ("0-1", Some(2)),
        ("0-3,8,10-11", Some(7)),
        ("", None),
        ("x", None),
        ("3-1", None),
        ("0-4294967295", None),
        ("0-4294967294,0-4294967294", None),
    ] {
        assert_eq!(count_cpus(list), expected, "{list}");
    }
}
