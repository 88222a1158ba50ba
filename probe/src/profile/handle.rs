//! Typed positions in the tables of a [`Snapshot`](super::Snapshot).
//!
//! A handle is only meaningful with the tables it was made from: when the
//! store compacts its tables, handles are renumbered. Whatever outlives a
//! snapshot (a selection on the screen, say) keeps identities, not handles.

/// A position in one of the tables.
pub trait Handle: Copy + Eq {
    /// The handle of the row at `index`.
    fn from_index(index: usize) -> Self;
    /// The row that this handle names.
    fn index(self) -> usize;
}

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u32);

        impl Handle for $name {
            fn from_index(index: usize) -> Self {
                // Tables are bounded far below this; see `Budget`.
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }

            fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

handles! {
    /// A machine that samples came from.
    HostHandle,
    /// One incarnation of a process: pid, start time and exec count.
    ProcessHandle,
    /// A thread of one process incarnation.
    ThreadHandle,
    /// A mapped file, the kernel, the vDSO, or a process's anonymous code.
    MappingHandle,
    /// A code location: mapping and address.
    FrameHandle,
    /// A node of the stack tree; the leaf node identifies the whole stack.
    StackHandle,
    /// The answer of the symbolizer for one frame.
    SymbolHandle,
    /// A function, named once.
    FunctionHandle,
}
