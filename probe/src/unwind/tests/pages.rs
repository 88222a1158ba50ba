//! The pages' layout, by the look-up that BPF does.

use crate::unwind::pages::{Pages, lookup};
use crate::unwind::{RuleBook, build};
use probe_ebpf::table::{
    CFA_SP, LEAF_SPAN, PAGE_ENTRIES, ROOT_TWO_LEVELS, RULE_UNSUPPORTED, RULES_MAX, Rule,
};

/// Rows `step` bytes apart, each with another rule than the one before.
fn check(rows: u32, step: u32, leaves: usize, two_levels: bool) {
    let mut pages = Pages::new();
    let start = 100;
    let rule = |row: u32| (2 + row % 1000) as u16;
    for row in 0..rows {
        pages.push(start + row * step, rule(row));
    }
    let (pages, found, kept) = pages.finish();
    assert_eq!((found, kept), (leaves, rows as usize));
    assert_eq!(pages[0].count & ROOT_TWO_LEVELS != 0, two_levels);
    assert_eq!(lookup(&pages, start - 1), None);
    for row in 0..rows {
        let at = start + row * step;
        assert_eq!(lookup(&pages, at), Some(rule(row)), "at {at}");
        assert_eq!(lookup(&pages, at + step - 1), Some(rule(row)), "below {}", at + step);
    }
    assert_eq!(lookup(&pages, u32::MAX), Some(rule(rows - 1)));
}

#[test]
fn leaves_split_by_rows_and_by_span() {
    let full = PAGE_ENTRIES as u32;
    check(1, 1, 1, false);
    check(full, 1, 1, false);
    check(full + 1, 1, 2, false);
    check(2, LEAF_SPAN - 1, 1, false);
    check(2, LEAF_SPAN, 2, false);
    check(3, LEAF_SPAN + 7, 3, false);
    check(full, LEAF_SPAN, PAGE_ENTRIES, false);
}

#[test]
fn two_levels() {
    let full = PAGE_ENTRIES as u32;
    check(full + 1, LEAF_SPAN, PAGE_ENTRIES + 1, true);
    check(3 * full + 5, LEAF_SPAN, 3 * PAGE_ENTRIES + 5, true);
}

#[test]
fn rows_that_say_nothing_new_are_left_out() {
    let mut pages = Pages::new();
    for (offset, rule) in [(8, 2), (16, 2), (24, 3), (24, 2), (32, 4), (40, 0), (40, 5), (50, 0)] {
        pages.push(offset, rule);
    }
    let (pages, _, rows) = pages.finish();
    assert_eq!(rows, 4);
    let found = [7, 8, 31, 32, 40, 50].map(|offset| lookup(&pages, offset));
    assert_eq!(found, [None, Some(2), Some(2), Some(4), Some(5), Some(0)]);
}

#[test]
fn no_pages_and_no_rows() {
    assert_eq!(lookup(&[], 5), None);
    assert_eq!(lookup(&Pages::new().finish().0, 5), None);
}

fn numbered(cfa_offset: i32) -> Rule {
    Rule { cfa: CFA_SP, reg_fp: 0, fp_offset: 0, cfa_offset }
}

#[test]
fn one_numbering_for_all_tables() {
    use super::sample::{CODE, Frames};
    let mut book = RuleBook::new();
    book.intern(&[8, 16, 24].map(numbered));
    let elf = Frames::x86_64("zR").function(0, 8, &[0x0e, 48]).function(8, 8, &[0x0e, 24]).elf();
    let mut table = build(&elf, &crate::unwind::Limits::default()).unwrap();
    let ids = book.intern(&table.rules);
    table.renumber(&ids);
    for (at, offset) in [(0, 48), (8, 24)] {
        let number = lookup(&table.pages, CODE + at).unwrap();
        assert_eq!(book.rules()[usize::from(number)], numbered(offset));
    }
    assert_eq!(lookup(&table.pages, CODE + 16), Some(0));
    assert_eq!(book.rules().len(), 6);
}

#[test]
fn a_full_book() {
    let mut book = RuleBook::new();
    let rules: Vec<Rule> = (0..RULES_MAX as i32).map(numbered).collect();
    let ids = book.intern(&rules);
    assert_eq!(book.rules().len(), RULES_MAX);
    assert_eq!(ids[RULES_MAX - 3], u16::MAX);
    assert_eq!(ids[RULES_MAX - 2..], [RULE_UNSUPPORTED; 2]);
    assert_eq!(book.intern(&rules[..1]), [2]);
}
