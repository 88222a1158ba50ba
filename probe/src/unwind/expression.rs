//! The DWARF expressions that compilers and assembler writers put into call frame
//! information, by shape: <https://dwarfstd.org/doc/DWARF5.pdf>, section 2.5.
//!
//! - `breg7 8; breg16 0; lit15; and; lit11; ge; lit3; shl; plus`: the PLT of
//!   binutils, where `lit11` (or `lit10`, with -z ibtplt) is where the entry has
//!   pushed its number;
//! - `breg N a`, perhaps `plus_uconst b`: a register and an offset;
//! - `breg N a; deref`, perhaps `plus_uconst b`: a stack that gcc realigned
//!   (`rbp - 8`), and the saved stack pointer of OpenSSL's assembly (`rsp + 152`).

use gimli::{Encoding, EndianSlice, Format, LittleEndian, Operation, Register, constants};

/// An expression for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The register plus the offset.
    Offset(Register, i64),
    /// `*(register + inside) + outside`.
    Deref { register: Register, inside: i64, outside: i64 },
    /// `sp + 8`, and 8 more from this byte of a PLT entry on.
    Plt(i32),
    /// Anything else.
    Other,
}

const ENCODING: Encoding = Encoding { address_size: 8, format: Format::Dwarf32, version: 5 };

/// What of an expression's end a PLT has in front of and behind the `lit` that
/// tells the entry's length: rsp and rip are registers 7 and 16.
const PLT_HEAD: [u8; 6] = [
    constants::DW_OP_breg7.0,
    8,
    constants::DW_OP_breg16.0,
    0,
    constants::DW_OP_lit15.0,
    constants::DW_OP_and.0,
];
const PLT_TAIL: [u8; 4] = [
    constants::DW_OP_ge.0,
    constants::DW_OP_lit3.0,
    constants::DW_OP_shl.0,
    constants::DW_OP_plus.0,
];

/// The shape of `expression`.
pub(super) fn shape(expression: gimli::Expression<EndianSlice<'_, LittleEndian>>) -> Shape {
    plt(expression.0.slice()).or_else(|| address(expression)).unwrap_or(Shape::Other)
}

fn plt(bytes: &[u8]) -> Option<Shape> {
    let [literal] = bytes.strip_prefix(&PLT_HEAD)?.strip_suffix(&PLT_TAIL)? else { return None };
    let after = literal.checked_sub(constants::DW_OP_lit0.0).filter(|after| *after < 16)?;
    Some(Shape::Plt(i32::from(after)))
}

fn address(expression: gimli::Expression<EndianSlice<'_, LittleEndian>>) -> Option<Shape> {
    let mut operations = expression.operations(ENCODING);
    let mut next = || operations.next().ok();
    let Some(Operation::RegisterOffset { register, offset, .. }) = next()? else { return None };
    let mut inside = offset;
    let mut operation = next()?;
    if let Some(Operation::PlusConstant { value }) = operation {
        inside = inside.checked_add(i64::try_from(value).ok()?)?;
        operation = next()?;
    }
    match operation {
        None => return Some(Shape::Offset(register, inside)),
        Some(Operation::Deref { size: 8, space: false, .. }) => {}
        Some(_) => return None,
    }
    let outside = match next()? {
        None => 0,
        Some(Operation::PlusConstant { value }) => i64::try_from(value).ok()?,
        Some(_) => return None,
    };
    next()?.is_none().then_some(Shape::Deref { register, inside, outside })
}
