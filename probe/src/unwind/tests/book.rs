//! One numbering of rules for all tables.

use crate::unwind::{Limits, RuleBook, build};
use probe_ebpf::table::{CFA_SP, RULE_UNSUPPORTED, RULES_MAX, Rule};

fn numbered(cfa_offset: i32) -> Rule {
    Rule { cfa: CFA_SP, reg_fp: 0, fp_offset: 0, cfa_offset }
}

#[test]
fn one_numbering_for_all_tables() {
    use super::sample::{CODE, Frames};
    let mut book = RuleBook::new();
    book.intern(&[8, 16, 24].map(numbered));
    let elf = Frames::x86_64("zR").function(0, 8, &[0x0e, 48]).function(8, 8, &[0x0e, 24]).elf();
    let mut table = build(&elf, &Limits::default()).unwrap();
    let ids = book.intern(&table.rules);
    table.renumber(&ids);
    for (at, offset) in [(0, 48), (8, 24)] {
        let number = table.lookup(CODE + at).unwrap();
        assert_eq!(book.rules()[usize::from(number)], numbered(offset));
    }
    assert_eq!(table.lookup(CODE + 16), Some(0));
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
