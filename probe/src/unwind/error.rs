//! Why an ELF file has no unwind table.

/// What [`build`](super::build) refuses, and what helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file is cut, or is something else.
    #[error("not an ELF file, or its headers are cut")]
    NotElf,
    /// `ELFCLASS32`.
    #[error("a 32-bit ELF file; only 64-bit programs can be unwound")]
    Bits32,
    /// `ELFDATA2MSB`.
    #[error("a big-endian ELF file; only little-endian programs can be unwound")]
    BigEndian,
    /// An `e_machine` other than x86-64 and arm64.
    #[error("ELF machine {0}; only x86-64 and arm64 programs can be unwound")]
    Machine(u16),
    /// No `PT_LOAD` is executable: a separate debug file, say.
    #[error("no executable PT_LOAD segment; use the file that runs, not its debug file")]
    NoCode,
    /// The ELF specification asks for ascending `p_vaddr` (chapter "Program
    /// Loading").
    #[error("the PT_LOAD segments overlap or are not in the order of their addresses")]
    SegmentOrder,
    /// Neither `.eh_frame` nor `.debug_frame` nor `.gopclntab` holds a function.
    #[error(
        "no function in .eh_frame, .debug_frame or .gopclntab; \
         build it with -fasynchronous-unwind-tables or -fno-omit-frame-pointer"
    )]
    NoFunctions,
    /// See [`Limits::functions_max`](super::Limits::functions_max).
    #[error("more than {0} functions; raise Limits::functions_max")]
    Functions(usize),
    /// See [`Limits::rows_max`](super::Limits::rows_max).
    #[error("more than {0} unwind rows; raise Limits::rows_max")]
    Rows(usize),
    /// See [`Limits::steps_max`](super::Limits::steps_max).
    #[error("more than {0} steps to read the unwind information; raise Limits::steps_max")]
    Steps(u64),
}
