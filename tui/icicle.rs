//! Where the boxes of a flame view lie: root on top, a row a depth.
//!
//! Nothing is left out: callees too narrow to draw are summed into one box at
//! the right end of their caller.

use crate::format::cells;
use probe::profile::FlameTree;

/// What a box stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A node of the tree.
    Node(usize),
    /// Callees of `parent` that are too narrow, summed.
    Others {
        /// Whose.
        parent: usize,
        /// How many.
        count: usize,
        /// The sum of their samples.
        total: u64,
    },
}

/// A box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlameBox {
    /// What it stands for.
    pub content: Content,
    /// The row, from the topmost that was asked for.
    pub row: u16,
    /// The first column.
    pub column: u16,
    /// In columns, at least 1.
    pub width: u16,
}

/// The boxes below and with `root` on a canvas of `width` columns, from row
/// `first` on, `height` rows.
#[must_use]
pub fn boxes(tree: &FlameTree, root: usize, width: u16, first: u16, height: u16) -> Vec<FlameBox> {
    let mut out = Vec::new();
    let mut level = Vec::new();
    if width > 0 && tree.nodes.get(root).is_some() {
        level.push(FlameBox { content: Content::Node(root), row: 0, column: 0, width });
    }
    // Levels above the first row have to be laid out as well; a tree ends at
    // its depth.
    for depth in 0..first.saturating_add(height) {
        if level.is_empty() {
            break;
        }
        if let Some(row) = depth.checked_sub(first) {
            out.extend(level.iter().map(|found| FlameBox { row, ..*found }));
        }
        level = level.iter().flat_map(|caller| callees(tree, caller)).collect();
    }
    out
}

/// The boxes of the next row below one box.
fn callees(tree: &FlameTree, caller: &FlameBox) -> Vec<FlameBox> {
    let Content::Node(parent) = caller.content else { return Vec::new() };
    let Some(node) = tree.nodes.get(parent) else { return Vec::new() };
    let child = |index: usize| tree.nodes.get(index).map(|child| (index, child.total));
    let children: Vec<(usize, u64)> =
        tree.children(parent).filter_map(child).filter(|(_, total)| *total > 0).collect();
    let sum: u64 = children.iter().map(|(_, total)| total).sum();
    if sum == 0 {
        return Vec::new();
    }
    let room = cells(sum, node.total.max(sum), caller.width).max(1);
    let Shares { wide, others } = share_out(&children, sum, room);
    let mut column = caller.column;
    let mut place = |content, width| {
        let placed = FlameBox { content, row: 0, column, width };
        column += width;
        placed
    };
    let mut out: Vec<_> =
        wide.into_iter().map(|(index, width)| place(Content::Node(index), width)).collect();
    if let Some((count, total, width)) = others {
        out.push(place(Content::Others { parent, count, total }, width));
    }
    out
}

/// How columns are shared out.
struct Shares {
    /// Each child with a box of its own, and its columns.
    wide: Vec<(usize, u16)>,
    /// The number, sum and columns of the others.
    others: Option<(usize, u64, u16)>,
}

/// Shares `room` columns among children. Those of at least half a column have a
/// box, and where that would be too many boxes, those of a whole column; the
/// others share one, so that the widths always add up to `room`.
fn share_out(children: &[(usize, u64)], sum: u64, room: u16) -> Shares {
    for doubled_min in [1_u128, 2, 4] {
        let is_wide =
            |total: u64| u128::from(total) * u128::from(room) * 2 >= u128::from(sum) * doubled_min;
        let wide: Vec<_> = children.iter().copied().filter(|child| is_wide(child.1)).collect();
        let narrow = children.iter().filter(|child| !is_wide(child.1));
        let (count, total) = narrow.fold((0, 0), |(n, sum), child| (n + 1, sum + child.1));
        let items = wide.len() + usize::from(count > 0);
        if items <= usize::from(room) {
            let totals: Vec<u64> =
                wide.iter().map(|child| child.1).chain((count > 0).then_some(total)).collect();
            let widths = widths(&totals, sum, room);
            let others = (count > 0).then(|| (count, total, widths.last().copied().unwrap_or(1)));
            let wide = wide.iter().zip(widths).map(|(child, width)| (child.0, width)).collect();
            return Shares { wide, others };
        }
    }
    // One column for many: they are all in it.
    Shares { wide: Vec::new(), others: Some((children.len(), sum, room)) }
}

/// Widths that add up to `room`, each at least 1, by the largest remainder.
/// There must be no more totals than columns.
fn widths(totals: &[u64], sum: u64, room: u16) -> Vec<u16> {
    let exact = |total: u64| u128::from(total) * u128::from(room);
    let sum = u128::from(sum.max(1));
    let floor = |total: u64| u16::try_from(exact(total) / sum).unwrap_or(room).max(1);
    let mut widths: Vec<u16> = totals.iter().map(|total| floor(*total)).collect();
    let mut used: u32 = widths.iter().map(|width| u32::from(*width)).sum();
    let mut by_remainder: Vec<usize> = (0..totals.len()).collect();
    by_remainder.sort_by_key(|at| std::cmp::Reverse(exact(totals[*at]) % sum));
    let grow = by_remainder.iter().cycle().take(usize::from(room));
    for at in grow {
        if used >= u32::from(room) {
            break;
        }
        widths[*at] += 1;
        used += 1;
    }
    // Minimums of 1 may have taken more than there is: the widest give way.
    while used > u32::from(room) {
        let Some(widest) = widths.iter_mut().max().filter(|width| **width > 1) else { break };
        *widest -= 1;
        used -= 1;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree_fixture::tree;

    /// (node or None for others, row, column, width).
    fn check(tree: &FlameTree, width: u16, expected: &[(Option<usize>, u16, u16, u16)]) {
        let found: Vec<_> = boxes(tree, 0, width, 0, 10)
            .iter()
            .map(|found| {
                let node = match found.content {
                    Content::Node(node) => Some(node),
                    Content::Others { .. } => None,
                };
                (node, found.row, found.column, found.width)
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn widths_follow_totals() {
        check(
            &tree(&[("r;a", 25), ("r;a;x", 25), ("r;b", 30), ("r", 20)]),
            10,
            &[
                (Some(0), 0, 0, 10),
                (Some(1), 1, 0, 10),
                (Some(2), 2, 0, 5),
                (Some(3), 2, 5, 3),
                (Some(4), 3, 0, 3),
            ],
        );
    }

    #[test]
    fn the_narrow_are_summed_and_never_left_out() {
        let narrow = tree(&[("a", 1), ("b", 90), ("c", 1), ("d", 1)]);
        check(&narrow, 10, &[(Some(0), 0, 0, 10), (Some(2), 1, 0, 9), (None, 1, 9, 1)]);
        let all = boxes(&narrow, 0, 10, 0, 10);
        let others = Content::Others { parent: 0, count: 3, total: 3 };
        assert!(all.iter().any(|found| found.content == others));
        check(&narrow, 1, &[(Some(0), 0, 0, 1), (None, 1, 0, 1)]);
        check(&narrow, 0, &[]);
    }

    #[test]
    fn every_width_adds_up() {
        let mut seed = 7_u64;
        for count in 1..60 {
            let children: Vec<(String, u64)> = (0..count)
                .map(|n| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (format!("f{n}"), (seed >> 40) % 1000 + 1)
                })
                .collect();
            let stacks: Vec<_> = children.iter().map(|(name, n)| (name.as_str(), *n)).collect();
            let tree = tree(&stacks);
            for width in [1, 2, 3, 7, 40, 200] {
                let row: Vec<_> =
                    boxes(&tree, 0, width, 1, 1).into_iter().map(|found| found.width).collect();
                assert!(row.iter().all(|width| *width > 0));
                assert_eq!(row.iter().sum::<u16>(), width, "{children:?}");
            }
        }
    }
}
