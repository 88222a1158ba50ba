//! The flame screen's state: what is zoomed to and what is selected, both held
//! as a way from the root, so that they survive new trees.

use crate::action::Motion;
use crate::icicle::{Content, FlameBox, boxes};
use probe::profile::{FlameNode, FlameTree, Text};
use ratatui::layout::Rect;

/// One step of a way from the root: name, module and source of a node.
pub type Step = (Text, Text, Option<Text>);

fn step_of(node: &FlameNode) -> Step {
    (node.name.clone(), node.module.clone(), node.source.clone())
}

/// See the module's comment.
#[derive(Clone, Debug, Default)]
pub struct FlamePane {
    /// What was computed last; None before the first time.
    pub tree: Option<FlameTree>,
    zoom_path: Vec<Step>,
    selected_path: Vec<Step>,
    zoom: usize,
    selected: usize,
    offset: u16,
    seek: Option<Step>,
}

impl FlamePane {
    /// The node that fills the whole width.
    #[must_use]
    pub const fn zoom(&self) -> usize {
        self.zoom
    }

    /// The selected node.
    #[must_use]
    pub const fn selected(&self) -> usize {
        self.selected
    }

    /// The selected node's row in the tree.
    #[must_use]
    pub fn selected_node(&self) -> Option<&FlameNode> {
        self.tree.as_ref()?.nodes.get(self.selected)
    }

    /// The names on the way to what is zoomed to, root first.
    pub fn breadcrumb(&self) -> impl Iterator<Item = &str> {
        self.zoom_path.iter().map(|(name, ..)| name.as_str())
    }

    /// The boxes on a canvas of this size.
    #[must_use]
    pub fn boxes(&self, body: Rect) -> Vec<FlameBox> {
        let tree = self.tree.as_ref();
        tree.map(|tree| boxes(tree, self.zoom, body.width, self.offset, body.height))
            .unwrap_or_default()
    }

    /// Shows another tree: what was zoomed to and selected is found again, as
    /// far down as it is there.
    pub fn set_tree(&mut self, tree: FlameTree) {
        if let Some(seek) = self.seek.take()
            && let Some(found) = hottest(&tree, &seek)
        {
            self.zoom_path.clear();
            self.selected_path = path(&tree, found);
        }
        self.zoom = resolve(&tree, &self.zoom_path);
        self.selected = resolve(&tree, &self.selected_path);
        self.tree = Some(tree);
    }

    /// Selects the hottest box of a function once the next tree is there.
    pub fn seek(&mut self, function: Step) {
        self.seek = Some(function);
    }

    /// Back to the root: the next tree is another one.
    pub fn reset(&mut self) {
        *self = Self { tree: self.tree.take(), seek: self.seek.take(), ..Self::default() };
    }

    /// Zooms to what is selected.
    pub fn zoom_in(&mut self, body: Rect) {
        self.zoom = self.selected;
        self.zoom_path.clone_from(&self.selected_path);
        self.scroll(body);
    }

    /// Zooms out one level; false where it is out already.
    pub fn zoom_out(&mut self, body: Rect) -> bool {
        let Some(tree) = &self.tree else { return false };
        if self.zoom_path.pop().is_none() {
            return false;
        }
        self.zoom = resolve(tree, &self.zoom_path);
        self.scroll(body);
        true
    }

    /// Selects a node.
    pub fn select(&mut self, node: usize, body: Rect) {
        let Some(tree) = &self.tree else { return };
        self.selected = node;
        self.selected_path = path(tree, node);
        self.scroll(body);
    }

    /// Moves the selection.
    pub fn step(&mut self, motion: Motion, body: Rect) {
        let Some(tree) = &self.tree else { return };
        let next = match motion {
            Motion::Up => caller(tree, self.zoom, self.selected),
            Motion::Down => hottest_callee(tree, self.selected),
            Motion::Left | Motion::Right => self.beside(motion, body),
            Motion::PageUp => (0..body.height / 2).try_fold(self.selected, |node, _| {
                Some(caller(tree, self.zoom, node).unwrap_or(node))
            }),
            Motion::PageDown => (0..body.height / 2).try_fold(self.selected, |node, _| {
                Some(hottest_callee(tree, node).unwrap_or(node))
            }),
            Motion::First => Some(self.zoom),
            Motion::Last => {
                std::iter::successors(Some(self.selected), |node| hottest_callee(tree, *node))
                    .last()
            }
        };
        if let Some(next) = next {
            self.select(next, body);
        }
    }

    /// The next box in the same row.
    fn beside(&self, motion: Motion, body: Rect) -> Option<usize> {
        let boxes = self.boxes(body);
        let here = boxes.iter().find(|found| found.content == Content::Node(self.selected))?;
        let nodes = boxes.iter().filter(|found| found.row == here.row).filter_map(|found| {
            let Content::Node(node) = found.content else { return None };
            Some((found.column, node))
        });
        if motion == Motion::Left {
            nodes.filter(|(column, _)| *column < here.column).max().map(|(_, node)| node)
        } else {
            nodes.filter(|(column, _)| *column > here.column).min().map(|(_, node)| node)
        }
    }

    /// Keeps the selected row on the screen, and the selection below the zoom.
    pub fn scroll(&mut self, body: Rect) {
        let Some(tree) = &self.tree else { return };
        let ways_up = std::iter::successors(Some(self.selected), |node| {
            tree.nodes.get(*node).and_then(|node| node.parent)
        });
        let Some(depth) = ways_up.into_iter().position(|node| node == self.zoom) else {
            self.selected = self.zoom;
            self.selected_path.clone_from(&self.zoom_path);
            self.offset = 0;
            return;
        };
        let depth = u16::try_from(depth).unwrap_or(u16::MAX);
        let lowest = (depth.saturating_add(1)).saturating_sub(body.height.max(1));
        self.offset = self.offset.clamp(lowest, depth.max(lowest));
    }
}

fn caller(tree: &FlameTree, zoom: usize, node: usize) -> Option<usize> {
    if node == zoom { None } else { tree.nodes.get(node)?.parent }
}

fn hottest_callee(tree: &FlameTree, node: usize) -> Option<usize> {
    let children = tree.nodes.get(node)?.children.iter().copied();
    // The first of several equal ones, as the eye does.
    children.rev().max_by_key(|child| tree.nodes.get(*child).map(|node| node.total))
}

/// The node of a function with the most samples.
fn hottest(tree: &FlameTree, function: &Step) -> Option<usize> {
    let (name, module, source) = function;
    let nodes = tree.nodes.iter().enumerate();
    nodes
        .filter(|(_, node)| node.name == *name && node.module == *module && node.source == *source)
        .max_by_key(|(index, node)| (node.total, std::cmp::Reverse(*index)))
        .map(|(index, _)| index)
}

/// The steps from below the root to a node.
fn path(tree: &FlameTree, node: usize) -> Vec<Step> {
    let mut steps: Vec<_> = std::iter::successors(tree.nodes.get(node), |node| {
        node.parent.and_then(|parent| tree.nodes.get(parent))
    })
    .map(step_of)
    .collect();
    steps.pop();
    steps.reverse();
    steps
}

/// The node at the end of a path, or as far down as there is one.
fn resolve(tree: &FlameTree, path: &[Step]) -> usize {
    path.iter()
        .try_fold(0, |node, (name, module, source)| {
            let is_next = |child: &&usize| {
                tree.nodes.get(**child).is_some_and(|child| {
                    child.name == *name && child.module == *module && child.source == *source
                })
            };
            let children = tree.nodes.get(node).map(|node| node.children.as_slice());
            children.unwrap_or_default().iter().find(is_next).copied().ok_or(node)
        })
        .unwrap_or_else(|deepest| deepest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use probe::profile::FrameKind;

    /// A tree of `(name, parent, total)`, parents first.
    fn tree(rows: &[(&str, usize, u64)]) -> FlameTree {
        let mut tree = FlameTree::default();
        for (index, (name, parent, total)) in rows.iter().enumerate() {
            tree.nodes.push(FlameNode {
                name: (*name).into(),
                module: "m".into(),
                source: None,
                kind: FrameKind::Native,
                total: *total,
                self_value: 0,
                parent: (index > 0).then_some(*parent),
                children: Vec::new(),
            });
            if index > 0 {
                tree.nodes[*parent].children.push(index);
            }
        }
        tree
    }

    const BODY: Rect = Rect { x: 0, y: 0, width: 40, height: 3 };

    fn selected(pane: &FlamePane) -> &str {
        pane.selected_node().map_or("", |node| node.name.as_str())
    }

    #[test]
    fn selection_and_zoom_survive_new_trees() {
        let mut pane = FlamePane::default();
        pane.set_tree(tree(&[("all", 0, 9), ("a", 0, 3), ("b", 0, 6), ("c", 2, 6)]));
        pane.step(Motion::Down, BODY);
        assert_eq!(selected(&pane), "b");
        pane.zoom_in(BODY);
        pane.step(Motion::Down, BODY);
        assert_eq!(selected(&pane), "c");
        pane.set_tree(tree(&[("all", 0, 9), ("b", 0, 6), ("a", 0, 3), ("x", 1, 1), ("c", 1, 5)]));
        assert_eq!((selected(&pane), pane.zoom()), ("c", 1));
        // For a while it is not there; then it is again.
        pane.set_tree(tree(&[("all", 0, 3), ("a", 0, 3)]));
        assert_eq!((selected(&pane), pane.zoom()), ("all", 0));
        pane.set_tree(tree(&[("all", 0, 9), ("b", 0, 6), ("c", 1, 6)]));
        assert_eq!((selected(&pane), pane.zoom()), ("c", 1));
        assert!(pane.breadcrumb().eq(["b"]));
        assert!(pane.zoom_out(BODY));
        assert!(!pane.zoom_out(BODY));
        assert_eq!((selected(&pane), pane.zoom()), ("c", 0));
    }

    #[test]
    fn motion_goes_by_what_is_drawn() {
        let mut pane = FlamePane::default();
        pane.set_tree(tree(&[
            ("all", 0, 10),
            ("a", 0, 5),
            ("b", 0, 5),
            ("a1", 1, 5),
            ("b1", 2, 2),
            ("b2", 2, 3),
        ]));
        let mut check = |motion, expected: &str| {
            pane.step(motion, BODY);
            assert_eq!(selected(&pane), expected, "{motion:?}");
        };
        check(Motion::Up, "all");
        check(Motion::Down, "a");
        check(Motion::Down, "a1");
        check(Motion::Down, "a1");
        // A cousin is beside it, too.
        check(Motion::Right, "b1");
        check(Motion::Right, "b2");
        check(Motion::Right, "b2");
        check(Motion::Up, "b");
        check(Motion::Left, "a");
        check(Motion::Last, "a1");
        check(Motion::First, "all");
    }

    #[test]
    fn a_function_is_found_where_it_is_hottest() {
        let mut pane = FlamePane::default();
        pane.seek(("f".into(), "m".into(), None));
        pane.set_tree(tree(&[("all", 0, 9), ("f", 0, 3), ("g", 0, 6), ("f", 2, 6)]));
        assert_eq!(pane.selected(), 3);
        pane.select(1, BODY);
        pane.set_tree(tree(&[("all", 0, 9), ("f", 0, 3), ("g", 0, 6), ("f", 2, 6)]));
        assert_eq!(pane.selected(), 1);
    }

    #[test]
    fn a_deep_selection_scrolls() {
        let mut pane = FlamePane::default();
        let rows: Vec<_> = (0..9_usize).map(|n| ("f", n.saturating_sub(1), 5)).collect();
        pane.set_tree(tree(&rows));
        pane.step(Motion::Last, BODY);
        let boxes = pane.boxes(BODY);
        assert!(boxes.iter().any(|found| found.content == Content::Node(8) && found.row == 2));
        pane.step(Motion::First, BODY);
        assert!(pane.boxes(BODY).iter().any(|found| found.content == Content::Node(0)));
    }
}
