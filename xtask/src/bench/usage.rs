//! CPU time and memory of a program and its descendants, as the kernel tells them.

use std::fs;
use std::time::Instant;

use crate::places::proc_text;

/// Descendants that are looked at; a tool that has more is counted short.
const PROCESSES_MAX: usize = 256;

/// What a program has used until now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    at: Instant,
    /// User and system time, in seconds.
    cpu_s: f64,
    /// Resident memory of all its processes, in MB; what they share counts for
    /// each.
    pub(super) resident_mb: f64,
    /// Of the whole machine, in seconds of a CPU.
    machine_busy_s: f64,
}

impl Usage {
    /// Of the process `pid` and its descendants.
    pub(super) fn of(pid: u32) -> Self {
        let processes = family(pid);
        let ticks: u64 = processes.iter().filter_map(|pid| ticks_of(*pid)).sum();
        let pages: u64 = processes.iter().filter_map(|pid| resident_pages(*pid)).sum();
        Self {
            at: Instant::now(),
            cpu_s: seconds(ticks),
            resident_mb: float(pages * rustix::param::page_size() as u64) / 1e6,
            machine_busy_s: seconds(machine_ticks()),
        }
    }

    /// CPU time since `before`, in % of one CPU.
    pub(super) fn cpu_percent(&self, before: &Self) -> f64 {
        (self.cpu_s - before.cpu_s) / self.seconds_since(before) * 100.0
    }

    /// How busy the machine's CPUs were since `before`, in % of one CPU.
    pub(super) fn machine_percent(&self, before: &Self) -> f64 {
        (self.machine_busy_s - before.machine_busy_s) / self.seconds_since(before) * 100.0
    }

    /// Since `before`.
    pub(super) fn seconds_since(&self, before: &Self) -> f64 {
        (self.at - before.at).as_secs_f64()
    }
}

/// A process and its descendants (`/proc/PID/task/TID/children`).
fn family(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(pid) = found.get(next).copied()
        && found.len() < PROCESSES_MAX
    {
        next += 1;
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            let children = proc_text(thread.path().join("children"));
            let pids = children.split_ascii_whitespace().map_while(|pid| pid.parse::<u32>().ok());
            found.extend(pids);
        }
    }
    found
}

/// User and system time, with that of children that have ended
/// (`proc_pid_stat(5)`, fields 14 to 17).
fn ticks_of(pid: u32) -> Option<u64> {
    let stat = proc_text(format!("/proc/{pid}/stat"));
    let fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11).take(4);
    fields.map(|field| field.parse::<u64>().ok()).sum()
}

/// `proc_pid_statm(5)`, field 2.
fn resident_pages(pid: u32) -> Option<u64> {
    proc_text(format!("/proc/{pid}/statm")).split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Time of all CPUs that was neither idle nor waiting nor stolen (`proc_stat(5)`,
/// the first line without its fields 4, 5 and 8, and those of guests, which are
/// in others).
fn machine_ticks() -> u64 {
    let stat = proc_text("/proc/stat");
    let fields = stat.lines().next().unwrap_or_default().split_ascii_whitespace().skip(1);
    let ticks = fields.filter_map(|field| field.parse::<u64>().ok());
    ticks.take(8).enumerate().filter(|(at, _)| ![3, 4, 7].contains(at)).map(|(_, n)| n).sum()
}

fn seconds(ticks: u64) -> f64 {
    float(ticks) / float(rustix::param::clock_ticks_per_second())
}

#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_family_is_followed_over_generations() {
        let mut shell = Command::new("sh")
            .args(["-c", "sh -c 'echo; read line; exit' & wait"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = shell.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
        let family = family(shell.id());
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert_eq!(family.len(), 2, "{family:?}");
    }

    #[test]
    fn this_process_has_memory_and_time() {
        let before = Usage::of(std::process::id());
        let after = Usage::of(std::process::id());
        assert!(after.resident_mb > 0.1 && after.cpu_percent(&before) >= 0.0);
        assert!(after.machine_busy_s >= before.machine_busy_s && before.machine_busy_s > 0.0);
    }
}
