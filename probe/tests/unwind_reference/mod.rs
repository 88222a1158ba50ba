//! What call frame information means, by gimli's own table of registers and its
//! evaluation of expressions, on made-up registers and memory: the judge of the
//! tables that `probe::unwind` makes.

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EndianSlice, EvaluationResult, LittleEndian, Register,
    RegisterRule, UnwindContext, UnwindExpression, UnwindSection, UnwindTableRow, Value,
};
use object::read::elf::{ElfFile64, ProgramHeader as _};
use probe::unwind::Table;
use probe_ebpf::table::{
    CFA_DEREF, CFA_END, CFA_FP, CFA_PLT, CFA_REGISTER, CFA_SIGNAL, CFA_SP, CFA_UNSUPPORTED,
    FP_AND_RA_AT_CFA, FP_AT_CFA, FP_AT_FP, FP_SAME, FP_SHIFT, FP_UNDEFINED, RA_AT_CFA,
    RA_IN_REGISTER, Rule,
};
use std::collections::BTreeMap;

type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// DWARF numbers of one processor.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) sp: u16,
    pub(crate) fp: u16,
    pub(crate) ra: u16,
}

pub(crate) const X86_64: Numbers = Numbers { sp: 7, fp: 6, ra: 16 };
pub(crate) const AARCH64: Numbers = Numbers { sp: 31, fp: 29, ra: 30 };

/// What a walk finds: the caller's stack pointer, return address and frame
/// pointer. None: unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Frame { cfa: u64, return_address: u64, frame_pointer: Option<u64> },
    Signal,
    End,
    Unsupported,
    Nothing,
}

/// A made-up register.
fn register(number: u16, ip: u64) -> u64 {
    if number == 16 { ip } else { 0x7fff_0000_0000 + u64::from(number) * 0x1_0000_0000 }
}

/// Made-up memory: another word at every address.
fn word(address: u64) -> u64 {
    address.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// What `rule` means at `ip`.
pub(crate) fn follow(rule: Rule, numbers: Numbers, ip: u64) -> Caller {
    let [a, b, c, d] = rule.cfa_offset.to_le_bytes();
    let low = i64::from(i16::from_le_bytes([a, b]));
    let high = i64::from(i16::from_le_bytes([c, d]));
    let number = u16::from(rule.reg_fp & 31);
    let offset = i64::from(rule.cfa_offset);
    let value = |number| register(number, ip);
    let cfa = match rule.cfa {
        CFA_SP => value(numbers.sp).wrapping_add_signed(offset),
        CFA_FP => value(numbers.fp).wrapping_add_signed(offset),
        CFA_REGISTER => value(number).wrapping_add_signed(offset),
        CFA_DEREF => word(value(number).wrapping_add_signed(low)).wrapping_add_signed(high),
        CFA_PLT => value(numbers.sp) + if (ip & 15).cast_signed() >= offset { 16 } else { 8 },
        CFA_SIGNAL => return Caller::Signal,
        CFA_END => return Caller::End,
        CFA_UNSUPPORTED => return Caller::Unsupported,
        _ => return Caller::Nothing,
    };
    let at = |offset: i64| word(cfa.wrapping_add_signed(offset));
    let fp_offset = i64::from(rule.fp_offset);
    let own = value(numbers.fp);
    let x86_64 = numbers.ra == X86_64.ra;
    let (frame_pointer, return_address) = match rule.reg_fp >> FP_SHIFT {
        FP_SAME if x86_64 => (Some(own), at(-8)),
        FP_AT_CFA if x86_64 => (Some(at(fp_offset)), at(-8)),
        FP_AT_FP if x86_64 => (Some(word(own.wrapping_add_signed(fp_offset))), at(-8)),
        FP_UNDEFINED if x86_64 => (None, at(-8)),
        FP_AND_RA_AT_CFA => (Some(at(fp_offset)), at(fp_offset + 8)),
        RA_IN_REGISTER => (Some(own), value(numbers.ra)),
        RA_AT_CFA => (Some(own), at(fp_offset)),
        _ => return Caller::Nothing,
    };
    Caller::Frame { cfa, return_address, frame_pointer }
}

struct Judge<'s, S> {
    section: &'s S,
    numbers: Numbers,
    ip: u64,
}

impl<'a, S: UnwindSection<Reader<'a>>> Judge<'_, S> {
    fn evaluate(&self, expression: &UnwindExpression<usize>, cfa: Option<u64>) -> Option<u64> {
        let encoding =
            gimli::Encoding { address_size: 8, format: gimli::Format::Dwarf32, version: 5 };
        let mut evaluation = expression.get(self.section).ok()?.evaluation(encoding);
        if let Some(cfa) = cfa {
            evaluation.set_initial_value(cfa);
        }
        let mut result = evaluation.evaluate().ok()?;
        loop {
            result = match result {
                EvaluationResult::Complete => break,
                EvaluationResult::RequiresRegister { register: number, .. } => evaluation
                    .resume_with_register(Value::Generic(register(number.0, self.ip)))
                    .ok()?,
                EvaluationResult::RequiresMemory { address, .. } => {
                    evaluation.resume_with_memory(Value::Generic(word(address))).ok()?
                }
                _ => return None,
            };
        }
        evaluation.value_result()?.to_u64(u64::MAX).ok()
    }

    fn saved(&self, row: &UnwindTableRow<usize>, number: u16, cfa: u64) -> Option<u64> {
        match row.register(Register(number)) {
            None | Some(RegisterRule::SameValue) => Some(register(number, self.ip)),
            Some(RegisterRule::Offset(offset)) => Some(word(cfa.wrapping_add_signed(offset))),
            Some(RegisterRule::ValOffset(offset)) => Some(cfa.wrapping_add_signed(offset)),
            Some(RegisterRule::Register(other)) => Some(register(other.0, self.ip)),
            Some(RegisterRule::Expression(e)) => self.evaluate(&e, Some(cfa)).map(word),
            Some(RegisterRule::ValExpression(e)) => self.evaluate(&e, Some(cfa)),
            Some(_) => None,
        }
    }

    fn caller(&self, row: &UnwindTableRow<usize>) -> Caller {
        if row.register(Register(self.numbers.ra)) == Some(RegisterRule::Undefined) {
            return Caller::End;
        }
        let cfa = match row.cfa() {
            CfaRule::RegisterAndOffset { register: number, offset } => {
                Some(register(number.0, self.ip).wrapping_add_signed(*offset))
            }
            CfaRule::Expression(expression) => self.evaluate(expression, None),
        };
        let Some(cfa) = cfa else { return Caller::Unsupported };
        let Some(return_address) = self.saved(row, self.numbers.ra, cfa) else {
            return Caller::Unsupported;
        };
        let frame_pointer = self.saved(row, self.numbers.fp, cfa);
        Caller::Frame { cfa, return_address, frame_pointer }
    }
}

/// What a comparison saw.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) compared: usize,
    pub(crate) unsupported: usize,
    /// The frame pointer is somewhere that the rule can't say; CFA and return
    /// address are right.
    pub(crate) frame_pointer_lost: usize,
    /// Addresses, and what is wrong there.
    pub(crate) wrong: Vec<(u64, String)>,
}

/// What of a caller is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    All,
    /// Not the frame pointer: the section does not tell where it is.
    CfaAndReturn,
}

/// Of a section with more functions than this, some are left out, evenly.
const FUNCTIONS_MAX: usize = 20_000;

/// Compares `table` with the entries of `section`, at the first, a middle and the
/// last byte of each row.
pub(crate) fn compare<'a, S>(
    table: &Table,
    elf: &ElfFile64<'a, object::LittleEndian>,
    section: &S,
    bases: &BaseAddresses,
    numbers: Numbers,
    depth: Depth,
) -> Verdict
where
    S: UnwindSection<Reader<'a>>,
    S::Offset: gimli::UnwindOffset<usize>,
{
    let starts = starts(section, bases);
    let stride = 1 + starts.len() / FUNCTIONS_MAX;
    let mut verdict = Verdict::default();
    let mut entries = section.entries(bases);
    let mut context = UnwindContext::new();
    let mut nth = 0;
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        nth += 1;
        if nth % stride != 0 {
            continue;
        }
        let Ok(fde) = partial.parse(S::cie_from_offset) else { continue };
        // Where another entry begins inside, the tables follow that one.
        let next = starts.range(fde.initial_address() + 1..).next().map_or(u64::MAX, |it| *it.0);
        let signal = fde.is_signal_trampoline();
        let Ok(mut rows) = fde.rows(section, bases, &mut context) else { continue };
        while let Ok(Some(row)) = rows.next_row() {
            let (start, end) = (row.start_address(), row.end_address().min(next));
            if start >= end || starts.get(&fde.initial_address()) != Some(&fde.offset()) {
                continue;
            }
            for ip in [start, start + (end - start) / 2, end - 1] {
                let Some(offset) = file_offset(elf, ip) else { continue };
                let judge = Judge { section, numbers, ip };
                let expected = if signal { Caller::Signal } else { judge.caller(row) };
                let number = table.lookup(offset).unwrap_or_default();
                let rule = table.rules[usize::from(number)];
                verdict.add(ip, rule, depth, expected, follow(rule, numbers, ip));
            }
        }
    }
    verdict
}

impl Verdict {
    fn add(&mut self, ip: u64, rule: Rule, depth: Depth, expected: Caller, found: Caller) {
        self.compared += 1;
        let sans_fp = |caller| match caller {
            Caller::Frame { cfa, return_address, .. } => Some((cfa, return_address)),
            _ => None,
        };
        let same = sans_fp(expected).is_some() && sans_fp(expected) == sans_fp(found);
        if expected == found || depth == Depth::CfaAndReturn && same {
            return;
        }
        if let Caller::Frame { frame_pointer: None, .. } = found
            && same
        {
            self.frame_pointer_lost += 1;
        } else if found == Caller::Unsupported {
            self.unsupported += 1;
        } else {
            self.wrong.push((ip, format!("{ip:#x}: {rule:?}: {found:x?}, not {expected:x?}")));
        }
    }
}

/// The first entry of each address.
fn starts<'a, S>(section: &S, bases: &BaseAddresses) -> BTreeMap<u64, usize>
where
    S: UnwindSection<Reader<'a>>,
{
    let mut starts = BTreeMap::new();
    let mut entries = section.entries(bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let Ok(fde) = partial.parse(S::cie_from_offset) else { continue };
        if fde.len() > 0 {
            starts.entry(fde.initial_address()).or_insert(fde.offset());
        }
    }
    starts
}

/// The file offset of code at `address`.
fn file_offset(elf: &ElfFile64<'_, object::LittleEndian>, address: u64) -> Option<u32> {
    let endian = object::LittleEndian;
    elf.elf_program_headers().iter().find_map(|program| {
        let code = program.p_type(endian) == object::elf::PT_LOAD
            && program.p_flags(endian).contains(object::elf::PF_X);
        let at = address.checked_sub(program.p_vaddr(endian))?;
        let inside = code && address != 0 && at < program.p_filesz(endian);
        inside.then(|| u32::try_from(program.p_offset(endian) + at).ok())?
    })
}
