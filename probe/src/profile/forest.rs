//! One tree of calls for each group of samples: what the top list and the flame
//! tree are both computed from.

use super::label::{Labels, SpotIndex};
use super::select::{Selection, Weight};
use super::{FrameHandle, FrameKind, Handle, StackHandle, StackNode, Tables};

/// A position in a [`Forest`].
pub(super) type NodeIndex = u32;

/// Stands for no node. Node 0 is the root of all, which is nobody's child.
const NONE: NodeIndex = 0;

/// How many nodes are grown before what is known of past trees is wiped; as many
/// are left to the next one.
const PAST_MAX: NodeIndex = NodeIndex::MAX / 2;

/// A function, as it was called by its parents; inlined ones have their own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// What it is; 0 without meaning for the root of all.
    pub(super) spot: SpotIndex,
    parent: NodeIndex,
    first_child: NodeIndex,
    next_sibling: NodeIndex,
    /// The sum of the samples that end here.
    pub(super) self_value: u64,
    /// The sum of the samples through here.
    pub(super) total: u64,
}

/// How stacks become nodes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    /// A function that calls itself is one node.
    pub(super) merge_recursion: bool,
    /// Frames of the kernel are left out; what they used counts for their
    /// callers.
    pub(super) hide_kernel: bool,
}

/// A tree for each group, below one root.
///
/// Where several stacks of a group share callers, they share nodes; but callees
/// that differ only in the address stay apart. A parent's index is less than
/// its children's, and those of one group lie together.
#[derive(Debug)]
pub(super) struct Forest {
    nodes: Vec<Node>,
    /// The root of each group.
    roots: Vec<NodeIndex>,
}

impl Forest {
    /// The root of all.
    pub(super) const ROOT: NodeIndex = 0;

    /// A root without trees.
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::new(0, NONE)], roots: Vec::new() }
    }

    /// Cuts down all trees; what is allocated stays.
    fn clear(&mut self) {
        self.nodes.clear();
        self.roots.clear();
        self.nodes.push(Node::new(0, NONE));
    }

    /// A node.
    #[inline]
    pub(super) fn node(&self, node: NodeIndex) -> &Node {
        &self.nodes[node as usize]
    }

    /// Every node but the roots.
    pub(super) fn code(&self) -> impl Iterator<Item = (NodeIndex, &Node)> {
        (0..).zip(&self.nodes).filter(|(index, _)| !self.is_root(*index))
    }

    /// Whether a node is the root of a group, or of all.
    pub(super) fn is_root(&self, node: NodeIndex) -> bool {
        self.parent(node) == Self::ROOT
    }

    /// The root of each group, in their order.
    pub(super) fn roots(&self) -> &[NodeIndex] {
        &self.roots
    }

    /// The node's callees.
    #[inline]
    pub(super) fn children(&self, node: NodeIndex) -> impl Iterator<Item = NodeIndex> {
        let some = |node| if node == NONE { None } else { Some(node) };
        let first = some(self.node(node).first_child);
        std::iter::successors(first, move |child| some(self.node(*child).next_sibling))
    }

    /// The node's caller; the root of all is its own.
    #[inline]
    pub(super) fn parent(&self, node: NodeIndex) -> NodeIndex {
        self.node(node).parent
    }

    /// Goes through all nodes of the first tree: each is entered before those that it
    /// called and left after them.
    pub(super) fn walk(&self, mut visit: impl FnMut(Step, &Node)) {
        let Some(root) = self.roots.first().copied() else { return };
        let mut at = self.node(root).first_child;
        while at != NONE {
            let mut node = self.node(at);
            visit(Step::Enter, node);
            if node.first_child != NONE {
                at = node.first_child;
                continue;
            }
            loop {
                visit(Step::Leave, node);
                if node.next_sibling != NONE {
                    at = node.next_sibling;
                    break;
                }
                at = node.parent;
                if at == root {
                    return;
                }
                node = self.node(at);
            }
        }
    }

    fn len(&self) -> NodeIndex {
        NodeIndex::try_from(self.nodes.len()).unwrap_or(NodeIndex::MAX)
    }

    fn push(&mut self, node: Node) -> NodeIndex {
        let index = self.len();
        self.nodes.push(node);
        index
    }

    /// Adds up totals and links children, last first so that siblings end up in
    /// order.
    fn finish(&mut self) {
        for index in (1..self.nodes.len()).rev() {
            let node = &mut self.nodes[index];
            node.total = node.total.saturating_add(node.self_value);
            let (parent, total) = (node.parent as usize, node.total);
            let next = self.nodes[parent].first_child;
            self.nodes[index].next_sibling = next;
            let parent = &mut self.nodes[parent];
            parent.first_child = NodeIndex::try_from(index).unwrap_or(NONE);
            parent.total = parent.total.saturating_add(total);
        }
    }
}

impl Node {
    const fn new(spot: SpotIndex, parent: NodeIndex) -> Self {
        Self { spot, parent, first_child: NONE, next_sibling: NONE, self_value: 0, total: 0 }
    }
}

/// What [`Forest::walk`] does to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Before its children.
    Enter,
    /// After them.
    Leave,
}

/// Grows trees from samples.
#[derive(Debug)]
pub(super) struct Grower<'a, 'b> {
    tables: &'a Tables,
    labels: &'b mut Labels<'a>,
    shape: Shape,
    forest: Forest,
    /// How many nodes there were in forests before this one.
    past: NodeIndex,
    /// By stack: its leaf's node in the last tree that had one, plus `past` as it
    /// was then. Thus what other trees left here is known by being small.
    grown: Vec<NodeIndex>,
    /// Stacks that have no node yet, leaf first; empty between calls.
    path: Vec<(StackHandle, StackNode)>,
}

impl<'a, 'b> Grower<'a, 'b> {
    /// A grower for the samples of one snapshot.
    pub(super) fn new(tables: &'a Tables, labels: &'b mut Labels<'a>, shape: Shape) -> Self {
        let grown = vec![NONE; tables.stacks.len()];
        let (forest, path) = (Forest::new(), Vec::new());
        Self { tables, labels, shape, forest, past: 0, grown, path }
    }

    /// A forest of one tree, made of one group, and the labels so far. The next
    /// call reuses its memory.
    pub(super) fn tree(&mut self, root: SpotIndex, samples: &[Weight]) -> (&Forest, &Labels<'a>) {
        self.past = self.past.saturating_add(self.forest.len());
        if self.past > PAST_MAX {
            self.grown.fill(NONE);
            self.past = 0;
        }
        self.forest.clear();
        self.add(root, samples);
        self.forest.finish();
        (&self.forest, self.labels)
    }

    /// A forest of a tree for each group of `selection`; `roots` says what their
    /// roots are.
    pub(super) fn forest(mut self, roots: &[SpotIndex], selection: &Selection) -> Forest {
        for (samples, root) in selection.groups().zip(roots) {
            self.add(*root, samples);
        }
        self.forest.finish();
        self.forest
    }

    fn add(&mut self, root: SpotIndex, samples: &[Weight]) {
        let root = self.forest.push(Node::new(root, Forest::ROOT));
        self.forest.roots.push(root);
        for (stack, value) in samples {
            let leaf = self.leaf(root, *stack);
            let node = &mut self.forest.nodes[leaf as usize];
            node.self_value = node.self_value.saturating_add(*value);
        }
    }

    /// The node of a stack's leaf. Its callers' nodes are made where this tree
    /// has none yet.
    fn leaf(&mut self, root: NodeIndex, stack: StackHandle) -> NodeIndex {
        let mut at = Some(stack);
        let mut node = root;
        while let Some(stack) = at {
            let grown = self.grown.get(stack.index()).copied().unwrap_or(NONE);
            // Nodes of this tree come after its root.
            if grown >= self.past + root {
                node = grown - self.past;
                break;
            }
            let Some(row) = self.tables.stacks.get(stack) else { break };
            self.path.push((stack, *row));
            at = row.parent;
        }
        while let Some((stack, row)) = self.path.pop() {
            node = self.call(node, row.frame);
            self.grown[stack.index()] = self.past + node;
        }
        node
    }

    /// The node for `frame` where it is called by `caller`.
    fn call(&mut self, caller: NodeIndex, frame: FrameHandle) -> NodeIndex {
        let Shape { merge_recursion, hide_kernel } = self.shape;
        let kind = |frame| self.tables.frames.get(frame).map(|frame| frame.kind);
        if hide_kernel && kind(frame) == Some(FrameKind::Kernel) {
            return caller;
        }
        self.labels.make(frame);
        let mut node = caller;
        for spot in self.labels.made(frame) {
            // A root is not code, so it has no code's label.
            let label = |spot| self.labels.spot(spot).label;
            if !(merge_recursion && label(self.forest.node(node).spot) == label(spot)) {
                node = self.forest.push(Node::new(spot, node));
            }
        }
        node
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{everything, snapshot};
    use super::super::select::Selector;
    use super::*;

    #[test]
    fn past_trees_leave_nothing() {
        let snapshot = snapshot(&[("p:1;a;b", 1), ("p:2;a;b", 2), ("p:3;a;b;c", 4)]);
        let tables = &snapshot.tables;
        let mut labels = Labels::new(tables);
        let query = everything(&snapshot);
        let selection = Selector::new(&snapshot, &query, &mut labels, 3, Handle::index).select();
        let mut grower = Grower::new(tables, &mut labels, Shape::default());
        for (process, totals) in [[1, 1, 0], [2, 2, 0], [4, 4, 4]].into_iter().enumerate() {
            if process == 1 {
                grower.past = PAST_MAX;
            }
            let (tree, _) = grower.tree(0, selection.group(process));
            let mut seen = tree.code().map(|(_, node)| node.total);
            assert_eq!([(); 3].map(|()| seen.next().unwrap_or(0)), totals);
            assert_eq!(seen.next(), None);
        }
    }
}
