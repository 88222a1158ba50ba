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
use crate::app::{App, Mode};
use crate::keymap;
use crate::layout::{Areas, areas};
use crate::theme::Role;
use crate::widget::clip::{Clip, clip, columns};
use crate::widget::segments::{Segment, Segments};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

/// Draws everything.
pub fn draw(app: &App, frame: &mut Frame<'_>) {
    let area = frame.area();
    let buffer = frame.buffer_mut();
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
    hints(app, parts.hints, buffer);
    match &app.mode {
        Mode::Help(offset) => help::draw(app, *offset, area, buffer),
        Mode::Prompt(prompt) => {
            let line = if parts.hints.height > 0 { parts.hints } else { parts.heading };
            buffer.set_style(line, app.theme.style(Role::Prompt));
            let style = app.theme.style(Role::Prompt);
            let cursor = app.theme.glyphs.mark;
            let (text, tone) = match &prompt.error {
                Some(error) => (error.clone(), Role::Warn),
                None => ("Enter sets it, Esc leaves it; fn~parse comm=api user".into(), Role::Soft),
            };
            let segments = Segments {
                left: vec![
                    Segment::new(0, format!(" filter: {}{cursor}", prompt.text), style),
                    Segment::new(
                        1,
                        text,
                        app.theme.style(tone).patch(ratatui::style::Style {
                            bg: style.bg,
                            ..ratatui::style::Style::default()
                        }),
                    ),
                ],
                right: Vec::new(),
                separator: Span::raw("  "),
            };
            segments.render(line, buffer);
        }
        Mode::Normal => {}
    }
}

fn body(app: &App, parts: &Areas, buffer: &mut Buffer) {
    if app.newest.is_none() {
        let text = match &app.ended {
            Some(_) => "nothing was sampled",
            None => "starting: the first samples come within a second",
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
