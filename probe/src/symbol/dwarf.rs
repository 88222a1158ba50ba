//! Inlined functions and source lines, by a file's debug information.
//!
//! Loaded for `Detail::Lines` alone, and only where its sections, by what they
//! say they uncompress to, fit into the limit: a bomb is refused before the
//! first byte of it is uncompressed.

use super::bounds::endian;
use super::demangle::{Name, demangle};
use super::elf::Elf;
use super::limits::{DWARF_BYTES_MAX, LINES_MAX, PATH_BYTES_MAX};
use crate::profile::{FrameKind, Unresolved};
use addr2line::Context;
use gimli::{Dwarf, EndianRcSlice, RunTimeEndian, SectionId};
use std::rc::Rc;

/// The sections that look-ups read.
const SECTIONS: [SectionId; 11] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
];

/// A function at an address, and the place in the source.
#[derive(Debug)]
pub(super) struct Frame {
    /// None where only the place is known.
    pub(super) name: Option<Name>,
    /// The source file.
    pub(super) file: Option<Vec<u8>>,
    /// The source line; 0 where unknown.
    pub(super) line: u32,
}

/// The debug information of one file.
pub(super) struct DebugInfo {
    context: Context<EndianRcSlice<RunTimeEndian>>,
    bytes: usize,
}

impl DebugInfo {
    /// Loads it; None where the file has none.
    ///
    /// # Errors
    ///
    /// [`Unresolved::Limit`] where it is too large or malformed.
    pub(super) fn new(elf: &Elf) -> Result<Option<Self>, Unresolved> {
        if elf.section(SectionId::DebugInfo.name()).is_none() {
            return Ok(None);
        }
        let mut sum: u64 = 0;
        for id in SECTIONS {
            sum = sum.saturating_add(elf.plain_size(id.name())?);
        }
        if sum > DWARF_BYTES_MAX {
            return Err(Unresolved::Limit);
        }
        let dwarf = Dwarf::load(|id| -> Result<_, Unresolved> {
            let wanted = SECTIONS.contains(&id);
            let bytes = if wanted { elf.plain_bytes(id.name())? } else { Vec::new() };
            Ok(EndianRcSlice::new(Rc::from(bytes), endian(elf)))
        })?;
        let context = Context::from_dwarf(dwarf).map_err(super::elf::malformed)?;
        Ok(Some(Self { context, bytes: usize::try_from(sum).unwrap_or(usize::MAX) }))
    }

    /// How much memory its sections take, in bytes.
    #[must_use]
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is at an ELF virtual address, innermost first; none where nothing
    /// is known of it.
    #[must_use]
    pub(super) fn find(&self, address: u64) -> Vec<Frame> {
        let mut found = Vec::new();
        let Ok(mut frames) = self.context.find_frames(address).skip_all_loads() else {
            return found;
        };
        while found.len() < LINES_MAX
            && let Ok(Some(frame)) = frames.next()
        {
            let name = frame.function.and_then(|function| {
                let name = demangle(function.raw_name().ok()?.as_bytes());
                let rust = function.language == Some(gimli::DW_LANG_Rust);
                let kind = if rust { FrameKind::Rust } else { name.kind };
                (!name.bytes.is_empty()).then_some(Name { kind, ..name })
            });
            let location = frame.location;
            let file = location.as_ref().and_then(|location| location.file).map(|file| {
                let file = file.as_bytes();
                file.get(..PATH_BYTES_MAX).unwrap_or(file).to_vec()
            });
            let line = location.and_then(|location| location.line).unwrap_or(0);
            found.push(Frame { name, file, line });
        }
        found
    }
}

impl std::fmt::Debug for DebugInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DebugInfo").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
