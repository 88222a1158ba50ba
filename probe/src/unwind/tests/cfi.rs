//! Rows and rules of call frame information.

use super::sample::{AARCH64, CODE, CODE_BYTES, Frames, Sample};
use super::{rule, rule_at, table};
use probe_ebpf::table::{
    CFA_DEREF, CFA_END, CFA_FP, CFA_NONE, CFA_PLT, CFA_REGISTER, CFA_SIGNAL, CFA_SP,
    CFA_UNSUPPORTED, FP_AND_RA_AT_CFA, FP_AT_CFA, FP_AT_FP, FP_SAME, FP_SHIFT, FP_UNDEFINED,
    RA_AT_CFA, RA_IN_REGISTER, Rule,
};

const AT_CALL: Rule = Rule { cfa: CFA_SP, reg_fp: 0, fp_offset: 0, cfa_offset: 8 };
const NONE: Rule = Rule { cfa: CFA_NONE, reg_fp: 0, fp_offset: 0, cfa_offset: 0 };

/// The rule of a function of 32 bytes that runs `instructions` at its start.
fn check(instructions: &[u8], expected: Rule) {
    let table = table(&Frames::x86_64("zR").function(0, 32, instructions).elf());
    assert_eq!(rule_at(&table, CODE + 31), expected, "{instructions:x?}");
    assert_eq!(rule_at(&table, CODE + 32), NONE);
}

/// `DW_CFA_def_cfa_expression`.
fn expression(bytes: &[u8]) -> Vec<u8> {
    [&[0x0f, bytes.len() as u8], bytes].concat()
}

#[test]
fn cfa_by_a_register() {
    check(&[], AT_CALL);
    check(&[0x0e, 48], rule(CFA_SP, 48, FP_SAME, 0));
    check(&[0x0e, 16, 0x86, 2], rule(CFA_SP, 16, FP_AT_CFA, -16));
    check(&[0x0e, 16, 0x86, 2, 0x0d, 6], rule(CFA_FP, 16, FP_AT_CFA, -16));
    check(&[0x0c, 10, 0], Rule { reg_fp: 10, ..rule(CFA_REGISTER, 0, 0, 0) });
    // def_cfa_sf: factored by -8.
    check(&[0x12, 7, 0x7e], rule(CFA_SP, 16, FP_SAME, 0));
    // A register number without room.
    check(&[0x0c, 60, 0], rule(CFA_UNSUPPORTED, 0, 0, 0));
}

#[test]
fn cfa_by_an_expression() {
    let plt = |length| expression(&[0x77, 8, 0x80, 0, 0x3f, 0x1a, length, 0x2a, 0x33, 0x24, 0x22]);
    check(&plt(0x3b), rule(CFA_PLT, 11, FP_SAME, 0));
    check(&plt(0x3a), rule(CFA_PLT, 10, FP_SAME, 0));
    let deref = |register, inside: i16, outside: i16| Rule {
        reg_fp: register,
        ..rule(CFA_DEREF, i32::from(outside) << 16 | i32::from(inside) & 0xffff, 0, 0)
    };
    // breg7 152; deref; plus_uconst 8: OpenSSL's assembly.
    check(&expression(&[0x77, 0x98, 1, 6, 0x23, 8]), deref(7, 152, 8));
    // breg6 -8; deref: a stack that gcc realigned.
    check(&expression(&[0x76, 0x78, 6]), deref(6, -8, 0));
    check(&expression(&[0x77, 40]), rule(CFA_SP, 40, FP_SAME, 0));
    // breg7 8; breg9 0; lit8; mul; plus; deref; plus_uconst 8.
    let scaled = [0x77, 8, 0x79, 0, 0x38, 0x1e, 0x22, 6, 0x23, 8];
    check(&expression(&scaled), rule(CFA_UNSUPPORTED, 0, 0, 0));
    check(&expression(&[]), rule(CFA_UNSUPPORTED, 0, 0, 0));
}

#[test]
fn frame_pointer_elsewhere() {
    // expression: rbp at breg6 0.
    check(&[0x10, 6, 2, 0x76, 0], rule(CFA_SP, 8, FP_AT_FP, 0));
    check(&[0x10, 6, 2, 0x77, 0], rule(CFA_SP, 8, FP_UNDEFINED, 0));
    check(&[0x07, 6], rule(CFA_SP, 8, FP_UNDEFINED, 0));
    // register: rbp in r9.
    check(&[0x09, 6, 9], rule(CFA_SP, 8, FP_UNDEFINED, 0));
    check(&[0x86, 2, 0xc6], AT_CALL);
    // Too far below for the rule: 8 * 5000.
    check(&[0x86, 0x88, 0x27], rule(CFA_SP, 8, FP_UNDEFINED, 0));
}

#[test]
fn return_address_and_stack_pointer() {
    check(&[0x07, 16], rule(CFA_END, 0, 0, 0));
    check(&[0x09, 16, 5], rule(CFA_UNSUPPORTED, 0, 0, 0));
    check(&[0x90, 3], rule(CFA_UNSUPPORTED, 0, 0, 0));
    check(&[0x09, 7, 8], rule(CFA_UNSUPPORTED, 0, 0, 0));
    // val_offset: rsp is the CFA.
    check(&[0x14, 7, 0], AT_CALL);
}

#[test]
fn signal_frames() {
    let elf = Frames::x86_64("zRS").function(7, 9, &[0x0e, 160]).elf();
    let table = table(&elf);
    assert_eq!(rule_at(&table, CODE + 7), rule(CFA_SIGNAL, 0, 0, 0));
    // musl describes no code at all.
    let mut sample = Sample::new(vec![(".eh_frame", Frames::x86_64("zR").section())]);
    sample.code = vec![0x90; 100];
    sample.code.extend([0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05]);
    let table = super::table(&sample.elf());
    for at in [99, 100, 108] {
        assert_eq!(rule_at(&table, CODE + at), rule(CFA_SIGNAL, 0, 0, 0));
    }
    assert_eq!(rule_at(&table, CODE + 109), NONE);
}

#[test]
fn rows_follow_the_code() {
    // push rbp; mov rbp, rsp; ...; pop rbp; ret, and once more after the ret.
    let prologue = [0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6];
    let epilogue = [0x02, 20, 0x0a, 0x0c, 7, 8, 0x41, 0x0b];
    let elf = Frames::x86_64("zR").function(0, 40, &[&prologue[..], &epilogue].concat()).elf();
    let table = table(&elf);
    let framed = rule(CFA_FP, 16, FP_AT_CFA, -16);
    for (at, expected) in [
        (0, AT_CALL),
        (1, rule(CFA_SP, 16, FP_AT_CFA, -16)),
        (4, framed),
        (23, framed),
        (24, rule(CFA_SP, 8, FP_AT_CFA, -16)),
        (25, framed),
        (39, framed),
        (40, NONE),
    ] {
        assert_eq!(rule_at(&table, CODE + at), expected, "at {at}");
    }
    assert_eq!(table.stats.rows, 6);
    assert_eq!(table.lookup(CODE - 1), None);
}

#[test]
fn overlaps_and_discarded_functions() {
    let wide = [0x0e, 32];
    let elf = Frames::x86_64("zR")
        .function(64, 16, &[])
        .function(0, 100, &wide)
        .function(0, 50, &[0x0e, 64])
        .function(200, 8, &[])
        .function(208, 8, &[])
        .address(0, 4096, &wide)
        .address(u64::MAX - 5, 100, &wide)
        .function(CODE_BYTES - 4, 8, &wide)
        .elf();
    let table = table(&elf);
    for (at, expected) in [
        (0, rule(CFA_SP, 32, FP_SAME, 0)),
        (63, rule(CFA_SP, 32, FP_SAME, 0)),
        (64, AT_CALL),
        (80, NONE),
        (200, AT_CALL),
        (216, NONE),
        (CODE_BYTES - 1, NONE),
    ] {
        assert_eq!(rule_at(&table, CODE + at), expected, "at {at}");
    }
    // Two functions that say the same have one row.
    assert_eq!(table.stats.rows, 5);
}

#[test]
fn debug_frame_fills_what_eh_frame_leaves() {
    let mut debug = Frames::x86_64("zR").function(0, 8, &[0x0e, 64]).function(8, 8, &[]).section();
    // .debug_frame: a common entry's id is all ones, and entries name it by offset.
    debug[4..8].fill(0xff);
    let mut at = 0;
    while debug[at..at + 4] != [0; 4] {
        let length = u32::from_le_bytes(debug[at..at + 4].try_into().unwrap());
        if at > 0 {
            debug[at + 4..at + 8].fill(0);
        }
        at += 4 + length as usize;
    }
    debug.truncate(at);
    let eh_frame = Frames::x86_64("zR").function(0, 8, &[0x0e, 32]).section();
    let sections = vec![(".debug_frame", debug), (".eh_frame", eh_frame)];
    let table = table(&Sample::new(sections).elf());
    assert_eq!(rule_at(&table, CODE), rule(CFA_SP, 32, FP_SAME, 0));
    // The augmentation "z" is .eh_frame's, and gimli reads it here too.
    assert_eq!(rule_at(&table, CODE + 8), AT_CALL);
}

#[test]
fn arm64() {
    let check = |instructions: &[u8], expected: Rule| {
        let section = Frames::aarch64().function(0, 32, instructions).section();
        let mut sample = Sample::new(vec![(".eh_frame", section)]);
        sample.machine = AARCH64;
        assert_eq!(rule_at(&table(&sample.elf()), CODE + 31), expected, "{instructions:x?}");
    };
    let kind = |cfa, offset, kind: u8, saved| Rule {
        cfa,
        reg_fp: kind << FP_SHIFT,
        fp_offset: saved,
        cfa_offset: offset,
    };
    check(&[], kind(CFA_SP, 0, RA_IN_REGISTER, 0));
    // stp x29, x30, [sp, -32]!; mov x29, sp.
    check(&[0x0e, 32, 0x9d, 4, 0x9e, 3], kind(CFA_SP, 32, FP_AND_RA_AT_CFA, -32));
    check(&[0x0c, 29, 32, 0x9d, 4, 0x9e, 3], kind(CFA_FP, 32, FP_AND_RA_AT_CFA, -32));
    // str x30, [sp, -16]!
    check(&[0x0e, 16, 0x9e, 2], kind(CFA_SP, 16, RA_AT_CFA, -16));
    // A signed return address (DW_CFA_AARCH64_negate_ra_state).
    check(&[0x2d, 0x0e, 32, 0x9d, 4, 0x9e, 3], kind(CFA_SP, 32, FP_AND_RA_AT_CFA, -32));
    check(&[0x07, 30], kind(CFA_END, 0, 0, 0));
    check(&[0x9d, 4, 0x9e, 9], kind(CFA_UNSUPPORTED, 0, 0, 0));
}
