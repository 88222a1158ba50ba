//! An ELF file's headers: where its sections and segments are.
//!
//! System V ABI, "Object Files". Sizes and counts in a file are claims: each is
//! held against a limit before anything is read for it.

use super::image::{Cursor, Image};
use super::limits::{DWARF_BYTES_MAX, NOTE_BYTES_MAX, SECTIONS_MAX, SEGMENTS_MAX};
use crate::profile::{BuildId, Unresolved};
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, NoteIterator, ProgramHeader as _, SectionHeader as _};
use object::read::{CompressedData, CompressionFormat, ReadCache};
use object::{Endianness, pod};
use std::os::fd::OwnedFd;

/// A section of which something is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    /// `sh_addr`.
    pub(super) address: u64,
    /// `sh_offset`.
    pub(super) offset: u64,
    /// `sh_size`.
    pub(super) size: u64,
    /// `sh_link`.
    pub(super) link: u32,
    kind: elf::SectionType,
    compressed: bool,
    executable: bool,
}

/// A `PT_LOAD` program header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// `p_offset`: where it is in the file.
    pub(super) offset: u64,
    /// `p_vaddr`: the ELF virtual address that this offset has.
    pub(super) address: u64,
    /// `p_filesz`: how much of it is in the file, in bytes.
    pub(super) size: u64,
    /// Whether it is mapped as code (`PF_X`).
    executable: bool,
}

/// Whose instructions a file has (`e_machine`), as far as they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    /// x86-64 and its 32-bit ancestor.
    X86,
    /// 64-bit Arm.
    Arm64,
    /// Any other.
    Other,
}

/// The headers of an ELF file, and the file.
#[derive(Debug)]
pub(super) struct Elf {
    image: Image,
    endian: Endianness,
    is_64: bool,
    machine: Machine,
    sections: Vec<(Box<[u8]>, Section)>,
    segments: Vec<Segment>,
}

impl Elf {
    /// Reads the headers.
    ///
    /// # Errors
    ///
    /// [`Unresolved::Limit`] for anything but a well-formed ELF file of
    /// reasonable size; [`Unresolved::NoFile`] for what is no regular file.
    pub(super) fn new(file: OwnedFd) -> Result<Self, Unresolved> {
        let image = Image::new(file)?;
        let cache = ReadCache::new(Cursor::new(image.file(), image.len()));
        let class = image.bytes(EI_CLASS, 1, 1)?;
        let is_64 = class == [elf::ELFCLASS64.0];
        let headers = if is_64 {
            headers::<FileHeader64<Endianness>>(&cache)
        } else {
            headers::<FileHeader32<Endianness>>(&cache)
        };
        let Headers { endian, machine, sections, segments } = headers.ok_or(Unresolved::Limit)?;
        drop(cache);
        Ok(Self { image, endian, is_64, machine, sections, segments })
    }

    /// The file.
    #[must_use]
    pub(super) const fn image(&self) -> &Image {
        &self.image
    }

    /// The byte order.
    #[must_use]
    pub(super) const fn endian(&self) -> Endianness {
        self.endian
    }

    /// Whether addresses have 64 bits.
    #[must_use]
    pub(super) const fn is_64(&self) -> bool {
        self.is_64
    }

    /// Whose instructions it has.
    #[must_use]
    pub(super) const fn machine(&self) -> Machine {
        self.machine
    }

    /// Whether an address is in an executable segment.
    #[must_use]
    pub(super) fn is_code(&self, address: u64) -> bool {
        self.segments.iter().any(|segment| {
            segment.executable && address.wrapping_sub(segment.address) < segment.size
        })
    }

    /// The section with this name, if it has bytes in the file.
    #[must_use]
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        let (_, section) = self.sections.iter().find(|(found, _)| &**found == name.as_bytes())?;
        (section.kind != elf::SHT_NOBITS && section.size > 0).then_some(section)
    }

    /// The section with this number.
    #[must_use]
    pub(super) fn section_at(&self, index: usize) -> Option<&Section> {
        self.sections.get(index).map(|(_, section)| section)
    }

    /// The end of the executable section that holds an address.
    #[must_use]
    pub(super) fn code_end(&self, address: u64) -> Option<u64> {
        self.sections.iter().find_map(|(_, section)| {
            let end = section.address.checked_add(section.size)?;
            (section.executable && (section.address..end).contains(&address)).then_some(end)
        })
    }

    /// The ELF virtual address of a file offset.
    #[must_use]
    pub(super) fn address(&self, offset: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let into = offset.checked_sub(segment.offset)?;
            (into < segment.size).then(|| segment.address.checked_add(into))?
        })
    }

    /// The file offset of an ELF virtual address.
    #[must_use]
    pub(super) fn offset(&self, address: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let into = address.checked_sub(segment.address)?;
            (into < segment.size).then(|| segment.offset.checked_add(into))?
        })
    }

    /// The GNU build id (`NT_GNU_BUILD_ID`).
    #[must_use]
    pub(super) fn build_id(&self) -> Option<BuildId> {
        let section = self.section(".note.gnu.build-id")?;
        let bytes = self.image.bytes(section.offset, section.size, NOTE_BYTES_MAX).ok()?;
        let mut notes =
            NoteIterator::<FileHeader64<Endianness>>::new(self.endian, 4, &bytes).ok()?;
        while let Ok(Some(note)) = notes.next() {
            if note.name() == b"GNU" && note.n_type(self.endian) == elf::NT_GNU_BUILD_ID {
                return BuildId::new(note.desc());
            }
        }
        None
    }

    /// `.gnu_debuglink`: the name of the separate debug file, and the CRC-32 of
    /// its bytes (GDB manual, "Debugging Information in Separate Files").
    #[must_use]
    pub(super) fn debug_link(&self) -> Option<(Vec<u8>, u32)> {
        let section = self.section(".gnu_debuglink")?;
        let bytes = self.image.bytes(section.offset, section.size, NOTE_BYTES_MAX).ok()?;
        let nul = bytes.iter().position(|byte| *byte == 0)?;
        let crc_at = (nul + 1).next_multiple_of(4);
        let crc = bytes.get(crc_at..crc_at + 4)?.try_into().ok()?;
        let crc = match self.endian {
            Endianness::Little => u32::from_le_bytes(crc),
            Endianness::Big => u32::from_be_bytes(crc),
        };
        Some((bytes.get(..nul)?.to_vec(), crc))
    }

    /// Whether the Go linker made it.
    #[must_use]
    pub(super) fn is_go(&self) -> bool {
        [".gopclntab", ".data.rel.ro.gopclntab", ".note.go.buildid"]
            .iter()
            .any(|name| self.section(name).is_some())
    }

    /// How large a debug section is once it is uncompressed, by its own claim;
    /// 0 where it is missing.
    ///
    /// # Errors
    ///
    /// [`Unresolved::Limit`] where the compression header cannot be read.
    pub(super) fn plain_size(&self, name: &str) -> Result<u64, Unresolved> {
        let Some(section) = self.section(name) else { return Ok(0) };
        if !section.compressed {
            return Ok(section.size);
        }
        let header = self.image.bytes(section.offset, self.compression_header_size(), 24)?;
        self.compression(&header).map(|(_, size)| size)
    }

    /// A debug section's bytes, uncompressed; none where it is missing.
    ///
    /// # Errors
    ///
    /// [`Unresolved::Limit`] where it is (or says that it is) too large, or does
    /// not uncompress to the size that it claims.
    pub(super) fn plain_bytes(&self, name: &str) -> Result<Vec<u8>, Unresolved> {
        let Some(section) = self.section(name) else { return Ok(Vec::new()) };
        let bytes = self.image.bytes(section.offset, section.size, DWARF_BYTES_MAX)?;
        if !section.compressed {
            return Ok(bytes);
        }
        let (format, uncompressed_size) = self.compression(&bytes)?;
        if uncompressed_size > DWARF_BYTES_MAX {
            return Err(Unresolved::Limit);
        }
        let at = usize::try_from(self.compression_header_size()).map_err(malformed)?;
        let data = bytes.get(at..).ok_or(Unresolved::Limit)?;
        let compressed = CompressedData { format, data, uncompressed_size };
        Ok(compressed.decompress().map_err(malformed)?.into_owned())
    }

    const fn compression_header_size(&self) -> u64 {
        if self.is_64 {
            size_of::<elf::CompressionHeader64<Endianness>>() as u64
        } else {
            size_of::<elf::CompressionHeader32<Endianness>>() as u64
        }
    }

    fn compression(&self, bytes: &[u8]) -> Result<(CompressionFormat, u64), Unresolved> {
        let endian = self.endian;
        let (kind, size) = if self.is_64 {
            let (header, _) = pod::from_bytes::<elf::CompressionHeader64<Endianness>>(bytes)
                .map_err(malformed)?;
            (header.ch_type.get(endian), header.ch_size.get(endian))
        } else {
            let (header, _) = pod::from_bytes::<elf::CompressionHeader32<Endianness>>(bytes)
                .map_err(malformed)?;
            (header.ch_type.get(endian), u64::from(header.ch_size.get(endian)))
        };
        let format = match kind {
            elf::ELFCOMPRESS_ZLIB => CompressionFormat::Zlib,
            elf::ELFCOMPRESS_ZSTD => CompressionFormat::Zstandard,
            _ => return Err(Unresolved::Limit),
        };
        Ok((format, size))
    }
}

/// The one meaning that a malformed file has, whatever is wrong with it.
pub(super) fn malformed<E>(_error: E) -> Unresolved {
    Unresolved::Limit
}

struct Headers {
    endian: Endianness,
    machine: Machine,
    sections: Vec<(Box<[u8]>, Section)>,
    segments: Vec<Segment>,
}

/// Reads the headers of one class, 32 or 64 bits.
fn headers<H: FileHeader<Endian = Endianness>>(cache: &ReadCache<Cursor>) -> Option<Headers> {
    let header = H::parse(cache).ok()?;
    let endian = header.endian().ok()?;
    if header.shnum(endian, cache).ok()? > SECTIONS_MAX
        || header.phnum(endian, cache).ok()? > SEGMENTS_MAX
    {
        return None;
    }
    let table = header.section_headers(endian, cache).ok()?;
    let names = header.section_strings(endian, cache, table).unwrap_or_default();
    let sections = table
        .iter()
        .map(|section| {
            let flags = section.sh_flags(endian);
            let name = section.name(endian, names).unwrap_or_default();
            let plain = Section {
                address: section.sh_addr(endian).into(),
                offset: section.sh_offset(endian).into(),
                size: section.sh_size(endian).into(),
                link: section.sh_link(endian),
                kind: section.sh_type(endian),
                compressed: flags.contains(elf::SHF_COMPRESSED),
                executable: flags.contains(elf::SHF_EXECINSTR),
            };
            (name.get(..name.len().min(SECTION_NAME_BYTES_MAX)).unwrap_or_default().into(), plain)
        })
        .collect();
    let segments = header
        .program_headers(endian, cache)
        .ok()?
        .iter()
        .filter(|segment| segment.p_type(endian) == elf::PT_LOAD)
        .map(|segment| Segment {
            offset: segment.p_offset(endian).into(),
            address: segment.p_vaddr(endian).into(),
            size: segment.p_filesz(endian).into(),
            executable: segment.p_flags(endian).contains(elf::PF_X),
        })
        .collect();
    let machine = match header.e_machine(endian) {
        elf::EM_X86_64 | elf::EM_386 => Machine::X86,
        elf::EM_AARCH64 => Machine::Arm64,
        _ => Machine::Other,
    };
    Some(Headers { endian, machine, sections, segments })
}

/// Where `e_ident` says whether the file has 32 or 64 bits.
const EI_CLASS: u64 = 4;

/// Section names kept: longer than all that are looked for.
const SECTION_NAME_BYTES_MAX: usize = 32;
