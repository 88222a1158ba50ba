//! The kernel's own account of BPF programs (`kernel.bpf_stats_enabled`).

use std::fs;
use std::io;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::places::proc_text;

const SWITCH: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// `BPF_PROG_TYPE_PERF_EVENT` of `enum bpf_prog_type` (linux/bpf.h): the only one
/// that runs for a sample.
const PROG_TYPE_PERF_EVENT: u64 = 7;

/// The kernel measures BPF programs while this lives.
pub(super) struct Measuring(Option<Child>);

impl Measuring {
    /// Turns it on, and leaves behind a shell that puts back what was there before
    /// as soon as we are gone, in whichever way.
    ///
    /// # Errors
    /// Where the switch cannot be read or written.
    pub(super) fn start() -> Result<Self> {
        let before = fs::read_to_string(SWITCH).with_context(|| format!("cannot read {SWITCH}"))?;
        let script =
            format!("trap '' INT TERM HUP; cat >/dev/null; echo {} >{SWITCH}", before.trim());
        let keeper = Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).spawn();
        let keeper = Self(Some(keeper.context("cannot run sh")?));
        fs::write(SWITCH, "1").with_context(|| format!("cannot write {SWITCH}"))?;
        Ok(keeper)
    }

    /// Puts back what was there before.
    ///
    /// # Errors
    /// Where that did not work.
    pub(super) fn stop(mut self) -> Result<()> {
        let status = self.0.take().map(end).transpose()?;
        ensure!(status.is_none_or(|status| status.success()), "{SWITCH} is still on");
        Ok(())
    }
}

impl Drop for Measuring {
    fn drop(&mut self) {
        // After an error, which is told instead.
        let _ = self.0.take().map(end);
    }
}

fn end(mut keeper: Child) -> io::Result<std::process::ExitStatus> {
    drop(keeper.stdin.take());
    keeper.wait()
}

/// What the sampling program of a process has done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Runs {
    pub(super) time_ns: u64,
    pub(super) count: u64,
}

impl Runs {
    /// Of the BPF programs for perf events that `pid` has descriptors of; None
    /// where it has none.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let infos = fs::read_dir(format!("/proc/{pid}/fdinfo")).ok()?;
        let runs = infos.flatten().filter_map(|info| parse(&proc_text(info.path())));
        runs.max_by_key(|runs| runs.count)
    }

    /// Since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            time_ns: self.time_ns.saturating_sub(before.time_ns),
            count: self.count.saturating_sub(before.count),
        }
    }
}

/// Reads what `/proc/PID/fdinfo/FD` says of a BPF program: `name:\tnumber` lines
/// (`bpf_prog_show_fdinfo` in kernel/bpf/syscall.c).
fn parse(info: &str) -> Option<Runs> {
    let field = |name: &str| -> Option<u64> {
        info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    };
    (field("prog_type:")? == PROG_TYPE_PERF_EVENT).then_some(())?;
    Some(Runs { time_ns: field("run_time_ns:")?, count: field("run_cnt:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fdinfo() {
        let check = |info: &str, expected: Option<(u64, u64)>| {
            let expected = expected.map(|(time_ns, count)| Runs { time_ns, count });
            assert_eq!(parse(info), expected, "{info:?}");
        };
        let program = "pos:\t0\nflags:\t02000002\nprog_type:\t7\nprog_jited:\t1\n\
                       memlock:\t4096\nprog_id:\t31\nrun_time_ns:\t5120\nrun_cnt:\t2\n";
        check(program, Some((5120, 2)));
        check(&program.replace("type:\t7", "type:\t26"), None);
        check("pos:\t0\nmap_type:\t27\n", None);
        check("prog_type:\t7\n", None);
        check("", None);
    }
}
