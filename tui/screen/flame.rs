//! The flame screen: callers above, callees below, a colour a kind of code.
//!
//! ```text
//!  all › api › main                                       kernel  native  rust
//! ▏main                                                                      │
//! ▏handle                             ▏flush              ▏+12│
//! ```

use super::detail::{Detail, amount, push_text};
use crate::app::App;
use crate::format::plural;
use crate::icicle::{Content, FlameBox};
use crate::layout::Areas;
use crate::theme::{Role, kind_word};
use crate::widget::canvas::Canvas;
use crate::widget::clip::{Clip, clip};
use crate::widget::segments::{Segment, Segments};
use probe::profile::{FlameTree, FrameKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

pub(super) fn draw(app: &App, parts: &Areas, buffer: &mut Buffer) {
    buffer.set_style(parts.heading, app.theme.style(Role::Band));
    let Some(tree) = &app.flame.tree else { return };
    let Some(root) = tree.nodes.first().filter(|root| root.total > 0) else {
        return super::nothing(app, parts.body, buffer);
    };
    let boxes = app.flame.boxes(parts.body);
    heading(app, tree, &boxes, parts.heading, buffer);
    let canvas = Canvas { tree, boxes: &boxes, selected: app.flame.selected(), theme: &app.theme };
    canvas.render(parts.body, buffer);
    if let Some(detail) = detail(tree, app.flame.selected(), root.total) {
        detail.draw(app, parts.detail, buffer);
    }
}

/// The breadcrumb and the legend of what is on the screen.
fn heading(app: &App, tree: &FlameTree, boxes: &[FlameBox], area: Rect, buffer: &mut Buffer) {
    let mut kinds: Vec<FrameKind> = Vec::new();
    for found in boxes {
        if let Content::Node(index) = found.content
            && let Some(kind) = tree.label(index).map(|label| label.kind)
            && kind != FrameKind::Marker
            && !kinds.contains(&kind)
        {
            kinds.push(kind);
        }
    }
    kinds.sort();
    let legend: Vec<_> = kinds
        .iter()
        .map(|kind| {
            let label = format!(" {} ", kind_word(*kind));
            Segment::new(1, label, app.theme.style(Role::from(*kind)))
        })
        .collect();
    let legend_columns: usize = kinds.iter().map(|kind| kind_word(*kind).len() + 3).sum();
    let mut crumbs = vec!["all"];
    crumbs.extend(app.flame.breadcrumb());
    let room = usize::from(area.width).saturating_sub(legend_columns + 2);
    let crumb = crumbs.join(app.theme.glyphs.crumb);
    let crumb = clip(&crumb, room, Clip::Start, app.theme.glyphs.ellipsis);
    let left = vec![Segment::new(0, format!(" {crumb}"), app.theme.style(Role::Band))];
    Segments { left, right: legend, separator: Span::raw("") }.render(area, buffer);
}

fn detail(tree: &FlameTree, index: usize, sum: u64) -> Option<Detail<'_>> {
    let (node, label) = (tree.nodes.get(index)?, tree.label(index)?);
    let mut facts = vec![
        amount("self", node.self_value, sum),
        format!("{} of {}", amount("total", node.total, sum), plural(sum, "sample", "samples")),
    ];
    push_text(&mut facts, label.source.as_ref());
    push_text(&mut facts, Some(&label.module));
    let callees = tree.children(index).len();
    if callees > 0 {
        facts.push(plural(callees as u64, "callee", "callees"));
    }
    let kind = Some(label.kind).filter(|kind| *kind != FrameKind::Marker);
    Some(Detail { name: label.name.as_str(), kind, facts })
}
