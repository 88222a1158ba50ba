//! The files behind regions, opened for whoever reads symbols and unwind
//! tables.

use super::maps::DELETED;
use super::open::{OpenError, open_below, reopen};
use super::proc::Proc;
use super::regions::{Region, RegionFile};
use super::stat::{StartRange, Stat};
use crate::profile::{BuildId, ProcessKey};
use rustix::fs::{Mode, OFlags, Stat as FileStat, fstat, fstatfs, openat, readlinkat};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// How many descriptors are kept; the one that was not asked for the longest
/// is closed.
pub const DESCRIPTORS_MAX: usize = 512;

/// File systems whose `stat` tells another device than `maps` does: btrfs
/// (one for each subvolume) and overlayfs (that of the layer). Magic numbers
/// from the kernel's `include/uapi/linux/magic.h`.
const OTHER_DEVICE: [u64; 2] = [0x9123_683e, 0x794c_7630];

/// Whose region a file is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The pid.
    pub pid: u32,
    /// When it began, as far as that is known.
    pub start: StartRange,
}

impl From<&ProcessKey> for Owner {
    fn from(key: &ProcessKey) -> Self {
        let start = StartRange { min_ns: key.start_ns, max_ns: key.start_ns };
        Self { pid: key.pid, start }
    }
}

/// An open file.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Open for reading only.
    pub file: Arc<OwnedFd>,
    /// What is left to prove.
    pub proof: Proof,
}

/// How certain it is that a file is the one that was mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Device and inode agree, or the kernel names it as the mapping's own.
    Identity,
    /// Only if its build id is this one, which the reader has to check before
    /// it believes anything else in the file.
    IfBuildId(BuildId),
}

/// What tells one file from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    BuildId(BuildId),
    /// Device, inode and path: the first two alone do not tell apart the
    /// subvolumes of btrfs.
    Inode(Arc<RegionFile>),
}

/// Opens files, and keeps the last [`DESCRIPTORS_MAX`] open.
#[derive(Debug)]
pub struct Files {
    proc: Proc,
    open: HashMap<Key, (Opened, u64), foldhash::fast::RandomState>,
    uses: u64,
}

impl Default for Files {
    fn default() -> Self {
        Self::new(Proc::default())
    }
}

impl Files {
    /// Without any open.
    #[must_use]
    pub fn new(proc: Proc) -> Self {
        Self { proc, open: HashMap::default(), uses: 0 }
    }

    /// Opens the file behind a region of a process: through the mapping
    /// itself, below the root of the process, or, where the process has
    /// ended, below ours.
    ///
    /// Can block where a file system hangs (see [`open_below`]).
    ///
    /// # Errors
    ///
    /// As [`OpenError`] says.
    pub fn open(&mut self, owner: impl Into<Owner>, region: &Region) -> Result<Opened, OpenError> {
        let RegionFile::File { build_id, device_inode, path } = &*region.file else {
            return Err(OpenError::NotRegular);
        };
        let key = build_id.map_or_else(|| Key::Inode(Arc::clone(&region.file)), Key::BuildId);
        self.uses += 1;
        if let Some((opened, used)) = self.open.get_mut(&key) {
            *used = self.uses;
            return Ok(opened.clone());
        }
        let wanted =
            Wanted { build_id: *build_id, device_inode: *device_inode, path: path.as_str() };
        let (file, proof) = match self.process(owner.into()) {
            Some(process) => of_mapping(&process, region, &wanted)
                .or_else(|_| root(&process).and_then(|root| wanted.open_below(&root))),
            None => host_root().and_then(|root| wanted.open_below(&root)),
        }?;
        let opened = Opened { file: Arc::new(file), proof };
        self.keep(key, opened.clone());
        Ok(opened)
    }

    /// Opens another file that belongs to a process, such as one with debug
    /// information: `path` as the process sees it, or as we do where the
    /// process has ended. Whether it is the right one is for the reader to
    /// check. It is not kept.
    ///
    /// Can block where a file system hangs (see [`open_below`]).
    ///
    /// # Errors
    ///
    /// As [`OpenError`] says.
    pub fn open_path(&mut self, owner: impl Into<Owner>, path: &str) -> Result<OwnedFd, OpenError> {
        let root = match self.process(owner.into()) {
            Some(process) => root(&process)?,
            None => host_root()?,
        };
        open_below(&root, path)
    }

    /// Closes a file that was not the right one, so that another process's
    /// copy can be tried.
    pub fn forget(&mut self, region: &Region) {
        let RegionFile::File { build_id, .. } = &*region.file else { return };
        let key = build_id.map_or_else(|| Key::Inode(Arc::clone(&region.file)), Key::BuildId);
        self.open.remove(&key);
    }

    /// How many are kept open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none are kept open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The directory of the process, if it is still the same one.
    fn process(&mut self, owner: Owner) -> Option<OwnedFd> {
        let process = self.proc.process(owner.pid).ok()?;
        let stat = Stat::parse(self.proc.read(&process, "stat").ok()?)?;
        let start = StartRange::of_ticks(stat.start_ticks, rustix::param::clock_ticks_per_second());
        start.overlaps(owner.start).then_some(process)
    }

    fn keep(&mut self, key: Key, opened: Opened) {
        if self.open.len() >= DESCRIPTORS_MAX {
            let oldest = self.open.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.open.remove(&oldest);
            }
        }
        self.open.insert(key, (opened, self.uses));
    }
}

/// What is known about the file that was mapped.
struct Wanted<'a> {
    build_id: Option<BuildId>,
    device_inode: (u64, u64),
    path: &'a str,
}

impl Wanted<'_> {
    fn open_below(&self, root: &OwnedFd) -> Result<(OwnedFd, Proof), OpenError> {
        let file = open_below(root, self.path)?;
        let proof = self.proof(&file)?.ok_or(OpenError::Replaced)?;
        Ok((file, proof))
    }

    /// What device, inode and build id prove; None where they prove that it is
    /// another file, or nothing at all.
    fn proof(&self, file: &OwnedFd) -> Result<Option<Proof>, OpenError> {
        if let Some(build_id) = self.build_id {
            return Ok(Some(Proof::IfBuildId(build_id)));
        }
        let FileStat { st_dev, st_ino, .. } = fstat(file)?;
        let (device, inode) = self.device_inode;
        if inode == 0 || st_ino != inode {
            return Ok(None);
        }
        let kind = u64::try_from(fstatfs(file)?.f_type).unwrap_or(0);
        let agrees = st_dev == device || OTHER_DEVICE.contains(&kind);
        Ok(agrees.then_some(Proof::Identity))
    }
}

/// Through `map_files`, which also reaches deleted files.
fn of_mapping(
    process: &OwnedFd,
    region: &Region,
    wanted: &Wanted<'_>,
) -> Result<(OwnedFd, Proof), OpenError> {
    let link = format!("map_files/{:x}-{:x}", region.start, region.end);
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let file = reopen(&openat(process, link.as_str(), flags, Mode::empty())?)?;
    if let Some(proof) = wanted.proof(&file)? {
        return Ok((file, proof));
    }
    // Overlayfs shows other inodes too; but after exec, another file may be
    // mapped at the same addresses.
    let named = readlinkat(process, link.as_str(), Vec::new())?;
    let named = named.to_bytes();
    let named = named.strip_suffix(DELETED).unwrap_or(named);
    if named == wanted.path.as_bytes() {
        Ok((file, Proof::Identity))
    } else {
        Err(OpenError::Replaced)
    }
}

fn root(process: &OwnedFd) -> Result<OwnedFd, OpenError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(process, "root", flags, Mode::empty())?)
}

fn host_root() -> Result<OwnedFd, OpenError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open("/", flags, Mode::empty())?)
}

#[cfg(test)]
mod tests;
