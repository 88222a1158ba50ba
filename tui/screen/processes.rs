//! The process screen.
//!
//! ```text
//!     PID NAME           CPU%▾  KERN% COMPLETE%          HOTTEST FUNCTION   UNIT
//! ▌  1234 api             84.2   12.0      99.8 ███████  parse_value        api.service
//! ```

use super::detail::{Detail, amount};
use crate::app::App;
use crate::format::{cells, count, percent, percent_of, plural, share};
use crate::layout::Areas;
use crate::options::period_ns;
use crate::quality::COMPLETE_WARNS;
use crate::sort::ProcessColumn;
use crate::theme::{Role, Theme};
use crate::widget::bar::bar;
use crate::widget::clip::Clip;
use crate::widget::table::{Align, Cell, Column, Table};
use probe::profile::{ProcessRow, ProcessTable};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

const COLUMNS: [Column; 8] = [
    Column { title: "PID", width: 7, wide: 8, align: Align::Right, rank: 0, clip: Clip::End },
    Column { title: "NAME", width: 13, wide: 18, align: Align::Left, rank: 0, clip: Clip::End },
    Column { title: "CPU%", width: 6, wide: 8, align: Align::Right, rank: 0, clip: Clip::End },
    Column { title: "KERN%", width: 6, wide: 8, align: Align::Right, rank: 2, clip: Clip::End },
    Column { title: "COMPLETE%", width: 9, wide: 9, align: Align::Right, rank: 5, clip: Clip::End },
    Column { title: "", width: 6, wide: 20, align: Align::Left, rank: 4, clip: Clip::End },
    Column {
        title: "HOTTEST FUNCTION",
        width: 16,
        wide: u16::MAX,
        align: Align::Left,
        rank: 1,
        clip: Clip::Middle,
    },
    Column { title: "UNIT", width: 13, wide: 32, align: Align::Left, rank: 3, clip: Clip::End },
];

const fn place(column: ProcessColumn) -> usize {
    match column {
        ProcessColumn::Pid => 0,
        ProcessColumn::Name => 1,
        ProcessColumn::Samples => 2,
        ProcessColumn::Kernel => 3,
        ProcessColumn::Place => 7,
    }
}

pub(super) fn draw(app: &App, parts: &Areas, buffer: &mut Buffer) {
    let theme = &app.theme;
    let sort = app.processes.sort;
    let sorted = Some((place(sort.column), sort.inverted));
    let table = Table { columns: &COLUMNS, sorted, theme };
    table.render_heading(parts.heading, buffer);
    let Some(data) = &app.processes.table else { return };
    if data.rows.is_empty() {
        return super::nothing(app, parts.body, buffer);
    }
    let busiest = data.rows.iter().map(|row| row.samples).max().unwrap_or(0);
    let first = app.processes.rows.offset();
    let visible = data.rows.iter().enumerate().skip(first).take(usize::from(parts.body.height));
    for (line, (index, row)) in (parts.body.y..).zip(visible) {
        let area = Rect { y: line, height: 1, ..parts.body };
        let selected = index == app.processes.rows.index();
        let cpu = cpu_percent(app, data, row);
        table.render_row(area, selected, buffer, |at, width| match at {
            2 => vec![Span::styled(cpu.clone(), theme.style(Role::Strong))],
            5 => split_bar(theme, row, busiest, width),
            _ => cell(theme, row, at),
        });
    }
    if let Some(row) = app.process_row() {
        detail(data, row).draw(app, parts.detail, buffer);
    }
}

/// % of one CPU; where samples stand for no time, % of all samples.
fn cpu_percent(app: &App, table: &ProcessTable, row: &ProcessRow) -> String {
    let Some(snapshot) = app.shown() else { return String::new() };
    let period_ns = period_ns(snapshot);
    if period_ns == 0 {
        return percent(row.samples, table.sum);
    }
    let cpu_ns = row.samples.saturating_mul(period_ns);
    let covered_ns = app.window.covered_ns(snapshot);
    format!("{:.1}", share(cpu_ns, covered_ns) * 100.0)
}

fn cell(theme: &Theme, row: &ProcessRow, column: usize) -> Cell {
    let text = theme.style(Role::Text);
    let soft = theme.style(Role::Soft);
    match column {
        0 => vec![Span::styled(row.key.pid.to_string(), soft)],
        1 => vec![Span::styled(row.name.to_string(), text)],
        3 => vec![Span::styled(percent(row.kernel, row.samples), soft)],
        4 => complete(theme, row),
        6 => row.hottest.iter().map(|(name, _)| Span::styled(name.to_string(), text)).collect(),
        _ => vec![Span::styled(row.place.to_string(), soft)],
    }
}

/// The share of its user stacks that reach their root, since it was first
/// sampled: a window is too short to judge by.
fn complete(theme: &Theme, row: &ProcessRow) -> Cell {
    let Some(share) = row.quality.complete_share() else { return Vec::new() };
    let role = if share < COMPLETE_WARNS { Role::Warn } else { Role::Soft };
    vec![Span::styled(percent_of(share), theme.style(role))]
}

/// Its length is the share of the busiest; its end is the kernel's part.
fn split_bar(theme: &Theme, row: &ProcessRow, busiest: u64, width: u16) -> Cell {
    let length = cells(row.samples, busiest, width).max(1);
    let kernel = cells(row.kernel, row.samples, length);
    let full = |cells: u16| bar(1, 1, cells, theme.glyphs);
    vec![
        Span::styled(full(length - kernel), theme.style(Role::Bar)),
        Span::styled(full(kernel), theme.style(Role::BarKernel)),
    ]
}

fn detail<'a>(table: &ProcessTable, row: &'a ProcessRow) -> Detail<'a> {
    let user = row.samples.saturating_sub(row.kernel);
    let mut facts = vec![
        format!("pid {}", row.key.pid),
        format!("{} of {}", count(row.samples), plural(table.sum, "sample", "samples")),
        amount("user", user, row.samples),
        amount("kernel", row.kernel, row.samples),
        plural(u64::from(row.threads), "thread", "threads"),
    ];
    if let Some((name, samples)) = &row.hottest {
        facts.push(amount(name.as_str(), *samples, row.samples));
    }
    super::detail::push_text(&mut facts, Some(&row.place));
    Detail { name: row.name.as_str(), kind: None, facts }
}
