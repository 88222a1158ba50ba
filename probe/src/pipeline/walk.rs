//! The walk of `probe-ebpf/src/walk.bpf.h` once more, over a copy of the stack:
//! for samples that the kernel's walk could not finish, since the process or a
//! table was new.

use crate::kernel::StackCopy;
use crate::profile::WalkEnd;
use probe_ebpf::table::{
    CFA_DEREF, CFA_END, CFA_FP, CFA_NONE, CFA_PLT, CFA_REGISTER, CFA_SIGNAL, CFA_SP, FP_AT_CFA,
    FP_AT_FP, FP_SHIFT, FP_UNDEFINED, Rule,
};
use probe_ebpf::{EXACT_ADDRESS, USER_FRAMES_MAX};

/// DWARF numbers of x86-64 (System V ABI, figure "DWARF Register Number Mapping").
const RBP: usize = 6;
const RSP: usize = 7;
const REGISTERS: usize = 16;

/// Where the registers lie in a signal frame, from its stack pointer on: those of
/// `struct sigcontext` in `struct ucontext`, r8 to r15, rdi, rsi, rbp, rbx, rdx,
/// rax, rcx, rsp, rip (arch/x86/include/uapi/asm/sigcontext.h).
const SIGNAL_REGISTERS_OFFSET: u64 = 40;
/// Their DWARF numbers, in that order.
const SIGNAL_REGISTERS: [usize; 16] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7];

/// What is known about the code at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// Its rule.
    Rule(Rule),
    /// It has none; frame pointers may help.
    FramePointer,
    /// Nothing is mapped there.
    Unmapped,
    /// Its table is being made.
    Pending,
}

/// What came of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Walked {
    /// The addresses, leaf first, as a record has them, and why they end.
    Done(Vec<u64>, WalkEnd),
    /// A table is missing that will come.
    Pending,
}

struct Walk<'a> {
    stack: &'a [u8],
    stack_start: u64,
    ip: u64,
    sp: u64,
    registers: [u64; REGISTERS],
    registers_known: bool,
    is_return: bool,
}

/// Walks the stack of `copy`; `code` says what is at an address.
pub(super) fn walk(copy: &StackCopy<'_>, mut code: impl FnMut(u64) -> Code) -> Walked {
    let mut walk = Walk {
        stack: copy.stack,
        stack_start: copy.stack_pointer(),
        ip: copy.program_counter(),
        sp: copy.stack_pointer(),
        registers: std::array::from_fn(|number| copy.register(number)),
        registers_known: true,
        is_return: false,
    };
    let mut addresses = Vec::with_capacity(64);
    while addresses.len() < USER_FRAMES_MAX {
        let exact = if addresses.is_empty() || walk.is_return { 0 } else { EXACT_ADDRESS };
        addresses.push(walk.ip | exact);
        let end = match code(walk.ip.wrapping_sub(u64::from(walk.is_return))) {
            Code::Pending => return Walked::Pending,
            Code::Unmapped => Some(WalkEnd::NoMapping),
            Code::FramePointer => walk.follow_frame_pointer().err(),
            Code::Rule(rule) => walk.apply(rule).err(),
        };
        match end {
            Some(end) => return Walked::Done(addresses, end),
            None if walk.ip == 0 => return Walked::Done(addresses, WalkEnd::Root),
            None => {}
        }
    }
    Walked::Done(addresses, WalkEnd::TooDeep)
}

impl Walk<'_> {
    fn read(&self, address: u64) -> Result<u64, WalkEnd> {
        let at = usize::try_from(address.wrapping_sub(self.stack_start)).unwrap_or(usize::MAX);
        let word = at.checked_add(8).and_then(|end| self.stack.get(at..end));
        let word = word.and_then(|word| word.try_into().ok()).ok_or(WalkEnd::Unreadable)?;
        Ok(u64::from_ne_bytes(word))
    }

    fn follow_frame_pointer(&mut self) -> Result<(), WalkEnd> {
        let fp = self.registers[RBP];
        if fp < self.sp || fp % 8 != 0 {
            return Err(WalkEnd::FramePointer);
        }
        let next = self.read(fp).map_err(|_| WalkEnd::FramePointer)?;
        let ra = self.read(fp.wrapping_add(8)).map_err(|_| WalkEnd::FramePointer)?;
        self.registers[RBP] = next;
        self.return_to(ra, fp.wrapping_add(16));
        Ok(())
    }

    fn return_to(&mut self, ra: u64, sp: u64) {
        self.ip = ra;
        self.sp = sp;
        self.is_return = true;
        self.registers_known = false;
    }

    fn apply(&mut self, rule: Rule) -> Result<(), WalkEnd> {
        match rule.cfa {
            CFA_NONE => return Err(WalkEnd::NoRow),
            CFA_END => return Err(WalkEnd::Root),
            CFA_SIGNAL => return self.leave_signal(),
            _ => {}
        }
        let cfa = self.cfa(rule)?;
        if cfa <= self.sp {
            return Err(WalkEnd::UnsupportedRule);
        }
        let ra = self.read(cfa.wrapping_sub(8))?;
        let fp = self.registers[RBP];
        let offset = i64::from(rule.fp_offset);
        self.registers[RBP] = match rule.reg_fp >> FP_SHIFT {
            FP_AT_CFA => self.read(cfa.wrapping_add_signed(offset))?,
            FP_AT_FP => self.read(fp.wrapping_add_signed(offset))?,
            FP_UNDEFINED => 0,
            _ => fp,
        };
        self.return_to(ra, cfa);
        Ok(())
    }

    fn cfa(&self, rule: Rule) -> Result<u64, WalkEnd> {
        let offset = i64::from(rule.cfa_offset);
        let number = usize::from(rule.reg_fp & 31);
        match rule.cfa {
            CFA_SP => Ok(self.sp.wrapping_add_signed(offset)),
            CFA_FP => Ok(self.registers[RBP].wrapping_add_signed(offset)),
            CFA_PLT => {
                let pushed = (self.ip & 15).cast_signed() >= offset;
                Ok(self.sp.wrapping_add(8 + 8 * u64::from(pushed)))
            }
            CFA_REGISTER => Ok(self.register(number)?.wrapping_add_signed(offset)),
            CFA_DEREF => {
                let [low, high] = halves(rule.cfa_offset);
                let inner = self.register(number)?.wrapping_add_signed(low);
                Ok(self.read(inner)?.wrapping_add_signed(high))
            }
            _ => Err(WalkEnd::UnsupportedRule),
        }
    }

    fn register(&self, number: usize) -> Result<u64, WalkEnd> {
        match number {
            RSP => Ok(self.sp),
            RBP => Ok(self.registers[RBP]),
            _ if self.registers_known => {
                self.registers.get(number).copied().ok_or(WalkEnd::UnsupportedRule)
            }
            _ => Err(WalkEnd::UnsupportedRule),
        }
    }

    fn leave_signal(&mut self) -> Result<(), WalkEnd> {
        let mut at = self.sp.wrapping_add(SIGNAL_REGISTERS_OFFSET);
        let mut registers = self.registers;
        for number in SIGNAL_REGISTERS {
            registers[number] = self.read(at)?;
            at = at.wrapping_add(8);
        }
        self.ip = self.read(at)?;
        self.sp = registers[RSP];
        self.registers = registers;
        self.registers_known = true;
        self.is_return = false;
        Ok(())
    }
}

/// The two offsets of `CFA_DEREF`: inside and outside.
fn halves(offset: i32) -> [i64; 2] {
    let [a, b, c, d] = offset.to_le_bytes();
    [i64::from(i16::from_le_bytes([a, b])), i64::from(i16::from_le_bytes([c, d]))]
}
