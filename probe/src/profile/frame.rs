//! Code locations: where an instruction is, before it has a name.

use super::Text;
use super::process::ProcessKey;

/// What kind of code a frame is, in the words of the OpenTelemetry attribute
/// `profile.frame.type` (semantic conventions, "profile").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FrameKind {
    /// Kernel and its modules.
    Kernel,
    /// Machine code of a file: C, C++, and what has no kind of its own.
    Native,
    /// Machine code compiled from Rust.
    Rust,
    /// Machine code compiled from Go.
    Go,
    /// A Python function.
    Python,
    /// A method on the Java virtual machine.
    Jvm,
    /// A JavaScript function in V8.
    V8,
    /// A Ruby method.
    Ruby,
    /// A PHP function.
    Php,
    /// A Perl subroutine.
    Perl,
    /// A .NET method.
    Dotnet,
    /// An Erlang or Elixir function.
    Beam,
    /// A Lua function in `LuaJIT`.
    LuaJit,
    /// Machine code made at run time, by nobody known.
    Jit,
    /// Not code: says that the stack is incomplete from here on.
    Marker,
}

impl FrameKind {
    /// The value of `profile.frame.type`; None where the conventions have none.
    #[must_use]
    pub const fn otel_name(self) -> Option<&'static str> {
        Some(match self {
            Self::Kernel => "kernel",
            Self::Native | Self::Jit => "native",
            Self::Rust => "rust",
            Self::Go => "go",
            Self::Python => "cpython",
            Self::Jvm => "jvm",
            Self::V8 => "v8js",
            Self::Ruby => "ruby",
            Self::Php => "php",
            Self::Perl => "perl",
            Self::Dotnet => "dotnet",
            Self::Beam => "beam",
            Self::LuaJit => "luajit",
            Self::Marker => return None,
        })
    }
}

/// A code location.
///
/// `address` is always the address to look up: a return address has had 1
/// taken off where it was decoded, so nobody after that can forget to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Frame {
    /// What kind of code it is.
    pub kind: FrameKind,
    /// What the address belongs to.
    pub mapping: super::MappingHandle,
    /// For a file: the offset in the file, not the ELF virtual address (linkers
    /// such as lld let the two differ; whoever reads the file translates). For
    /// the kernel and anonymous code: the run-time address.
    pub address: u64,
}

/// A build id as the ELF note has it: up to 20 bytes are used by the kernel's
/// records (`perf_event_open(2)`, `PERF_RECORD_MMAP2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BuildId {
    len: u8,
    bytes: [u8; Self::BYTES_MAX],
}

impl BuildId {
    /// The longest build id kept.
    pub const BYTES_MAX: usize = 20;

    /// None for an empty or overlong id.
    #[must_use]
    pub fn new(id: &[u8]) -> Option<Self> {
        let len = u8::try_from(id.len()).ok().filter(|len| *len > 0)?;
        let mut bytes = [0; Self::BYTES_MAX];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { len, bytes })
    }

    /// The bytes of the note.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Lower-case hexadecimal, as `file` and `readelf -n` print it.
    #[must_use]
    pub fn to_hex(&self) -> String {
        use std::fmt::Write as _;
        self.as_bytes().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// What is mapped, apart from where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MappingKind {
    /// A file, told apart from others by its build id or, without one, by
    /// device and inode.
    File {
        /// The GNU build id, where the file has one.
        build_id: Option<BuildId>,
        /// Device (`st_dev`) and inode; zero where only the build id is known.
        device_inode: (u64, u64),
    },
    /// The kernel and its modules.
    Kernel,
    /// The kernel's code in every process.
    Vdso,
    /// Code of one process without a file: a JIT's, mostly.
    Anonymous(ProcessKey),
    /// Nothing was mapped at the address, or the mapping was not seen.
    Unknown,
}

/// A mapped file or other code region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// What is mapped.
    pub kind: MappingKind,
    /// The path as the mapping process sees it, or a name in brackets.
    pub path: Text,
}

impl Mapping {
    /// The last part of the path: what a column headed "module" shows.
    #[must_use]
    pub fn module(&self) -> &str {
        let path = self.path.as_str();
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(path)
    }
}
