//! Live sampling as a source, whether this host allows it, and the processes
//! that otop starts from its own binary.

use crate::options::{Sampling, Target};
use anyhow::{Result, bail};
use probe::kernel;
use probe::kernel::doctor::{Check, State};
use probe::pipeline::{self, Live, LiveOptions};
use probe::process::launch;
use probe::profile::{Snapshot, Source};
use probe::symbol;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

/// A source that is running.
pub struct Running {
    /// Where snapshots come from.
    pub source: Arc<dyn Source>,
    /// Ends it: detaches, takes in what is still under way, and gives the last
    /// snapshot and the exit code of the command that was watched.
    pub stop: Box<dyn FnOnce() -> (Arc<Snapshot>, Option<u8>) + Send>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

/// Starts to sample.
///
/// # Errors
///
/// Where this host cannot be sampled, with the remedy.
pub fn start(sampling: &Sampling) -> Result<Running> {
    let (target, command) = match &sampling.target {
        Target::Machine => (kernel::Target::Machine, None),
        Target::Pid(pid) => {
            check_runs(*pid)?;
            (kernel::Target::Processes(vec![*pid]), None)
        }
        Target::Command(command) => (kernel::Target::Machine, Some(command.clone())),
    };
    let own_pids = if sampling.with_self { Vec::new() } else { vec![std::process::id()] };
    let options = LiveOptions {
        hz: sampling.hz,
        target,
        own_pids,
        command,
        command_terminal: if sampling.on_screen {
            launch::Terminal::Detached
        } else {
            launch::Terminal::Inherit
        },
        tables_bytes_max: sampling.tables_bytes_max,
        ring_bytes: sampling.ring_bytes,
        ..LiveOptions::default()
    };
    let live = Arc::new(Live::start(options)?);
    let source: Arc<dyn Source> = Arc::clone(&live) as _;
    Ok(Running { source, stop: Box::new(move || (live.stop(), live.exit_code())) })
}

/// Refuses what would never give a sample: a pid that nobody has, a process that
/// has ended and waits for its parent, and a thread's id.
fn check_runs(pid: u32) -> Result<()> {
    let Ok(status) = std::fs::read(format!("/proc/{pid}/status")) else {
        bail!("there is no process {pid}");
    };
    let status = String::from_utf8_lossy(&status);
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if field("State:").is_some_and(|state| state.starts_with(['Z', 'X'])) {
        bail!("process {pid} has ended");
    }
    match field("Tgid:").and_then(|group| group.parse::<u32>().ok()) {
        Some(group) if group != pid => {
            bail!("{pid} is a thread of process {group}; try -p {group}")
        }
        _ => Ok(()),
    }
}

/// Says whether this host can be sampled, and what to do if not: lines of text,
/// and whether it can.
#[must_use]
pub fn doctor() -> (String, bool) {
    let checks = kernel::doctor::doctor();
    let report = checks.iter().fold(String::new(), |mut report, check| {
        let Check { what, state, detail, remedy } = check;
        let mark = match state {
            State::Ok => "ok  ",
            State::Narrowed => "note",
            State::Broken => "FAIL",
        };
        let _ = writeln!(report, "{mark}  {what:<22} {detail}");
        if let Some(remedy) = remedy {
            let _ = writeln!(report, "      {:<22} → {remedy}", "");
        }
        report
    });
    (report, checks.iter().all(|check| check.state != State::Broken))
}

/// What otop does where it has started itself: names symbols in a process of
/// their own, or waits to become the command that is watched. None where a
/// person started it.
#[must_use]
pub fn started_by_itself(mut arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let argument = arguments.nth(1)?;
    if argument == symbol::ARGUMENT {
        return Some(symbol::worker_main());
    }
    if argument == pipeline::UNWIND_ARGUMENT {
        return Some(pipeline::unwind_worker_main());
    }
    if argument == launch::SUBCOMMAND {
        let error = launch::exec(arguments);
        let _ = writeln!(std::io::stderr(), "otop: {error}");
        return Some(ExitCode::from(error.exit_code()));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_runs_can_be_sampled() {
        let check = |pid: u32, expected: &str| {
            let said = check_runs(pid).map_or_else(|error| error.to_string(), |()| "ok".into());
            assert_eq!(said, expected);
        };
        let own = std::process::id();
        check(own, "ok");
        // The highest pid is `PID_MAX_LIMIT`, 2^22 (proc_sys_kernel(5)).
        check(1 << 23, "there is no process 8388608");
        let thread = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        check(thread, &format!("{thread} is a thread of process {own}; try -p {own}"));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let options =
            rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).unwrap();
        check(child.id(), &format!("process {} has ended", child.id()));
        child.wait().unwrap();
        check(child.id(), &format!("there is no process {}", child.id()));
    }
}
