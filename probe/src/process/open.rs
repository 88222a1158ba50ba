//! Opening files that somebody else chose: read-only, regular files alone,
//! never outside of a root, never with an effect on what is not a file.

use crate::profile::Unresolved;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Why a file was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The process has gone, and the file with it, or there never was one.
    #[error("the file is gone")]
    Gone,
    /// What is there now is another file than the one that was mapped.
    #[error("the file was replaced after it was mapped")]
    Replaced,
    /// A pipe, device, socket or directory, or the region has no file.
    #[error("not a regular file")]
    NotRegular,
    /// The file may not be read.
    #[error(
        "the file may not be read: otop needs CAP_SYS_PTRACE, CAP_CHECKPOINT_RESTORE and CAP_DAC_READ_SEARCH"
    )]
    Denied,
    /// Anything else.
    #[error("the file cannot be opened: {0}")]
    Other(Errno),
}

impl OpenError {
    /// What it means for the names of the file's frames.
    #[must_use]
    pub const fn unresolved(self) -> Unresolved {
        match self {
            Self::Denied => Unresolved::Denied,
            Self::Gone | Self::Replaced | Self::NotRegular | Self::Other(_) => Unresolved::NoFile,
        }
    }
}

impl From<Errno> for OpenError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT | Errno::SRCH | Errno::NOTDIR => Self::Gone,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            // A link where none is followed.
            Errno::LOOP | Errno::NXIO => Self::NotRegular,
            other => Self::Other(other),
        }
    }
}

/// Opens `path`, which is taken to be below `root` whatever links and `..` it
/// goes through.
///
/// A path on a file system whose server hangs (FUSE, NFS) can block: not for
/// a thread that has anything else to do.
///
/// # Errors
///
/// As [`OpenError`] says.
pub fn open_below(root: impl AsFd, path: &str) -> Result<OwnedFd, OpenError> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    reopen(&openat2(root, path, flags, Mode::empty(), resolve)?)
}

/// Opens for reading what `path_only` (`O_PATH`) refers to, if it is a regular
/// file.
///
/// Only now is the file really opened: to open a pipe or a device can block,
/// wake its other end, or rewind a tape.
///
/// # Errors
///
/// As [`OpenError`] says.
pub fn reopen(path_only: &OwnedFd) -> Result<OwnedFd, OpenError> {
    if FileType::from_raw_mode(fstat(path_only)?.st_mode) != FileType::RegularFile {
        return Err(OpenError::NotRegular);
    }
    // The file may be on a lease: that blocks too, without O_NONBLOCK.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let link = format!("/proc/self/fd/{}", path_only.as_raw_fd());
    Ok(rustix::fs::open(link, flags, Mode::empty())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;
    use std::io::Read;
    use std::path::PathBuf;

    /// A directory with a file, links and things that are no file, below a
    /// secret that no path may reach.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> Self {
            let top = std::env::temp_dir().join(format!("open-{name}-{}", std::process::id()));
            let root = top.join("root");
            std::fs::create_dir_all(root.join("dir")).expect("a directory");
            std::fs::write(top.join("secret"), b"secret").expect("a file");
            std::fs::write(root.join("file"), b"content").expect("a file");
            let link = |to: &str, name: &str| {
                std::os::unix::fs::symlink(to, root.join(name)).expect("a link");
            };
            link("/file", "absolute");
            link("../../../secret", "climbing");
            link("loop", "loop");
            link("/proc/self/exe", "magic");
            let fifo = root.join("fifo");
            rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0)
                .expect("a pipe");
            Self(top)
        }

        #[track_caller]
        fn check(&self, path: &str, expected: Result<&str, OpenError>) {
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            let root =
                rustix::fs::open(self.0.join("root"), flags, Mode::empty()).expect("the root");
            let found = open_below(&root, path).map(|file| {
                let mut text = String::new();
                std::fs::File::from(file).read_to_string(&mut text).expect("text");
                text
            });
            assert_eq!(found.as_deref(), expected.as_ref().copied(), "{path}");
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn opens_regular_files_below_the_root_alone() {
        let tree = Tree::new("kinds");
        tree.check("/file", Ok("content"));
        tree.check("file", Ok("content"));
        tree.check("/../../file", Ok("content"));
        tree.check("/absolute", Ok("content"));
        tree.check("/climbing", Err(OpenError::Gone));
        tree.check("/../secret", Err(OpenError::Gone));
        tree.check("/loop", Err(OpenError::NotRegular));
        tree.check("/magic", Err(OpenError::Gone));
        tree.check("/dir", Err(OpenError::NotRegular));
        tree.check("/missing", Err(OpenError::Gone));
        tree.check("/file/x", Err(OpenError::Gone));
        // Without a writer, a careless open would wait here for ever.
        tree.check("/fifo", Err(OpenError::NotRegular));
    }

    #[test]
    fn follows_no_magic_link() {
        let root = rustix::fs::open("/", OFlags::PATH, Mode::empty()).expect("the root");
        assert_eq!(open_below(&root, "/proc/self/exe").err(), Some(OpenError::NotRegular));
        assert_eq!(open_below(&root, "/dev/null").err(), Some(OpenError::NotRegular));
    }
}
