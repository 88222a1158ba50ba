//! The process that reads unwind information for us: files are hostile, and it
//! may take much memory for a moment.
//!
//! One message, one file: a byte and the file's descriptor in, a byte and a sealed
//! memfd with the table out (or another byte alone, where there is none).

use crate::symbol::channel::{self, Message};
use crate::unwind::{self, Limits, TABLE_BYTES_MAX, Table};
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The first argument that makes the program such a worker. Its standard input is
/// then the socket.
pub const ARGUMENT: &str = "__unwind";

/// How long one file may take: the largest at hand takes 0.2 s.
const DEADLINE: Duration = Duration::from_secs(5);

const BUILD: u8 = 1;
const BUILT: u8 = 2;
const NOTHING: u8 = 3;

/// Serves requests on standard input until the other side closes it.
#[must_use]
pub fn worker_main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> io::Result<()> {
    let socket = io::stdin();
    while let Some(Message { mut descriptors, .. }) = channel::receive(&socket, None)? {
        let table = descriptors.pop().and_then(|file| build(&File::from(file)).ok());
        match &table {
            Some(table) => channel::send(&socket, &[BUILT], &[table.as_fd()], None)?,
            None => channel::send(&socket, &[NOTHING], &[], None)?,
        }
    }
    Ok(())
}

fn build(file: &File) -> io::Result<OwnedFd> {
    let data = unwind::read(file)?;
    let table = unwind::build(&data, &Limits::default()).map_err(io::Error::other)?;
    let memfd = File::from(memfd_create("unwind", MemfdFlags::CLOEXEC)?);
    let mut out = BufWriter::with_capacity(1 << 16, memfd);
    table.write_to(&mut out)?;
    out.flush()?;
    Ok(out.into_inner().map_err(io::IntoInnerError::into_error)?.into())
}

/// A running worker. Dropping it ends it.
#[derive(Debug)]
pub(super) struct TableWorker {
    child: Child,
    socket: OwnedFd,
}

impl TableWorker {
    pub(super) fn start(exe: &Path) -> io::Result<Self> {
        let (socket, theirs) = channel::pair()?;
        let mut command = Command::new(exe);
        command.arg(ARGUMENT).env_clear().stdin(theirs);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { child, socket })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The table of `file`; None where it has none.
    ///
    /// # Errors
    /// Where the worker did not answer in time, or not with a table: it is of no
    /// use any more.
    pub(super) fn table(&self, file: BorrowedFd<'_>) -> io::Result<Option<Table>> {
        let deadline = Some(Instant::now() + DEADLINE);
        channel::send(&self.socket, &[BUILD], &[file], deadline)?;
        let reply = channel::receive(&self.socket, deadline)?;
        let Message { bytes, mut descriptors } =
            reply.ok_or_else(|| io::Error::from(io::ErrorKind::BrokenPipe))?;
        match (bytes.as_slice(), descriptors.pop()) {
            ([NOTHING], None) => Ok(None),
            ([BUILT], Some(table)) => read_table(&File::from(table)).map(Some),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Copies before it looks: the worker could go on writing.
fn read_table(memfd: &File) -> io::Result<Table> {
    let len = memfd.metadata()?.len();
    if len > TABLE_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    memfd.read_exact_at(&mut bytes, 0)?;
    Table::read_from(&bytes).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

impl Drop for TableWorker {
    fn drop(&mut self) {
        // It ends by itself when the socket closes; one that hangs does not.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
