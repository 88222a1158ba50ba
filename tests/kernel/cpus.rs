//! CPUs that go and come back.

use crate::otop::{Otop, count};
use crate::shares::RUN_S;
use std::fs::{read_to_string, write};
use test_programs::harness::Stopped;
use test_programs::{Program, Running, build};

/// Turns a CPU off and on (Linux, "CPU hotplug in the Kernel").
const SWITCH: &str = "/sys/devices/system/cpu/cpu1/online";

/// Turns the CPU on again, whatever happened.
struct On;

impl Drop for On {
    fn drop(&mut self) {
        // The test that reads it tells.
        let _ = write(SWITCH, "1");
    }
}

/// Whether a program that keeps to the CPU is sampled there: its processor is
/// told by the share of samples that fall to it.
pub(crate) fn leave_and_come_back() -> Result<(), Stopped> {
    if read_to_string(SWITCH).ok().as_deref() != Some("1\n") || write(SWITCH, "1").is_err() {
        return Err(Stopped::Ignored(format!("{SWITCH} cannot be switched")));
    }
    let _on = On;
    let path = build(&Program::BusyC)?;
    let mut otop = Otop::start(["--hz", "499", "--filter", "cpu=1"]);
    let running = Running::start_for(&path, RUN_S)?;
    let pinned = pin(running.pid());
    assert!(pinned, "taskset could not pin the program");
    let samples = |line: &serde_json::Value| count(line, "samples");
    otop.find("samples of CPU 1", |line| (samples(line) > 50).then_some(()));
    write(SWITCH, "0")?;
    assert_eq!(read_to_string(SWITCH)?, "0\n");
    // It runs on: on the others.
    let gone = otop.find("one CPU less", |line| (count(line, "cpus") == 1).then(|| samples(line)));
    write(SWITCH, "1")?;
    assert!(pin(running.pid()), "taskset could not pin the program again");
    otop.find("new samples of CPU 1", |line| (samples(line) > gone + 50).then_some(()));
    let ended = otop.end();
    assert_eq!(ended.status.code(), Some(143), "{}", ended.stderr);
    Ok(())
}

/// Keeps a process to CPU 1.
fn pin(pid: u32) -> bool {
    let mut cpus = rustix::thread::CpuSet::new();
    cpus.set(1);
    let pid = rustix::process::Pid::from_raw(pid.cast_signed());
    rustix::thread::sched_setaffinity(pid, &cpus).is_ok()
}
