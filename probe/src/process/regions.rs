//! The executable mappings of one process, over time.

use crate::profile::{BuildId, Text};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many regions one process may have. What comes after is dropped and
/// counted: `vm.max_map_count` lets a process have 65,530 mappings, and an
/// administrator may raise it without limit.
pub const REGIONS_MAX: usize = 8192;

/// What a region is a part of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RegionFile {
    /// A file, also a deleted one or a memfd.
    File {
        /// The build id, where the kernel reported it with the mapping.
        build_id: Option<BuildId>,
        /// Device and inode as the kernel reported them; zeros where it
        /// reported the build id instead.
        device_inode: (u64, u64),
        /// The path as the process sees it, without ` (deleted)`.
        path: Text,
    },
    /// The kernel's code in every process.
    Vdso,
    /// Memory without a file.
    Anonymous,
    /// Anything else that has a name in brackets, such as `[vsyscall]`.
    Other(Text),
}

/// An executable mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first address.
    pub start: u64,
    /// The first address after it.
    pub end: u64,
    /// The offset in the file of the byte at `start`.
    pub offset: u64,
    /// What is mapped.
    pub file: Arc<RegionFile>,
}

impl Region {
    /// The offset in the file of `address`, which lies in the region.
    #[must_use]
    pub fn file_offset(&self, address: u64) -> u64 {
        address.wrapping_sub(self.start).wrapping_add(self.offset)
    }

    /// Whether `next` begins where this ends, in memory and in the same file.
    fn runs_into(&self, next: &Self) -> bool {
        self.end == next.start
            && match (&*self.file, &*next.file) {
                (RegionFile::Anonymous, RegionFile::Anonymous) => true,
                (RegionFile::File { .. }, RegionFile::File { .. }) => {
                    self.file_offset(self.end) == next.offset && self.file == next.file
                }
                _ => false,
            }
    }

    /// The part from `start` on.
    fn tail(&self, start: u64) -> Self {
        Self { start, offset: self.file_offset(start), ..self.clone() }
    }
}

/// The regions of one process, sorted and without overlap.
///
/// A clone shares the regions until one of the two changes, so that a fork
/// costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    by_start: Arc<BTreeMap<u64, Region>>,
    dropped: u64,
}

impl Regions {
    /// Maps `region`, in place of whatever it overlaps. False where something
    /// was dropped because there are [`REGIONS_MAX`] already; an empty region
    /// changes nothing.
    pub fn map(&mut self, mut region: Region) -> bool {
        if region.start >= region.end {
            return true;
        }
        if self.lookup(region.start).is_some_and(|old| *old == region) {
            return true;
        }
        let by_start = Arc::make_mut(&mut self.by_start);
        let tail = unmap(by_start, region.start, region.end);
        if let Some((_, next)) = by_start.range(region.end..).next()
            && region.runs_into(next)
        {
            let (start, end) = (next.start, next.end);
            by_start.remove(&start);
            region.end = end;
        }
        if let Some((_, previous)) = by_start.range_mut(..region.start).next_back()
            && previous.runs_into(&region)
        {
            previous.end = region.end;
            return self.insert(tail);
        }
        // Both are tried: a lost tail is no reason to lose the region.
        let inserted = self.insert(Some(region));
        self.insert(tail) && inserted
    }

    /// Adds what overlaps nothing, where there is room.
    fn insert(&mut self, region: Option<Region>) -> bool {
        let Some(region) = region else { return true };
        let by_start = Arc::make_mut(&mut self.by_start);
        let has_room = by_start.len() < REGIONS_MAX;
        if has_room {
            by_start.insert(region.start, region);
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
        has_room
    }

    /// The region that `address` lies in.
    #[must_use]
    pub fn lookup(&self, address: u64) -> Option<&Region> {
        let (_, region) = self.by_start.range(..=address).next_back()?;
        (address < region.end).then_some(region)
    }

    /// All regions, by address.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Region> {
        self.by_start.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_start.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_start.is_empty()
    }

    /// How many were dropped at the limit.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many processes share the memory of these regions.
    #[must_use]
    pub fn sharers(&self) -> usize {
        Arc::strong_count(&self.by_start)
    }
}

/// Cuts `start..end` out of what is mapped, and returns what remains behind
/// it of the region that reached over `end`.
fn unmap(by_start: &mut BTreeMap<u64, Region>, start: u64, end: u64) -> Option<Region> {
    if let Some((_, before)) = by_start.range_mut(..start).next_back()
        && before.end > start
    {
        let tail = (before.end > end).then(|| before.tail(end));
        before.end = start;
        if tail.is_some() {
            return tail;
        }
    }
    while let Some((&inside, region)) = by_start.range(start..end).next() {
        let tail = (region.end > end).then(|| region.tail(end));
        by_start.remove(&inside);
        if tail.is_some() {
            return tail;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(name: &str) -> Arc<RegionFile> {
        Arc::new(RegionFile::File { build_id: None, device_inode: (1, 2), path: name.into() })
    }

    fn region(start: u64, end: u64, offset: u64, file: &Arc<RegionFile>) -> Region {
        Region { start, end, offset, file: Arc::clone(file) }
    }

    /// Maps all of `mapped` in turn, each as (start, end, offset, file).
    #[track_caller]
    fn check(mapped: &[(u64, u64, u64, &str)], expected: &[(u64, u64, u64, &str)]) {
        let mut regions = Regions::default();
        for (start, end, offset, name) in mapped {
            assert!(regions.map(region(*start, *end, *offset, &file(name))));
        }
        let expected: Vec<_> =
            expected.iter().map(|(s, e, o, name)| region(*s, *e, *o, &file(name))).collect();
        assert_eq!(regions.iter().cloned().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_mapping_replaces_what_it_overlaps() {
        check(&[(10, 20, 0, "a"), (30, 40, 0, "b")], &[(10, 20, 0, "a"), (30, 40, 0, "b")]);
        check(&[(10, 20, 0, "a"), (10, 20, 0, "b")], &[(10, 20, 0, "b")]);
        check(&[(10, 20, 0, "a"), (5, 25, 0, "b")], &[(5, 25, 0, "b")]);
        check(&[(10, 20, 0, "a"), (15, 25, 0, "b")], &[(10, 15, 0, "a"), (15, 25, 0, "b")]);
        check(&[(10, 20, 0, "a"), (5, 15, 0, "b")], &[(5, 15, 0, "b"), (15, 20, 5, "a")]);
        check(
            &[(10, 20, 100, "a"), (13, 15, 0, "b")],
            &[(10, 13, 100, "a"), (13, 15, 0, "b"), (15, 20, 105, "a")],
        );
        check(
            &[(10, 20, 0, "a"), (20, 30, 0, "b"), (40, 50, 0, "c"), (15, 45, 0, "d")],
            &[(10, 15, 0, "a"), (15, 45, 0, "d"), (45, 50, 5, "c")],
        );
        check(&[(10, 10, 0, "a"), (20, 10, 0, "b")], &[]);
    }

    #[test]
    fn neighbours_in_the_same_file_join() {
        check(&[(10, 20, 0, "a"), (20, 30, 10, "a")], &[(10, 30, 0, "a")]);
        check(&[(20, 30, 10, "a"), (10, 20, 0, "a")], &[(10, 30, 0, "a")]);
        check(&[(10, 20, 0, "a"), (20, 30, 0, "a")], &[(10, 20, 0, "a"), (20, 30, 0, "a")]);
        check(&[(10, 20, 0, "a"), (30, 40, 20, "a"), (20, 30, 10, "a")], &[(10, 40, 0, "a")]);
    }

    #[test]
    fn looks_up_by_address() {
        let mut regions = Regions::default();
        regions.map(region(10, 20, 7, &file("a")));
        assert!(regions.lookup(9).is_none());
        assert_eq!(regions.lookup(10).map(|r| r.file_offset(10)), Some(7));
        assert_eq!(regions.lookup(19).map(|r| r.file_offset(19)), Some(16));
        assert!(regions.lookup(20).is_none());
    }

    #[test]
    fn a_fork_shares_until_one_side_changes() {
        let mut parent = Regions::default();
        parent.map(region(10, 20, 0, &file("a")));
        let mut child = parent.clone();
        child.map(region(10, 20, 0, &file("a")));
        assert_eq!(child.sharers(), 2, "mapping the same again must not copy");
        child.map(region(30, 40, 0, &file("b")));
        assert_eq!((parent.sharers(), child.sharers()), (1, 1));
        assert_eq!((parent.len(), child.len()), (1, 2));
    }

    #[test]
    fn a_process_of_100_000_mappings_stays_bounded() {
        let mut regions = Regions::default();
        let files = [file("a"), file("b")];
        for i in (0..100_000_u64).rev() {
            regions.map(region(i * 100, i * 100 + 50, 0, &files[usize::from(i % 2 == 0)]));
        }
        assert_eq!(regions.len(), REGIONS_MAX);
        assert_eq!(regions.dropped(), 100_000 - REGIONS_MAX as u64);
    }

    #[test]
    fn holes_in_one_large_region_stay_bounded() {
        let mut regions = Regions::default();
        regions.map(region(0, 10_000_000, 0, &file("a")));
        for i in 1..50_000_u64 {
            regions.map(region(i * 100, i * 100 + 50, 0, &file("b")));
        }
        assert_eq!(regions.len(), REGIONS_MAX);
        assert!(regions.dropped() > 0);
    }

    proptest! {
        /// Against a model that holds one entry for each address.
        #[test]
        fn agrees_with_a_map_of_single_addresses(
            mapped in prop::collection::vec((0..60_u64, 0..20_u64, 0..4_u64, 0..3_usize), 0..40)
        ) {
            let files = [file("a"), file("b"), Arc::new(RegionFile::Anonymous)];
            let mut regions = Regions::default();
            let mut model = BTreeMap::new();
            for (start, len, offset, which) in mapped {
                regions.map(region(start, start + len, offset, &files[which]));
                for address in start..start + len {
                    model.insert(address, (which, address - start + offset));
                }
            }
            for address in 0..100 {
                let found = regions.lookup(address).map(|r| (Arc::clone(&r.file), r.file_offset(address)));
                match (model.get(&address), found) {
                    (None, None) => {}
                    (Some((2, _)), Some((file, _))) => prop_assert_eq!(&file, &files[2]),
                    (Some((which, offset)), Some((file, found))) => {
                        prop_assert_eq!(&file, &files[*which]);
                        prop_assert_eq!(*offset, found);
                    }
                    (expected, found) => prop_assert!(false, "{:?} is not {:?}", found, expected),
                }
            }
            let ends: Vec<_> = regions.iter().map(|r| (r.start, r.end)).collect();
            prop_assert!(ends.iter().all(|(start, end)| start < end));
            prop_assert!(ends.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        }
    }
}
