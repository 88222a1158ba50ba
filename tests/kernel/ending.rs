//! Nothing of otop outlives it.

use crate::otop::Otop;
use crate::sampling;
use libtest_mimic::Trial;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use test_programs::harness::Stopped;
use test_programs::{Program, build};

/// How long the kernel has to free what nobody holds any more.
const FREED_WITHIN: Duration = Duration::from_secs(1);

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        sampling("ending::killed_it_leaves_nothing_in_the_kernel", leaves_nothing),
        sampling("ending::terminated_it_leaves_nothing_in_the_kernel", terminated),
    ]
}

/// A BPF program or map: its kind as bpftool calls it, and its id.
type Object = (&'static str, u32);

/// The BPF objects that a process holds (`proc_pid_fdinfo(5)`).
fn held_by(pid: u32) -> BTreeSet<Object> {
    let mut objects = BTreeSet::new();
    let Ok(folder) = std::fs::read_dir(format!("/proc/{pid}/fdinfo")) else { return objects };
    for file in folder.flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap_or_default();
        for (field, kind) in [("prog_id:", "prog"), ("map_id:", "map"), ("link_id:", "link")] {
            let id = text.lines().find_map(|line| line.strip_prefix(field)?.trim().parse().ok());
            objects.extend(id.map(|id| (kind, id)));
        }
    }
    objects
}

/// Whether the kernel has the object.
fn exists((kind, id): Object) -> Result<bool, Stopped> {
    let mut bpftool = Command::new("bpftool");
    bpftool.args([kind, "show", "id", &id.to_string()]);
    bpftool.stdout(Stdio::null()).stderr(Stdio::null());
    let status = bpftool.status();
    let missing = |_| Stopped::Ignored("bpftool is not installed: apt-get install bpftool".into());
    Ok(status.map_err(missing)?.success())
}

fn leaves_nothing() -> Result<(), Stopped> {
    frees_all(Signal::KILL)
}

fn terminated() -> Result<(), Stopped> {
    frees_all(Signal::TERM)
}

fn frees_all(signal: Signal) -> Result<(), Stopped> {
    // With a command, since only then its forks are followed.
    let path = build(&Program::Fork)?.display().to_string();
    let mut otop = Otop::start(["--", &path, "20"]);
    otop.find("samples", |line| (line["samples"].as_u64()? > 0).then_some(()));
    let held = held_by(otop.pid());
    for kind in ["prog", "map"] {
        assert!(held.iter().any(|(other, _)| *other == kind), "it holds no {kind}: {held:?}");
    }
    for object in &held {
        assert!(exists(*object)?, "{object:?} is held, and bpftool does not know it");
    }
    otop.signal(signal);
    let ended = otop.wait();
    let died = Instant::now();
    assert!(!ended.status.success());
    for object in held {
        while exists(object)? {
            assert!(died.elapsed() < FREED_WITHIN, "{object:?} is still there");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}
