//! Which machine it was, and how busy.

use std::process::Command;

use crate::places::proc_text;

/// One line: when, which commit, kernel, CPUs, load average.
pub(super) fn line() -> String {
    let cpuinfo = proc_text("/proc/cpuinfo");
    let model =
        cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let loads = proc_text("/proc/loadavg");
    let loads: Vec<_> = loads.split_ascii_whitespace().take(3).collect();
    format!(
        "{} · commit {} · Linux {} · {} × {} · load average {} · {}",
        said("date", &["-u", "+%F %R UTC"]),
        said("git", &["rev-parse", "--short", "HEAD"]),
        proc_text("/proc/sys/kernel/osrelease").trim(),
        cpus(),
        model.unwrap_or("CPUs"),
        loads.join(" "),
        said("perf", &["--version"]),
    )
}

/// CPUs that this process may run on.
pub(super) fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What a program says, without the newline; its name where it cannot be run.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| format!("no {program}"),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
