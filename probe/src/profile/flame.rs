//! The flame tree: stacks merged by function, root first.

mod merge;
#[cfg(test)]
mod tests;

use self::merge::Merge;
use super::forest::{Forest, Grower, Shape};
use super::label::{Label, LabelIndex, Labels, SpotIndex};
use super::select::Selector;
use super::{Handle, Query, Snapshot, Text};
use foldhash::HashMap;
use std::ops::Range;

/// Which way a flame tree grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the outermost function to those that it calls.
    #[default]
    Callees,
    /// From the leaf to its callers: where the same function is called from
    /// everywhere. Processes are not told apart.
    Callers,
}

/// How a flame tree is drawn from the stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlameOptions {
    /// Which way it grows.
    pub direction: Direction,
    /// A function that calls itself directly is one box.
    pub merge_recursion: bool,
    /// Leaves out the kernel's frames: what they used counts for their callers.
    pub hide_kernel: bool,
}

/// One box of the flame view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlameNode {
    label: LabelIndex,
    parent: u32,
    first_child: u32,
    children_len: u32,
    /// The sum of the samples through this node.
    pub total: u64,
    /// The sum of the samples that end here.
    pub self_value: u64,
}

impl FlameNode {
    const fn new(label: LabelIndex, parent: u32, total: u64) -> Self {
        Self { label, parent, first_child: 0, children_len: 0, total, self_value: total }
    }
}

/// A tree in one array. A parent stands before its children, and siblings stand
/// together, in the order of their labels, so that boxes don't jump about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlameTree {
    /// The first is the root, "all"; empty only where nothing was computed yet.
    pub nodes: Vec<FlameNode>,
    /// How many nodes the longest way from the root has, the root included.
    pub depth: usize,
    /// The sum of the samples in range that scope or filter left out.
    pub hidden: u64,
    labels: Vec<Label>,
}

impl FlameTree {
    /// What a node is called: a function, or a process below the root.
    #[must_use]
    pub fn label(&self, node: usize) -> Option<&Label> {
        self.labels.get(self.nodes.get(node)?.label as usize)
    }

    /// The node's parent; None for the root.
    #[must_use]
    pub fn parent(&self, node: usize) -> Option<usize> {
        if node == 0 { None } else { Some(self.nodes.get(node)?.parent as usize) }
    }

    /// The node's children.
    #[must_use]
    pub fn children(&self, node: usize) -> Range<usize> {
        let range = |node: &FlameNode| {
            let first = node.first_child as usize;
            first..first + node.children_len as usize
        };
        self.nodes.get(node).map_or(0..0, range)
    }

    /// The labels from below the root to the node: what finds it again in
    /// another tree.
    #[must_use]
    pub fn path(&self, node: usize) -> Vec<Label> {
        let way = std::iter::successors(Some(node), |node| self.parent(*node));
        let below_root = way.filter(|node| *node != 0);
        let mut path: Vec<_> = below_root.filter_map(|node| self.label(node).cloned()).collect();
        path.reverse();
        path
    }

    /// The node at the end of `path`; None where it is not in this tree.
    #[must_use]
    pub fn find(&self, path: &[Label]) -> Option<usize> {
        let step = |node: usize, label: &Label| {
            let same = |child: &usize| self.label(*child).is_some_and(|other| other.same(label));
            self.children(node).find(same)
        };
        self.nodes.first()?;
        path.iter().try_fold(0, step)
    }
}

/// Computes the flame tree.
///
/// Where the scope has several processes they stand below the root, all of one
/// name together; then follow the outermost functions.
#[must_use]
pub fn flame(snapshot: &Snapshot, query: &Query, options: FlameOptions) -> FlameTree {
    let tables = &snapshot.tables;
    let mut labels = Labels::new(tables);
    let root = labels.add_not_code("all".into());
    let FlameOptions { direction, merge_recursion, hide_kernel } = options;
    let by_process = direction == Direction::Callees && query.scope.has_several_processes();
    let (roots, groups) = if by_process {
        processes_by_name(snapshot, &mut labels)
    } else {
        (vec![root], vec![0; tables.processes.len()])
    };
    let group_of = |process: super::ProcessHandle| groups[process.index()];
    let selection = Selector::new(snapshot, query, &mut labels, roots.len(), group_of).select();
    let shape = Shape { merge_recursion, hide_kernel };
    let forest = Grower::new(tables, &mut labels, shape).forest(&roots, &selection);
    let start = if by_process { &[Forest::ROOT] } else { forest.roots() };
    let merge = Merge::new(&forest, &labels, direction);
    let (nodes, depth) = merge.run(labels.spot(root).label, selection.sum, start);
    FlameTree { nodes, depth, hidden: selection.hidden, labels: labels.into_labels() }
}

/// A spot for each name of a process, and the name's position by process.
fn processes_by_name(snapshot: &Snapshot, labels: &mut Labels<'_>) -> (Vec<SpotIndex>, Vec<usize>) {
    let mut by_name: HashMap<&Text, usize> = HashMap::default();
    let mut spots = Vec::new();
    let mut groups = Vec::with_capacity(snapshot.tables.processes.len());
    for (_, process) in snapshot.tables.processes.iter() {
        groups.push(*by_name.entry(&process.name).or_insert_with(|| {
            spots.push(labels.add_not_code(process.name.clone()));
            spots.len() - 1
        }));
    }
    (spots, groups)
}
