//! An append-only table that can be frozen cheaply.

use super::Handle;
use std::marker::PhantomData;
use std::sync::Arc;

/// Rows in a chunk: freezing shares chunks, and the first change after it
/// copies at most one.
const CHUNK_ROWS: usize = 1024;

/// A table of rows found by handle.
///
/// `clone` is what makes a snapshot: it copies one pointer per 1,024 rows, and
/// the two tables then change independently (copy on write, by chunk).
#[derive(Debug)]
pub struct Shelf<H, T> {
    chunks: Vec<Arc<Vec<T>>>,
    len: usize,
    handle: PhantomData<fn() -> H>,
}

impl<H: Handle, T: Clone> Shelf<H, T> {
    /// An empty table.
    #[must_use]
    pub const fn new() -> Self {
        Self { chunks: Vec::new(), len: 0, handle: PhantomData }
    }

    /// How many rows there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a row.
    pub fn push(&mut self, row: T) -> H {
        let handle = H::from_index(self.len);
        if self.len.is_multiple_of(CHUNK_ROWS) {
            self.chunks.push(Arc::new(Vec::with_capacity(CHUNK_ROWS.min(64))));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            Arc::make_mut(chunk).push(row);
            self.len += 1;
        }
        handle
    }

    /// The row, or None for a handle of another table.
    #[must_use]
    pub fn get(&self, handle: H) -> Option<&T> {
        let index = handle.index();
        self.chunks.get(index / CHUNK_ROWS)?.get(index % CHUNK_ROWS)
    }

    /// The row for changing, or None for a handle of another table.
    pub fn get_mut(&mut self, handle: H) -> Option<&mut T> {
        let index = handle.index();
        Arc::make_mut(self.chunks.get_mut(index / CHUNK_ROWS)?).get_mut(index % CHUNK_ROWS)
    }

    /// Every row with its handle, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (H, &T)> {
        self.chunks
            .iter()
            .flat_map(|chunk| chunk.iter())
            .enumerate()
            .map(|(index, row)| (H::from_index(index), row))
    }
}

impl<H, T> Clone for Shelf<H, T> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks.clone(), len: self.len, handle: PhantomData }
    }
}

impl<H: Handle, T: Clone> Default for Shelf<H, T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::FrameHandle;
    use super::*;

    #[test]
    fn a_frozen_table_does_not_change() {
        let mut shelf: Shelf<FrameHandle, u32> = Shelf::new();
        let handles: Vec<_> = (0..3000).map(|n| shelf.push(n)).collect();
        let frozen = shelf.clone();
        shelf.push(9999);
        if let Some(row) = shelf.get_mut(handles[5]) {
            *row = 42;
        }
        assert_eq!(frozen.len(), 3000);
        assert_eq!(frozen.get(handles[5]), Some(&5));
        assert_eq!(shelf.get(handles[5]), Some(&42));
        assert_eq!(shelf.get(handles[2999]), Some(&2999));
        assert_eq!(frozen.get(FrameHandle::from_index(3000)), None);
        assert!(frozen.iter().map(|(_, row)| *row).eq(0..3000));
    }
}
