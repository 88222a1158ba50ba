//! Reading below `/proc`, with bounds.

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// The longest small file (`stat`, `comm`, `cgroup`) that is read; what comes
/// after is cut off.
const SMALL_BYTES_MAX: usize = 64 << 10;

/// How much is read at once.
const PIECE_BYTES: usize = 64 << 10;

/// A `/proc`, or for tests a directory that looks like one.
#[derive(Debug)]
pub struct Proc {
    root: PathBuf,
    piece: Vec<u8>,
}

impl Default for Proc {
    fn default() -> Self {
        Self::at("/proc")
    }
}

impl Proc {
    /// The one that is mounted at `root`.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), piece: vec![0; PIECE_BYTES] }
    }

    /// Where it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory of one process. What is read below it is about that
    /// process, or fails: the directory outlives the reuse of the pid.
    ///
    /// # Errors
    ///
    /// `NOENT` where there is no such process.
    pub fn process(&self, pid: u32) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(self.root.join(pid.to_string()), flags, Mode::empty())
    }

    /// Every pid that exists now, in the order of the directory.
    ///
    /// # Errors
    ///
    /// Where the root cannot be read.
    pub fn pids(&self) -> std::io::Result<impl Iterator<Item = u32>> {
        let entries = std::fs::read_dir(&self.root)?;
        Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
    }

    /// A small file, cut off at 64 KiB.
    ///
    /// # Errors
    ///
    /// `NOENT` or `SRCH` where the process has gone, `ACCESS` where it may not
    /// be read.
    pub fn read(&mut self, directory: impl AsFd, name: &str) -> Result<&[u8], Errno> {
        let file = openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut len = 0;
        while len < SMALL_BYTES_MAX {
            let Some(room) = self.piece.get_mut(len..) else { break };
            match rustix::io::read(&file, room)? {
                0 => break,
                count => len += count,
            }
        }
        Ok(self.piece.get(..len).unwrap_or_default())
    }

    /// Calls `each` with the contents of a file, piece by piece, for at most
    /// `bytes_max`. False where the file is longer.
    ///
    /// # Errors
    ///
    /// As [`Proc::read`].
    pub fn read_pieces(
        &mut self,
        directory: impl AsFd,
        name: &str,
        bytes_max: usize,
        mut each: impl FnMut(&[u8]),
    ) -> Result<bool, Errno> {
        let file = openat(directory, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut left = bytes_max;
        while left > 0 {
            let count = rustix::io::read(&file, self.piece.as_mut_slice())?;
            if count == 0 {
                return Ok(true);
            }
            each(self.piece.get(..count).unwrap_or_default());
            left = left.saturating_sub(count);
        }
        Ok(false)
    }
}
