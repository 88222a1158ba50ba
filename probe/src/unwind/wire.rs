//! A table as bytes, on its way from the process that read the file.
//!
//! ```text
//!  base:u32 directory:u32 pages:u32 rules:u32   rule:8 × rules   page:4096 × pages
//! ```
//!
//! Numbers are in the machine's own order. Whoever receives it distrusts it: its
//! lengths are checked here, numbers of rules by [`Table::renumber`], and what the
//! directory says by everyone who follows it.

use super::pages::Paged;
use super::{Stats, Table};
use probe_ebpf::table::{BUCKET_SHIFT, DIRECTORY_ENTRIES, Page, ROWS, RULES_MAX, Rule};
use std::io::{self, Write};

/// Pages of a table: 8 M rows, and a directory of 4 GiB of code.
const PAGES_MAX: usize = 16_384;

/// The most bytes that a table can have.
pub const TABLE_BYTES_MAX: u64 = 16 + (RULES_MAX as u64) * 8 + (PAGES_MAX as u64) * 4096;

impl Table {
    /// Writes the table; its [`Stats`] stay behind.
    ///
    /// # Errors
    ///
    /// What `out` reports.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let Paged { pages, directory, base, .. } = &self.paged;
        for number in [*directory, pages.len(), self.rules.len()] {
            u32::try_from(number).map_err(io::Error::other)?;
        }
        out.write_all(&base.to_ne_bytes())?;
        for number in [*directory, pages.len(), self.rules.len()] {
            out.write_all(&u32::try_from(number).map_err(io::Error::other)?.to_ne_bytes())?;
        }
        for Rule { cfa, reg_fp, fp_offset, cfa_offset } in &self.rules {
            out.write_all(&[*cfa, *reg_fp])?;
            out.write_all(&fp_offset.to_ne_bytes())?;
            out.write_all(&cfa_offset.to_ne_bytes())?;
        }
        for word in pages.iter().flat_map(|page| page.0) {
            out.write_all(&word.to_ne_bytes())?;
        }
        Ok(())
    }

    /// Reads what [`Table::write_to`] wrote; None where it is anything else.
    #[must_use]
    pub fn read_from(bytes: &[u8]) -> Option<Self> {
        let (header, rest) = bytes.split_at_checked(16)?;
        let mut numbers = header.chunks_exact(4).filter_map(|word| Some(u32_of(word)? as usize));
        let (base, directory) = (numbers.next()?, numbers.next()?);
        let (pages, rules) = (numbers.next()?, numbers.next()?);
        let fits = directory <= pages && pages <= PAGES_MAX && rules <= RULES_MAX;
        let code = directory.checked_mul(DIRECTORY_ENTRIES)?.checked_shl(BUCKET_SHIFT)?;
        if !fits || base.checked_add(code)? > (1 << 33) {
            return None;
        }
        let (rule_bytes, page_bytes) = rest.split_at_checked(rules * 8)?;
        if page_bytes.len() != pages * size_of::<Page>() {
            return None;
        }
        let rules = rule_bytes.chunks_exact(8).map(rule_of).collect::<Option<Vec<_>>>()?;
        let pages: Vec<_> = page_bytes.chunks_exact(size_of::<Page>()).map(page_of).collect();
        let bytes = size_of_val(pages.as_slice());
        let paged = Paged { pages, directory, base: u32::try_from(base).ok()?, rows: 0 };
        Some(Self { paged, rules, stats: Stats { bytes, ..Stats::default() } })
    }
}

fn u32_of(word: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(word.try_into().ok()?))
}

fn rule_of(bytes: &[u8]) -> Option<Rule> {
    let [cfa, reg_fp, f0, f1, c0, c1, c2, c3] = *bytes else { return None };
    let fp_offset = i16::from_ne_bytes([f0, f1]);
    Some(Rule { cfa, reg_fp, fp_offset, cfa_offset: i32::from_ne_bytes([c0, c1, c2, c3]) })
}

fn page_of(bytes: &[u8]) -> Page {
    let mut page = Page([0; ROWS]);
    for (word, bytes) in page.0.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = u32_of(bytes).unwrap_or(0);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, build};
    use super::*;
    use proptest::prelude::*;

    fn bytes() -> Vec<u8> {
        let exe = std::fs::read("/proc/self/exe").unwrap();
        let mut bytes = Vec::new();
        build(&exe, &Limits::default()).unwrap().write_to(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = bytes();
        let table = Table::read_from(&bytes).unwrap();
        let mut again = Vec::new();
        table.write_to(&mut again).unwrap();
        assert!(bytes == again);
        assert!(table.rows().count() > 1000);
        assert!(bytes.len() as u64 <= TABLE_BYTES_MAX);
    }

    #[test]
    fn a_cut_or_lengthened_table_is_refused() {
        let bytes = bytes();
        for len in [0, 1, 15, 16, 100, bytes.len() - 1] {
            assert!(Table::read_from(&bytes[..len]).is_none());
        }
        assert!(Table::read_from(&[&bytes[..], &[0]].concat()).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(
            numbers in prop::array::uniform4(prop_oneof![0..3_u32, any::<u32>()]),
            words in prop::collection::vec(any::<u32>(), 0..2100),
        ) {
            let all = numbers.into_iter().chain(words);
            let bytes: Vec<u8> = all.flat_map(u32::to_ne_bytes).collect();
            if let Some(mut table) = Table::read_from(&bytes) {
                table.renumber(&[0, 1]);
                for offset in [0, 5000, u32::MAX] {
                    prop_assert!(table.lookup(offset).unwrap_or(0) <= 1);
                }
            }
        }
    }
}
