//! Where functions start and end by a file's unwind information, for code that
//! no symbol names.
//!
//! `.eh_frame` (Linux Standard Base, "Exception Frames") stays in stripped
//! files, and has one entry for each function.

use super::elf::Elf;
use super::limits::{EH_FRAME_BYTES_MAX, FUNCTIONS_MAX};
use crate::profile::Unresolved;
use gimli::{BaseAddresses, CieOrFde, EhFrame, EndianSlice, RunTimeEndian, UnwindSection as _};
use object::Endianness;

/// The functions' bounds by address: ELF virtual address and size in bytes.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    rows: Vec<(u64, u32)>,
}

impl Bounds {
    /// Reads `.eh_frame`; no bounds where the file has none. What follows a
    /// malformed entry is left out.
    ///
    /// # Errors
    ///
    /// [`Unresolved::Limit`] where it is too large.
    pub(super) fn new(elf: &Elf) -> Result<Self, Unresolved> {
        let Some(section) = elf.section(".eh_frame") else { return Ok(Self::default()) };
        let bytes = elf.image().bytes(section.offset, section.size, EH_FRAME_BYTES_MAX)?;
        let endian = endian(elf);
        let mut frames = EhFrame::from(EndianSlice::new(&bytes, endian));
        frames.set_address_size(if elf.is_64() { 8 } else { 4 });
        let mut bases = BaseAddresses::default().set_eh_frame(section.address);
        if let Some(text) = elf.section(".text") {
            bases = bases.set_text(text.address);
        }
        if let Some(got) = elf.section(".got") {
            bases = bases.set_got(got.address);
        }
        let mut rows = Vec::new();
        let mut last_cie = None;
        let mut entries = frames.entries(&bases);
        while let Ok(Some(entry)) = entries.next() {
            let CieOrFde::Fde(partial) = entry else { continue };
            // Neighbours mostly share one entry, whose parsing costs more than
            // the function's own.
            let parsed = partial.parse(|frames, bases, at| match &last_cie {
                Some((last, cie)) if *last == at => Ok(gimli::CommonInformationEntry::clone(cie)),
                _ => {
                    let cie = frames.cie_from_offset(bases, at)?;
                    last_cie = Some((at, cie.clone()));
                    Ok(cie)
                }
            });
            let Ok(fde) = parsed else { continue };
            rows.push((fde.initial_address(), u32::try_from(fde.len()).unwrap_or(u32::MAX)));
            if rows.len() > FUNCTIONS_MAX {
                return Err(Unresolved::Limit);
            }
        }
        rows.sort_unstable();
        rows.shrink_to_fit();
        Ok(Self { rows })
    }

    /// How much memory it takes, in bytes.
    #[must_use]
    pub(super) const fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<(u64, u32)>()
    }

    /// Where the function that covers an address starts; both are ELF virtual
    /// addresses.
    #[must_use]
    pub(super) fn start(&self, address: u64) -> Option<u64> {
        let after = self.rows.partition_point(|(start, _)| *start <= address);
        let (start, size) = self.rows.get(after.checked_sub(1)?)?;
        (address - start < u64::from(*size)).then_some(*start)
    }
}

/// The byte order, as gimli has it.
#[must_use]
pub(super) fn endian(elf: &Elf) -> RunTimeEndian {
    match elf.endian() {
        Endianness::Little => RunTimeEndian::Little,
        Endianness::Big => RunTimeEndian::Big,
    }
}
