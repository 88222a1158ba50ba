//! Tests of opening the files behind regions.

use super::super::cgroup::Cgroups;
use super::super::scan::{self, Seen};
use super::*;
use crate::profile::{Handle, HostHandle};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A copy of `cat` that runs, or has ended.
struct Cat {
    child: Child,
    path: PathBuf,
    seen: Seen,
}

impl Cat {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("cat-{name}-{}", std::process::id()));
        std::fs::copy("/bin/cat", &path).expect("a copy of cat");
        let mut child = Command::new(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        // An echo says that it is mapped and runs.
        let (stdin, stdout) = (child.stdin.as_mut(), child.stdout.as_mut());
        stdin.expect("a pipe").write_all(b"x").expect("written");
        stdout.expect("a pipe").read_exact(&mut [0]).expect("an echo");
        let mut proc = Proc::default();
        let mut cgroups = Cgroups::new(&proc);
        let seen = scan::one(&mut proc, &mut cgroups, child.id()).expect("the child");
        Self { child, path, seen }
    }

    fn key(&self) -> ProcessKey {
        ProcessKey {
            host: HostHandle::from_index(0),
            pid: self.seen.pid,
            start_ns: self.seen.start.min_ns,
            exec_id: 1,
        }
    }

    fn code(&self) -> Region {
        let is_code = |region: &&Region| match &*region.file {
            RegionFile::File { path, .. } => Some(path.as_str()) == self.path.to_str(),
            _ => false,
        };
        self.seen.regions.iter().find(is_code).cloned().expect("its code")
    }

    fn end(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("waited for");
    }
}

impl Drop for Cat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.path);
    }
}

fn inode(file: &OwnedFd) -> u64 {
    fstat(file).expect("an open file").st_ino
}

fn inode_at(path: &Path) -> u64 {
    std::fs::metadata(path).expect("a file").ino()
}

#[test]
fn opens_what_is_mapped_once() {
    let cat = Cat::new("live");
    let mut files = Files::default();
    let opened = files.open(&cat.key(), &cat.code()).expect("the file");
    assert_eq!((inode(&opened.file), opened.proof), (inode_at(&cat.path), Proof::Identity));
    let again = files.open(&cat.key(), &cat.code()).expect("the file");
    assert!(Arc::ptr_eq(&opened.file, &again.file));
    files.forget(&cat.code());
    assert!(files.is_empty());
}

#[test]
fn a_deleted_file_is_reached_through_its_mapping() {
    let cat = Cat::new("deleted");
    let before = inode_at(&cat.path);
    std::fs::remove_file(&cat.path).expect("removed");
    std::fs::write(&cat.path, b"another").expect("replaced");
    let opened = Files::default().open(&cat.key(), &cat.code()).expect("the file");
    assert_eq!(inode(&opened.file), before);
}

#[test]
fn the_dead_leave_their_files_behind() {
    let mut cat = Cat::new("dead");
    cat.end();
    let opened = Files::default().open(&cat.key(), &cat.code()).expect("the file");
    assert_eq!((inode(&opened.file), opened.proof), (inode_at(&cat.path), Proof::Identity));
}

#[test]
fn a_file_replaced_after_death_is_not_it() {
    let mut cat = Cat::new("replaced");
    cat.end();
    let other = cat.path.with_extension("new");
    std::fs::write(&other, b"another").expect("written");
    std::fs::rename(&other, &cat.path).expect("replaced");
    let found = Files::default().open(&cat.key(), &cat.code());
    assert_eq!(found.err(), Some(OpenError::Replaced));
}

#[test]
fn a_build_id_is_left_to_the_reader() {
    let mut cat = Cat::new("build-id");
    cat.end();
    let build_id = BuildId::new(&[7; 20]);
    let path = cat.path.to_str().expect("a plain path").into();
    let file = RegionFile::File { build_id, device_inode: (0, 0), path };
    let region = Region { file: Arc::new(file), ..cat.code() };
    let opened = Files::default().open(&cat.key(), &region).expect("the file");
    assert_eq!(Some(opened.proof), build_id.map(Proof::IfBuildId));
}

#[test]
fn another_process_under_the_same_pid_is_not_asked() {
    let cat = Cat::new("reused");
    let elsewhere = ProcessKey { start_ns: 1, ..cat.key() };
    let mut files = Files::default();
    // Taken for dead: the file is found by its path on the host.
    files.open(&elsewhere, &cat.code()).expect("the file");
    files.forget(&cat.code());
    std::fs::remove_file(&cat.path).expect("removed");
    assert_eq!(files.open(&elsewhere, &cat.code()).err(), Some(OpenError::Gone));
}

#[test]
fn what_is_no_file_is_refused() {
    let cat = Cat::new("kinds");
    let mut files = Files::default();
    for file in [RegionFile::Vdso, RegionFile::Anonymous, RegionFile::Other("[x]".into())] {
        let region = Region { file: Arc::new(file), ..cat.code() };
        assert_eq!(files.open(&cat.key(), &region).err(), Some(OpenError::NotRegular));
    }
    assert!(files.open_path(&cat.key(), "/dev/null").is_err());
    assert!(files.open_path(&cat.key(), "/bin/cat").is_ok());
}

#[test]
fn descriptors_are_bounded() {
    let mut files = Files::default();
    let file = std::fs::File::open("/dev/null").expect("a file");
    let opened = Opened { file: Arc::new(file.into()), proof: Proof::Identity };
    for i in 0..2000_u16 {
        files.uses += 1;
        let id = BuildId::new(&i.to_le_bytes()).expect("an id");
        files.keep(Key::BuildId(id), opened.clone());
    }
    assert_eq!(files.len(), DESCRIPTORS_MAX);
    let newest = BuildId::new(&1999_u16.to_le_bytes()).expect("an id");
    assert!(files.open.contains_key(&Key::BuildId(newest)));
}
