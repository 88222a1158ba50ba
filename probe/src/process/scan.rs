//! What `/proc` says about the processes that run already.

use super::cgroup::Cgroups;
use super::clock::monotonic_ns;
use super::maps::{self, Lines};
use super::proc::Proc;
use super::regions::Regions;
use super::stat::{StartRange, Stat};
use super::table::PROCESSES_MAX;
use crate::profile::{Place, Text};
use rustix::fs::readlinkat;

/// How much of one `maps` is read. 65,530 mappings (the kernel's default
/// limit) of 100 bytes are 6.5 MB.
const MAPS_BYTES_MAX: usize = 16 << 20;

/// One process as it was seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The pid.
    pub pid: u32,
    /// When it began, within a clock tick.
    pub start: StartRange,
    /// When it was looked at, in ns of `CLOCK_MONOTONIC`: whatever happened to
    /// it before is in here.
    pub as_of_ns: u64,
    /// The command's name.
    pub name: Text,
    /// Whether it is a kernel thread.
    pub is_kernel_thread: bool,
    /// How many threads it has.
    pub threads: u32,
    /// The executable, as the process sees it; None for kernel threads and
    /// where it may not be read.
    pub exe: Option<Text>,
    /// Where it belongs.
    pub place: Place,
    /// Its executable regions.
    pub regions: Regions,
}

/// The result of one scan.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Every process that could be read.
    pub processes: Vec<Seen>,
    /// Processes that ended, or could not be read, while they were looked at.
    pub skipped: u64,
}

/// Reads every process, at most [`PROCESSES_MAX`].
///
/// # Errors
///
/// Where `/proc` itself cannot be read.
pub fn scan(proc: &mut Proc, cgroups: &mut Cgroups) -> std::io::Result<Scan> {
    let mut scan = Scan::default();
    let pids: Vec<u32> = proc.pids()?.collect();
    for pid in pids {
        let seen = (scan.processes.len() < PROCESSES_MAX).then(|| one(proc, cgroups, pid));
        match seen.flatten() {
            Some(seen) => scan.processes.push(seen),
            None => scan.skipped += 1,
        }
    }
    Ok(scan)
}

/// Reads one process; None where it has gone.
pub fn one(proc: &mut Proc, cgroups: &mut Cgroups, pid: u32) -> Option<Seen> {
    let as_of_ns = monotonic_ns();
    let process = proc.process(pid).ok()?;
    let stat = Stat::parse(proc.read(&process, "stat").ok()?)?;
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    let mut seen = Seen {
        pid,
        start: StartRange::of_ticks(stat.start_ticks, ticks_per_second),
        as_of_ns,
        name: stat.name,
        is_kernel_thread: stat.is_kernel_thread,
        threads: stat.threads,
        exe: None,
        place: cgroups.of_process(proc, &process),
        regions: Regions::default(),
    };
    if !stat.is_kernel_thread {
        let exe = readlinkat(&process, "exe", Vec::new()).ok();
        seen.exe = exe.map(|path| {
            let path = path.as_bytes();
            Text::from_bytes(path.strip_suffix(maps::DELETED).unwrap_or(path))
        });
        let mut lines = Lines::default();
        let mut each_line = |line: &[u8]| {
            if let Some(region) = maps::executable(line) {
                seen.regions.map(region);
            }
        };
        // What cannot be read stays unknown; the process is still named.
        let _ = proc.read_pieces(&process, "maps", MAPS_BYTES_MAX, |piece| {
            lines.feed(piece, &mut each_line);
        });
    }
    Some(seen)
}

#[cfg(test)]
mod tests {
    use super::super::regions::RegionFile;
    use super::*;
    use std::process::{Command, Stdio};

    fn own(proc: &mut Proc) -> Seen {
        let mut cgroups = Cgroups::new(proc);
        one(proc, &mut cgroups, std::process::id()).expect("own process")
    }

    #[test]
    fn sees_its_own_code() {
        let seen = own(&mut Proc::default());
        let here = sees_its_own_code as fn() as usize as u64;
        let region = seen.regions.lookup(here).expect("own code is mapped");
        let RegionFile::File { path, device_inode, .. } = &*region.file else {
            panic!("own code comes from a file");
        };
        let exe = std::env::current_exe().expect("own path");
        assert_eq!(Some(path.as_str()), exe.to_str());
        assert_eq!(seen.exe.as_ref().map(Text::as_str), exe.to_str());
        assert_ne!(device_inode.1, 0);
        assert!(seen.regions.iter().any(|region| *region.file == RegionFile::Vdso));
        assert!(seen.threads >= 1 && !seen.is_kernel_thread);
    }

    #[test]
    fn sees_a_child_begin_after_itself() {
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("cat");
        let mut proc = Proc::default();
        let mut cgroups = Cgroups::new(&proc);
        let all = scan(&mut proc, &mut cgroups).expect("a readable /proc");
        let find = |pid| all.processes.iter().find(|seen| seen.pid == pid).cloned();
        let (me, cat) = (find(std::process::id()), find(child.id()));
        child.kill().expect("kill");
        child.wait().expect("wait");
        let (me, cat) = (me.expect("own process"), cat.expect("the child"));
        assert!(me.start.min_ns <= cat.start.min_ns);
        assert!(me.as_of_ns != cat.as_of_ns);
        assert!(one(&mut proc, &mut cgroups, child.id()).is_none());
    }

    #[test]
    fn an_empty_or_odd_directory_is_no_error() {
        let root = std::env::temp_dir().join(format!("scan-{}", std::process::id()));
        for name in ["1", "2", "self", "x1", "-3", "99999999999"] {
            std::fs::create_dir_all(root.join(name)).expect("a directory");
        }
        std::fs::write(root.join("2/stat"), b"2 (x").expect("a file");
        let mut proc = Proc::at(&root);
        let mut cgroups = Cgroups::new(&proc);
        let all = scan(&mut proc, &mut cgroups).expect("a readable directory");
        std::fs::remove_dir_all(&root).expect("cleaned up");
        assert_eq!((all.processes.len(), all.skipped), (0, 2));
    }
}
