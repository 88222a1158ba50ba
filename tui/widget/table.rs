//! A table whose columns are lost in a stated order where it is narrow.

use super::clip::{Clip, clip, columns};
use crate::theme::{Role, Theme};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Span;

/// From here on there are two blanks between columns.
const ROOMY_COLUMNS: u16 = 110;

/// The column that takes what is left shares what it has beyond this with the
/// others.
const FILL_ENOUGH: u16 = 56;

/// Where text stands in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At the left.
    Left,
    /// At the right, as numbers do.
    Right,
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// The least it needs.
    pub width: u16,
    /// The most it can use; `u16::MAX` for the one that takes what is left.
    pub wide: u16,
    /// Where text stands in it.
    pub align: Align,
    /// The higher, the sooner it is lost; 0 never is.
    pub rank: u8,
    /// How its text is cut.
    pub clip: Clip,
}

/// A cell: spans that are cut together at the end, the last one as its column
/// says.
pub type Cell = Vec<Span<'static>>;

/// A table that is ready to be drawn.
#[derive(Debug)]
pub struct Table<'a> {
    /// From left to right.
    pub columns: &'a [Column],
    /// The column that rows are ordered by, and whether the other way round.
    pub sorted: Option<(usize, bool)>,
    /// How it looks.
    pub theme: &'a Theme,
}

/// The width of each column in `total`, None where it is lost, and the gap.
#[must_use]
pub fn widths(columns: &[Column], total: u16) -> (Vec<Option<u16>>, u16) {
    let gap = if total >= ROOMY_COLUMNS { 2 } else { 1 };
    let mut kept: Vec<bool> = vec![true; columns.len()];
    let need = |kept: &[bool]| -> u16 {
        let widths = columns.iter().zip(kept).filter(|(_, kept)| **kept);
        // One for the mark before the row.
        1 + widths.map(|(column, _)| column.width + gap).sum::<u16>()
    };
    while need(&kept) > total + gap {
        let ranks = columns.iter().enumerate().filter(|(at, column)| kept[*at] && column.rank > 0);
        let Some((lost, _)) = ranks.max_by_key(|(_, column)| column.rank) else { break };
        kept[lost] = false;
    }
    let mut spare = (total + gap).saturating_sub(need(&kept));
    let mut widths: Vec<Option<u16>> =
        columns.iter().zip(&kept).map(|(column, kept)| kept.then_some(column.width)).collect();
    let fill = columns.iter().position(|column| column.wide == u16::MAX);
    if let Some(Some(width)) = fill.and_then(|at| widths.get_mut(at)) {
        let own = spare.min(FILL_ENOUGH.saturating_sub(*width));
        *width += own;
        spare -= own;
    }
    while spare > 0 {
        let before = spare;
        for (column, width) in columns.iter().zip(&mut widths) {
            if let Some(width) = width.as_mut().filter(|width| **width < column.wide)
                && spare > 0
            {
                *width += 1;
                spare -= 1;
            }
        }
        if spare == before {
            break;
        }
    }
    (widths, gap)
}

impl Table<'_> {
    /// Draws the headings.
    pub fn render_heading(&self, area: Rect, buffer: &mut Buffer) {
        let band = self.theme.style(Role::Band);
        buffer.set_style(area, band);
        self.cells(area, buffer, |at, column| {
            let sorted = self.sorted.filter(|(sorted, _)| *sorted == at);
            let (title, style) = match sorted {
                Some((_, inverted)) => {
                    let arrow = self.theme.glyphs.arrows[usize::from(inverted)];
                    (format!("{}{arrow}", column.title), self.theme.style(Role::Sorted))
                }
                None => (column.title.to_owned(), band),
            };
            vec![Span::styled(title, style)]
        });
    }

    /// Draws one row: `cell` makes the cell of a column, of this width.
    pub fn render_row(
        &self,
        area: Rect,
        selected: bool,
        buffer: &mut Buffer,
        cell: impl Fn(usize, u16) -> Cell,
    ) {
        let (widths, _) = widths(self.columns, area.width);
        self.cells(area, buffer, |at, _| cell(at, widths.get(at).copied().flatten().unwrap_or(0)));
        if selected {
            let style = self.theme.style(Role::Selected);
            // Bars keep their colour.
            buffer.set_style(area, Style { fg: None, ..style });
            let mark = self.theme.style(Role::MarkerBar);
            buffer.set_stringn(area.x, area.y, self.theme.glyphs.mark, 1, mark);
        }
    }

    fn cells(&self, area: Rect, buffer: &mut Buffer, cell: impl Fn(usize, &Column) -> Cell) {
        if area.height == 0 {
            return;
        }
        let (widths, gap) = widths(self.columns, area.width);
        let mut x = area.x + 1;
        for (at, (column, width)) in self.columns.iter().zip(widths).enumerate() {
            let Some(width) = width else { continue };
            let room = width.min(area.right().saturating_sub(x));
            self.cell(&cell(at, column), column, Rect { x, width: room, ..area }, buffer);
            x = x.saturating_add(width + gap);
        }
    }

    fn cell(&self, cell: &[Span<'static>], column: &Column, area: Rect, buffer: &mut Buffer) {
        let last = cell.len().saturating_sub(1);
        let used: usize = cell.iter().map(|span| columns(&span.content)).sum();
        let free = area.width.saturating_sub(u16::try_from(used).unwrap_or(u16::MAX));
        let mut x = area.x + if column.align == Align::Right { free } else { 0 };
        for (at, span) in cell.iter().enumerate() {
            let room = usize::from(area.right().saturating_sub(x));
            let how = if at == last { column.clip } else { Clip::End };
            let text = clip(&span.content, room, how, self.theme.glyphs.ellipsis);
            x = buffer.set_stringn(x, area.y, text, room, span.style).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn column(width: u16, wide: u16, rank: u8) -> Column {
        Column { title: "", width, wide, align: Align::Left, rank, clip: Clip::End }
    }

    #[test]
    fn columns_are_lost_by_rank_and_the_rest_is_used_up() {
        let columns =
            [column(6, 6, 0), column(10, 20, 2), column(10, u16::MAX, 0), column(8, 8, 1)];
        let check = |total, expected: [Option<u16>; 4]| {
            let (widths, gap) = widths(&columns, total);
            assert_eq!(widths, expected, "{total}");
            let used: u16 = widths.iter().flatten().map(|width| width + gap).sum();
            assert!(used < total + gap || total < 18);
        };
        check(38, [Some(6), Some(10), Some(10), Some(8)]);
        check(37, [Some(6), None, Some(20), Some(8)]);
        check(26, [Some(6), None, Some(18), None]);
        check(5, [Some(6), None, Some(10), None]);
        check(90, [Some(6), Some(13), Some(59), Some(8)]);
        check(200, [Some(6), Some(20), Some(159), Some(8)]);
    }
}
