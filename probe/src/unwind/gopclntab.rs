//! Go's table of functions, `.gopclntab`: where each function's stack pointer is,
//! instruction by instruction. Every Go program has it, stripped or not.
//!
//! The layout is in Go's src/debug/gosym/pclntab.go (the versions),
//! src/runtime/runtime2.go (`_func`) and src/runtime/symtab.go (`step`). A frame
//! lies so: on x86-64 the return address, below it the caller's frame pointer if
//! the function has a frame, then the frame; on arm64 the link register at the
//! stack pointer and the frame pointer below.

use super::Error;
use super::expression::Shape;
use super::function::{Function, Functions, Origin};
use super::image::{Image, Machine, Section};
use super::limits::{Budget, Limits};
use super::pattern::signal_return;
use super::registers::{END, Row, SIGNAL, Saved, Unsupported};
use super::rows::Rows;
use probe_ebpf::table::Rule;

/// The sections that are read.
pub(super) struct Sections<'a> {
    table: Section<'a>,
    /// `runtime.firstmoduledata`, a section of its own since Go 1.26.
    module: Option<Section<'a>>,
}

/// Finds the sections; None where the program has no Go.
pub(super) fn sections<'a>(image: &Image<'a>, limits: &Limits) -> Option<Sections<'a>> {
    let table = image
        .section(".gopclntab", limits)
        .or_else(|| image.section(".data.rel.ro.gopclntab", limits))?;
    let module = image.section(".go.module", limits);
    Some(Sections { table, module })
}

/// Offset of `textStart` in the header, since Go 1.18.
const HEADER_TEXT: usize = 24;
/// Offset of `text` in `runtime.moduledata` (Go 1.26, src/runtime/symtab.go).
const MODULE_TEXT: usize = 176;
/// The most steps of one function's table; the largest generated functions of the
/// standard library need some hundreds.
const STEPS_MAX: usize = 65_536;
/// Functions that end a stack, by name: goroutines and threads begin in them, or
/// they leave the goroutine's stack for good.
const OUTERMOST: [&[u8]; 7] = [
    b"runtime.goexit",
    b"runtime.mstart",
    b"runtime.mcall",
    b"runtime.morestack",
    b"runtime.rt0_go",
    b"_rt0_amd64_linux",
    b"_rt0_arm64_linux",
];
/// Functions that go to the thread's stack and keep the frame pointer of their
/// caller, which is the way back.
const SWITCHES: [&[u8]; 2] = [b"runtime.systemstack", b"runtime.asmcgocall"];

/// Layouts of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// Go 1.2 to 1.15: addresses, offsets from the table's start.
    Go12,
    /// Go 1.16 and 1.17: a header with offsets of the parts.
    Go116,
    /// Since Go 1.18: 32-bit offsets from the start of the text.
    Go118,
}

/// The parts of a table.
pub(super) struct Pclntab<'a> {
    version: Version,
    machine: Machine,
    /// Instructions are multiples of so many bytes.
    quantum: u32,
    /// What the functions' entries count from.
    text: u64,
    count: usize,
    entries: &'a [u8],
    /// `_func` records.
    records: &'a [u8],
    names: &'a [u8],
    steps: &'a [u8],
}

impl<'a> Pclntab<'a> {
    /// Reads the header; None where it is not one of a 64-bit program of a known
    /// version.
    pub(super) fn parse(sections: &'a Sections<'_>, image: &Image<'_>) -> Option<Self> {
        let data: &[u8] = &sections.table.data;
        let (header, words) = data.split_first_chunk::<8>()?;
        let [magic @ .., 0, 0, quantum @ (1 | 2 | 4), 8] = *header else { return None };
        let version = match u32::from_le_bytes(magic) {
            0xffff_fffb => Version::Go12,
            0xffff_fffa => Version::Go116,
            0xffff_fff0 | 0xffff_fff1 => Version::Go118,
            _ => return None,
        };
        let word = |nth: usize| read_u64(words, nth * 8);
        let part = |nth: usize| data.get(usize::try_from(word(nth)?).ok()?..);
        let (text, names, steps, records, entries) = match version {
            Version::Go12 => (0, data, data, data, words.get(8..)?),
            Version::Go116 => (0, part(2)?, part(5)?, part(6)?, part(6)?),
            Version::Go118 => (text(sections, image)?, part(3)?, part(6)?, part(7)?, part(7)?),
        };
        let count = usize::try_from(word(0)?).ok()?;
        let quantum = u32::from(quantum);
        let machine = image.machine;
        Some(Self { version, machine, quantum, text, count, entries, records, names, steps })
    }

    /// Adds the table's functions.
    pub(super) fn functions(
        &self,
        image: &Image<'_>,
        budget: &mut Budget,
        functions: &mut Functions,
    ) -> Result<(), Error> {
        let Some(mut start) = self.entry(0).map(|(address, _)| address) else { return Ok(()) };
        for nth in 0..self.count {
            budget.step()?;
            // The entry after the last has the text's end.
            let Some((end, _)) = self.entry(nth + 1) else { break };
            let range = end.checked_sub(start).and_then(|size| image.file_range(start, size));
            if let (Some((from, to)), Ok(nth)) = (range, u32::try_from(nth)) {
                let returns = image.bytes(from, to).starts_with(signal_return(self.machine));
                functions.add((from - u32::from(returns), to), Origin::Go(nth))?;
            }
            start = end;
        }
        Ok(())
    }

    /// The address of the function `nth`, and where its record is.
    fn entry(&self, nth: usize) -> Option<(u64, usize)> {
        if self.version == Version::Go118 {
            let at = nth.checked_mul(8)?;
            let address = self.text.checked_add(read_u32(self.entries, at)?.into())?;
            // The last entry is cut after its address.
            Some((address, read_u32(self.entries, at + 4).unwrap_or(0) as usize))
        } else {
            let at = nth.checked_mul(16)?;
            let record = read_u64(self.entries, at + 8).unwrap_or(0);
            Some((read_u64(self.entries, at)?, usize::try_from(record).ok()?))
        }
    }

    /// Adds the rows of the function `nth`.
    pub(super) fn rows(
        &self,
        function: Function,
        nth: u32,
        image: &Image<'_>,
        budget: &mut Budget,
        rows: &mut Rows,
    ) -> Result<(), Error> {
        let record = self.entry(nth as usize).and_then(|(_, at)| self.records.get(at..));
        let Some((name, steps)) = record.and_then(|record| self.record(record)) else {
            rows.malformed();
            return Ok(());
        };
        let code = image.bytes(function.start, function.end);
        if OUTERMOST.contains(&name) {
            rows.push(function.start, Ok(END))?;
        } else if code.get(1..).is_some_and(|it| it.starts_with(signal_return(self.machine))) {
            rows.push(function.start, Ok(SIGNAL))?;
        } else if self.machine == Machine::X86_64 && SWITCHES.contains(&name) {
            rows.push(function.start, switch())?;
        } else {
            self.run(function, steps, code, budget, rows)?;
        }
        rows.end(function.end);
        Ok(())
    }

    /// A function's name and its table of stack pointers.
    fn record(&self, record: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let after_entry = if self.version == Version::Go118 { 4 } else { 8 };
        let name = self.names.get(read_u32(record, after_entry)? as usize..)?;
        let name =
            name.get(..name.iter().take(NAME_MAX).position(|byte| *byte == 0).unwrap_or(0))?;
        let steps = self.steps.get(read_u32(record, after_entry + 12)? as usize..)?;
        Some((name, steps))
    }

    fn run(
        &self,
        function: Function,
        mut steps: &[u8],
        code: &[u8],
        budget: &mut Budget,
        rows: &mut Rows,
    ) -> Result<(), Error> {
        let mut frame = Frame { machine: self.machine, size: -1, saved: None };
        let mut offset = function.start;
        for nth in 0..STEPS_MAX {
            budget.step()?;
            if offset >= function.end || (nth > 0 && steps.first() == Some(&0)) {
                return Ok(());
            }
            let Some((size, bytes)) = varint(&mut steps).zip(varint(&mut steps)) else { break };
            // Zigzag, as in Protocol Buffers.
            let change = i64::from(size >> 1) ^ -i64::from(size & 1);
            let before = offset - function.start;
            frame.step(change, code, before as usize);
            rows.push(offset, frame.rule())?;
            let forward = bytes.checked_mul(self.quantum);
            let Some(next) = forward.and_then(|bytes| offset.checked_add(bytes)) else { break };
            offset = next;
        }
        rows.malformed();
        Ok(())
    }
}

/// Bytes of a name that are compared.
const NAME_MAX: usize = 32;

/// Where the text starts: a word of the header, and of `runtime.moduledata` since
/// Go 1.26, where the header's is empty. In a position-independent file either may
/// be left to the loader.
fn text(sections: &Sections<'_>, image: &Image<'_>) -> Option<u64> {
    let word = |section: &Section<'_>, at: usize| {
        let word = read_u64(&section.data, at).filter(|word| *word != 0);
        word.or_else(|| image.relocated(section.address.checked_add(at as u64)?))
    };
    let module = || word(sections.module.as_ref()?, MODULE_TEXT);
    word(&sections.table, HEADER_TEXT).or_else(module)
}

/// The frame of the caller of a function that switched to another stack, by the
/// frame pointer.
fn switch() -> Result<Rule, Unsupported> {
    Row {
        cfa: Shape::Offset(Machine::X86_64.frame_pointer(), 16),
        frame_pointer: Saved::AtCfa(-16),
        return_address: Saved::AtCfa(-8),
        stack_pointer: Saved::Same,
    }
    .rule(Machine::X86_64)
}

/// A frame while its function runs.
struct Frame {
    machine: Machine,
    /// Bytes that the function has pushed.
    size: i64,
    /// Whether the function saves the frame pointer; known once it has a frame.
    saved: Option<bool>,
}

impl Frame {
    /// The size changes at byte `at` of the function's `code`.
    fn step(&mut self, change: i64, code: &[u8], at: usize) {
        self.size = self.size.wrapping_add(change);
        if self.size > 0 && self.saved.is_none() {
            self.saved = Some(saves_frame_pointer(code, at));
        }
    }

    fn rule(&self) -> Result<Rule, Unsupported> {
        let row = match self.machine {
            Machine::X86_64 => self.row_x86_64(),
            Machine::Aarch64 => self.row_aarch64(),
        };
        row.rule(self.machine)
    }

    fn row_x86_64(&self) -> Row {
        Row {
            cfa: Shape::Offset(self.machine.stack_pointer(), self.size.wrapping_add(8)),
            frame_pointer: match self.saved {
                _ if self.size == 0 => Saved::Same,
                Some(true) => Saved::AtCfa(-16),
                Some(false) | None => Saved::Undefined,
            },
            return_address: Saved::AtCfa(-8),
            stack_pointer: Saved::Same,
        }
    }

    fn row_aarch64(&self) -> Row {
        let (frame_pointer, return_address) = match self.size {
            0 => (Saved::Same, Saved::Same),
            size => (
                Saved::AtCfa(size.wrapping_neg().wrapping_sub(8)),
                Saved::AtCfa(size.wrapping_neg()),
            ),
        };
        Row {
            cfa: Shape::Offset(self.machine.stack_pointer(), self.size),
            frame_pointer,
            return_address,
            stack_pointer: Saved::Same,
        }
    }
}

/// Whether the code that has just made a frame, at byte `at`, saves rbp on top of
/// it: `push %rbp` before (since Go 1.21) or `mov %rbp, n(%rsp)` after (until
/// 1.20). Assembly functions may save it elsewhere.
fn saves_frame_pointer(code: &[u8], at: usize) -> bool {
    const PUSH: u8 = 0x55;
    const MOVES: [&[u8]; 3] =
        [&[0x48, 0x89, 0x2c, 0x24], &[0x48, 0x89, 0x6c, 0x24], &[0x48, 0x89, 0xac, 0x24]];
    let before = at.checked_sub(1).and_then(|before| code.get(before));
    let after = code.get(at..).unwrap_or_default();
    before == Some(&PUSH) || MOVES.iter().any(|bytes| after.starts_with(bytes))
}

/// A number of 7 bits a byte, low first, of at most 32 bits.
fn varint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0;
    for shift in (0..32).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
