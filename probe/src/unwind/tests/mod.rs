//! Tables of files that are made by hand.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "the numbers are made here, and small"
)]

mod book;
mod cfi;
mod go;
mod hostile;
mod refused;
mod sample;

use super::{Limits, Table, build};
use probe_ebpf::table::Rule;

/// The rule at `offset` of the file.
fn rule_at(table: &Table, offset: u32) -> Rule {
    let number = table.lookup(offset).unwrap_or(probe_ebpf::table::RULE_NONE);
    table.rules[usize::from(number)]
}

/// A rule of x86-64: `cfa`, its offset, where the frame pointer is and its offset.
fn rule(cfa: u8, cfa_offset: i32, kind: u8, fp_offset: i16) -> Rule {
    Rule { cfa, reg_fp: kind << probe_ebpf::table::FP_SHIFT, fp_offset, cfa_offset }
}

fn table(elf: &[u8]) -> Table {
    build(elf, &Limits::default()).expect("a table")
}
