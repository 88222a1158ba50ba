//! Sorted rows into the pages that the BPF walk searches, and the same search in
//! Rust. The layout is [`probe_ebpf::table`].

use probe_ebpf::table::{
    BUCKET_ROWS_MAX, BUCKET_SHIFT, DIRECTORY_ENTRIES, Page, ROWS, RULE_NONE, RULE_UNSUPPORTED,
};

/// The pages of a table, and what is needed to read them.
#[derive(Clone, Debug)]
pub(super) struct Paged {
    /// The directory, then the rows.
    pub(super) pages: Vec<Page>,
    /// How many of them are the directory.
    pub(super) directory: usize,
    /// The file offset at which the first bucket starts.
    pub(super) base: u32,
    /// Rows that say something new.
    pub(super) rows: usize,
}

/// Takes rows in ascending order, and drops those that say nothing new.
#[derive(Debug)]
pub(super) struct Pages {
    rows: Vec<(u32, u16)>,
    /// The last row, which one at the same offset may still replace.
    pending: Option<(u32, u16)>,
    /// The rule of the row before it.
    rule: u16,
}

impl Pages {
    pub(super) const fn new() -> Self {
        Self { rows: Vec::new(), pending: None, rule: RULE_NONE }
    }

    /// From `offset` on, `rule` holds. A second row at one offset replaces the
    /// first; one below the last offset is an error of the caller's and is moved
    /// up to it.
    pub(super) fn push(&mut self, offset: u32, rule: u16) {
        match &mut self.pending {
            Some((last, pending)) if offset <= *last => *pending = rule,
            _ => {
                self.flush();
                self.pending = Some((offset, rule));
            }
        }
    }

    /// Rows kept so far.
    pub(super) const fn rows(&self) -> usize {
        self.rows.len()
    }

    fn flush(&mut self) {
        let Some((offset, rule)) = self.pending.take() else { return };
        if rule != self.rule {
            self.rule = rule;
            self.rows.push((offset, rule));
        }
    }

    /// Arranges the rows in pages.
    pub(super) fn finish(mut self) -> Paged {
        self.flush();
        let bucket_of = |offset: u32| (offset >> BUCKET_SHIFT) as usize;
        let first = self.rows.first().map_or(0, |(offset, _)| bucket_of(*offset));
        let last = self.rows.last().map_or(0, |(offset, _)| bucket_of(*offset));
        let directory = (last - first + 1).div_ceil(DIRECTORY_ENTRIES);
        let mut writer = Writer::new(directory);
        let mut rows = self.rows.as_slice();
        let mut rule = RULE_NONE;
        for bucket in first..=last {
            let within = rows.partition_point(|(offset, _)| bucket_of(*offset) <= bucket);
            let (mine, rest) = rows.split_at(within);
            rows = rest;
            writer.bucket(bucket - first, rule, mine);
            rule = mine.last().map_or(rule, |(_, rule)| *rule);
        }
        let base = u32::try_from(first << BUCKET_SHIFT).unwrap_or(0);
        Paged { pages: writer.pages, directory, base, rows: self.rows.len() }
    }
}

/// Fills the directory and the pages behind it.
struct Writer {
    pages: Vec<Page>,
    /// Rows used in the last page.
    used: usize,
}

impl Writer {
    fn new(directory: usize) -> Self {
        Self { pages: vec![Page([0; ROWS]); directory], used: ROWS }
    }

    /// Writes the rows of a bucket, at whose start `rule` holds.
    fn bucket(&mut self, number: usize, rule: u16, rows: &[(u32, u16)]) {
        let at_start = rows.first().is_some_and(|(offset, _)| low(*offset) == 0);
        let count = rows.len() + usize::from(!at_start);
        if rows.is_empty() && rule == RULE_NONE {
            return;
        }
        if count > BUCKET_ROWS_MAX {
            return self.bucket(number, RULE_UNSUPPORTED, &[]);
        }
        if self.used + count > ROWS {
            self.pages.push(Page([0; ROWS]));
            self.used = 0;
        }
        let page = self.pages.len() - 1;
        self.entry(number, page, count);
        let start = (!at_start).then_some((0, rule));
        let rows = rows.iter().map(|(offset, rule)| (low(*offset), *rule));
        for (low, rule) in start.into_iter().chain(rows) {
            self.pages[page].0[self.used] = low << 16 | u32::from(rule);
            self.used += 1;
        }
    }

    fn entry(&mut self, number: usize, page: usize, count: usize) {
        let entry = &mut self.pages[number / DIRECTORY_ENTRIES].0;
        let at = number % DIRECTORY_ENTRIES * 2;
        // Both fit: a page has ROWS rows, a table at most 2^32 bytes of code.
        entry[at] = u32::try_from(page).unwrap_or(0);
        entry[at + 1] = u32::try_from(self.used | count << 16).unwrap_or(0);
    }
}

/// The part of an offset that a row keeps, among those of its bucket.
const fn low(offset: u32) -> u32 {
    offset & ((1 << BUCKET_SHIFT) - 1)
}

impl Paged {
    /// The number of the rule at `file_offset`, as the BPF walk finds it; None
    /// where there is no bucket.
    pub(super) fn lookup(&self, file_offset: u32) -> Option<u16> {
        let offset = file_offset.checked_sub(self.base)?;
        let directory = u32::try_from(self.directory).ok()?;
        lookup(&self.pages, directory, offset.into())
    }

    /// Every row, by offset; the rows that a bucket starts with are among them.
    pub(super) fn rows(&self) -> impl Iterator<Item = (u32, u16)> {
        (0..self.directory * DIRECTORY_ENTRIES).flat_map(move |number| {
            let start = self.base as usize + (number << BUCKET_SHIFT);
            let rows = bucket(&self.pages, number).unwrap_or_default().iter();
            rows.map(move |row| (start as u32 + (row >> 16), (row & 0xffff) as u16))
        })
    }
}

/// The number of the rule at `offset` from the table's base, as the BPF walk finds
/// it; None where there is no bucket. The first `directory` of the pages are the
/// directory.
#[must_use]
pub fn lookup(pages: &[Page], directory: u32, offset: u64) -> Option<u16> {
    let number = usize::try_from(offset >> BUCKET_SHIFT).ok()?;
    if number / DIRECTORY_ENTRIES >= directory as usize {
        return None;
    }
    let low = u32::try_from(offset & u64::from(u32::MAX)).map(low).ok()?;
    let rows = bucket(pages, number)?;
    let below = rows.partition_point(|row| row >> 16 <= low);
    let row = rows.get(below.checked_sub(1)?)?;
    u16::try_from(row & 0xffff).ok()
}

/// The rows of a bucket.
fn bucket(pages: &[Page], number: usize) -> Option<&[u32]> {
    let entry = &pages.get(number / DIRECTORY_ENTRIES)?.0;
    let at = number % DIRECTORY_ENTRIES * 2;
    let (page, place) = (*entry.get(at)? as usize, *entry.get(at + 1)? as usize);
    let (first, count) = (place & 0xffff, place >> 16);
    pages.get(page)?.0.get(first..first + count)
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "the numbers are made here, and small")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn paged(rows: &[(u32, u16)]) -> Paged {
        let mut pages = Pages::new();
        for (offset, rule) in rows {
            pages.push(*offset, *rule);
        }
        pages.finish()
    }

    #[test]
    fn rules_reach_to_the_next_row_across_buckets() {
        let table = paged(&[(0x1234, 5), (0x1238, 6), (0x5000, 0), (0x9000, 7), (0x9004, 0)]);
        let check = |offset, expected| assert_eq!(table.lookup(offset), expected, "{offset:#x}");
        check(0xfff, None);
        check(0x1000, Some(0));
        check(0x1234, Some(5));
        check(0x1237, Some(5));
        check(0x1238, Some(6));
        check(0x4fff, Some(6));
        check(0x5000, Some(0));
        check(0x6000, None);
        check(0x9003, Some(7));
        check(0x9004, Some(0));
        check(0xf_0000, None);
        assert_eq!(table.rows, 5);
    }

    #[test]
    fn a_bucket_of_too_many_rows_is_unsupported_and_the_next_is_not() {
        let rows: Vec<_> = (0..2048_u32).map(|n| (n * 2, 2 + (n % 2) as u16)).collect();
        let table = paged(&[rows, vec![(4096, 9)]].concat());
        assert_eq!(table.lookup(100), Some(RULE_UNSUPPORTED));
        assert_eq!(table.lookup(4097), Some(9));
    }

    #[test]
    fn nothing_is_a_table_without_rules() {
        assert_eq!(paged(&[]).lookup(0), None);
    }

    proptest! {
        /// Against a search through all rows.
        #[test]
        fn agrees_with_the_rows(
            mut rows in prop::collection::vec((0..40_000_u32, 0..9_u16), 0..300),
            base in 0..3_u32,
            offsets in prop::collection::vec(0..50_000_u32, 50),
        ) {
            rows.sort_by_key(|(offset, _)| *offset);
            rows.dedup_by_key(|(offset, _)| *offset);
            let base = base * 0x10_0000;
            let end = (60_000, 0);
            let rows = rows.into_iter().chain([end]);
            let rows: Vec<_> = rows.map(|(offset, rule)| (offset + base, rule)).collect();
            let table = paged(&rows);
            for offset in offsets.into_iter().map(|offset| offset + base) {
                let below = rows.partition_point(|(start, _)| *start <= offset);
                let expected = below.checked_sub(1).map_or(0, |at| rows[at].1);
                prop_assert_eq!(table.lookup(offset).unwrap_or(0), expected);
            }
        }
    }
}
