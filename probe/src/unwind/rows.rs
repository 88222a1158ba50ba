//! Rules into numbers, and rows into pages.

use super::pages::Pages;
use super::registers::Unsupported;
use super::{Error, Limits, Stats, Table};
use foldhash::HashMap;
use probe_ebpf::table::{CFA_NONE, CFA_UNSUPPORTED, RULE_NONE, RULE_UNSUPPORTED, RULES_MAX, Rule};

/// The rules of the numbers that every table and the machine's book begin with.
pub(super) const RESERVED: [Rule; 2] = [
    Rule { cfa: CFA_NONE, reg_fp: 0, fp_offset: 0, cfa_offset: 0 },
    Rule { cfa: CFA_UNSUPPORTED, reg_fp: 0, fp_offset: 0, cfa_offset: 0 },
];

/// Numbers rules in the order they come; a rule has one number.
#[derive(Clone, Debug)]
pub(super) struct Numbering {
    rules: Vec<Rule>,
    numbers: HashMap<Rule, u16>,
}

impl Numbering {
    pub(super) fn new() -> Self {
        let numbers = [(RESERVED[0], RULE_NONE), (RESERVED[1], RULE_UNSUPPORTED)];
        Self { rules: RESERVED.to_vec(), numbers: numbers.into_iter().collect() }
    }

    /// The number of `rule`; [`RULE_UNSUPPORTED`] where there is none left.
    pub(super) fn number(&mut self, rule: Rule) -> u16 {
        if let Some(number) = self.numbers.get(&rule) {
            return *number;
        }
        if self.rules.len() >= RULES_MAX {
            return RULE_UNSUPPORTED;
        }
        let Ok(number) = u16::try_from(self.rules.len()) else { return RULE_UNSUPPORTED };
        self.rules.push(rule);
        self.numbers.insert(rule, number);
        number
    }

    /// The rules by number.
    pub(super) fn rules(&self) -> &[Rule] {
        &self.rules
    }
}

/// Takes the rows of one function after the other, in ascending order.
#[derive(Debug)]
pub(super) struct Rows {
    pages: Pages,
    numbering: Numbering,
    stats: Stats,
    max: usize,
}

impl Rows {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            pages: Pages::new(),
            numbering: Numbering::new(),
            stats: Stats::default(),
            max: limits.rows_max,
        }
    }

    /// From the file's `offset` on, `rule` holds.
    pub(super) fn push(
        &mut self,
        offset: u32,
        rule: Result<Rule, Unsupported>,
    ) -> Result<(), Error> {
        let number = match rule {
            Ok(rule) => self.numbering.number(rule),
            Err(reason) => {
                self.stats.count(reason);
                RULE_UNSUPPORTED
            }
        };
        self.pages.push(offset, number);
        if self.pages.rows() > self.max {
            return Err(Error::Rows(self.max));
        }
        Ok(())
    }

    /// A function ends; from here on nothing is known.
    pub(super) fn end(&mut self, offset: u32) {
        self.stats.functions += 1;
        self.pages.push(offset, RULE_NONE);
    }

    /// An entry could not be read.
    pub(super) fn malformed(&mut self) {
        self.stats.malformed += 1;
    }

    /// The table.
    pub(super) fn finish(self) -> Result<Table, Error> {
        let Self { pages, numbering, mut stats, max } = self;
        let paged = pages.finish();
        if paged.rows > max {
            return Err(Error::Rows(max));
        }
        stats.rows = paged.rows;
        stats.bytes = size_of_val(paged.pages.as_slice());
        Ok(Table { paged, rules: numbering.rules, stats })
    }
}
