//! Draws the boxes of a flame view.

use super::clip::{Clip, clip};
use crate::icicle::{Content, FlameBox};
use crate::theme::{Role, Theme};
use probe::profile::{FlameTree, Label};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

/// How much lighter or darker neighbours of one kind are, so that the eye tells
/// them apart.
const TONES: [i16; 3] = [0, 18, -18];

/// A flame view that is ready to be drawn.
#[derive(Debug)]
pub struct Canvas<'a> {
    /// What the boxes stand for.
    pub tree: &'a FlameTree,
    /// Where they are.
    pub boxes: &'a [FlameBox],
    /// The selected node.
    pub selected: usize,
    /// How it looks.
    pub theme: &'a Theme,
}

impl Canvas<'_> {
    /// Draws it.
    pub fn render(&self, area: Rect, buffer: &mut Buffer) {
        for found in self.boxes {
            let x = area.x.saturating_add(found.column);
            let y = area.y.saturating_add(found.row);
            if y >= area.bottom() || x >= area.right() {
                continue;
            }
            let width = found.width.min(area.right() - x);
            let (text, style) = match found.content {
                Content::Node(index) => {
                    let Some(label) = self.tree.label(index) else { continue };
                    (label.name.to_string(), self.node_style(index, label))
                }
                Content::Others { count, .. } => {
                    (format!("+{count}"), self.theme.style(Role::BoxOthers))
                }
            };
            let cells = Rect { x, y, width, height: 1 };
            buffer.set_style(cells, style);
            // The edge tells neighbours apart where colours do not.
            let edge = if width > 1 { self.theme.glyphs.edge } else { " " };
            buffer.set_stringn(x, y, edge, 1, style);
            let room = usize::from(width.saturating_sub(1));
            let text = clip(&text, room, Clip::End, self.theme.glyphs.ellipsis);
            // One letter says less than an empty box.
            if room > 2 {
                buffer.set_stringn(x + 1, y, text, room, style);
            }
        }
    }

    fn node_style(&self, index: usize, label: &Label) -> Style {
        if index == self.selected {
            return self.theme.style(Role::BoxSelected);
        }
        let style = self.theme.style(Role::from(label.kind));
        let hash = label
            .name
            .as_str()
            .bytes()
            .fold(0_usize, |hash, byte| hash.wrapping_mul(31).wrapping_add(usize::from(byte)));
        let tone = TONES[hash % TONES.len()];
        Style { bg: style.bg.map(|color| shade(color, tone)), ..style }
    }
}

fn shade(color: Color, tone: i16) -> Color {
    let part = |part: u8| u8::try_from((i16::from(part) + tone).clamp(0, 255)).unwrap_or(part);
    match color {
        Color::Rgb(r, g, b) => Color::Rgb(part(r), part(g), part(b)),
        other => other,
    }
}
