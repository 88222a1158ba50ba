//! Which mapping a region belongs to, and where its file can be opened.

use crate::process::{Region, RegionFile};
use crate::profile::{
    BuildId, Frame, FrameKind, Mapping, MappingHandle, MappingKind, ProcessKey, Store, Text,
};
use foldhash::HashMap;
use std::sync::Arc;

/// Files that are known at a time. When more were mapped, all are found anew.
const FILES_MAX: usize = 65_536;

/// Where a file was seen mapped last: the likeliest place to open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) process: ProcessKey,
    pub(super) region: Region,
}

#[derive(Debug)]
struct File {
    mapping: MappingHandle,
    witness: Witness,
}

/// The files that are mapped. `/proc/PID/maps` knows a file by device and inode,
/// the kernel's records by its build id; once the file has been read
/// ([`Catalog::identified`]), the two are one.
#[derive(Debug)]
pub(super) struct Catalog {
    epoch: u32,
    /// By the address of the shared [`RegionFile`], which the value keeps alive:
    /// hashing its path for every frame would cost more than all else here.
    files: HashMap<usize, File>,
    by_mapping: HashMap<MappingHandle, usize>,
    build_ids: HashMap<(u64, u64), BuildId>,
    jit: HashMap<ProcessKey, MappingHandle>,
    names: Names,
}

/// The paths of what is no file.
#[derive(Debug)]
struct Names {
    kernel: Text,
    vdso: Text,
    jit: Text,
    unknown: Text,
}

impl Default for Catalog {
    fn default() -> Self {
        let names = Names {
            kernel: "[kernel]".into(),
            vdso: "[vdso]".into(),
            jit: "[jit]".into(),
            unknown: "[unknown]".into(),
        };
        Self {
            epoch: 0,
            files: HashMap::default(),
            by_mapping: HashMap::default(),
            build_ids: HashMap::default(),
            jit: HashMap::default(),
            names,
        }
    }
}

impl Catalog {
    /// Forgets handles that the store has renumbered, and makes room.
    pub(super) fn refresh(&mut self, store: &Store) {
        if self.epoch != store.epoch() || self.files.len() >= FILES_MAX {
            self.epoch = store.epoch();
            self.files.clear();
            self.by_mapping.clear();
            self.jit.clear();
        }
    }

    /// The frame of `address` in `region` of `process`.
    pub(super) fn frame(
        &mut self,
        store: &mut Store,
        process: ProcessKey,
        region: &Region,
        address: u64,
    ) -> Frame {
        let mut other = |kind, path: &Text| store.mapping(&Mapping { kind, path: path.clone() });
        let (kind, mapping, address) = match &*region.file {
            RegionFile::File { .. } => {
                let mapping = self.file(store, process, region);
                (FrameKind::Native, mapping, region.file_offset(address))
            }
            RegionFile::Vdso => {
                let mapping = other(MappingKind::Vdso, &self.names.vdso);
                (FrameKind::Native, mapping, region.file_offset(address))
            }
            RegionFile::Anonymous => {
                let new = || other(MappingKind::Anonymous(process), &self.names.jit);
                (FrameKind::Jit, *self.jit.entry(process).or_insert_with(new), address)
            }
            RegionFile::Other(name) => {
                (FrameKind::Native, other(MappingKind::Unknown, name), region.file_offset(address))
            }
        };
        Frame { kind, mapping, address }
    }

    /// The frame of every address at which nothing is known to be mapped: what
    /// it is would tell nobody anything.
    pub(super) fn unknown(&self, store: &mut Store) -> Frame {
        let path = self.names.unknown.clone();
        let mapping = store.mapping(&Mapping { kind: MappingKind::Unknown, path });
        Frame { kind: FrameKind::Native, mapping, address: 0 }
    }

    /// What stands at the root of a stack that is not whole.
    pub(super) fn cut(&self, store: &mut Store) -> Frame {
        Frame { kind: FrameKind::Marker, ..self.unknown(store) }
    }

    /// The frame of a kernel address.
    pub(super) fn kernel(&self, store: &mut Store, address: u64) -> Frame {
        let path = self.names.kernel.clone();
        let mapping = store.mapping(&Mapping { kind: MappingKind::Kernel, path });
        Frame { kind: FrameKind::Kernel, mapping, address }
    }

    fn file(&mut self, store: &mut Store, process: ProcessKey, region: &Region) -> MappingHandle {
        let key = Arc::as_ptr(&region.file) as usize;
        if let Some(file) = self.files.get_mut(&key) {
            if file.witness.process != process {
                // The newest one is the likeliest to be still there.
                file.witness = Witness { process, region: region.clone() };
            }
            return file.mapping;
        }
        let (kind, path) = match &*region.file {
            RegionFile::File { build_id, device_inode, path } => {
                let known = self.build_ids.get(device_inode).copied();
                let kind = match build_id.or(known) {
                    Some(id) => MappingKind::File { build_id: Some(id), device_inode: (0, 0) },
                    None => MappingKind::File { build_id: None, device_inode: *device_inode },
                };
                (kind, path.clone())
            }
            _ => (MappingKind::Unknown, self.names.unknown.clone()),
        };
        let mapping = store.mapping(&Mapping { kind, path });
        let witness = Witness { process, region: region.clone() };
        self.files.insert(key, File { mapping, witness });
        self.by_mapping.insert(mapping, key);
        mapping
    }

    /// Where the file of `mapping` was seen last.
    pub(super) fn witness(&self, mapping: MappingHandle) -> Option<&Witness> {
        let key = self.by_mapping.get(&mapping)?;
        self.files.get(key).map(|file| &file.witness)
    }

    /// A file that was known by device and inode has this build id.
    pub(super) fn identified(&mut self, device_inode: (u64, u64), build_id: BuildId) {
        if self.build_ids.len() >= FILES_MAX {
            self.build_ids.clear();
        }
        self.build_ids.insert(device_inode, build_id);
        self.files.retain(|_, file| match &*file.witness.region.file {
            RegionFile::File { build_id: None, device_inode: known, .. } => *known != device_inode,
            _ => true,
        });
    }
}
