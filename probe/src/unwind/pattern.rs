//! Code that no table describes but that is known by its bytes or its section:
//! musl's and Go's return from a signal handler, and the procedure linkage tables
//! of linkers other than binutils'.

use super::Error;
use super::function::{Function, Functions, Origin, Pattern};
use super::image::{Image, Machine};
use super::registers::SIGNAL;
use super::rows::Rows;
use probe_ebpf::table::{CFA_PLT, CFA_SP, FP_SAME, FP_SHIFT, Rule};

/// `mov $15, %rax; syscall`: `rt_sigreturn` (`arch/x86/entry/syscalls/syscall_64.tbl`).
const SIGRETURN_X86_64: &[u8] = &[0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05];
/// `mov x8, #139; svc #0`: `rt_sigreturn` (include/uapi/asm-generic/unistd.h).
const SIGRETURN_AARCH64: &[u8] = &[0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4];
/// Bytes between functions that are searched, in all.
const SEARCH_BYTES_MAX: usize = 16 << 20;
/// The byte of a lazy PLT entry of 16 from which on it has pushed its number:
/// `jmp *slot(%rip)` has 6 bytes and `push $number` 5.
const PLT_PUSHED: i32 = 11;

/// The bytes that return from a signal handler. The handler's return address is
/// the first of them, and a walk looks one byte below, so rows begin there.
pub(super) const fn signal_return(machine: Machine) -> &'static [u8] {
    match machine {
        Machine::X86_64 => SIGRETURN_X86_64,
        Machine::Aarch64 => SIGRETURN_AARCH64,
    }
}

/// Adds the known code between `functions`, which are sorted, and sorts again.
pub(super) fn fill(image: &Image<'_>, functions: &mut Functions) -> Result<(), Error> {
    let mut found = signal_returns(image, functions.list());
    if image.machine == Machine::X86_64 {
        for (name, pattern) in
            [(".plt", Pattern::Plt), (".plt.sec", Pattern::PltJump), (".plt.got", Pattern::PltJump)]
        {
            let range = image.section_range(name);
            found.extend(range.map(|range| (range, pattern)));
        }
    }
    for (range, pattern) in found {
        functions.add(range, Origin::Pattern(pattern))?;
    }
    functions.sort();
    Ok(())
}

type Found = ((u32, u32), Pattern);

fn signal_returns(image: &Image<'_>, functions: &[Function]) -> Vec<Found> {
    let pattern = signal_return(image.machine);
    let mut left = SEARCH_BYTES_MAX;
    let mut found = Vec::new();
    let mut search = |start: u32, end: u32| {
        let bytes = image.bytes(start, end);
        let bytes = bytes.get(..bytes.len().min(left)).unwrap_or_default();
        left -= bytes.len();
        let at = memchr::memmem::find(bytes, pattern);
        let range = at.and_then(|at| {
            let first = start.checked_add(u32::try_from(at).ok()?)?;
            let end = first.checked_add(u32::try_from(pattern.len()).ok()?)?;
            Some((first.saturating_sub(1).max(start), end))
        });
        found.extend(range.map(|range| (range, Pattern::SignalReturn)));
    };
    for segment in &image.code {
        let end = segment.offset + segment.size;
        let mut from = segment.offset;
        let after = functions.partition_point(|function| function.end <= from);
        for function in functions.iter().skip(after).take_while(|function| function.start < end) {
            search(from, function.start);
            from = function.end;
        }
        search(from, end);
    }
    found
}

impl Pattern {
    /// Adds the rows of `function`, which has this pattern.
    pub(super) fn rows(self, function: Function, rows: &mut Rows) -> Result<(), Error> {
        let reg_fp = FP_SAME << FP_SHIFT;
        let rule = match self {
            Self::SignalReturn => SIGNAL,
            Self::Plt => Rule { cfa: CFA_PLT, reg_fp, fp_offset: 0, cfa_offset: PLT_PUSHED },
            Self::PltJump => Rule { cfa: CFA_SP, reg_fp, fp_offset: 0, cfa_offset: 8 },
        };
        rows.push(function.start, Ok(rule))?;
        rows.end(function.end);
        Ok(())
    }
}
