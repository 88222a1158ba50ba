//! The functions of a file: where they are and what describes them.

use super::{Error, Limits};

/// What describes a function, best first: where two describe one, the first
/// counts. The Go linker's tables come before its `.debug_frame`, which does not say
/// where the frame pointer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// An entry of `.eh_frame`, by its offset.
    EhFrame(u32),
    /// A function of `.gopclntab`, by its number.
    Go(u32),
    /// An entry of `.debug_frame`, by its offset.
    DebugFrame(u32),
    /// A code pattern that was found where nothing else describes the code.
    Pattern(Pattern),
}

/// Code that is known by its bytes or its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pattern {
    /// What the kernel has a signal handler return to.
    SignalReturn,
    /// Procedure linkage table entries of 16 bytes, which linkers other than
    /// binutils' do not describe.
    Plt,
    /// The same, of entries that only jump.
    PltJump,
}

impl Origin {
    const fn rank(self) -> u8 {
        match self {
            Self::EhFrame(_) => 0,
            Self::Go(_) => 1,
            Self::DebugFrame(_) => 2,
            Self::Pattern(_) => 3,
        }
    }
}

/// A range of the file that holds a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) start: u32,
    /// Exclusive; above `start`.
    pub(super) end: u32,
    pub(super) origin: Origin,
}

/// The functions, in any order and overlapping until [`Functions::sort`].
#[derive(Debug)]
pub(super) struct Functions {
    list: Vec<Function>,
    max: usize,
}

impl Functions {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self { list: Vec::new(), max: limits.functions_max }
    }

    /// Adds a function that is not empty.
    pub(super) fn add(&mut self, (start, end): (u32, u32), origin: Origin) -> Result<(), Error> {
        if self.list.len() >= self.max {
            return Err(Error::Functions(self.max));
        }
        if start < end {
            self.list.push(Function { start, end, origin });
        }
        Ok(())
    }

    /// Sorts, and cuts what overlaps: a better origin goes before a worse one; of
    /// the same origin, the function that starts last goes on from there, as the
    /// binary search of `.eh_frame_hdr` has it.
    pub(super) fn sort(&mut self) {
        self.list.sort_unstable_by_key(|function| (function.start, function.origin));
        let mut kept = 0_usize;
        for read in 0..self.list.len() {
            let Some(&function) = self.list.get(read) else { break };
            let last = kept.checked_sub(1).and_then(|at| self.list.get_mut(at));
            if let Some(last) = last.filter(|last| function.start < last.end) {
                if function.start == last.start || function.origin.rank() > last.origin.rank() {
                    continue;
                }
                last.end = function.start;
            }
            if let Some(slot) = self.list.get_mut(kept) {
                *slot = function;
                kept += 1;
            }
        }
        self.list.truncate(kept);
    }

    /// The functions, as [`Functions::sort`] left them.
    pub(super) fn list(&self) -> &[Function] {
        &self.list
    }
}
