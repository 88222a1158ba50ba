//! What the command line refuses, and what it says then: one line, and an exit
//! code; never a panic, and never half of a file.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use rustix::process::geteuid;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use test_programs::harness::{Stopped, run, test};
use test_programs::{Program, build};

/// A command line that makes no sense.
const USAGE: i32 = 2;
/// One that makes sense and cannot be done.
const FAILURE: i32 = 1;

fn main() -> ExitCode {
    run(vec![
        test("usage_errors_take_one_line", usage_errors_take_one_line),
        test("pids_that_nobody_has", pids_that_nobody_has),
        test("help_and_version_need_no_root", help_and_version_need_no_root),
        test("permissions_are_asked_for", permissions_are_asked_for),
        test("outputs_that_cannot_be_written", outputs_that_cannot_be_written),
        test("what_was_there_stays", what_was_there_stays),
        test("a_closed_stdout_is_no_error", a_closed_stdout_is_no_error),
    ])
}

fn otop(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otop"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Checks that `output` is a failure that says so in one line, with `said` in it.
#[track_caller]
fn refused(output: &Output, code: i32, said: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("otop: ") && stderr.contains(said), "{said:?} is not in {stderr}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

/// The tests of what happens later need somebody who may sample.
fn needs_root() -> Result<(), Stopped> {
    if geteuid().is_root() { Ok(()) } else { Err(Stopped::Ignored("needs root".to_owned())) }
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{name}"));
    // Left by an earlier run.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[expect(clippy::unnecessary_wraps, reason = "the harness takes what may stop")]
fn usage_errors_take_one_line() -> Result<(), Stopped> {
    let check = |line: &str, said: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        refused(&otop(&words).output().unwrap(), USAGE, said);
    };
    check("--hz 0", "0 is not in 1..=10000");
    check("--hz 20000", "20000 is not in 1..=10000");
    check("--hz abc", "invalid digit");
    check("--hz -5", "'-5'");
    check("-p 0", "0 is not in 1..");
    check("-p abc", "invalid digit");
    check("-p 99999999999999", "'99999999999999'");
    check("-p 1 -- true", "cannot be used with");
    check("--theme pink", "no theme \"pink\"; there are dark, light");
    check("--filter colour=red", "no key `colour`");
    check("--filter comm=", "comm");
    check("--window 3x", "write it like 500ms");
    check("--window 0s", "try 10s");
    check("--interval 1ms", "the shortest interval is 100ms");
    check("--plain -n 0", "0 is not in 1..");
    check("record", "--output <FILE>");
    check("record -o x -d soon", "write it like 500ms");
    check("record -o x -d 99999999999999999999s", "not a length of time");
    check("rekord", "'rekord'");
    check("--plian", "'--plain'");
    Ok(())
}

fn pids_that_nobody_has() -> Result<(), Stopped> {
    let check = |pid: u32, said: &str| {
        let pid = pid.to_string();
        let file = folder("pids").join("out.folded");
        refused(&otop(&["--plain", "-n", "1", "-p", &pid]).output().unwrap(), FAILURE, said);
        let record = otop(&["record", "-p", &pid, "-o", file.to_str().unwrap()]).output();
        refused(&record.unwrap(), FAILURE, said);
        assert!(!file.exists());
    };
    // The highest is `PID_MAX_LIMIT`, 2^22 (proc_sys_kernel(5)).
    check(1 << 23, "there is no process 8388608");
    let mut child = Command::new("true").spawn()?;
    let pid = child.id();
    let ended = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
    let id = rustix::process::WaitId::Pid(rustix::process::Pid::from_child(&child));
    rustix::process::waitid(id, ended).map_err(std::io::Error::from)?;
    check(pid, &format!("process {pid} has ended"));
    child.wait()?;
    check(pid, &format!("there is no process {pid}"));
    Ok(())
}

/// Runs otop as somebody without rights, from where they may read it.
fn as_nobody(arguments: &[&str]) -> Result<Output, Stopped> {
    // The target directory may lie below a home that is closed.
    static COPIES: AtomicU32 = AtomicU32::new(0);
    let number = COPIES.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("otop-test-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let copy = folder.join("otop");
    // By a process of its own: a file that is open for writing, be it in a child
    // that another test has just forked, cannot be executed.
    let copied =
        Command::new("cp").args([Path::new(env!("CARGO_BIN_EXE_otop")), &copy]).status()?;
    assert!(copied.success());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    command.arg(&copy).args(arguments).current_dir("/").stdin(Stdio::null());
    let output = command.output();
    std::fs::remove_dir_all(&folder)?;
    output.map_err(|_| {
        Stopped::Ignored("setpriv is not installed: apt-get install util-linux".into())
    })
}

fn help_and_version_need_no_root() -> Result<(), Stopped> {
    needs_root()?;
    let check = |arguments: &[&str], said: &str| -> Result<(), Stopped> {
        let output = as_nobody(arguments)?;
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(stdout.contains(said), "{said:?} is not in {stdout}");
        Ok(())
    };
    check(&["--help"], "sudo otop -p 1234")?;
    check(&["-h"], "Usage:")?;
    check(&["record", "--help"], "--duration")?;
    check(&["--version"], concat!("otop ", env!("CARGO_PKG_VERSION")))
}

fn permissions_are_asked_for() -> Result<(), Stopped> {
    needs_root()?;
    let said = "run it as root (sudo otop), or see `otop doctor`";
    refused(&as_nobody(&["--plain", "-n", "1"])?, FAILURE, said);
    refused(&as_nobody(&["record", "-o", "/tmp/never.folded", "-d", "1s"])?, FAILURE, said);
    refused(&as_nobody(&["--plain", "--", "true"])?, FAILURE, said);
    let doctor = as_nobody(&["doctor"])?;
    assert_eq!(doctor.status.code(), Some(FAILURE), "{doctor:?}");
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("FAIL  CAP_BPF"), "{doctor:?}");
    Ok(())
}

fn outputs_that_cannot_be_written() -> Result<(), Stopped> {
    needs_root()?;
    let folder = folder("outputs");
    let path = |name: &str| folder.join(name).display().to_string();
    let check = |file: &str, said: &str| {
        let record = otop(&["record", "-d", "100ms", "-o", file]).output().unwrap();
        refused(&record, FAILURE, said);
    };
    check(&path("missing/out"), "there is no folder");
    check(&path("."), "is no regular file");
    check("/dev/null", "is no regular file");
    check("/proc/out", "/proc/out");
    check("..", "..");
    Ok(())
}

fn what_was_there_stays() -> Result<(), Stopped> {
    needs_root()?;
    let folder = folder("stays");
    let file = folder.join("out.folded");
    std::fs::write(&file, "good\n")?;
    let file = file.display().to_string();
    // A pid that nobody has, and a disk that is full: a limit on files' sizes.
    let refused_pid = otop(&["record", "-p", "8388608", "-o", &file]).output()?;
    refused(&refused_pid, FAILURE, "there is no process");
    let mut limited = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" record -d 1h -o \"$1\" -- \"$2\" 1";
    // A command, so that there are samples to write however slow the start is.
    let busy = build(&Program::BusyC)?;
    limited.args(["-c", script, env!("CARGO_BIN_EXE_otop"), &file]).arg(busy);
    let output = limited.stdout(Stdio::null()).output()?;
    refused(&output, FAILURE, "cannot write");
    assert_eq!(std::fs::read_to_string(&file)?, "good\n");
    assert_eq!(std::fs::read_dir(&folder)?.count(), 1, "something is left beside it");
    Ok(())
}

fn a_closed_stdout_is_no_error() -> Result<(), Stopped> {
    needs_root()?;
    for arguments in [&["--plain", "-i", "100ms"][..], &["--plain", "--json", "-i", "100ms"]] {
        let mut otop = otop(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut first = [0];
        let mut stdout = otop.stdout.take().unwrap();
        std::io::Read::read_exact(&mut stdout, &mut first)?;
        drop(stdout);
        let output = otop.wait_with_output()?;
        assert!(output.status.success(), "{output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.lines().all(|line| line.contains(" in ")), "{stderr}");
    }
    Ok(())
}
