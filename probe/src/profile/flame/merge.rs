//! Merges the calls of a forest into one tree by label.

use super::FlameNode;
use crate::profile::flame::Direction;
use crate::profile::forest::{Forest, NodeIndex};
use crate::profile::label::{Label, LabelIndex, Labels};

/// Bytes of a name that are compared as a number before the names themselves.
const PREFIX_BYTES: usize = 16;

/// A node of the forest that became part of a box, with what it brings.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// The place of its label among all, in their order.
    rank: u32,
    node: NodeIndex,
    value: u64,
}

/// A tree that grows by one node's children at a time.
#[derive(Debug)]
pub(super) struct Merge<'a> {
    forest: &'a Forest,
    direction: Direction,
    /// By spot: the rank of its label.
    ranks: Vec<u32>,
    by_rank: Vec<LabelIndex>,
    nodes: Vec<FlameNode>,
    /// Those of the newest nodes, one node after the other.
    members: Vec<Member>,
    /// Where each node's members end.
    ends: Vec<usize>,
}

impl<'a> Merge<'a> {
    /// A tree of nothing.
    pub(super) fn new(forest: &'a Forest, labels: &Labels<'_>, direction: Direction) -> Self {
        let by_rank = in_order(labels.labels());
        let mut of_label = vec![0; by_rank.len()];
        for (rank, label) in (0..).zip(&by_rank) {
            of_label[*label as usize] = rank;
        }
        let ranks = labels.spots().iter().map(|spot| of_label[spot.label as usize]).collect();
        let (nodes, members, ends) = (Vec::new(), Vec::new(), Vec::new());
        Self { forest, direction, ranks, by_rank, nodes, members, ends }
    }

    /// The tree of everything below `start`, and its depth. `root` is the label
    /// of its root, and `sum` its total.
    pub(super) fn run(
        mut self,
        root: LabelIndex,
        sum: u64,
        start: &[NodeIndex],
    ) -> (Vec<FlameNode>, usize) {
        let mut children = Vec::new();
        match self.direction {
            Direction::Callees => {
                for node in start {
                    self.callees(*node, &mut children);
                }
            }
            Direction::Callers => self.leaves(&mut children),
        }
        self.nodes.push(FlameNode::new(root, 0, sum));
        self.add_children(0, &mut children);
        let mut depth = 1;
        // Box by box of the first level, so that one process's nodes stay in the
        // CPU's caches.
        let members = std::mem::take(&mut self.members);
        let mut first = 0;
        for (node, end) in (1..).zip(std::mem::take(&mut self.ends)) {
            let below = self.below(node, &members[first..end], &mut children);
            first = end;
            depth = depth.max(1 + below);
        }
        (self.nodes, depth)
    }

    /// Grows the tree below a node with these members; returns how deep it is,
    /// the node included.
    fn below(&mut self, node: usize, members: &[Member], children: &mut Vec<Member>) -> usize {
        let mut members = members.to_vec();
        let mut ends = vec![members.len()];
        let mut level = node..node + 1;
        let mut depth = 0;
        while !level.is_empty() {
            let new = self.nodes.len();
            let mut first = 0;
            for (node, end) in level.zip(&ends) {
                for member in &members[first..*end] {
                    match self.direction {
                        Direction::Callees => self.callees(member.node, children),
                        Direction::Callers => self.caller(*member, children),
                    }
                }
                first = *end;
                self.add_children(node, children);
            }
            depth += 1;
            level = new..self.nodes.len();
            std::mem::swap(&mut self.members, &mut members);
            std::mem::swap(&mut self.ends, &mut ends);
            self.members.clear();
            self.ends.clear();
        }
        depth
    }

    fn member(&self, node: NodeIndex, value: u64) -> Member {
        Member { rank: self.ranks[self.forest.node(node).spot as usize], node, value }
    }

    fn callees(&self, node: NodeIndex, into: &mut Vec<Member>) {
        let callees = self.forest.children(node);
        let members = callees.map(|callee| self.member(callee, self.forest.node(callee).total));
        into.extend(members.filter(|member| member.value > 0));
    }

    fn caller(&self, member: Member, into: &mut Vec<Member>) {
        let caller = self.forest.parent(member.node);
        if !self.forest.is_root(caller) {
            into.push(self.member(caller, member.value));
        }
    }

    /// Every node where samples end.
    fn leaves(&self, into: &mut Vec<Member>) {
        let leaves = self.forest.code().filter(|(_, node)| node.self_value > 0);
        into.extend(leaves.map(|(index, node)| self.member(index, node.self_value)));
    }

    /// Makes a child of `parent` of all members with the same label, and empties
    /// `members`. What the children leave of the parent's total ends there.
    fn add_children(&mut self, parent: usize, members: &mut Vec<Member>) {
        if members.len() > 1 {
            members.sort_unstable_by_key(|member| (member.rank, member.node));
        }
        let narrow = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let first_child = self.nodes.len();
        let mut sum = 0_u64;
        for same in members.chunk_by(|a, b| a.rank == b.rank) {
            let total = same.iter().fold(0_u64, |sum, member| sum.saturating_add(member.value));
            sum = sum.saturating_add(total);
            let label = self.by_rank[same[0].rank as usize];
            self.nodes.push(FlameNode::new(label, narrow(parent), total));
            self.members.extend_from_slice(same);
            self.ends.push(self.members.len());
        }
        let children_len = narrow(self.nodes.len() - first_child);
        let parent = &mut self.nodes[parent];
        (parent.first_child, parent.children_len) = (narrow(first_child), children_len);
        parent.self_value = parent.total.saturating_sub(sum);
        members.clear();
    }
}

/// The labels' positions, in the order of the labels.
fn in_order(labels: &[Label]) -> Vec<LabelIndex> {
    // Most names differ early: comparing numbers that lie side by side is many
    // times faster than following a pointer to each name.
    let prefix = |label: &Label| {
        let mut bytes = [0; PREFIX_BYTES];
        let name = label.name.as_str().as_bytes();
        let len = name.len().min(PREFIX_BYTES);
        bytes[..len].copy_from_slice(&name[..len]);
        u128::from_be_bytes(bytes)
    };
    let mut keys: Vec<_> = (0..).zip(labels).map(|(index, label)| (prefix(label), index)).collect();
    keys.sort_unstable_by(|(a, a_index): &(u128, u32), (b, b_index)| {
        let full = || labels[*a_index as usize].order(&labels[*b_index as usize]);
        a.cmp(b).then_with(full).then(a_index.cmp(b_index))
    });
    keys.into_iter().map(|(_, index)| index).collect()
}
