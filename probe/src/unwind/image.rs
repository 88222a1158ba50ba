//! What an ELF file says about its code: the machine, where segments lie in
//! memory and in the file, and sections by name.

use super::{Error, Limits};
use gimli::{BaseAddresses, EhFrameHdr, Pointer, Register};
use object::LittleEndian;
use object::elf::{
    EM_AARCH64, EM_X86_64, FileHeader64, PF_X, PT_GNU_EH_FRAME, PT_LOAD, ProgramHeader64,
};
use object::read::elf::{ElfFile64, FileHeader as _, ProgramHeader as _};
use object::read::{CompressionFormat, Object as _, ObjectSection as _};
use std::borrow::Cow;

/// Processors whose stacks can be walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    X86_64,
    Aarch64,
}

impl Machine {
    /// The DWARF number of the stack pointer.
    pub(super) const fn stack_pointer(self) -> Register {
        match self {
            Self::X86_64 => gimli::X86_64::RSP,
            Self::Aarch64 => gimli::AArch64::SP,
        }
    }

    /// The DWARF number of the frame pointer.
    pub(super) const fn frame_pointer(self) -> Register {
        match self {
            Self::X86_64 => gimli::X86_64::RBP,
            Self::Aarch64 => gimli::AArch64::X29,
        }
    }

    /// The DWARF number that stands for the return address.
    pub(super) const fn return_address(self) -> Register {
        match self {
            Self::X86_64 => gimli::X86_64::RA,
            Self::Aarch64 => gimli::AArch64::X30,
        }
    }
}

/// A part of the file that is mapped as code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    /// `p_vaddr`.
    pub(super) address: u64,
    /// `p_offset`.
    pub(super) offset: u32,
    /// `p_filesz`, as far as the file and 32 bits of offset go.
    pub(super) size: u32,
}

/// A section's bytes and its address in memory (0: none).
#[derive(Clone, Debug)]
pub(super) struct Section<'a> {
    pub(super) address: u64,
    pub(super) data: Cow<'a, [u8]>,
}

/// A checked ELF file.
pub(super) struct Image<'a> {
    pub(super) data: &'a [u8],
    pub(super) machine: Machine,
    /// Executable segments by address; not empty.
    pub(super) code: Vec<Segment>,
    programs: &'a [ProgramHeader64<LittleEndian>],
    /// None where the section headers are cut: the kernel does not need them.
    file: Option<ElfFile64<'a, LittleEndian>>,
}

/// Bytes of an ELF64 file header. No function is there; a function of address 0
/// was discarded by the linker.
const HEADER_BYTES: u32 = 64;
/// `EI_CLASS`, `EI_DATA` (ELF specification, "ELF Identification").
const CLASS: usize = 4;
const DATA: usize = 5;

impl<'a> Image<'a> {
    /// Checks the headers of `data`.
    pub(super) fn parse(data: &'a [u8]) -> Result<Self, Error> {
        if !data.starts_with(b"\x7fELF") {
            return Err(Error::NotElf);
        }
        if data.get(CLASS) == Some(&1) {
            return Err(Error::Bits32);
        }
        if data.get(DATA) == Some(&2) {
            return Err(Error::BigEndian);
        }
        let header = FileHeader64::<LittleEndian>::parse(data).map_err(|_| Error::NotElf)?;
        let machine = match header.e_machine(LittleEndian) {
            EM_X86_64 => Machine::X86_64,
            EM_AARCH64 => Machine::Aarch64,
            other => return Err(Error::Machine(other.0)),
        };
        let programs = header.program_headers(LittleEndian, data).map_err(|_| Error::NotElf)?;
        let file = ElfFile64::parse(data).ok();
        let code = code(programs, data.len())?;
        Ok(Self { data, machine, code, programs, file })
    }

    /// The file's range of the code in `address .. address + size`; None where it is
    /// not all in one segment.
    pub(super) fn file_range(&self, address: u64, size: u64) -> Option<(u32, u32)> {
        let after = self.code.partition_point(|segment| segment.address <= address);
        let segment = self.code.get(after.checked_sub(1)?)?;
        let from = address - segment.address;
        let to = from.checked_add(size)?;
        if to > u64::from(segment.size) {
            return None;
        }
        let start = segment.offset.checked_add(u32::try_from(from).ok()?)?;
        let end = segment.offset.checked_add(u32::try_from(to).ok()?)?;
        (start >= HEADER_BYTES).then_some((start, end))
    }

    /// The section `name`, decompressed; `.debug_x` is found as `.zdebug_x` too.
    pub(super) fn section(&self, name: &str, limits: &Limits) -> Option<Section<'a>> {
        let section = self.file.as_ref()?.section_by_name(name)?;
        let data = section.compressed_data().ok()?;
        if data.uncompressed_size > limits.section_bytes_max
            && data.format != CompressionFormat::None
        {
            return None;
        }
        Some(Section { address: section.address(), data: data.decompress().ok()? })
    }

    /// The word that the loader writes to `address`, before it adds where it put
    /// the file: the addend of a relative relocation, which the file itself need
    /// not have in place.
    pub(super) fn relocated(&self, address: u64) -> Option<u64> {
        let section = self.file.as_ref()?.section_by_name(".rela.dyn")?;
        // Elf64_Rela: r_offset, r_info, r_addend.
        let entries = section.data().ok()?.as_chunks::<24>().0;
        let entry = entries.iter().find(|entry| entry.starts_with(&address.to_le_bytes()))?;
        entry.last_chunk().map(|addend| u64::from_le_bytes(*addend))
    }

    /// The file's range of the section `name`, which is code.
    pub(super) fn section_range(&self, name: &str) -> Option<(u32, u32)> {
        let section = self.file.as_ref()?.section_by_name(name)?;
        self.file_range(section.address(), section.size())
    }

    /// `.eh_frame`, by its name or, where the section headers were removed, by what
    /// `.eh_frame_hdr` points to.
    pub(super) fn eh_frame(&self, limits: &Limits) -> Option<Section<'a>> {
        let named = self.section(".eh_frame", limits);
        named.filter(|section| !section.data.is_empty()).or_else(|| self.eh_frame_by_header())
    }

    fn eh_frame_by_header(&self) -> Option<Section<'a>> {
        let is_header =
            |program: &&ProgramHeader64<_>| program.p_type(LittleEndian) == PT_GNU_EH_FRAME;
        let program = self.programs.iter().find(is_header)?;
        let address = program.p_vaddr(LittleEndian);
        let bytes = program.data(LittleEndian, self.data).ok()?;
        let bases = BaseAddresses::default().set_eh_frame_hdr(address);
        let header = EhFrameHdr::new(bytes, gimli::LittleEndian).parse(&bases, 8).ok()?;
        let Pointer::Direct(start) = header.eh_frame_ptr() else { return None };
        // Its length is nowhere; an entry of length 0 ends it.
        let holds = |program: &&ProgramHeader64<_>| {
            let first = program.p_vaddr(LittleEndian);
            program.p_type(LittleEndian) == PT_LOAD
                && start.checked_sub(first).is_some_and(|at| at < program.p_filesz(LittleEndian))
        };
        let segment = self.programs.iter().find(holds)?;
        let at = usize::try_from(start - segment.p_vaddr(LittleEndian)).ok()?;
        let data = segment.data(LittleEndian, self.data).ok()?.get(at..)?;
        Some(Section { address: start, data: Cow::Borrowed(data) })
    }

    /// The file from `offset` on.
    pub(super) fn bytes(&self, start: u32, end: u32) -> &'a [u8] {
        self.data.get(start as usize..end as usize).unwrap_or_default()
    }
}

/// The executable segments, checked against the file's `length`.
fn code(programs: &[ProgramHeader64<LittleEndian>], length: usize) -> Result<Vec<Segment>, Error> {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let mut end = 0;
    let mut code = Vec::new();
    for program in programs {
        if program.p_type(LittleEndian) != PT_LOAD {
            continue;
        }
        let address = program.p_vaddr(LittleEndian);
        if address < end {
            return Err(Error::SegmentOrder);
        }
        let size = program.p_filesz(LittleEndian);
        end = address.checked_add(size).ok_or(Error::SegmentOrder)?;
        let executable = program.p_flags(LittleEndian).contains(PF_X);
        let offset = u32::try_from(program.p_offset(LittleEndian)).ok();
        // Code above 4 GiB of the file has no row's address.
        if let Some(offset) = offset.filter(|offset| executable && size > 0 && *offset < length) {
            let size = u32::try_from(size).unwrap_or(u32::MAX).min(length - offset);
            code.push(Segment { address, offset, size });
        }
    }
    if code.is_empty() { Err(Error::NoCode) } else { Ok(code) }
}
