//! The flame tree: stacks merged by function, root first.

use super::{FrameKind, Query, Snapshot, Text};

/// One box of the flame view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlameNode {
    /// The function, or what stands for it where it has no name (yet).
    pub name: Text,
    /// The module.
    pub module: Text,
    /// `file:line`, where known.
    pub source: Option<Text>,
    /// What kind of code it is.
    pub kind: FrameKind,
    /// The sum of the samples through this node.
    pub total: u64,
    /// The sum of the samples that end here.
    pub self_value: u64,
    /// The parent's index; None for the root.
    pub parent: Option<usize>,
    /// The children's indexes, by name (so that boxes don't jump about).
    pub children: Vec<usize>,
}

/// A tree in one array, parents before children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlameTree {
    /// `nodes[0]` is the root, "all"; empty only where nothing was computed yet.
    pub nodes: Vec<FlameNode>,
    /// The longest way from the root, in nodes.
    pub depth: usize,
}

/// Computes the flame tree. Below the root stand the processes where the scope
/// has several, then the outermost functions.
#[must_use]
pub fn flame(_snapshot: &Snapshot, _query: &Query) -> FlameTree {
    FlameTree::default()
}
