//! The parts of an ELF file that tables are made from, without the rest: of a
//! library of 150 MB, some 10 MB.

use object::LittleEndian;
use object::elf::{FileHeader64, SHF_EXECINSTR, SHT_NOBITS};
use object::read::ReadCache;
use object::read::elf::{FileHeader as _, SectionHeader as _};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// The largest file that is looked at; the address space for it is reserved, and
/// only what is read takes memory.
const FILE_BYTES_MAX: u64 = 4 << 30;

/// A file of up to this size is read as a whole.
const WHOLE_BYTES_MAX: u64 = 8 << 20;

/// The file header, and the program headers where they follow it.
const HEAD_BYTES: u64 = 4096;
/// More of them than the kernel looks at (`elf_read_phdrs`: 64 KiB).
const PROGRAM_HEADERS_BYTES: u64 = 64 << 10;

/// Sections without call frames that are read all the same.
const NAMES: [&[u8]; 9] = [
    b".eh_frame",
    b".eh_frame_hdr",
    b".debug_frame",
    b".zdebug_frame",
    b".gopclntab",
    b".data.rel.ro.gopclntab",
    b".go.module",
    b".shstrtab",
    b".note.go.buildid",
];

/// Code is looked at where nothing describes it, which is in small files and in
/// those that Go made.
const CODE_BYTES_MAX: u64 = 4 << 20;

/// Reads what [`build`](super::build) needs of `file`; the rest of what it returns
/// is zero. Files without section headers are read as a whole.
///
/// # Errors
///
/// What reading reports; [`io::ErrorKind::FileTooLarge`] past a limit.
pub fn read(file: &File) -> io::Result<Vec<u8>> {
    let len = file.metadata()?.len();
    let size = usize::try_from(len).map_err(io::Error::other)?;
    if len > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut data = vec![0; size];
    let parts = if len <= WHOLE_BYTES_MAX { None } else { parts(file) };
    for (start, bytes) in parts.unwrap_or_else(|| vec![(0, len)]) {
        let end = start.saturating_add(bytes).min(len);
        let range = usize::try_from(start).unwrap_or(size)..usize::try_from(end).unwrap_or(size);
        if let Some(part) = data.get_mut(range) {
            file.read_exact_at(part, start)?;
        }
    }
    Ok(data)
}

/// Where the parts are, each an offset and a length; None where that cannot be
/// told.
fn parts(file: &File) -> Option<Vec<(u64, u64)>> {
    let cache = ReadCache::new(file);
    let header = FileHeader64::<LittleEndian>::parse(&cache).ok()?;
    let sections = header.sections(LittleEndian, &cache).ok()?;
    let table = header.e_shoff(LittleEndian);
    // BOLT moves the program headers to the end of the file.
    let programs = header.e_phoff(LittleEndian);
    let mut parts = vec![
        (0, HEAD_BYTES),
        (programs, PROGRAM_HEADERS_BYTES),
        (table, (sections.len() * 64) as u64),
    ];
    let name = |section| sections.section_name(LittleEndian, section).ok();
    let is_go = sections.iter().filter_map(name).any(|name| name.ends_with(b"gopclntab"));
    for section in sections.iter() {
        let size = section.sh_size(LittleEndian);
        let is_code = section.sh_flags(LittleEndian).contains(SHF_EXECINSTR);
        let is_wanted = name(section).is_some_and(|name| NAMES.contains(&name))
            || (is_code && (is_go || size <= CODE_BYTES_MAX));
        if is_wanted && section.sh_type(LittleEndian) != SHT_NOBITS {
            parts.push((section.sh_offset(LittleEndian), size));
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, build};
    use super::*;

    #[test]
    fn the_parts_make_the_same_table_as_the_whole() {
        for path in ["/proc/self/exe", "/lib/x86_64-linux-gnu/libc.so.6"] {
            let Ok(whole) = std::fs::read(path) else { continue };
            let parts = read(&File::open(path).unwrap()).unwrap();
            assert_eq!(parts.len(), whole.len());
            let [of_parts, of_whole] =
                [parts, whole].map(|data| build(&data, &Limits::default()).unwrap());
            assert!(of_parts.pages() == of_whole.pages());
            assert_eq!(of_parts.rules, of_whole.rules);
        }
    }
}
