//! Names for addresses, found by a worker process of the same binary.
//!
//! ```text
//!  Client ──▶ request: key, addresses, descriptors ──▶ worker ──▶ Elf: Functions, Bounds, DebugInfo
//!         ◀── names, each with a bounded length   ◀──        └──▶ Kallsyms
//! ```
//!
//! Executables are written by anybody, and parsers of them have faults. So a
//! process of its own reads them: it gets descriptors and no paths, and when a
//! file makes it slow, large or dead, the [`Client`] ends it, starts another, and
//! remembers the file. Its answers are taken for as hostile as the files.
//!
//! A file is read at three depths: the symbol table ([`Detail::Names`], cheap),
//! `.eh_frame` where that names nothing (`libc.so.6!fn_96120`), and DWARF for
//! inlined functions and source lines ([`Detail::Lines`], for what is on the
//! screen).

mod bounds;
mod calls;
pub mod channel;
mod client;
mod debug_files;
mod demangle;
mod dwarf;
mod elf;
mod functions;
mod image;
mod input;
mod kallsyms;
pub mod limits;
mod object;
mod patience;
mod restarts;
mod vdso;
mod wire;
mod worker;

pub use client::{Client, Error, Stats};
pub use debug_files::candidates;
pub use vdso::vdso_image;
pub use worker::{ARGUMENT, worker_main};

use crate::profile::store::NamedLine;
use crate::profile::{BuildId, Code, Text, Unresolved};
use std::os::fd::OwnedFd;

/// How much is asked of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Function names, by symbol table.
    Names,
    /// Also inlined functions and source lines, by debug information.
    Lines,
}

/// What addresses are looked up in.
#[derive(Debug)]
pub enum ObjectKind {
    /// An ELF file: an executable or a library, or the vDSO
    /// ([`vdso_image`]). Addresses are offsets in the file.
    File {
        /// Open for reading.
        file: OwnedFd,
        /// Candidates for its debug file ([`candidates`]); those that are not
        /// are left alone. At most [`limits::DEBUG_FILES_MAX`] count.
        debug: Vec<OwnedFd>,
    },
    /// The kernel. Addresses are run-time addresses.
    Kernel {
        /// `/proc/kallsyms`, opened by a process that sees addresses in it.
        kallsyms: OwnedFd,
    },
}

/// See [`ObjectKind`].
#[derive(Debug)]
pub struct Object {
    /// The same for the same content and for no other: the worker keeps what it
    /// read under it. For modules and BPF programs that were loaded later, the
    /// kernel gets a new one.
    pub key: u64,
    /// What it is.
    pub kind: ObjectKind,
    /// The module's name, for the functions found in it.
    pub module: Text,
}

/// A request for names.
#[derive(Debug)]
pub struct Ask {
    /// Where to look.
    pub object: Object,
    /// What to look up.
    pub addresses: Vec<u64>,
    /// How closely.
    pub detail: Detail,
}

/// The functions at an address, innermost first, at least one.
pub type Names = Result<Vec<NamedLine>, Unresolved>;

/// What was found: one of each for each address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The names.
    pub names: Vec<Names>,
    /// What the code there is; known for files, and with [`Detail::Names`] alone.
    pub code: Vec<Code>,
}

/// What a file says that it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The GNU build id.
    pub build_id: Option<BuildId>,
    /// The debug link: a file's name and its CRC-32. Not checked in any way.
    pub debug_link: Option<(Vec<u8>, u32)>,
    /// Whether it was made by the Go linker.
    pub is_go: bool,
    /// Whether it has DWARF of its own.
    pub has_debug_info: bool,
}
