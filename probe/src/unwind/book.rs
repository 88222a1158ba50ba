//! One numbering of rules for the whole machine: most files' rules are the same.

use super::Table;
use super::rows::Numbering;
use probe_ebpf::table::{RULE_UNSUPPORTED, Rule};

/// The rules of all tables that BPF has. Numbers are never given back: of all
/// files together there are few.
#[derive(Clone, Debug)]
pub struct RuleBook(Numbering);

impl Default for RuleBook {
    fn default() -> Self {
        Self::new()
    }
}

impl RuleBook {
    /// A book that has the reserved rules alone.
    #[must_use]
    pub fn new() -> Self {
        Self(Numbering::new())
    }

    /// The machine-wide numbers of a table's rules, in their order. A rule that the
    /// book has no room for becomes [`RULE_UNSUPPORTED`].
    pub fn intern(&mut self, rules: &[Rule]) -> Vec<u16> {
        rules.iter().map(|rule| self.0.number(*rule)).collect()
    }

    /// The rules by number: what the BPF map of rules holds. It only grows.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        self.0.rules()
    }
}

impl Table {
    /// Replaces the rows' numbers by those that [`RuleBook::intern`] gave for
    /// [`Table::rules`].
    pub fn renumber(&mut self, ids: &[u16]) {
        let directory = self.paged.directory;
        for row in self.paged.pages.iter_mut().skip(directory).flat_map(|page| &mut page.0) {
            let number = ids.get((*row & 0xffff) as usize).copied();
            *row = *row & 0xffff_0000 | u32::from(number.unwrap_or(RULE_UNSUPPORTED));
        }
    }
}
