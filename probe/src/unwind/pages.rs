//! Sorted rows into the pages that the BPF walk searches, and the same search in
//! Rust. The layout is [`probe_ebpf::table`].

use probe_ebpf::table::{LEAF_SPAN, PAGE_ENTRIES, Page, ROOT_TWO_LEVELS, RULE_NONE};

/// A page with no entries that starts at `head`.
const fn empty(head: u32) -> Page {
    Page { head, count: 0, entry: [0; PAGE_ENTRIES] }
}

/// Adds an entry; false where the page is full.
fn add(page: &mut Page, entry: u32) -> bool {
    let Some(slot) = page.entry.get_mut(page.count as usize) else { return false };
    *slot = entry;
    page.count += 1;
    true
}

/// Takes rows in ascending order, drops those that say nothing new, and fills
/// pages with the others.
#[derive(Debug)]
pub(super) struct Pages {
    /// The root, then the leaves.
    list: Vec<Page>,
    /// The last row, which one at the same offset may still replace.
    pending: Option<(u32, u16)>,
    /// The rule of the row before it.
    rule: u16,
    rows: usize,
}

impl Pages {
    pub(super) fn new() -> Self {
        Self { list: vec![empty(0)], pending: None, rule: RULE_NONE, rows: 0 }
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
        self.rows
    }

    fn flush(&mut self) {
        let Some((offset, rule)) = self.pending.take() else { return };
        if rule == self.rule {
            return;
        }
        self.rule = rule;
        self.rows += 1;
        if let [_, .., leaf] = self.list.as_mut_slice() {
            let distance = offset - leaf.head;
            if distance < LEAF_SPAN && add(leaf, distance << 16 | u32::from(rule)) {
                return;
            }
        }
        let mut leaf = empty(offset);
        add(&mut leaf, u32::from(rule));
        self.list.push(leaf);
    }

    /// The pages, root first; how many of those after it are leaves; the rows.
    pub(super) fn finish(mut self) -> (Vec<Page>, usize, usize) {
        self.flush();
        let mut pages = self.list;
        let starts: Vec<u32> = pages.iter().skip(1).map(|leaf| leaf.head).collect();
        let root = if starts.len() <= PAGE_ENTRIES {
            index(1, &starts)
        } else {
            let first = number(pages.len());
            for (nth, chunk) in starts.chunks(PAGE_ENTRIES).enumerate() {
                pages.push(index(number(1 + nth * PAGE_ENTRIES), chunk));
            }
            let below: Vec<u32> = starts.iter().copied().step_by(PAGE_ENTRIES).collect();
            let mut root = index(first, &below);
            root.count |= ROOT_TWO_LEVELS;
            root
        };
        if let Some(page) = pages.first_mut() {
            *page = root;
        }
        (pages, starts.len(), self.rows)
    }
}

/// An index over the children from page `first` on, which start at `starts`.
fn index(first: u32, starts: &[u32]) -> Page {
    let mut page = empty(first);
    for &start in starts {
        add(&mut page, start);
    }
    page
}

/// A page's number. 32 bits of file offset make at most 65,536 leaves by span,
/// and `Limits::rows_max` bounds those by rows.
fn number(page: usize) -> u32 {
    u32::try_from(page).unwrap_or(u32::MAX)
}

/// The number of the rule at `file_offset`, as the BPF walk finds it; None below
/// the first row, and where the pages are broken.
#[must_use]
pub fn lookup(pages: &[Page], file_offset: u32) -> Option<u16> {
    let root = pages.first()?;
    let mut page = child(pages, root, file_offset)?;
    if root.count & ROOT_TWO_LEVELS != 0 {
        page = child(pages, page, file_offset)?;
    }
    let distance = file_offset.checked_sub(page.head)?.min(LEAF_SPAN - 1);
    let rows = page.entry.get(..count(page))?;
    let below = rows.partition_point(|row| row >> 16 <= distance);
    let row = rows.get(below.checked_sub(1)?)?;
    Some((row & 0xffff) as u16)
}

/// The last page below `index` that does not start above `file_offset`.
fn child<'a>(pages: &'a [Page], index: &Page, file_offset: u32) -> Option<&'a Page> {
    let starts = index.entry.get(..count(index))?;
    let below = starts.partition_point(|&start| start <= file_offset);
    pages.get(index.head as usize + below.checked_sub(1)?)
}

/// Entries in use.
const fn count(page: &Page) -> usize {
    (page.count & (ROOT_TWO_LEVELS - 1)) as usize
}
