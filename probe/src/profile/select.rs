//! Which samples a query selects, put in groups.

use super::filter::Matcher;
use super::label::Labels;
use super::slice::SLICE_NS;
use super::{Handle, Point, ProcessHandle, Query, Snapshot, StackHandle};

/// A position among the groups of a [`Selection`].
pub(super) type GroupIndex = u32;

/// Stands for no group.
const NONE: GroupIndex = GroupIndex::MAX;

/// The stack and value of a sample.
pub(super) type Weight = (StackHandle, u64);

/// The samples in range, scope and filter, by group: a counting sort, since
/// whatever follows wants one group's stacks together.
#[derive(Debug)]
pub(super) struct Selection {
    /// The sum of the samples selected.
    pub(super) sum: u64,
    /// The sum of the samples in range that are not.
    pub(super) hidden: u64,
    samples: Vec<Weight>,
    /// Where each group ends in `samples`; it begins where the last one ends.
    ends: Vec<u32>,
}

impl Selection {
    /// The samples of one group.
    pub(super) fn group(&self, group: usize) -> &[Weight] {
        let start = group.checked_sub(1).map_or(0, |last| self.ends[last] as usize);
        &self.samples[start..self.ends[group] as usize]
    }

    /// Every group's samples.
    pub(super) fn groups(&self) -> impl Iterator<Item = &[Weight]> {
        (0..self.ends.len()).map(|group| self.group(group))
    }
}

/// A query made ready for the samples of one snapshot.
#[derive(Debug)]
pub(super) struct Selector<'a> {
    snapshot: &'a Snapshot,
    query: &'a Query,
    matcher: Matcher,
    /// By thread handle: its group, or [`NONE`] where the scope leaves it out.
    groups: Vec<GroupIndex>,
    groups_len: usize,
}

impl<'a> Selector<'a> {
    /// Puts each process of the scope in the group that `group_of` says; groups
    /// are numbered from 0 to `groups_len`, not included.
    pub(super) fn new(
        snapshot: &'a Snapshot,
        query: &'a Query,
        labels: &mut Labels<'_>,
        groups_len: usize,
        group_of: impl Fn(ProcessHandle) -> usize,
    ) -> Self {
        let tables = &snapshot.tables;
        let group = |thread: &super::Thread| {
            let process = tables.processes.get(thread.process)?;
            let inside = query.scope.contains(process, thread);
            inside.then(|| group_of(thread.process)).and_then(|group| group.try_into().ok())
        };
        let groups =
            tables.threads.iter().map(|(_, thread)| group(thread).unwrap_or(NONE)).collect();
        let matcher = Matcher::new(&query.filter, tables, labels);
        Self { snapshot, query, matcher, groups, groups_len }
    }

    /// The group of a sample, where it is selected.
    #[inline]
    fn group_of(&self, point: &Point) -> Option<usize> {
        let group = self.groups.get(point.thread.index()).copied().unwrap_or(NONE) as usize;
        let known =
            group < self.groups_len && point.stack.index() < self.snapshot.tables.stacks.len();
        (known && self.matcher.holds(point)).then_some(group)
    }

    /// Calls `visit` with every sample in range: its group, where it is
    /// selected, and its value.
    pub(super) fn for_each(&self, mut visit: impl FnMut(&Point, Option<usize>, u64)) {
        let Query { range, sample_type, .. } = self.query;
        for slice in &self.snapshot.slices {
            let end_ns = slice.start_ns.saturating_add(SLICE_NS);
            let outside = slice.start_ns >= range.end_ns || end_ns <= range.start_ns;
            let Some(series) = slice.series.get(*sample_type).filter(|_| !outside) else {
                continue;
            };
            let inside = range.start_ns <= slice.start_ns && end_ns <= range.end_ns;
            let mut visit = |point: &Point, value| {
                if inside || range.contains(slice.time_ns(point)) {
                    visit(point, self.group_of(point), value);
                }
            };
            if series.values.is_empty() {
                series.points.iter().for_each(|point| visit(point, 1));
            } else {
                series.iter().for_each(|(point, value)| visit(point, value));
            }
        }
    }

    /// Sorts the selected samples by group.
    pub(super) fn select(&self) -> Selection {
        let mut next: Vec<u32> = vec![0; self.groups_len];
        let (mut sum, mut hidden) = (0_u64, 0_u64);
        self.for_each(|_, group, value| match group {
            Some(group) => {
                sum = sum.saturating_add(value);
                next[group] += 1;
            }
            None => hidden = hidden.saturating_add(value),
        });
        let mut len = 0;
        for start in &mut next {
            len += std::mem::replace(start, len);
        }
        let mut samples = vec![(StackHandle::from_index(0), 0); len as usize];
        self.for_each(|point, group, value| {
            if let Some(group) = group {
                samples[next[group] as usize] = (point.stack, value);
                next[group] += 1;
            }
        });
        // Each start has moved on to the end of its group.
        Selection { sum, hidden, samples, ends: next }
    }
}
