//! Draws the app. Nothing here changes or computes anything; the layout is in
//! [`crate::layout`].

mod detail;
mod diagnostics;
mod flame;
mod header;
mod help;
mod processes;
mod top;

use crate::action::Tab;
use crate::app::{App, Mode, Prompt};
use crate::keymap;
use crate::layout::{Areas, areas};
use crate::theme::Role;
use crate::widget::clip::{Clip, clip, columns};
use crate::widget::segments::{Segment, Segments};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;
use ratatui::widgets::{Clear, Widget as _};

/// Before the filter that is typed.
const PROMPT: &str = " filter: ";

/// Draws everything.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
    if area.is_empty() {
        return;
    }
    buffer.set_style(area, app.theme.style(Role::Text));
    let Some(parts) = areas(area) else {
        buffer.set_stringn(
            area.x,
            area.y,
            "too small",
            usize::from(area.width),
            app.theme.style(Role::Text),
        );
        return;
    };
    header::draw(app, parts.header, parts.tabs, buffer);
    body(app, &parts, buffer);
    match &app.mode {
        Mode::Normal => hints(app, parts.hints, buffer),
        Mode::Help(offset) => help::draw(app, *offset, area, buffer),
        Mode::Prompt(prompt) => draw_prompt(app, prompt, &parts, buffer),
    }
}

/// The line on which a filter is typed, and above it what is wrong with it.
fn draw_prompt(app: &App, prompt: &Prompt, parts: &Areas, buffer: &mut Buffer) {
    let theme = &app.theme;
    let style = theme.style(Role::Prompt);
    let on_line = |role| Style { bg: style.bg, ..theme.style(role) };
    let line = if parts.hints.height > 0 { parts.hints } else { parts.heading };
    let above = Rect { y: line.y.saturating_sub(1), ..line };
    for line in [above, line] {
        Clear.render(line, buffer);
        buffer.set_style(line, style);
    }
    let (text, role) = match &prompt.error {
        Some(error) => (error.as_str(), Role::Warn),
        None => ("such as: fn~parse comm=api place=nginx cpu=3 kind=python kernel", Role::Soft),
    };
    let width = usize::from(line.width);
    let text = clip(text, width.saturating_sub(2), Clip::End, theme.glyphs.ellipsis);
    buffer.set_stringn(above.x + 1, above.y, text, width, on_line(role));
    let room = width.saturating_sub(PROMPT.len() + 2);
    let typed = clip(&prompt.text, room, Clip::Start, theme.glyphs.ellipsis);
    let x = buffer.set_stringn(line.x, line.y, PROMPT, width, on_line(Role::Soft)).0;
    let room = usize::from(line.right().saturating_sub(x));
    let x = buffer.set_stringn(x, line.y, typed, room, style).0;
    buffer.set_stringn(x, line.y, " ", usize::from(line.right() - x), style.reversed());
}

fn body(app: &App, parts: &Areas, buffer: &mut Buffer) {
    if app.newest.is_none() {
        let text = match &app.ended {
            Some(_) => "nothing was sampled",
            None => "the first samples come within a second",
        };
        return message(app, text, parts.body, buffer);
    }
    match app.tab {
        Tab::Top => top::draw(app, parts, buffer),
        Tab::Flame => flame::draw(app, parts, buffer),
        Tab::Processes => processes::draw(app, parts, buffer),
        Tab::Diagnostics => diagnostics::draw(app, parts, buffer),
    }
}

/// A line of text where rows would be.
fn message(app: &App, text: &str, area: Rect, buffer: &mut Buffer) {
    let width = usize::from(area.width);
    let text = clip(text, width, Clip::End, app.theme.glyphs.ellipsis);
    let start = (width - columns(&text)) / 2;
    let x = area.x + u16::try_from(start).unwrap_or(0);
    let y = area.y + area.height / 3;
    buffer.set_stringn(x, y, text, width, app.theme.style(Role::Soft));
}

/// Why a screen of samples has no rows.
fn nothing(app: &App, area: Rect, buffer: &mut Buffer) {
    let narrowed = !app.filter.terms.is_empty() || !app.scope_label.is_empty();
    let text = if narrowed {
        "no samples match here; c clears filter and scope, w looks back further"
    } else {
        "no samples in this window: the CPUs were idle; w looks back further"
    };
    message(app, text, area, buffer);
}

fn hints(app: &App, area: Rect, buffer: &mut Buffer) {
    let count = keymap::hints(app.tab).count();
    let left = keymap::hints(app.tab).enumerate().map(|(at, (key, word))| Segment {
        // The last two, help and quit, stay the longest.
        rank: if at + 2 >= count { 1 } else { 2 },
        spans: vec![
            Span::styled(format!(" {key}"), app.theme.style(Role::Key)),
            Span::styled(format!(" {word}"), app.theme.style(Role::Soft)),
        ],
    });
    let left = left.collect();
    Segments { left, right: Vec::new(), separator: Span::raw(" ") }.render(area, buffer);
}
