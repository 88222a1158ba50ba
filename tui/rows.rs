//! A selection that stays on its row while rows come, go and change places.

use crate::action::Motion;

/// Which row is selected, held by its identity, and how far the list is
/// scrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows<K> {
    /// The selected row; None follows whatever row is first.
    key: Option<K>,
    index: usize,
    offset: usize,
}

impl<K> Default for Rows<K> {
    fn default() -> Self {
        Self { key: None, index: 0, offset: 0 }
    }
}

impl<K: Clone + PartialEq> Rows<K> {
    /// The index of the selected row.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// The index of the first row on the screen.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Finds the selected row again among new rows. Where it is gone, the
    /// selection stays at its place on the screen.
    pub fn follow(&mut self, keys: impl ExactSizeIterator<Item = K>, height: usize) {
        let len = keys.len();
        // Keys are made of names: without a selection there is no need for them.
        if self.key.is_none() {
            self.index = 0;
            return self.scroll(len, height);
        }
        let mut at_index = None;
        let mut found = None;
        for (at, key) in keys.enumerate() {
            if self.key.as_ref() == Some(&key) {
                found = Some(at);
                break;
            }
            if at <= self.index {
                at_index = Some(key);
            }
        }
        self.index = found.unwrap_or_else(|| self.index.min(len.saturating_sub(1)));
        if found.is_none() {
            self.key = at_index;
        }
        self.scroll(len, height);
    }

    /// Moves the selection.
    pub fn step(&mut self, motion: Motion, keys: &[K], height: usize) {
        let last = keys.len().saturating_sub(1);
        let page = height.saturating_sub(1).max(1);
        let index = match motion {
            Motion::Up => self.index.saturating_sub(1),
            Motion::Down => self.index + 1,
            Motion::PageUp => self.index.saturating_sub(page),
            Motion::PageDown => self.index + page,
            Motion::First => 0,
            Motion::Last => last,
            Motion::Left | Motion::Right => return,
        };
        self.select(index, keys, height);
        if motion == Motion::First {
            self.key = None;
        }
    }

    /// Selects the row at `index`, or the last one.
    pub fn select(&mut self, index: usize, keys: &[K], height: usize) {
        self.index = index.min(keys.len().saturating_sub(1));
        self.key = keys.get(self.index).cloned();
        self.scroll(keys.len(), height);
    }

    /// Scrolls no further than is needed to see the selected row.
    fn scroll(&mut self, len: usize, height: usize) {
        let lowest = (self.index + 1).saturating_sub(height.max(1));
        self.offset = self.offset.clamp(lowest, self.index).min(len.saturating_sub(height));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each character is a row.
    fn follow(rows: &mut Rows<char>, keys: &str, height: usize) {
        let keys: Vec<_> = keys.chars().collect();
        rows.follow(keys.into_iter(), height);
    }

    #[test]
    fn the_selection_stays_on_its_row() {
        let mut rows = Rows::default();
        follow(&mut rows, "abcdef", 3);
        rows.step(Motion::Down, &['a', 'b', 'c', 'd', 'e', 'f'], 3);
        assert_eq!(rows.index(), 1);
        follow(&mut rows, "cdefab", 3);
        assert_eq!((rows.index(), rows.offset()), (5, 3));
        follow(&mut rows, "bcdefa", 3);
        assert_eq!((rows.index(), rows.offset()), (0, 0));
        // Gone: the place stays, and the row that is there now is held.
        follow(&mut rows, "xyz", 3);
        assert_eq!(rows.index(), 0);
        follow(&mut rows, "yzx", 3);
        assert_eq!(rows.index(), 2);
        follow(&mut rows, "", 3);
        assert_eq!((rows.index(), rows.offset()), (0, 0));
    }

    #[test]
    fn an_untouched_selection_follows_the_first_row() {
        let mut rows = Rows::default();
        follow(&mut rows, "abc", 2);
        follow(&mut rows, "cba", 2);
        assert_eq!(rows.index(), 0);
        rows.step(Motion::Last, &['c', 'b', 'a'], 2);
        rows.step(Motion::First, &['c', 'b', 'a'], 2);
        follow(&mut rows, "abc", 2);
        assert_eq!(rows.index(), 0);
    }

    #[test]
    fn motion_ends_at_the_ends_at_any_height() {
        let keys: Vec<u32> = (0..10).collect();
        for height in [0, 1, 4, 100] {
            let mut rows = Rows::default();
            rows.follow(keys.iter().copied(), height);
            rows.step(Motion::Up, &keys, height);
            assert_eq!(rows.index(), 0);
            rows.step(Motion::PageDown, &keys, height);
            rows.step(Motion::Last, &keys, height);
            rows.step(Motion::Down, &keys, height);
            assert_eq!(rows.index(), 9);
            assert!(rows.offset() <= 9);
            rows.step(Motion::Down, &[], height);
            assert_eq!(rows.index(), 0);
        }
    }
}
