//! otop as its users start it.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before its test has failed: longer than on a machine
/// that has ten times too much to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `look` finds something.
///
/// # Panics
/// Where it does not for [`PATIENCE`].
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// otop's command line.
pub(crate) fn command<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otop"));
    command.args(arguments).stdin(Stdio::null());
    for variable in ["SUDO_UID", "SUDO_GID", "SUDO_USER"] {
        command.env_remove(variable);
    }
    command
}

/// A file of this test run alone.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(std::process::id().to_string());
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// A running otop that prints JSON; killed when dropped.
pub(crate) struct Otop {
    child: Child,
    out: BufReader<ChildStdout>,
}

/// What otop left.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

impl Otop {
    /// Starts `otop --plain --json` over all time, with what else is asked for.
    pub(crate) fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = command(["--plain", "--json", "--window", "all", "--interval", "200ms"]);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of JSON; None at the end. A command that otop runs may print
    /// other lines in between.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        while !line.starts_with('{') {
            line.clear();
            if self.out.read_line(&mut line).unwrap() == 0 {
                return None;
            }
        }
        Some(serde_json::from_str(&line).unwrap())
    }

    /// Reads lines until `look` finds something in one.
    ///
    /// # Panics
    /// Where it does not for [`PATIENCE`], with the last line.
    #[track_caller]
    pub(crate) fn find<T>(&mut self, what: &str, mut look: impl FnMut(&Value) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        while let Some(line) = self.next() {
            if let Some(found) = look(&line) {
                return found;
            }
            last = line;
            if Instant::now() >= end {
                break;
            }
        }
        panic!("never seen: {what}; last was {last:#}");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Reads to its end.
    pub(crate) fn wait(mut self) -> Ended {
        while self.next().is_some() {}
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        Ended { status: self.child.wait().unwrap(), stderr }
    }

    /// Ends it by SIGTERM.
    pub(crate) fn end(self) -> Ended {
        self.signal(Signal::TERM);
        self.wait()
    }
}

impl Drop for Otop {
    fn drop(&mut self) {
        // It has ended by itself: nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The rows of `top` or `processes`.
pub(crate) fn rows<'a>(line: &'a Value, table: &str) -> &'a [Value] {
    line[table].as_array().unwrap()
}

/// A count in a row.
pub(crate) fn count(row: &Value, name: &str) -> u64 {
    row[name].as_u64().unwrap()
}

/// The rows of `top` as names.
pub(crate) fn functions(line: &Value) -> Vec<&str> {
    rows(line, "top").iter().filter_map(|row| row["function"].as_str()).collect()
}
