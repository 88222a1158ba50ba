//! The process list.

use super::label::Labels;
use super::select::Selector;
use super::{FrameKind, Handle, ProcessKey, Quality, Query, Snapshot, StackHandle, Tables, Text};

/// One process incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRow {
    /// Who: what tells this row from all others, now and later.
    pub key: ProcessKey,
    /// Its name.
    pub name: Text,
    /// The container, pod or unit; empty where there is none.
    pub place: Text,
    /// The sum of its samples.
    pub samples: u64,
    /// Of those, the ones whose leaf is in the kernel.
    pub kernel: u64,
    /// How many of its threads were seen.
    pub threads: u32,
    /// How far its stacks can be trusted, since it was first sampled.
    pub quality: Quality,
    /// The function with the most self samples, and its samples.
    pub hottest: Option<(Text, u64)>,
}

/// The processes of one query. The `samples` of all rows add up to `sum`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessTable {
    /// By samples, then pid.
    pub rows: Vec<ProcessRow>,
    /// The sum of the samples in range, scope and filter.
    pub sum: u64,
    /// The sum of the samples in range that scope or filter left out.
    pub hidden: u64,
}

/// Computes the process list.
#[must_use]
pub fn processes(snapshot: &Snapshot, query: &Query) -> ProcessTable {
    let tables = &snapshot.tables;
    let mut labels = Labels::new(tables);
    let selector =
        Selector::new(snapshot, query, &mut labels, tables.processes.len(), Handle::index);
    let threads = threads_seen(&selector, tables);
    let selection = selector.select();
    let mut leaves = Leaves { tables, labels, by_label: Vec::new() };
    let mut rows = Vec::new();
    for (((handle, process), samples), threads) in
        tables.processes.iter().zip(selection.groups()).zip(threads)
    {
        if samples.is_empty() {
            continue;
        }
        let leaf = leaves.add_up(samples);
        rows.push(ProcessRow {
            key: process.key,
            name: process.name.clone(),
            place: process.place.label().map(Text::from).unwrap_or_default(),
            samples: leaf.sum,
            kernel: leaf.kernel,
            threads,
            quality: tables.qualities.get(handle).copied().unwrap_or_default(),
            hottest: leaf.hottest,
        });
    }
    rows.sort_unstable_by_key(|row| (std::cmp::Reverse(row.samples), row.key.pid, row.key));
    ProcessTable { rows, sum: selection.sum, hidden: selection.hidden }
}

/// How many threads of each process were selected.
fn threads_seen(selector: &Selector<'_>, tables: &Tables) -> Vec<u32> {
    let mut seen = vec![false; tables.threads.len()];
    selector.for_each(|point, process, _| {
        if process.is_some() {
            seen[point.thread.index()] = true;
        }
    });
    let mut threads = vec![0; tables.processes.len()];
    for ((_, thread), _) in tables.threads.iter().zip(seen).filter(|(_, seen)| *seen) {
        if let Some(threads) = threads.get_mut(thread.process.index()) {
            *threads += 1;
        }
    }
    threads
}

/// Adds up the leaves of one process after the other.
struct Leaves<'a> {
    tables: &'a Tables,
    labels: Labels<'a>,
    /// The self samples of each label in this process; all 0 between two.
    by_label: Vec<u64>,
}

/// What one process's leaves add up to.
struct LeafSums {
    sum: u64,
    kernel: u64,
    hottest: Option<(Text, u64)>,
}

impl Leaves<'_> {
    fn add_up(&mut self, samples: &[(StackHandle, u64)]) -> LeafSums {
        let mut sums = LeafSums { sum: 0, kernel: 0, hottest: None };
        let mut seen = Vec::new();
        for (stack, value) in samples {
            sums.sum = sums.sum.saturating_add(*value);
            let Some(node) = self.tables.stacks.get(*stack) else { continue };
            let frame = self.tables.frames.get(node.frame);
            if frame.is_some_and(|frame| frame.kind == FrameKind::Kernel) {
                sums.kernel = sums.kernel.saturating_add(*value);
            }
            self.labels.make(node.frame);
            let Some(spot) = self.labels.made(node.frame).next_back() else { continue };
            let label = self.labels.spot(spot).label as usize;
            if self.by_label.len() <= label {
                self.by_label.resize(label + 1, 0);
            }
            if self.by_label[label] == 0 {
                seen.push(label);
            }
            self.by_label[label] = self.by_label[label].saturating_add(*value);
        }
        let of_label = |label: &usize| (std::mem::take(&mut self.by_label[*label]), *label);
        let most = seen.iter().map(of_label).max_by_key(|(value, _)| *value);
        sums.hottest = most.map(|(value, label)| (self.labels.labels()[label].name.clone(), value));
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{any_query, any_samples, everything, snapshot};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_row_is_an_incarnation() {
        let samples =
            [("p:2;f;k_read", 2), ("p:2;f", 3), ("p:1;main;g", 1), ("c:9;f", 1), ("p:2;f+g", 1)];
        let snapshot = snapshot(&samples);
        let table = processes(&snapshot, &everything(&snapshot));
        let row = |row: &ProcessRow| {
            let ProcessRow { key, name, place, samples, kernel, threads, quality: _, hottest } =
                row;
            let (function, most) = hottest.clone().unwrap();
            let pid = key.pid;
            format!("{name}:{pid} {place} {samples} {kernel} {threads} {function}={most}")
        };
        let rows: Vec<_> = table.rows.iter().map(row).collect();
        let expected = ["p:2  6 2 1 f=3", "p:1  1 0 1 g=1", "c:9 cccccccccccc 1 0 1 f=1"];
        assert_eq!(rows, expected);
        assert_eq!((table.sum, table.hidden), (8, 0));
    }

    proptest! {
        #[test]
        fn sums_are_those_of_the_samples(
            samples in any_samples(), (scope, filter, _) in any_query(),
        ) {
            let snapshot = snapshot(&samples);
            let filter = filter.parse().unwrap();
            let table = processes(&snapshot, &Query { scope, filter, ..everything(&snapshot) });
            let all: u64 = samples.iter().map(|(_, value)| value).sum();
            prop_assert_eq!(table.sum + table.hidden, all);
            prop_assert_eq!(table.rows.iter().map(|row| row.samples).sum::<u64>(), table.sum);
            for row in &table.rows {
                let hottest = row.hottest.as_ref().map_or(0, |(_, most)| *most);
                prop_assert!(row.kernel <= row.samples && hottest <= row.samples);
                prop_assert!(row.threads > 0);
            }
        }
    }
}
