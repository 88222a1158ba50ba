//! The lines below the rows: what is selected, in full.

use crate::app::App;
use crate::format::{count, percent};
use crate::theme::{Role, kind_word};
use crate::widget::clip::{Clip, clip, columns};
use crate::widget::segments::{Segment, Segments};
use probe::profile::{FrameKind, Text};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

/// What is selected.
pub(super) struct Detail<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Option<FrameKind>,
    /// Facts, the most important first.
    pub(super) facts: Vec<String>,
}

/// `self 362 (18.4%)`.
pub(super) fn amount(word: &str, part: u64, whole: u64) -> String {
    format!("{word} {} ({}%)", count(part), percent(part, whole))
}

/// Adds a text that may be missing.
pub(super) fn push_text(facts: &mut Vec<String>, text: Option<&Text>) {
    facts.extend(text.filter(|text| !text.is_empty()).map(ToString::to_string));
}

impl Detail<'_> {
    pub(super) fn draw(self, app: &App, area: Rect, buffer: &mut Buffer) {
        if area.height == 0 {
            return;
        }
        let theme = &app.theme;
        buffer.set_style(area, theme.style(Role::Band));
        let first = Rect { height: 1, ..area };
        let second = Rect { y: area.bottom() - 1, ..first };
        let kind = self.kind.map(kind_word).unwrap_or_default();
        let kind_columns = if kind.is_empty() { 0 } else { columns(kind) + 3 };
        let room = usize::from(area.width).saturating_sub(kind_columns + 2);
        let name = clip(self.name, room, Clip::Middle, theme.glyphs.ellipsis);
        let band = theme.style(Role::Band);
        let strong = ratatui::style::Style { bg: band.bg, ..theme.style(Role::Strong) };
        let mut left = vec![Segment::new(0, format!(" {name}"), strong)];
        if let Some(kind) = self.kind {
            let label = format!(" {} ", kind_word(kind));
            left.push(Segment::new(1, label, theme.style(Role::from(kind))));
        }
        let facts = self.facts.into_iter().enumerate().map(|(at, fact)| {
            let rank = u8::try_from(at + 2).unwrap_or(u8::MAX);
            Segment::new(rank, if at == 0 { format!(" {fact}") } else { fact }, band)
        });
        if area.height > 1 {
            Segments { left, right: Vec::new(), separator: Span::raw(" ") }.render(first, buffer);
            let separator = Span::styled(theme.glyphs.dot, band);
            let left = facts.collect();
            Segments { left, right: Vec::new(), separator }.render(second, buffer);
        } else {
            left.extend(facts);
            Segments { left, right: Vec::new(), separator: Span::raw(" ") }.render(first, buffer);
        }
    }
}
