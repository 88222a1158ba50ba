//! A program on a terminal of its own, and what a person would see there.
//!
//! ```text
//!  program ─▶ pty ─▶ vt100 ─▶ cells ─▶ wait_for(text), screenshots
//!          ◀─ keys
//! ```
//!
//! The screen is read by a terminal emulator, since what full-screen programs
//! write are differences: a name that is to be seen need not have been written
//! in one piece.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Bytes that are read at a time: as much as the kernel keeps for a terminal.
const READ_BYTES: usize = 4096;
/// How long a program may take to end after it was asked to.
const END_MAX: Duration = Duration::from_secs(10);
/// How often it is looked whether it has.
const END_POLL: Duration = Duration::from_millis(5);

/// A size in cells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) columns: u16,
    pub(crate) rows: u16,
}

/// A program that runs on a terminal. It is ended when this is dropped.
pub(crate) struct Terminal {
    child: Child,
    tty: File,
    screen: vt100::Parser,
    started: Instant,
}

impl Terminal {
    /// Starts `program` with `arguments` on a new terminal.
    ///
    /// # Errors
    /// Where the system has no terminal to give, or the program cannot be started.
    pub(crate) fn start<S: AsRef<OsStr>>(
        size: Size,
        program: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        let (tty, program_side) = open(size).context("cannot open a terminal")?;
        let screen = vt100::Parser::new(
            size.rows.try_into().context("a terminal has rows")?,
            size.columns.try_into().context("a terminal has columns")?,
            0,
        );
        let started = Instant::now();
        // setsid(1) becomes the program, with the terminal as its own: without it
        // a program would find ours by /dev/tty.
        let child = Command::new("setsid")
            .arg("--ctty")
            .arg(program)
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env("COLORTERM", "truecolor")
            .env("LANG", "C.UTF-8")
            .env_remove("NO_COLOR")
            .stdin(Stdio::from(program_side.try_clone()?))
            .stdout(Stdio::from(program_side.try_clone()?))
            .stderr(Stdio::from(program_side))
            .spawn()
            .context("cannot run setsid, of the package util-linux")?;
        Ok(Self { child, tty: File::from(tty), screen, started })
    }

    /// The process id of the program.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What is to be seen.
    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// Types `keys`.
    ///
    /// # Errors
    /// Where the terminal is gone.
    pub(crate) fn press(&mut self, keys: &str) -> Result<()> {
        self.tty.write_all(keys.as_bytes()).context("the program has left its terminal")
    }

    /// Waits until the text on the screen is as `seen` wants it, and gives the
    /// time since the program was started.
    ///
    /// # Errors
    /// Where it is not so within `limit` from now, or the program has ended.
    pub(crate) fn wait_for(
        &mut self,
        limit: Duration,
        seen: impl Fn(&str) -> bool,
    ) -> Result<Duration> {
        let until = Instant::now() + limit;
        while self.read_until(until)? {
            if seen(&self.screen().contents()) {
                return Ok(self.started.elapsed());
            }
        }
        bail!("not seen within {limit:?}; the screen says:\n{}", self.screen().contents())
    }

    /// Looks on for `time`.
    ///
    /// # Errors
    /// Where the program has ended.
    pub(crate) fn watch(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        while self.read_until(until)? {}
        Ok(())
    }

    /// Reads once; false where there was nothing to read until then.
    fn read_until(&mut self, until: Instant) -> Result<bool> {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).context("too long to wait")?;
        if poll(&mut [PollFd::new(&self.tty, PollFlags::IN)], Some(&timeout))? == 0 {
            return Ok(false);
        }
        let mut bytes = [0; READ_BYTES];
        match self.tty.read(&mut bytes) {
            Ok(length) if length > 0 => {
                self.screen.process(bytes.get(..length).unwrap_or_default());
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            // A terminal that nobody has open any more gives EIO.
            _ => bail!("the program has ended; it said:\n{}", self.screen().contents()),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Asks a program to end, and makes it if it does not.
pub(crate) fn end(child: &mut Child) {
    let until = Instant::now() + END_MAX;
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process(pid, Signal::TERM);
    }
    while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(END_POLL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// A new terminal: our side and the program's.
fn open(size: Size) -> Result<(OwnedFd, OwnedFd)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    let Size { columns, rows } = size;
    tcsetwinsize(&ours, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?;
    let name = ptsname(&ours, Vec::new())?;
    let name = OsStr::from_bytes(name.to_bytes());
    // Not ours: setsid makes it the program's.
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let theirs = rustix::fs::open(name, flags, Mode::empty());
    Ok((ours, theirs.with_context(|| format!("cannot open {}", name.display()))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { columns: 20, rows: 3 };
    const LONG: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Terminal {
        Terminal::start(SIZE, "sh", ["-c", script]).unwrap()
    }

    #[test]
    fn what_is_written_in_pieces_is_seen_as_one() {
        let mut terminal = shell(r"printf 'h.t_a\033[1;2Ho'; read answer");
        terminal.wait_for(LONG, |text| text.contains("hot_a")).unwrap();
    }

    #[test]
    fn the_program_has_a_terminal_of_this_size_and_reads_keys() {
        let mut terminal = shell("stty size </dev/tty; read answer; echo got $answer; read end");
        terminal.wait_for(LONG, |text| text.contains("3 20")).unwrap();
        terminal.press("x\n").unwrap();
        terminal.wait_for(LONG, |text| text.contains("got x")).unwrap();
    }

    #[test]
    fn a_program_that_ends_is_told_from_one_that_says_nothing() {
        let error = shell("echo bye").wait_for(LONG, |text| text.contains("never"));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("has ended") && error.contains("bye"), "{error}");
    }
}
