//! Names: what the symbolizer found at a frame's address.

use super::{FrameKind, FunctionHandle, SymbolHandle, Text};

/// Where the naming of one frame stands. It never changes how often the frame
/// was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Naming {
    /// Asked for, or about to be.
    Pending,
    /// Found.
    Named(SymbolHandle),
    /// Not found, and why.
    Unresolved(Unresolved),
}

/// Why a frame has no name (identity 5 of the books counts each).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unresolved {
    /// The file is gone, or never was one.
    NoFile,
    /// The file has no symbol at this address.
    Stripped,
    /// Reading the file would exceed a limit, or it is malformed.
    Limit,
    /// Reading the file took too long.
    Timeout,
    /// The file may not be read.
    Denied,
}

impl Unresolved {
    /// Every reason, in the order in which they are shown.
    pub const ALL: [Self; 5] =
        [Self::NoFile, Self::Stripped, Self::Limit, Self::Timeout, Self::Denied];

    /// The reason in one word, as in `[unsymbolized: limit]`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoFile => "no file",
            Self::Stripped => "stripped",
            Self::Limit => "limit",
            Self::Timeout => "timeout",
            Self::Denied => "denied",
        }
    }
}

/// One function at a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// The function.
    pub function: FunctionHandle,
    /// The line in the function's file; 0 where unknown.
    pub line: u32,
}

/// Everything at one location: the functions inlined there, innermost first,
/// and last the one that they were inlined into (the order of OTLP's
/// `Location.lines`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Symbol {
    /// Never empty.
    pub lines: Box<[Line]>,
}

/// A function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Function {
    /// The name, demangled.
    pub name: Text,
    /// The source file, where debug information has it.
    pub file: Option<Text>,
    /// The module's name: `libc.so.6`, `kernel`, `[ext4]`.
    pub module: Text,
    /// What kind of code it is.
    pub kind: FrameKind,
}
