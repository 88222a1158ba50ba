//! Cgroups: from a process, or from an id that the kernel reported, to a place.

use super::place::place;
use super::proc::Proc;
use crate::profile::Place;
use rustix::fs::{Mode, OFlags, ResolveFlags, fstat, openat2};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// How many cgroups are remembered; at the limit all are forgotten, and read
/// again as they are needed.
const CGROUPS_MAX: usize = 16_384;

/// How much of `mountinfo` is read.
const MOUNTINFO_BYTES_MAX: u64 = 4 << 20;

/// Below which v1 controllers a container's name is looked for, best first.
const V1_CONTROLLERS: [&[u8]; 5] = [b"name=systemd", b"memory", b"cpu", b"pids", b"devices"];

/// Every cgroup that was seen, by path and by id.
#[derive(Debug, Default)]
pub struct Cgroups {
    mount: Option<OwnedFd>,
    by_path: HashMap<Box<[u8]>, Place, foldhash::fast::RandomState>,
    by_id: HashMap<u64, Place, foldhash::fast::RandomState>,
}

impl Cgroups {
    /// With the v2 tree that this process sees mounted. Without one, places
    /// have no id.
    #[must_use]
    pub fn new(proc: &Proc) -> Self {
        let mount = v2_mount(&proc.root().join("self/mountinfo"));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mount = mount.and_then(|path| rustix::fs::open(path, flags, Mode::empty()).ok());
        Self { mount, ..Self::default() }
    }

    /// Where the process is whose directory in `/proc` is `process`.
    pub fn of_process(&mut self, proc: &mut Proc, process: impl AsFd) -> Place {
        let Ok(text) = proc.read(process, "cgroup") else { return Place::default() };
        let paths = Paths::parse(text);
        let mut place = self.of_path(paths.v2.unwrap_or_default());
        // Hybrid hosts: engines that use v1 leave the v2 path at the root.
        if place.container.is_none()
            && place.unit.is_none()
            && let Some(v1) = paths.v1
        {
            place = Place { cgroup_id: place.cgroup_id, ..super::place::place(v1) };
        }
        place
    }

    /// The place with this id, if it was seen.
    ///
    /// On a host that uses cgroups v1 for its containers, several places may
    /// share the id of the root, which is then none of them.
    #[must_use]
    pub fn by_id(&self, id: u64) -> Option<&Place> {
        self.by_id.get(&id)
    }

    fn of_path(&mut self, path: &[u8]) -> Place {
        if let Some(place) = self.by_path.get(path) {
            return place.clone();
        }
        if self.by_path.len() >= CGROUPS_MAX {
            self.by_path.clear();
            self.by_id.clear();
        }
        let place = Place { cgroup_id: self.id(path).unwrap_or(0), ..place(path) };
        // A path without a directory may get one later, under another id.
        if place.cgroup_id != 0 {
            self.by_path.insert(path.into(), place.clone());
            self.by_id.insert(place.cgroup_id, place.clone());
        }
        place
    }

    /// The inode of the cgroup's directory, which on 64-bit machines is what
    /// `bpf_get_current_cgroup_id` returns.
    fn id(&self, path: &[u8]) -> Option<u64> {
        let relative = path.strip_prefix(b"/")?;
        let relative = if relative.is_empty() { b"." } else { relative };
        // A path with `..` lies outside of the cgroup namespace.
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory =
            openat2(self.mount.as_ref()?, relative, flags, Mode::empty(), resolve).ok()?;
        fstat(&directory).ok().map(|stat| stat.st_ino)
    }
}

/// The paths of one `/proc/PID/cgroup` (cgroups(7)).
#[derive(Debug, Default, PartialEq, Eq)]
struct Paths<'a> {
    /// In the v2 tree: the line with hierarchy 0.
    v2: Option<&'a [u8]>,
    /// In the v1 hierarchy that tells most; None where all are at the root.
    v1: Option<&'a [u8]>,
}

impl<'a> Paths<'a> {
    fn parse(text: &'a [u8]) -> Self {
        let mut paths = Self::default();
        let mut best = usize::MAX;
        for line in text.split(|byte| *byte == b'\n') {
            let mut columns = line.splitn(3, |byte| *byte == b':');
            let (Some(id), Some(controllers), Some(path)) =
                (columns.next(), columns.next(), columns.next())
            else {
                continue;
            };
            if id == b"0" && controllers.is_empty() {
                paths.v2 = Some(path);
            } else if path != b"/" {
                let rank = V1_CONTROLLERS
                    .iter()
                    .position(|name| controllers.split(|byte| *byte == b',').any(|c| c == *name));
                if let Some(rank) = rank.filter(|rank| *rank < best) {
                    best = rank;
                    paths.v1 = Some(path);
                }
            }
        }
        paths
    }
}

/// Where the cgroup v2 tree is mounted (`proc_pid_mountinfo(5)`); the whole
/// tree rather than a part of it.
#[must_use]
pub fn v2_mount(mountinfo: &Path) -> Option<PathBuf> {
    let file = File::open(mountinfo).ok()?;
    let lines = BufReader::new(file.take(MOUNTINFO_BYTES_MAX)).split(b'\n');
    let mut part = None;
    for line in lines.map_while(Result::ok) {
        let Some((root, mount)) = v2_line(&line) else { continue };
        if root == b"/" {
            return Some(mount);
        }
        part = Some(mount);
    }
    part
}

/// Root and mount point, if `line` is about a cgroup v2 tree.
fn v2_line(line: &[u8]) -> Option<(&[u8], PathBuf)> {
    let mut fields = line.split(|byte| *byte == b' ');
    let root = fields.nth(3)?;
    let mount = fields.next()?;
    let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
    let mount = PathBuf::from(std::ffi::OsStr::from_bytes(mount));
    (kind == b"cgroup2").then_some((root, mount))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::MetadataExt;

    #[track_caller]
    fn check(text: &str, v2: Option<&str>, v1: Option<&str>) {
        let expected = Paths { v2: v2.map(str::as_bytes), v1: v1.map(str::as_bytes) };
        assert_eq!(Paths::parse(text.as_bytes()), expected);
    }

    #[test]
    fn reads_v1_v2_and_both() {
        check("0::/system.slice/ssh.service\n", Some("/system.slice/ssh.service"), None);
        check("0::/a:b\n", Some("/a:b"), None);
        check(
            "5:cpu,cpuacct:/docker/c\n4:memory:/docker/m\n1:name=systemd:/docker/s\n",
            None,
            Some("/docker/s"),
        );
        check("9:name=systemd:/\n4:memory:/jobs/7\n0::/\n", Some("/"), Some("/jobs/7"));
        check("5:cpu,cpuacct:/c\n", None, Some("/c"));
        check("", None, None);
        check("x\n:::\n0:\n", None, None);
    }

    #[test]
    fn finds_the_v2_mount() {
        let line = b"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw";
        assert_eq!(v2_line(line), Some((&b"/"[..], "/sys/fs/cgroup/unified".into())));
        let line = b"32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu";
        assert_eq!(v2_line(line), None);
        assert_eq!(v2_line(b"1 2 3"), None);
    }

    #[test]
    fn the_id_is_the_inode_of_the_directory() {
        let mut proc = Proc::default();
        let mut cgroups = Cgroups::new(&proc);
        let own = proc.process(std::process::id()).expect("own process");
        let text = std::fs::read("/proc/self/cgroup").expect("own cgroup");
        let place = cgroups.of_process(&mut proc, &own);
        let mount = v2_mount(Path::new("/proc/self/mountinfo"));
        let expected = mount.zip(Paths::parse(&text).v2).map_or(0, |(mount, path)| {
            let path = mount.join(std::str::from_utf8(&path[1..]).expect("a plain path"));
            std::fs::metadata(path).map_or(0, |directory| directory.ino())
        });
        assert_eq!(place.cgroup_id, expected);
        if expected != 0 {
            assert_eq!(cgroups.by_id(expected).map(|place| place.cgroup_id), Some(expected));
        }
    }

    #[test]
    fn a_path_cannot_leave_the_tree() {
        let cgroups = Cgroups::new(&Proc::default());
        for path in [&b"/.."[..], b"/../..", b"", b"relative", b"/\0"] {
            assert_eq!(cgroups.id(path), None);
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Paths::parse(&text);
            let _ = v2_line(&text);
            let _ = place(&text);
        }
    }
}
