//! A program under test that is up, and goes away with its test.

use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A started program. It is killed when this is dropped, and also when the thread
/// that started it ends: start and use it in one thread.
#[derive(Debug)]
pub struct Running {
    child: Child,
    note: u64,
}

impl Running {
    /// Starts `program` for at most 30 seconds and waits until it is where it is
    /// to be seen.
    ///
    /// # Errors
    /// If it cannot be started, or ends before it is ready.
    pub fn start(program: &Path) -> io::Result<Self> {
        Self::start_for(program, 30)
    }

    /// As [`Running::start`], for at most `seconds`.
    ///
    /// # Errors
    /// If it cannot be started, or ends before it is ready.
    pub fn start_for(program: &Path, seconds: u32) -> io::Result<Self> {
        Self::start_by(Command::new(program), seconds)
    }

    /// As [`Running::start_for`], by a command that becomes the program with the
    /// argument that is added to it.
    ///
    /// # Errors
    /// If it cannot be started, or ends before it is ready.
    pub fn start_by(mut command: Command, seconds: u32) -> io::Result<Self> {
        let mut child = command.arg(seconds.to_string()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let note = line.trim_end().strip_prefix("ready ").and_then(|note| note.parse().ok());
        let mut running = Self { child, note: note.unwrap_or_default() };
        if note.is_none() {
            let status = running.end()?;
            return Err(io::Error::other(format!("ended before it was ready: {status}")));
        }
        Ok(running)
    }

    /// The process id of what was started.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the program told when it was ready: a child's process id, or a count.
    #[must_use]
    pub fn note(&self) -> u64 {
        self.note
    }

    /// Waits until the program ends by itself.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended by itself: nothing to do.
        let _ = self.end();
    }
}
