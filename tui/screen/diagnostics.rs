//! The diagnostics screen: what was counted, what was lost, what otop costs.

use crate::app::App;
use crate::counters::{Entry, SECTION_COLUMNS, Section, Tone, arrange, rows};
use crate::format;
use crate::layout::Areas;
use crate::theme::Role;
use crate::widget::clip::{Clip, clip, columns};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub(super) fn draw(app: &App, parts: &Areas, buffer: &mut Buffer) {
    let notes = app.newest.as_ref().map_or(&[][..], |newest| &newest.books.notes);
    let heading = app.theme.style(Role::Band);
    buffer.set_style(parts.heading, heading);
    let width = usize::from(parts.heading.width);
    let text = " What was counted, what was lost, and what otop itself costs";
    buffer.set_stringn(parts.heading.x, parts.heading.y, text, width, heading);
    let sections = app.sections();
    let below = rows(&sections, parts.body.width)
        .saturating_sub(usize::from(app.diagnostics_offset) + usize::from(parts.body.height));
    if below > 0 {
        let text = format!("{} below ", format::plural(below as u64, "row", "rows"));
        let start = parts.heading.right().saturating_sub(u16::try_from(text.len()).unwrap_or(0));
        let room = usize::from(parts.heading.right() - start);
        buffer.set_stringn(start, parts.heading.y, text, room, app.theme.style(Role::Sorted));
    }
    for (at, column) in arrange(&sections, parts.body.width).into_iter().enumerate() {
        let left = u16::try_from(at).unwrap_or(u16::MAX).saturating_mul(SECTION_COLUMNS);
        let area = Rect {
            x: parts.body.x + left.min(parts.body.width),
            width: parts.body.width.saturating_sub(left).min(SECTION_COLUMNS),
            ..parts.body
        };
        draw_column(app, column, area, buffer);
    }
    draw_notes(app, notes, parts.detail, buffer);
}

fn draw_column(app: &App, sections: &[Section], area: Rect, buffer: &mut Buffer) {
    let lines = sections.iter().flat_map(|section| {
        std::iter::once(Line::Title(section.title))
            .chain(section.entries.iter().map(Line::Entry))
            .chain([Line::Blank])
    });
    let visible = lines.skip(usize::from(app.diagnostics_offset)).take(usize::from(area.height));
    for (y, line) in (area.y..).zip(visible) {
        line.draw(app, Rect { y, height: 1, ..area }, buffer);
    }
}

enum Line<'a> {
    Title(&'static str),
    Entry(&'a Entry),
    Blank,
}

impl Line<'_> {
    fn draw(&self, app: &App, area: Rect, buffer: &mut Buffer) {
        let width = usize::from(area.width).saturating_sub(3);
        let x = area.x + 1;
        match self {
            Self::Title(title) => {
                let style = app.theme.style(Role::Brand);
                buffer.set_stringn(x, area.y, title, width, style);
            }
            Self::Entry(entry) => {
                let role = match entry.tone {
                    Tone::Plain => Role::Text,
                    Tone::Good => Role::Good,
                    Tone::Warn => Role::Warn,
                };
                let soft = app.theme.style(Role::Soft);
                buffer.set_stringn(x + 1, area.y, &entry.label, width, soft);
                let text = clip(&entry.text, width, Clip::End, app.theme.glyphs.ellipsis);
                let start = width.saturating_sub(columns(&text));
                let x = x + u16::try_from(start).unwrap_or(0);
                buffer.set_stringn(x, area.y, text, width, app.theme.style(role));
            }
            Self::Blank => {}
        }
    }
}

/// What is not as it should be; the last of several is the newest.
fn draw_notes(app: &App, notes: &[String], area: Rect, buffer: &mut Buffer) {
    buffer.set_style(area, app.theme.style(Role::Band));
    let newest = notes.iter().rev().take(usize::from(area.height));
    for (y, note) in (area.y..).zip(newest) {
        let width = usize::from(area.width).saturating_sub(2);
        let note = clip(note, width, Clip::End, app.theme.glyphs.ellipsis);
        let style = app.theme.style(Role::Warn);
        buffer.set_stringn(area.x + 1, y, note, width, style);
    }
    if notes.is_empty() && area.height > 0 {
        let style = app.theme.style(Role::Band);
        buffer.set_stringn(area.x + 1, area.y, "nothing to note", usize::from(area.width), style);
    }
}
