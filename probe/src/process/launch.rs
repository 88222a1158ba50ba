//! `otop -- COMMAND`: starts a command that waits before its first
//! instruction, so that sampling is there by then, as the user who called
//! sudo.
//!
//! ```text
//!  start ─▶ spawn ─▶ otop __launch COMMAND…: user, waits ─────▶ exec COMMAND
//!    └─▶ Launched ──▶ release: sends the command's stdin ──▲
//! ```
//!
//! The launcher waits on a socket that is its stdin. The release brings the
//! stdin that the command is to have, so that it inherits nothing else; the
//! end of the socket (we have ended) ends the launcher. The command keeps the
//! pid of the launcher.

use super::user::User;
use crate::profile::Text;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// The subcommand that [`start`] calls and that leads to [`exec`].
pub const SUBCOMMAND: &str = "__launch";

/// What the command has for a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// Ours: where we draw nothing on it.
    Inherit,
    /// None. It reads nothing, what it writes is lost, and keys that we get
    /// don't reach it (a process group of its own).
    Detached,
}

/// Why a command did not start.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// No command was given.
    #[error("no command: otop -- COMMAND [ARGUMENT]…")]
    Empty,
    /// The launcher itself did not start.
    #[error("cannot start a process: {0}")]
    Spawn(#[source] io::Error),
    /// The user who called sudo cannot be taken on.
    #[error(
        "cannot become user {uid} for the command: {errno}; call otop from a root shell to run it as root"
    )]
    User {
        /// Who.
        uid: u32,
        /// Why.
        errno: Errno,
    },
    /// One of the two has ended before the release.
    #[error("the command was not released: {0}")]
    Release(#[source] Errno),
    /// The command cannot be executed.
    #[error("cannot execute {command}: {error}")]
    Exec {
        /// The command.
        command: Text,
        /// Why.
        #[source]
        error: io::Error,
    },
}

impl LaunchError {
    /// The exit status by the custom of shells (POSIX.1-2024, "Exit Status for
    /// Commands"): 127 not found, 126 not executable, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Exec { error, .. } if error.kind() == io::ErrorKind::NotFound => 127,
            Self::Exec { .. } => 126,
            _ => 1,
        }
    }
}

/// A command that waits for [`Launched::release`], or runs.
#[derive(Debug)]
pub struct Launched {
    child: Child,
    terminal: Terminal,
    /// None once it was released.
    barrier: Option<UnixStream>,
}

/// Starts `command`, up to just before its exec.
///
/// # Errors
///
/// Where there is no command or no process can be made. That the command does
/// not exist shows after [`Launched::release`], as exit status 127.
pub fn start(command: &[OsString], terminal: Terminal) -> Result<Launched, LaunchError> {
    // What runs now, even if the file was replaced since.
    start_with(Path::new("/proc/self/exe"), &[], command, terminal)
}

fn start_with(
    launcher: &Path,
    before: &[&str],
    command: &[OsString],
    terminal: Terminal,
) -> Result<Launched, LaunchError> {
    if command.is_empty() {
        return Err(LaunchError::Empty);
    }
    let (ours, theirs) = UnixStream::pair().map_err(LaunchError::Spawn)?;
    let mut spawn = Command::new(launcher);
    spawn.args(before).arg(SUBCOMMAND).args(command).stdin(OwnedFd::from(theirs));
    if terminal == Terminal::Detached {
        spawn.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    }
    let child = spawn.spawn().map_err(LaunchError::Spawn)?;
    Ok(Launched { child, terminal, barrier: Some(ours) })
}

impl Launched {
    /// The pid, before and after the exec.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it run.
    ///
    /// # Errors
    ///
    /// Where it was ended by somebody else.
    pub fn release(&mut self) -> Result<(), LaunchError> {
        let Some(barrier) = self.barrier.take() else { return Ok(()) };
        let sent = match self.terminal {
            Terminal::Inherit => send(&barrier, io::stdin()),
            Terminal::Detached => {
                send(&barrier, File::open("/dev/null").map_err(LaunchError::Spawn)?)
            }
        };
        sent.map_err(LaunchError::Release)
    }

    /// Its exit status, if it has ended. Never waits.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses, which it does not for a child.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// As [`Launched::try_wait`].
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }
}

impl Drop for Launched {
    /// One that never ran is ended; one that runs is left alone.
    fn drop(&mut self) {
        if self.barrier.is_some() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The exit status as shells give it: 128 and the number for a signal.
#[must_use]
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// The whole of `otop __launch COMMAND [ARGUMENT]…`, given what comes after
/// the subcommand: becomes the user, waits, and becomes the command. Returns
/// only to say why not.
///
/// The calling thread has to be the only one, since users belong to threads.
pub fn exec(mut arguments: impl Iterator<Item = OsString>) -> LaunchError {
    let Some(program) = arguments.next() else { return LaunchError::Empty };
    let mut command = Command::new(&program);
    command.args(arguments);
    if let Some(user) = User::who_called_sudo()
        && let Err(errno) = user.become_it(&mut command)
    {
        return LaunchError::User { uid: user.uid(), errno };
    }
    match receive(io::stdin()) {
        Ok(stdin) => command.stdin(stdin),
        Err(errno) => return LaunchError::Release(errno),
    };
    let error = command.exec();
    LaunchError::Exec { command: Text::from_bytes(program.as_bytes()), error }
}

/// Sends one descriptor, and the byte that it has to travel with.
fn send(socket: &UnixStream, descriptor: impl AsFd) -> Result<(), Errno> {
    let descriptors = [descriptor.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    let byte = [IoSlice::new(&[0])];
    rustix::io::retry_on_intr(|| sendmsg(socket, &byte, &mut ancillary, SendFlags::NOSIGNAL))?;
    Ok(())
}

/// Waits for one descriptor. `PIPE` where the other side has ended.
fn receive(socket: impl AsFd) -> Result<OwnedFd, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut bytes = [IoSliceMut::new(&mut byte)];
    rustix::io::retry_on_intr(|| {
        recvmsg(&socket, &mut bytes, &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut rights = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    rights.next().and_then(|mut descriptors| descriptors.next()).ok_or(Errno::PIPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Not a test of its own: the launcher of the others, which run this test
    /// alone with the subcommand behind it.
    #[test]
    fn launcher() {
        let mut arguments = std::env::args_os().skip_while(|argument| argument != SUBCOMMAND);
        if arguments.next().is_some() {
            let error = exec(arguments);
            std::process::exit(error.exit_code().into());
        }
    }

    fn launch(command: &[&str]) -> Result<Launched, LaunchError> {
        let this = std::env::current_exe().expect("own path");
        let before = ["--exact", "--nocapture", "process::launch::tests::launcher", "--"];
        let command: Vec<OsString> = command.iter().map(OsString::from).collect();
        start_with(&this, &before, &command, Terminal::Detached)
    }

    #[track_caller]
    fn check(command: &[&str], expected: u8) {
        let mut launched = launch(command).expect("started");
        launched.release().expect("released");
        assert_eq!(exit_code(launched.wait().expect("a child")), expected, "{command:?}");
    }

    #[test]
    fn runs_and_reports_the_exit_status() {
        check(&["true"], 0);
        check(&["sh", "-c", "exit $2", "sh", "-x", "7"], 7);
        check(&["sh", "-c", "kill -TERM $$"], 128 + 15);
        check(&["/nowhere/at-all"], 127);
        check(&["/etc/passwd"], 126);
        assert!(matches!(launch(&[]), Err(LaunchError::Empty)));
    }

    /// A file that `touch` makes.
    struct Mark(std::path::PathBuf);

    impl Mark {
        fn new(name: &str) -> Self {
            let name = format!("launch-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = std::fs::remove_file(&path);
            Self(path)
        }

        fn launch(&self) -> Launched {
            launch(&["touch", self.0.to_str().expect("a plain path")]).expect("started")
        }
    }

    impl Drop for Mark {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn the_pid_stays_through_the_release() {
        let mark = Mark::new("runs");
        let mut launched = mark.launch();
        let pid = launched.pid();
        assert!(!mark.0.exists());
        launched.release().expect("released");
        assert!(launched.wait().expect("a child").success());
        assert!(mark.0.exists());
        assert_eq!(launched.pid(), pid);
    }

    #[test]
    fn nothing_runs_without_a_release() {
        let mark = Mark::new("never");
        let mut launched = mark.launch();
        // As when this process ends.
        launched.barrier = None;
        assert_eq!(exit_code(launched.wait().expect("a child")), 1);
        assert!(!mark.0.exists());
        let launched = mark.launch();
        let pid = launched.pid();
        drop(launched);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
        assert!(!mark.0.exists());
    }

    #[test]
    fn the_command_inherits_nothing_but_its_terminal() {
        let list = "ls /proc/self/fd | wc -l";
        let mut plain = Command::new("sh");
        let plain = plain.args(["-c", list]).stdin(Stdio::null()).output().expect("its output");
        let plain = String::from_utf8_lossy(&plain.stdout).into_owned();
        check(&["sh", "-c", &format!("test $({list}) -eq {plain}")], 0);
        check(&["sh", "-c", "test $(readlink /proc/self/fd/0) = /dev/null"], 0);
    }

    #[test]
    fn a_descriptor_travels() {
        let (here, there) = UnixStream::pair().expect("a pair");
        send(&here, File::open("/dev/null").expect("a file")).expect("sent");
        let received = receive(&there).expect("received");
        assert!(rustix::io::fcntl_getfd(&received).expect("flags").bits() != 0, "close on exec");
        drop(here);
        assert_eq!(receive(&there).err(), Some(Errno::PIPE));
    }
}
