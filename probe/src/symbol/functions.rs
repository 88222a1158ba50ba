//! The functions of a file by its symbol table (System V ABI, "Symbol Table").
//!
//! Only addresses and the places of names are kept, 16 bytes a function; a name
//! is read from the file when it is asked for.

use super::elf::{Elf, malformed};
use super::image::CHUNK_BYTES;
use super::limits::{ALIASES_MAX, FUNCTIONS_MAX, NAME_BYTES_MAX, SYMBOL_TABLE_BYTES_MAX};
use crate::profile::Unresolved;
use object::elf::{self, Sym32, Sym64};
use object::read::elf::Sym;
use object::{Endianness, pod};

/// How many functions before an address may be looked through for one that is
/// large enough to reach it: functions nest where assembly has labels inside.
const NESTED_MAX: usize = 16;

/// One function's symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Function {
    /// The ELF virtual address of its first instruction.
    pub(super) address: u64,
    /// In bytes; 0 where the symbol does not say.
    pub(super) size: u32,
    /// Where the name is in the string table.
    name: u32,
}

/// All functions of a file.
#[derive(Debug)]
pub(super) struct Functions {
    /// By address.
    rows: Vec<Function>,
    /// Where the string table is in the file.
    strings: (u64, u64),
}

impl Functions {
    /// Reads the symbol table `.symtab` or `.dynsym`; None where the file has
    /// none, or none with functions.
    ///
    /// # Errors
    ///
    /// [`Unresolved::Limit`] where it is malformed or has too many symbols.
    pub(super) fn new(elf: &Elf, table: &str) -> Result<Option<Self>, Unresolved> {
        if elf.is_64() {
            read::<Sym64<Endianness>>(elf, table)
        } else {
            read::<Sym32<Endianness>>(elf, table)
        }
    }

    /// How much memory it takes, in bytes.
    #[must_use]
    pub(super) const fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Function>()
    }

    /// The function that covers an ELF virtual address.
    ///
    /// One without a size ends where the next one or its section does.
    #[must_use]
    pub(super) fn find(&self, elf: &Elf, address: u64) -> Option<Function> {
        let after = self.rows.partition_point(|row| row.address <= address);
        let before = self.rows.get(..after)?;
        let found = before
            .iter()
            .rev()
            .take(NESTED_MAX)
            .find(|row| row.size > 0 && address - row.address < u64::from(row.size));
        found
            .or_else(|| before.last().filter(|row| row.size == 0 && same_code(elf, row, address)))
            .copied()
    }

    /// The function's mangled name, at most [`NAME_BYTES_MAX`] bytes of it.
    ///
    /// Of the names that one address has (`__libc_malloc`, `malloc`) the one
    /// with the fewest leading underscores, then the shortest.
    ///
    /// # Errors
    ///
    /// [`Unresolved::Limit`] where it cannot be read.
    pub(super) fn name(&self, elf: &Elf, function: Function) -> Result<Vec<u8>, Unresolved> {
        let start = self.rows.partition_point(|other| other.address < function.address);
        let aliases = self.rows.get(start..).unwrap_or_default().iter().take(ALIASES_MAX);
        aliases
            .take_while(|other| other.address == function.address)
            .filter(|other| (other.size > 0) == (function.size > 0))
            .filter_map(|other| self.text(elf, *other).ok().filter(|name| !name.is_empty()))
            .min_by_key(|name| {
                let mangled = name.starts_with(b"_Z") || name.starts_with(b"_R");
                let underscores = name.iter().take_while(|byte| **byte == b'_').count();
                (if mangled { 0 } else { underscores }, name.len())
            })
            .ok_or(Unresolved::Limit)
    }

    fn text(&self, elf: &Elf, function: Function) -> Result<Vec<u8>, Unresolved> {
        let (start, end) = self.strings;
        let at = start.checked_add(u64::from(function.name)).ok_or(Unresolved::Limit)?;
        elf.image().string(at, end, NAME_BYTES_MAX)
    }
}

/// Whether a symbol without a size and an address are in one executable section.
fn same_code(elf: &Elf, row: &Function, address: u64) -> bool {
    elf.code_end(row.address).is_some_and(|end| address < end)
}

/// Reads one table piece by piece and keeps the functions.
fn read<S: Sym<Endian = Endianness> + pod::Pod>(
    elf: &Elf,
    name: &str,
) -> Result<Option<Functions>, Unresolved> {
    let Some(table) = elf.section(name) else { return Ok(None) };
    let strings = usize::try_from(table.link).ok().and_then(|link| elf.section_at(link));
    let strings = strings.ok_or(Unresolved::Limit)?;
    if table.size > SYMBOL_TABLE_BYTES_MAX {
        return Err(Unresolved::Limit);
    }
    let end = table.offset.checked_add(table.size).ok_or(Unresolved::Limit)?;
    let chunk_bytes = (CHUNK_BYTES / size_of::<S>() * size_of::<S>()) as u64;
    let mut rows = Vec::new();
    let mut at = table.offset;
    while at < end {
        let bytes = elf.image().bytes(at, (end - at).min(chunk_bytes), chunk_bytes)?;
        at += bytes.len() as u64;
        let whole = bytes.len() / size_of::<S>();
        let (symbols, _) = pod::slice_from_bytes::<S>(&bytes, whole).map_err(malformed)?;
        rows.extend(symbols.iter().filter_map(|symbol| function(elf, symbol)));
        if rows.len() > FUNCTIONS_MAX {
            return Err(Unresolved::Limit);
        }
    }
    if rows.is_empty() {
        return Ok(None);
    }
    rows.sort_unstable();
    rows.shrink_to_fit();
    let strings_end = strings.offset.checked_add(strings.size).ok_or(Unresolved::Limit)?;
    Ok(Some(Functions { rows, strings: (strings.offset, strings_end) }))
}

/// The symbol as a function, where it is one that is defined here. Symbols
/// without a type count where they are code: hand-written assembly often leaves
/// the type out.
fn function<S: Sym<Endian = Endianness>>(elf: &Elf, symbol: &S) -> Option<Function> {
    let endian = elf.endian();
    let section = symbol.st_shndx(endian);
    let address: u64 = symbol.st_value(endian).into();
    let name = symbol.st_name(endian);
    if section == elf::SHN_UNDEF || name == 0 {
        return None;
    }
    match symbol.st_type() {
        elf::STT_FUNC | elf::STT_GNU_IFUNC => {}
        elf::STT_NOTYPE if elf.code_end(address).is_some() => {}
        _ => return None,
    }
    let size: u64 = symbol.st_size(endian).into();
    Some(Function { address, size: u32::try_from(size).unwrap_or(u32::MAX), name })
}
