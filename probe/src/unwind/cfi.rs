//! Call frame information, as in `.eh_frame` and `.debug_frame`: DWARF 5, section 6.4,
//! and the Linux Standard Base, "Exception Frames".
//!
//! gimli decodes; this runs the instructions for the few registers that a walk
//! needs, which makes no table of all the others.

use super::Error;
use super::expression::{Shape, shape};
use super::function::{Function, Functions, Origin};
use super::image::{Image, Machine};
use super::limits::Budget;
use super::registers::{Row, SIGNAL, Saved, Unsupported};
use super::rows::Rows;
use foldhash::HashMap;
use gimli::{
    BaseAddresses, CallFrameInstruction as Cfi, CieOrFde, CommonInformationEntry, EndianSlice,
    FrameDescriptionEntry, LittleEndian, Register, UnwindExpression, UnwindOffset, UnwindSection,
};

type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// Entries that many functions share, kept at once. A compiler makes a few.
const COMMON_MAX: usize = 1024;
/// Bytes of a common entry that take as long to read as a step.
const COMMON_BYTES_A_STEP: u64 = 64;
/// Rows that `remember_state` may stack; compilers stack one or two.
const REMEMBERED_MAX: usize = 64;

/// What the functions of one common information entry begin with.
#[derive(Clone)]
struct Common<'a> {
    entry: CommonInformationEntry<Reader<'a>>,
    row: Row,
}

/// One section of call frame information.
pub(super) struct CallFrames<'a, S> {
    section: S,
    data: &'a [u8],
    bases: BaseAddresses,
    machine: Machine,
    origin: fn(u32) -> Origin,
    common: HashMap<usize, Common<'a>>,
    remembered: Vec<Row>,
}

impl<'a, S> CallFrames<'a, S>
where
    S: UnwindSection<Reader<'a>>,
    S::Offset: UnwindOffset<usize>,
{
    /// A section of `data` whose entries are named by `origin`.
    pub(super) fn new(
        section: S,
        data: &'a [u8],
        bases: BaseAddresses,
        machine: Machine,
        origin: fn(u32) -> Origin,
    ) -> Self {
        let common = HashMap::default();
        Self { section, data, bases, machine, origin, common, remembered: Vec::new() }
    }

    /// Adds the section's functions that are in the file's code.
    pub(super) fn functions(
        &mut self,
        image: &Image<'_>,
        budget: &mut Budget,
        functions: &mut Functions,
    ) -> Result<(), Error> {
        let (section, bases) = (self.section.clone(), self.bases.clone());
        let mut entries = section.entries(&bases);
        loop {
            budget.step()?;
            let partial = match entries.next() {
                Ok(Some(CieOrFde::Fde(partial))) => partial,
                Ok(Some(CieOrFde::Cie(_))) => continue,
                // What follows a broken length can't be found.
                Ok(None) | Err(_) => return Ok(()),
            };
            let common = |_: &S, _: &BaseAddresses, at| Ok(self.common(at, budget)?.entry);
            let Ok(entry) = partial.parse(common) else { continue };
            let range = image.file_range(entry.initial_address(), entry.len());
            if let (Some(range), Ok(offset)) = (range, u32::try_from(entry.offset())) {
                functions.add(range, (self.origin)(offset))?;
            }
        }
    }

    /// Adds the rows of the function whose entry is at `offset`.
    pub(super) fn rows(
        &mut self,
        function: Function,
        offset: u32,
        budget: &mut Budget,
        rows: &mut Rows,
    ) -> Result<(), Error> {
        let (section, bases) = (self.section.clone(), self.bases.clone());
        let mut initial = Row::UNDEFINED;
        let common = |_: &S, _: &BaseAddresses, at| {
            let common = self.common(at, budget)?;
            initial = common.row;
            Ok(common.entry)
        };
        let Ok(entry) = section.fde_from_offset(&bases, (offset as usize).into(), common) else {
            rows.malformed();
            return Ok(());
        };
        if entry.is_signal_trampoline() {
            rows.push(function.start, Ok(SIGNAL))?;
        } else if entry.cie().return_address_register() == self.machine.return_address() {
            self.run(&entry, initial, function, budget, rows)?;
        } else {
            rows.push(function.start, Err(Unsupported::ReturnAddress))?;
        }
        rows.end(function.end);
        Ok(())
    }

    fn run(
        &mut self,
        entry: &FrameDescriptionEntry<Reader<'a>>,
        initial: Row,
        function: Function,
        budget: &mut Budget,
        rows: &mut Rows,
    ) -> Result<(), Error> {
        let (section, bases, machine) = (self.section.clone(), self.bases.clone(), self.machine);
        let mut state = State::new(&section, machine, entry.cie(), initial, &mut self.remembered);
        let mut instructions = entry.instructions(&section, &bases);
        let mut offset = function.start;
        loop {
            budget.step()?;
            let Ok(next) = instructions.next() else { break rows.malformed() };
            let forward = match &next {
                Some(Cfi::AdvanceLoc { delta }) => {
                    let bytes = u64::from(*delta).checked_mul(entry.cie().code_alignment_factor());
                    bytes.and_then(|bytes| u64::from(offset).checked_add(bytes))
                }
                Some(Cfi::SetLoc { address }) => address
                    .checked_sub(entry.initial_address())
                    .and_then(|bytes| u64::from(function.start).checked_add(bytes)),
                Some(instruction) => match state.apply(instruction) {
                    Some(()) => continue,
                    None => break rows.malformed(),
                },
                None => None,
            };
            rows.push(offset, state.row.rule(machine))?;
            let forward = forward.and_then(|to| u32::try_from(to).ok());
            match forward.filter(|to| (offset..function.end).contains(to)) {
                Some(to) => offset = to,
                None => break,
            }
        }
        Ok(())
    }

    /// The common entry at `at`, and the row that it makes.
    fn common(&mut self, at: S::Offset, budget: &mut Budget) -> gimli::Result<Common<'a>> {
        let key = UnwindOffset::into(at);
        if let Some(common) = self.common.get(&key) {
            return Ok(common.clone());
        }
        // Functions may name any offset, so one long entry may be read again and again.
        let steps = entry_bytes(self.data, key) / COMMON_BYTES_A_STEP;
        budget.steps(steps).map_err(|_| gimli::Error::CfiInstructionInInvalidContext)?;
        let entry = self.section.cie_from_offset(&self.bases, at)?;
        let undefined = Row::UNDEFINED;
        let mut state =
            State::new(&self.section, self.machine, &entry, undefined, &mut self.remembered);
        let mut instructions = entry.instructions(&self.section, &self.bases);
        while let Some(instruction) = instructions.next()? {
            let run = budget.step().ok().and_then(|()| state.apply(&instruction));
            run.ok_or(gimli::Error::CfiInstructionInInvalidContext)?;
        }
        let row = state.row;
        let common = Common { entry, row };
        if self.common.len() >= COMMON_MAX {
            self.common.clear();
        }
        self.common.insert(key, common.clone());
        Ok(common)
    }
}

type Instruction = Cfi<usize>;

/// The length that the entry at `at` says it has, as far as there is data.
fn entry_bytes(data: &[u8], at: usize) -> u64 {
    let rest = data.get(at..).unwrap_or_default();
    let length = rest.first_chunk().map_or(0, |length| u64::from(u32::from_le_bytes(*length)));
    length.min(rest.len() as u64)
}

/// A run of call frame instructions.
struct State<'s, S> {
    section: &'s S,
    machine: Machine,
    /// `data_alignment_factor`.
    factor: i64,
    initial: Row,
    row: Row,
    remembered: &'s mut Vec<Row>,
}

impl<'a, 's, S: UnwindSection<Reader<'a>>> State<'s, S> {
    fn new(
        section: &'s S,
        machine: Machine,
        common: &CommonInformationEntry<Reader<'a>>,
        initial: Row,
        remembered: &'s mut Vec<Row>,
    ) -> Self {
        remembered.clear();
        let factor = common.data_alignment_factor();
        Self { section, machine, factor, initial, row: initial, remembered }
    }

    /// Runs an instruction that stays at its address; None where it makes no sense.
    fn apply(&mut self, instruction: &Instruction) -> Option<()> {
        match *instruction {
            Cfi::DefCfa { register, offset } => {
                self.row.cfa = Shape::Offset(register, i64::try_from(offset).ok()?);
            }
            Cfi::DefCfaSf { register, factored_offset } => {
                self.row.cfa = Shape::Offset(register, factored_offset.checked_mul(self.factor)?);
            }
            Cfi::DefCfaRegister { register } => {
                let Shape::Offset(_, offset) = self.row.cfa else { return None };
                self.row.cfa = Shape::Offset(register, offset);
            }
            Cfi::DefCfaOffset { offset } => self.cfa_offset(i64::try_from(offset).ok()?)?,
            Cfi::DefCfaOffsetSf { factored_offset } => {
                self.cfa_offset(factored_offset.checked_mul(self.factor)?)?;
            }
            Cfi::DefCfaExpression { expression } => self.row.cfa = self.shape(expression)?,
            Cfi::Undefined { register } => self.set(register, Saved::Undefined),
            Cfi::SameValue { register } => self.set(register, Saved::Same),
            Cfi::Offset { register, factored_offset } => {
                let factored = i64::try_from(factored_offset).ok()?;
                self.set(register, Saved::AtCfa(factored.checked_mul(self.factor)?));
            }
            Cfi::OffsetExtendedSf { register, factored_offset } => {
                self.set(register, Saved::AtCfa(factored_offset.checked_mul(self.factor)?));
            }
            Cfi::ValOffset { register, factored_offset: 0 }
            | Cfi::ValOffsetSf { register, factored_offset: 0 } => self.is_cfa(register),
            Cfi::ValOffset { register, .. }
            | Cfi::ValOffsetSf { register, .. }
            | Cfi::ValExpression { register, .. }
            | Cfi::Register { dest_register: register, .. } => self.set(register, Saved::Other),
            Cfi::Expression { register, expression } => self.at_expression(register, expression)?,
            Cfi::Restore { register } => self.restore(register),
            Cfi::RememberState => {
                if self.remembered.len() >= REMEMBERED_MAX {
                    return None;
                }
                self.remembered.push(self.row);
            }
            Cfi::RestoreState => self.row = self.remembered.pop()?,
            // Signed return addresses are in the same place.
            Cfi::NegateRaState | Cfi::ArgsSize { .. } | Cfi::Nop => {}
            Cfi::SetLoc { .. } | Cfi::AdvanceLoc { .. } => return None,
        }
        Some(())
    }

    fn cfa_offset(&mut self, offset: i64) -> Option<()> {
        let Shape::Offset(register, _) = self.row.cfa else { return None };
        self.row.cfa = Shape::Offset(register, offset);
        Some(())
    }

    fn shape(&self, expression: UnwindExpression<usize>) -> Option<Shape> {
        expression.get(self.section).ok().map(shape)
    }

    fn at_expression(
        &mut self,
        register: Register,
        expression: UnwindExpression<usize>,
    ) -> Option<()> {
        let saved = match self.shape(expression)? {
            Shape::Offset(base, offset) if base == self.machine.frame_pointer() => {
                Saved::AtFp(offset)
            }
            _ => Saved::Other,
        };
        self.set(register, saved);
        Some(())
    }

    /// The register's value is the CFA: what the stack pointer's is anyway.
    fn is_cfa(&mut self, register: Register) {
        let is_sp = register == self.machine.stack_pointer();
        self.set(register, if is_sp { Saved::Same } else { Saved::Other });
    }

    fn set(&mut self, register: Register, saved: Saved) {
        if let Some(slot) = slot(&mut self.row, self.machine, register) {
            *slot = saved;
        }
    }

    fn restore(&mut self, register: Register) {
        if let Some(initial) = slot(&mut self.initial, self.machine, register) {
            let initial = *initial;
            self.set(register, initial);
        }
    }
}

/// The row's place for `register`, where a walk needs that one.
fn slot(row: &mut Row, machine: Machine, register: Register) -> Option<&mut Saved> {
    if register == machine.frame_pointer() {
        Some(&mut row.frame_pointer)
    } else if register == machine.return_address() {
        Some(&mut row.return_address)
    } else if register == machine.stack_pointer() {
        Some(&mut row.stack_pointer)
    } else {
        None
    }
}
