//! What otop itself costs.

use crate::kernel::clock;

/// CPU time and memory of this process and of its workers.
#[derive(Debug, Default)]
pub(super) struct OwnCost {
    at_ns: u64,
    cpu_ns: u64,
    bpf_ns: u64,
    /// % of one CPU, user space.
    pub(super) cpu_percent: f32,
    /// % of one CPU, in the BPF program.
    pub(super) bpf_percent: f32,
    pub(super) rss_bytes: u64,
}

impl OwnCost {
    /// Measures again; the percentages are those since the last time.
    pub(super) fn update(&mut self, workers: &[u32], bpf_ns: u64) {
        let now_ns = clock::monotonic_ns();
        let cpu_ns =
            clock::process_cpu_ns() + workers.iter().filter_map(|pid| cpu_of(*pid)).sum::<u64>();
        let own = std::process::id();
        self.rss_bytes = workers.iter().chain([&own]).filter_map(|pid| rss_of(*pid)).sum();
        if self.at_ns != 0 {
            let span_ns = now_ns.saturating_sub(self.at_ns).max(1);
            self.cpu_percent = percent(cpu_ns.saturating_sub(self.cpu_ns), span_ns);
            self.bpf_percent = percent(bpf_ns.saturating_sub(self.bpf_ns), span_ns);
        }
        (self.at_ns, self.cpu_ns, self.bpf_ns) = (now_ns, cpu_ns, bpf_ns);
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "two digits are shown"
)]
fn percent(part: u64, whole: u64) -> f32 {
    (part as f64 * 100.0 / whole as f64) as f32
}

/// User and system time of a process, in ns (`proc_pid_stat(5)`, fields 14 and 15).
fn cpu_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1))
}

/// Resident bytes of a process (`proc_pid_statm(5)`, field 2).
fn rss_of(pid: u32) -> Option<u64> {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
