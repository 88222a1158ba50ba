//! Whether a call instruction ends at an address: the bytes before a return
//! address, read backwards.
//!
//! Forms of x86 and x86-64 (Intel SDM volume 2, CALL and chapter 2, "Instruction
//! Format"): `E8 rel32`, and `FF /2` with each `ModRM`, SIB and displacement.
//! Prefixes (REX, `66`, `67`, `notrack`) come before and change nothing of that.
//! Forms of arm64 (Arm ARM, C6.2): BL, BLR, and BLRAA, BLRAB and their kin.

use super::elf::{Elf, Machine};
use crate::profile::Call;

/// Bytes before an address that are looked at: the longest form without prefixes.
const BYTES_MAX: u64 = 7;

/// Where entries of the procedure linkage table are: they jump on.
const PLT_SECTIONS: [&str; 4] = [".plt", ".plt.sec", ".plt.got", ".iplt"];

/// A call, as its bytes have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// By register or memory.
    Indirect,
    /// By distance from the instruction's end.
    Relative(i64),
}

/// The call whose last byte is at a file offset.
#[must_use]
pub(super) fn call_before(elf: &Elf, offset: u64) -> Call {
    let Some(end) = offset.checked_add(1) else { return Call::Unknown };
    let start = end.saturating_sub(BYTES_MAX);
    let (Some(address), Ok(bytes)) =
        (elf.address(offset), elf.image().bytes(start, end - start, BYTES_MAX))
    else {
        return Call::Unknown;
    };
    let forms = match elf.machine() {
        Machine::X86 => x86(&bytes),
        Machine::Arm64 => arm64(&bytes),
        Machine::Other => return Call::Unknown,
    };
    let target = |distance| address.wrapping_add(1).wrapping_add_signed(distance);
    // A distance that leads out of the code is part of something else.
    let mut calls = forms.into_iter().flatten().filter_map(|form| match form {
        Form::Indirect => Some(Call::Indirect),
        Form::Relative(distance) if in_plt(elf, target(distance)) => Some(Call::Indirect),
        Form::Relative(distance) if elf.is_code(target(distance)) => {
            elf.offset(target(distance)).map(Call::Direct)
        }
        Form::Relative(_) => None,
    });
    calls.next().unwrap_or(Call::Missing)
}

fn in_plt(elf: &Elf, address: u64) -> bool {
    PLT_SECTIONS.iter().any(|name| {
        let section = elf.section(name);
        section.is_some_and(|section| address.wrapping_sub(section.address) < section.size)
    })
}

/// What the last bytes can be; the likelier one first.
fn x86(bytes: &[u8]) -> [Option<Form>; 2] {
    let relative = match bytes.last_chunk() {
        Some([0xe8, a, b, c, d]) => {
            Some(Form::Relative(i32::from_le_bytes([*a, *b, *c, *d]).into()))
        }
        _ => None,
    };
    let lengths = [2, 3, 4, 6, 7];
    let indirect = lengths.into_iter().any(|len| {
        let start = bytes.len().checked_sub(len).and_then(|start| bytes.get(start..));
        matches!(start, Some([0xff, modrm, rest @ ..]) if indirect_len(*modrm, rest) == Some(len))
    });
    [relative, indirect.then_some(Form::Indirect)]
}

/// How long `FF /2` is with this `ModRM` byte and what follows; None where it is no
/// near call.
fn indirect_len(modrm: u8, rest: &[u8]) -> Option<usize> {
    const NEAR_CALL: u8 = 2;
    const SIB_FOLLOWS: u8 = 4;
    const NO_BASE: u8 = 5;
    let (mode, operation, place) = (modrm >> 6, modrm >> 3 & 7, modrm & 7);
    if operation != NEAR_CALL {
        return None;
    }
    if mode == 3 {
        return Some(2);
    }
    let sib = if place == SIB_FOLLOWS { Some(*rest.first()?) } else { None };
    let base = sib.map_or(place, |sib| sib & 7);
    let displacement = match mode {
        0 if base == NO_BASE => 4,
        0 => 0,
        1 => 1,
        _ => 4,
    };
    Some(2 + usize::from(sib.is_some()) + displacement)
}

fn arm64(bytes: &[u8]) -> [Option<Form>; 2] {
    let Some(instruction) = bytes.last_chunk().copied().map(u32::from_le_bytes) else {
        return [None; 2];
    };
    if instruction & 0xfc00_0000 == 0x9400_0000 {
        // 26 bits, in instructions, from the start of this one.
        let distance = i64::from(instruction.cast_signed() << 6 >> 6) * 4 - 4;
        return [Some(Form::Relative(distance)), None];
    }
    [(instruction & 0xfeff_f000 == 0xd63f_0000).then_some(Form::Indirect), None]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_x86() {
        let check = |bytes: &[u8], expected: [Option<Form>; 2]| {
            let padded = [&[0x90; 7][..], bytes].concat();
            for bytes in [bytes, &padded[padded.len() - 7..]] {
                assert_eq!(x86(bytes), expected, "{bytes:02x?}");
            }
        };
        let indirect = [None, Some(Form::Indirect)];
        let direct = |distance| [Some(Form::Relative(distance)), None];
        check(&[0xe8, 0x10, 0, 0, 0], direct(16));
        check(&[0xe8, 0xfb, 0xff, 0xff, 0xff], direct(-5));
        check(&[0x66, 0x48, 0xe8, 1, 0, 0, 0], direct(1));
        // call *%rax, *%r8, notrack *%rcx, *(%rcx), *(%rsp)
        check(&[0xff, 0xd0], indirect);
        check(&[0x41, 0xff, 0xd0], indirect);
        check(&[0x3e, 0xff, 0xd1], indirect);
        check(&[0xff, 0x11], indirect);
        check(&[0xff, 0x14, 0x24], indirect);
        // *8(%rax), *8(%rsp), *0x100(%rip), *0x100(%rax), *0x100(%rsp), *0x100(,%rax,8)
        check(&[0xff, 0x50, 8], indirect);
        check(&[0xff, 0x54, 0x24, 8], indirect);
        check(&[0xff, 0x15, 0, 1, 0, 0], indirect);
        check(&[0xff, 0x90, 0, 1, 0, 0], indirect);
        check(&[0xff, 0x94, 0x24, 0, 1, 0, 0], indirect);
        check(&[0xff, 0x14, 0xc5, 0, 1, 0, 0], indirect);
        // nop, jmp *%rax, push, jmp rel32, call that is not over, lcall.
        for bytes in [
            &[0x90, 0x90][..],
            &[0xff, 0xe0],
            &[0xff, 0x30],
            &[0xe9, 0, 0, 0, 0],
            &[0xe8, 0, 0, 0],
            &[0xff, 0x50],
            &[0xff, 0x18],
            &[0x0f, 0x05],
        ] {
            check(bytes, [None, None]);
        }
        assert_eq!(x86(&[]), [None, None]);
    }

    #[test]
    fn calls_of_arm64() {
        let check = |instruction: u32, expected| {
            assert_eq!(arm64(&instruction.to_le_bytes())[0], expected, "{instruction:x}");
        };
        check(0x9400_0002, Some(Form::Relative(4)));
        check(0x97ff_ffff, Some(Form::Relative(-8)));
        // blr x3, blraaz x3, blrab x3, x4
        check(0xd63f_0060, Some(Form::Indirect));
        check(0xd63f_087f, Some(Form::Indirect));
        check(0xd73f_0c64, Some(Form::Indirect));
        // b, br x3, ret, nop
        check(0x1400_0002, None);
        check(0xd61f_0060, None);
        check(0xd65f_03c0, None);
        check(0xd503_201f, None);
        assert_eq!(arm64(&[0, 0, 0]), [None, None]);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = (x86(&bytes), arm64(&bytes));
        }
    }
}
