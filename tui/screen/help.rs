//! The help page, made from the keymap.

use crate::app::App;
use crate::keymap::{BINDINGS, Group};
use crate::theme::Role;
use crate::widget::clip::{Clip, clip};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget as _};

/// The columns of the page, and of the keys on it.
const PAGE_COLUMNS: u16 = 76;
const KEY_COLUMNS: usize = 18;

pub(super) fn draw(app: &App, offset: u16, screen: Rect, buffer: &mut Buffer) {
    let lines = lines(app);
    // A margin too narrow for anything would only look torn.
    let fits = screen.width >= PAGE_COLUMNS + 20;
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let page = Rect {
        width: if fits { PAGE_COLUMNS } else { screen.width },
        height: height.min(screen.height),
        ..screen
    };
    let page = Rect {
        x: screen.x + (screen.width - page.width) / 2,
        y: screen.y + (screen.height - page.height) / 2,
        ..page
    };
    Clear.render(page, buffer);
    buffer.set_style(page, app.theme.style(Role::Text));
    let title =
        Span::styled(" Keys: Up and Down scroll, any other closes ", app.theme.style(Role::Brand));
    let block = Block::bordered()
        .border_set(app.theme.glyphs.border)
        .border_style(app.theme.style(Role::Faint))
        .title(title);
    let inner = block.inner(page);
    block.render(page, buffer);
    let last = lines.len().saturating_sub(usize::from(inner.height));
    let visible = lines.into_iter().skip(usize::from(offset).min(last));
    for (y, line) in (inner.y..inner.bottom()).zip(visible) {
        buffer.set_line(inner.x, y, &line, inner.width);
    }
}

fn lines(app: &App) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for group in Group::ALL {
        lines.push(Line::styled(format!(" {}", group.name()), app.theme.style(Role::Strong)));
        for binding in BINDINGS.iter().filter(|binding| binding.group == group) {
            let keys: Vec<_> = binding.keys.iter().map(ToString::to_string).collect();
            let keys = clip(&keys.join(", "), KEY_COLUMNS, Clip::End, app.theme.glyphs.ellipsis);
            lines.push(Line::from(vec![
                Span::styled(format!("   {keys:KEY_COLUMNS$}"), app.theme.style(Role::Key)),
                Span::styled(binding.help, app.theme.style(Role::Text)),
            ]));
        }
    }
    lines
}
