//! One copy of each mapped file's description, whoever maps it.

use super::regions::{Region, RegionFile};
use std::collections::HashSet;
use std::sync::Arc;

/// How many are kept before those are dropped that nothing maps any more.
const PRUNE_AT_MIN: usize = 4096;

/// Shares equal [`RegionFile`]s: a thousand processes map one libc.
#[derive(Debug)]
pub struct Interner {
    files: HashSet<Arc<RegionFile>, foldhash::fast::RandomState>,
    prune_at: usize,
}

impl Default for Interner {
    fn default() -> Self {
        Self { files: HashSet::default(), prune_at: PRUNE_AT_MIN }
    }
}

impl Interner {
    /// Makes `region` share its file with the others that have the same one.
    pub fn share(&mut self, region: &mut Region) {
        if let Some(known) = self.files.get(&region.file) {
            region.file = Arc::clone(known);
            return;
        }
        if self.files.len() >= self.prune_at {
            self.files.retain(|file| Arc::strong_count(file) > 1);
            // Pruning costs a walk over all, so the next one waits until the
            // table has doubled. It never holds more than what is mapped and
            // as much again.
            self.prune_at = (self.files.len() * 2).max(PRUNE_AT_MIN);
        }
        self.files.insert(Arc::clone(&region.file));
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether none are kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(path: &str) -> Region {
        let file = RegionFile::File { build_id: None, device_inode: (1, 2), path: path.into() };
        Region { start: 0, end: 1, offset: 0, file: Arc::new(file) }
    }

    #[test]
    fn equal_files_are_one() {
        let mut interner = Interner::default();
        let (mut a, mut b, mut c) = (region("/a"), region("/a"), region("/c"));
        for region in [&mut a, &mut b, &mut c] {
            interner.share(region);
        }
        assert!(Arc::ptr_eq(&a.file, &b.file) && !Arc::ptr_eq(&a.file, &c.file));
    }

    #[test]
    fn what_nothing_maps_is_dropped() {
        let mut interner = Interner::default();
        let mut kept = region("/kept");
        interner.share(&mut kept);
        for i in 0..100_000 {
            interner.share(&mut region(&format!("/{i}")));
        }
        assert!(interner.len() <= PRUNE_AT_MIN);
        let mut again = region("/kept");
        interner.share(&mut again);
        assert!(Arc::ptr_eq(&kept.file, &again.file));
    }
}
