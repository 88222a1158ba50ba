//! The top screen: functions by self and total.
//!
//! ```text
//!   SELF%▾ TOTAL%        FUNCTION                      MODULE       PROCESS
//! ▌  18.4   18.4 █▊      ▎json::parser::parse_value    api          api x4
//! ```

use super::detail::{Detail, amount, push_text};
use crate::app::App;
use crate::format::{percent, plural};
use crate::layout::Areas;
use crate::sort::TopColumn;
use crate::theme::{Role, Theme};
use crate::widget::bar::bar;
use crate::widget::clip::Clip;
use crate::widget::table::{Align, Cell, Column, Table};
use probe::profile::{FrameKind, TopRow, TopTable};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

const COLUMNS: [Column; 6] = [
    Column { title: "SELF%", width: 6, wide: 6, align: Align::Right, rank: 0, clip: Clip::End },
    Column { title: "TOTAL%", width: 7, wide: 7, align: Align::Right, rank: 1, clip: Clip::End },
    Column { title: "", width: 6, wide: 20, align: Align::Left, rank: 4, clip: Clip::End },
    Column {
        title: "FUNCTION",
        width: 16,
        wide: u16::MAX,
        align: Align::Left,
        rank: 0,
        clip: Clip::Middle,
    },
    Column { title: "MODULE", width: 12, wide: 28, align: Align::Left, rank: 2, clip: Clip::End },
    Column { title: "PROCESS", width: 13, wide: 28, align: Align::Left, rank: 3, clip: Clip::End },
];

/// Where each column that rows can be ordered by stands.
const fn place(column: TopColumn) -> usize {
    match column {
        TopColumn::SelfValue => 0,
        TopColumn::Total => 1,
        TopColumn::Name => 3,
        TopColumn::Module => 4,
        TopColumn::Process => 5,
    }
}

pub(super) fn draw(app: &App, parts: &Areas, buffer: &mut Buffer) {
    let theme = &app.theme;
    let sort = app.top.sort;
    let sorted = Some((place(sort.column), sort.inverted));
    let table = Table { columns: &COLUMNS, sorted, theme };
    table.render_heading(parts.heading, buffer);
    let Some(data) = &app.top.table else { return };
    if data.rows.is_empty() {
        return super::nothing(app, parts.body, buffer);
    }
    let first = app.top.rows.offset();
    let visible = data.rows.iter().enumerate().skip(first).take(usize::from(parts.body.height));
    for (line, (index, row)) in (parts.body.y..).zip(visible) {
        let area = Rect { y: line, height: 1, ..parts.body };
        let selected = index == app.top.rows.index();
        table.render_row(area, selected, buffer, |at, width| cell(theme, data, row, at, width));
    }
    if let Some(row) = app.top_row() {
        detail(data, row).draw(app, parts.detail, buffer);
    }
}

fn cell(theme: &Theme, table: &TopTable, row: &TopRow, column: usize, width: u16) -> Cell {
    let text = theme.style(Role::Text);
    let soft = theme.style(Role::Soft);
    match column {
        0 => vec![Span::styled(percent(row.self_value, table.sum), theme.style(Role::Strong))],
        1 => vec![Span::styled(percent(row.total, table.sum), text)],
        2 => {
            let bar = bar(row.self_value, table.sum, width, theme.glyphs);
            vec![Span::styled(bar, theme.style(Role::Bar))]
        }
        3 => vec![kind_mark(theme, row.kind), Span::styled(row.name.to_string(), text)],
        4 => vec![Span::styled(row.module.to_string(), soft)],
        _ => {
            let mut cell = vec![Span::styled(row.process.to_string(), soft)];
            if row.processes > 1 {
                let more = format!(" +{}", row.processes - 1);
                cell.push(Span::styled(more, theme.style(Role::Faint)));
            }
            cell
        }
    }
}

/// A stroke in the colour of a kind of code.
pub(super) fn kind_mark(theme: &Theme, kind: FrameKind) -> Span<'static> {
    let fg = theme.style(Role::from(kind)).bg;
    Span::styled(theme.glyphs.mark_kind, Style { fg, ..Style::default() })
}

fn detail<'a>(table: &TopTable, row: &'a TopRow) -> Detail<'a> {
    let mut facts = vec![
        amount("self", row.self_value, table.sum),
        format!(
            "{} of {}",
            amount("total", row.total, table.sum),
            plural(table.sum, "sample", "samples")
        ),
    ];
    if let Some(file) = &row.source {
        facts.push(if row.line > 0 { format!("{file}:{}", row.line) } else { file.to_string() });
    }
    push_text(&mut facts, Some(&row.module));
    if row.processes > 1 {
        facts.push(format!("{} and {} more", row.process, row.processes - 1));
    } else {
        push_text(&mut facts, Some(&row.process));
    }
    Detail { name: row.name.as_str(), kind: Some(row.kind), facts }
}
