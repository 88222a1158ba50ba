//! The unwind information of ELF files as tables that the BPF walk searches.
//!
//! ```text
//!  `.eh_frame` ─┐
//!  .debug_frame ─▶ cfi ─┐
//!  .gopclntab ─▶ gopclntab ─▶ function (sorted) ─▶ rows ─▶ pages ─▶ Table
//!  code in between ─▶ pattern ─┘                  registers: Row ─▶ Rule
//! ```
//!
//! Tables are keyed by file offset, the one address that user space and BPF know
//! of a mapping alike: `address - start + pgoff`. Linkers put code at addresses
//! other than its file offsets, so each row goes through its `PT_LOAD`.

mod book;
mod cfi;
mod error;
mod expression;
mod function;
mod gopclntab;
mod image;
mod limits;
mod pages;
mod pattern;
mod registers;
mod rows;
mod source;
mod wire;

pub use book::RuleBook;
pub use error::Error;
pub use limits::Limits;
pub use pages::lookup;
pub use registers::Unsupported;
pub use source::read;
pub use wire::TABLE_BYTES_MAX;

use cfi::CallFrames;
use function::{Functions, Origin};
use gimli::{BaseAddresses, DebugFrame, EhFrame, LittleEndian, Vendor};
use gopclntab::Pclntab;
use image::{Image, Machine, Section};
use limits::Budget;
use pages::Paged;
use probe_ebpf::table::{Page, Rule};
use rows::Rows;

#[cfg(test)]
mod tests;

/// The unwind table of one ELF file.
#[derive(Clone, Debug)]
pub struct Table {
    paged: Paged,
    /// The rules that the rows number, until [`Table::renumber`].
    pub rules: Vec<Rule>,
    /// What is in it.
    pub stats: Stats,
}

impl Table {
    /// The pages, as BPF reads them.
    #[must_use]
    pub fn pages(&self) -> &[Page] {
        &self.paged.pages
    }

    /// The file offset at which the first bucket starts: what BPF looks up is the
    /// distance from there.
    #[must_use]
    pub const fn base(&self) -> u32 {
        self.paged.base
    }

    /// How many of the pages are the directory.
    #[must_use]
    pub fn directory(&self) -> u32 {
        u32::try_from(self.paged.directory).unwrap_or(0)
    }

    /// The number of the rule at `file_offset`, as the BPF walk finds it; None
    /// where the table has nothing at all near there.
    #[must_use]
    pub fn lookup(&self, file_offset: u32) -> Option<u16> {
        self.paged.lookup(file_offset)
    }

    /// Every row: the file offset from which on a rule holds, and its number.
    pub fn rows(&self) -> impl Iterator<Item = (u32, u16)> {
        self.paged.rows()
    }
}

/// What a table holds and what it lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows in the pages.
    pub rows: usize,
    /// Functions that made them.
    pub functions: usize,
    /// Functions whose information could not be read to its end.
    pub malformed: usize,
    /// Rows without a rule, by [`Unsupported`], before any de-duplication.
    pub unsupported: [usize; 4],
    /// Bytes of the pages.
    pub bytes: usize,
}

impl Stats {
    fn count(&mut self, reason: Unsupported) {
        if let Some(count) = self.unsupported.get_mut(reason as usize) {
            *count += 1;
        }
    }
}

/// Reads the unwind information of `elf`.
///
/// # Errors
///
/// Where the file is none that can run here, has no unwind information, or asks
/// for more than `limits`. Broken parts are left out and counted.
pub fn build(elf: &[u8], limits: &Limits) -> Result<Table, Error> {
    let image = Image::parse(elf)?;
    let mut budget = Budget::new(limits);
    let mut functions = Functions::new(limits);
    let eh_frame = image.eh_frame(limits);
    let debug_frame = image.section(".debug_frame", limits);
    let pclntab = gopclntab::sections(&image, limits);

    let mut eh_frame = eh_frame.as_ref().map(|section| eh_frames(section, image.machine));
    if let Some(frames) = &mut eh_frame {
        frames.functions(&image, &mut budget, &mut functions)?;
    }
    let mut debug_frame = debug_frame.as_ref().map(|it| debug_frames(it, image.machine));
    if let Some(frames) = &mut debug_frame {
        frames.functions(&image, &mut budget, &mut functions)?;
    }
    let pclntab = pclntab.as_ref().and_then(|sections| Pclntab::parse(sections, &image));
    if let Some(table) = &pclntab {
        table.functions(&image, &mut budget, &mut functions)?;
    }
    functions.sort();
    pattern::fill(&image, &mut functions)?;
    if functions.list().is_empty() {
        return Err(Error::NoFunctions);
    }

    let mut rows = Rows::new(limits);
    for &function in functions.list() {
        match (function.origin, &mut eh_frame, &mut debug_frame, &pclntab) {
            (Origin::EhFrame(at), Some(frames), ..) => {
                frames.rows(function, at, &mut budget, &mut rows)?;
            }
            (Origin::DebugFrame(at), _, Some(frames), _) => {
                frames.rows(function, at, &mut budget, &mut rows)?;
            }
            (Origin::Go(nth), .., Some(table)) => {
                table.rows(function, nth, &image, &mut budget, &mut rows)?;
            }
            (Origin::Pattern(pattern), ..) => pattern.rows(function, &mut rows)?,
            _ => {}
        }
    }
    rows.finish()
}

type Reader<'a> = gimli::EndianSlice<'a, LittleEndian>;

fn vendor(machine: Machine) -> Vendor {
    match machine {
        Machine::X86_64 => Vendor::Default,
        Machine::Aarch64 => Vendor::AArch64,
    }
}

fn eh_frames<'a>(
    section: &'a Section<'_>,
    machine: Machine,
) -> CallFrames<'a, EhFrame<Reader<'a>>> {
    let mut frames = EhFrame::new(&section.data, LittleEndian);
    frames.set_address_size(8);
    frames.set_vendor(vendor(machine));
    let bases = BaseAddresses::default().set_eh_frame(section.address);
    CallFrames::new(frames, &section.data, bases, machine, Origin::EhFrame)
}

fn debug_frames<'a>(
    section: &'a Section<'_>,
    machine: Machine,
) -> CallFrames<'a, DebugFrame<Reader<'a>>> {
    let mut frames = DebugFrame::new(&section.data, LittleEndian);
    frames.set_address_size(8);
    frames.set_vendor(vendor(machine));
    CallFrames::new(frames, &section.data, BaseAddresses::default(), machine, Origin::DebugFrame)
}
