//! The flame screen's state: what is zoomed to and what is selected, both held
//! as a way from the root, so that they survive new trees.

use crate::action::Motion;
use crate::icicle::{Content, FlameBox, boxes};
use probe::profile::{FlameTree, Label};
use ratatui::layout::Rect;

/// See the module's comment.
#[derive(Clone, Debug, Default)]
pub struct FlamePane {
    /// What was computed last; None before the first time.
    pub tree: Option<FlameTree>,
    zoom_path: Vec<Label>,
    selected_path: Vec<Label>,
    zoom: usize,
    selected: usize,
    offset: u16,
    seek: Option<Label>,
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

    /// The names on the way to what is zoomed to, root first.
    pub fn breadcrumb(&self) -> impl Iterator<Item = &str> {
        self.zoom_path.iter().map(|label| label.name.as_str())
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
            self.selected_path = tree.path(found);
        }
        self.zoom = resolve(&tree, &self.zoom_path);
        self.selected = resolve(&tree, &self.selected_path);
        self.tree = Some(tree);
    }

    /// Selects the hottest box of a function once the next tree is there.
    pub fn seek(&mut self, function: Label) {
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
        self.selected_path = tree.path(node);
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
        let ways_up = std::iter::successors(Some(self.selected), |node| tree.parent(*node));
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
    if node == zoom { None } else { tree.parent(node) }
}

fn total(tree: &FlameTree, node: usize) -> u64 {
    tree.nodes.get(node).map_or(0, |node| node.total)
}

fn hottest_callee(tree: &FlameTree, node: usize) -> Option<usize> {
    // The first of several equal ones, as the eye does.
    tree.children(node).rev().max_by_key(|child| total(tree, *child))
}

/// The node of a function with the most samples.
fn hottest(tree: &FlameTree, function: &Label) -> Option<usize> {
    let is_it = |node: &usize| tree.label(*node).is_some_and(|label| label.same(function));
    (0..tree.nodes.len()).rev().filter(is_it).max_by_key(|node| total(tree, *node))
}

/// The node at the end of a path, or as far down as there is one.
fn resolve(tree: &FlameTree, path: &[Label]) -> usize {
    (0..=path.len()).rev().find_map(|len| tree.find(path.get(..len)?)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree_fixture::tree;

    const BODY: Rect = Rect { x: 0, y: 0, width: 40, height: 3 };

    fn selected(pane: &FlamePane) -> &str {
        let label = pane.tree.as_ref().and_then(|tree| tree.label(pane.selected()));
        label.map_or("", |label| label.name.as_str())
    }

    #[test]
    fn selection_and_zoom_survive_new_trees() {
        let mut pane = FlamePane::default();
        pane.set_tree(tree(&[("a", 3), ("b;c", 6)]));
        pane.step(Motion::Down, BODY);
        assert_eq!(selected(&pane), "b");
        pane.zoom_in(BODY);
        pane.step(Motion::Down, BODY);
        assert_eq!(selected(&pane), "c");
        pane.set_tree(tree(&[("A", 3), ("b;a", 1), ("b;c", 5)]));
        assert_eq!((selected(&pane), pane.zoom()), ("c", 2));
        // For a while it is not there; then it is again.
        pane.set_tree(tree(&[("a", 3)]));
        assert_eq!((selected(&pane), pane.zoom()), ("all", 0));
        pane.set_tree(tree(&[("b;c", 6)]));
        assert_eq!((selected(&pane), pane.zoom()), ("c", 1));
        assert!(pane.breadcrumb().eq(["b"]));
        assert!(pane.zoom_out(BODY));
        assert!(!pane.zoom_out(BODY));
        assert_eq!((selected(&pane), pane.zoom()), ("c", 0));
    }

    #[test]
    fn motion_goes_by_what_is_drawn() {
        let mut pane = FlamePane::default();
        pane.set_tree(tree(&[("a;a1", 5), ("b;b1", 2), ("b;b2", 3)]));
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
        let trees = [("f", 3), ("g;f", 6)];
        let hot = tree(&trees);
        let function = hot.label(1).cloned().unwrap();
        pane.seek(function);
        pane.set_tree(tree(&trees));
        assert_eq!(pane.selected(), 3);
        pane.select(1, BODY);
        pane.set_tree(tree(&trees));
        assert_eq!(pane.selected(), 1);
    }

    #[test]
    fn a_deep_selection_scrolls() {
        let mut pane = FlamePane::default();
        pane.set_tree(tree(&[("a;b;c;d;e;f;g;h", 5)]));
        pane.step(Motion::Last, BODY);
        let boxes = pane.boxes(BODY);
        assert!(boxes.iter().any(|found| found.content == Content::Node(8) && found.row == 2));
        pane.step(Motion::First, BODY);
        assert!(pane.boxes(BODY).iter().any(|found| found.content == Content::Node(0)));
    }
}
