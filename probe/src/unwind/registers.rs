//! Where a caller's registers are, and the [`Rule`] that says so to BPF.

use super::expression::Shape;
use super::image::Machine;
use gimli::Register;
use probe_ebpf::table::{
    CFA_DEREF, CFA_END, CFA_FP, CFA_PLT, CFA_REGISTER, CFA_SIGNAL, CFA_SP, FP_AND_RA_AT_CFA,
    FP_AT_CFA, FP_AT_FP, FP_SAME, FP_SHIFT, FP_UNDEFINED, RA_AT_CFA, RA_IN_REGISTER, Rule,
};

/// Where a register of the caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saved {
    /// Still in the register.
    Same,
    /// Nowhere.
    Undefined,
    /// In memory, at CFA + the offset.
    AtCfa(i64),
    /// In memory, at the frame pointer + the offset.
    AtFp(i64),
    /// Somewhere that BPF does not follow.
    Other,
}

/// One row of call frame information, as far as a walk needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The canonical frame address: the stack pointer before the call.
    pub(super) cfa: Shape,
    pub(super) frame_pointer: Saved,
    pub(super) return_address: Saved,
    /// Other than the CFA only in code that leaves the stack for another.
    pub(super) stack_pointer: Saved,
}

/// Why a row has no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsupported {
    /// An expression for the CFA that has none of the known shapes.
    Expression,
    /// A return address that is not where calls put it: in a register, say, after
    /// it was popped.
    ReturnAddress,
    /// A stack pointer that is not the CFA: longjmp, setcontext.
    StackPointer,
    /// An offset that the rule has no room for.
    Offset,
}

/// The frame of a signal handler's caller.
pub(super) const SIGNAL: Rule = Rule { cfa: CFA_SIGNAL, reg_fp: 0, fp_offset: 0, cfa_offset: 0 };
/// The outermost frame.
pub(super) const END: Rule = Rule { cfa: CFA_END, reg_fp: 0, fp_offset: 0, cfa_offset: 0 };

impl Row {
    /// The state before any instruction: a CFA that nothing defined.
    pub(super) const UNDEFINED: Self = Self {
        cfa: Shape::Other,
        frame_pointer: Saved::Same,
        return_address: Saved::Same,
        stack_pointer: Saved::Same,
    };

    /// The row as a rule.
    pub(super) fn rule(&self, machine: Machine) -> Result<Rule, Unsupported> {
        if self.return_address == Saved::Undefined {
            return Ok(END);
        }
        if !matches!(self.stack_pointer, Saved::Same) {
            return Err(Unsupported::StackPointer);
        }
        let (cfa, register, cfa_offset) = self.cfa(machine)?;
        let (kind, fp_offset) = match machine {
            Machine::X86_64 => self.frame_pointer_x86_64()?,
            Machine::Aarch64 => self.saved_aarch64()?,
        };
        Ok(Rule { cfa, reg_fp: register | kind << FP_SHIFT, fp_offset, cfa_offset })
    }

    fn cfa(&self, machine: Machine) -> Result<(u8, u8, i32), Unsupported> {
        let narrow = |offset: i64| i32::try_from(offset).map_err(|_| Unsupported::Offset);
        match self.cfa {
            Shape::Offset(register, offset) if register == machine.stack_pointer() => {
                Ok((CFA_SP, 0, narrow(offset)?))
            }
            Shape::Offset(register, offset) if register == machine.frame_pointer() => {
                Ok((CFA_FP, 0, narrow(offset)?))
            }
            Shape::Offset(register, offset) => {
                Ok((CFA_REGISTER, number(register)?, narrow(offset)?))
            }
            Shape::Deref { register, inside, outside } => {
                let (low, high) = (half(inside)?, half(outside)?);
                let [a, b] = low.to_le_bytes();
                let [c, d] = high.to_le_bytes();
                Ok((CFA_DEREF, number(register)?, i32::from_le_bytes([a, b, c, d])))
            }
            Shape::Plt(after) => Ok((CFA_PLT, 0, after)),
            Shape::Other => Err(Unsupported::Expression),
        }
    }

    /// The call instruction of x86-64 leaves the return address just below the CFA.
    fn frame_pointer_x86_64(&self) -> Result<(u8, i16), Unsupported> {
        if self.return_address != Saved::AtCfa(-8) {
            return Err(Unsupported::ReturnAddress);
        }
        let (kind, offset) = match self.frame_pointer {
            Saved::Same => (FP_SAME, 0),
            Saved::AtCfa(offset) => (FP_AT_CFA, offset),
            Saved::AtFp(offset) => (FP_AT_FP, offset),
            Saved::Undefined | Saved::Other => (FP_UNDEFINED, 0),
        };
        // Without the caller's frame pointer a walk may still get far.
        Ok(half(offset).map_or((FP_UNDEFINED, 0), |offset| (kind, offset)))
    }

    fn saved_aarch64(&self) -> Result<(u8, i16), Unsupported> {
        match (self.frame_pointer, self.return_address) {
            (Saved::Same, Saved::Same) => Ok((RA_IN_REGISTER, 0)),
            (Saved::Same, Saved::AtCfa(offset)) => Ok((RA_AT_CFA, half(offset)?)),
            (Saved::AtCfa(fp), Saved::AtCfa(ra)) if ra.checked_sub(fp) == Some(8) => {
                Ok((FP_AND_RA_AT_CFA, half(fp)?))
            }
            _ => Err(Unsupported::ReturnAddress),
        }
    }
}

fn half(offset: i64) -> Result<i16, Unsupported> {
    i16::try_from(offset).map_err(|_| Unsupported::Offset)
}

/// A register's number, where it fits the rule's 5 bits.
fn number(register: Register) -> Result<u8, Unsupported> {
    let number = u8::try_from(register.0).ok();
    number.filter(|number| *number < 1 << FP_SHIFT).ok_or(Unsupported::Expression)
}
