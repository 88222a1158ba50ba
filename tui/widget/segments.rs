//! A line of facts that loses the least important ones where it is narrow.

use super::clip::columns;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

/// One fact.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The higher, the sooner it is lost; 0 never is.
    pub rank: u8,
    /// What it says.
    pub spans: Vec<Span<'static>>,
}

impl Segment {
    /// A fact in one style.
    #[must_use]
    pub fn new(rank: u8, text: impl Into<String>, style: Style) -> Self {
        Self { rank, spans: vec![Span::styled(text.into(), style)] }
    }

    fn columns(&self) -> usize {
        self.spans.iter().map(|span| columns(&span.content)).sum()
    }
}

/// Facts from the left and from the right end of a line.
#[derive(Clone, Debug)]
pub struct Segments {
    /// From the left, set apart by `separator`.
    pub left: Vec<Segment>,
    /// From the right, set apart by a blank.
    pub right: Vec<Segment>,
    /// Between two on the left.
    pub separator: Span<'static>,
}

impl Segments {
    /// Draws those that fit.
    pub fn render(mut self, area: Rect, buffer: &mut Buffer) {
        while self.columns() > usize::from(area.width) && self.lose_one() {}
        let separator = self.separator;
        let mut left = Line::default();
        for (at, segment) in self.left.into_iter().enumerate() {
            if at > 0 {
                left.push_span(separator.clone());
            }
            left.spans.extend(segment.spans);
        }
        let mut right = Line::default();
        for segment in self.right {
            right.push_span(Span::raw(" "));
            right.spans.extend(segment.spans);
        }
        if area.height == 0 {
            return;
        }
        let right_columns = u16::try_from(right.width()).unwrap_or(u16::MAX).min(area.width);
        buffer.set_line(area.x, area.y, &left, area.width);
        let start = area.right() - right_columns;
        buffer.set_line(start, area.y, &right, right_columns);
    }

    fn columns(&self) -> usize {
        let gaps = self.left.len().saturating_sub(1) * columns(&self.separator.content);
        let all = self.left.iter().chain(&self.right);
        gaps + self.right.len() + all.map(Segment::columns).sum::<usize>()
    }

    /// Loses the least important; false where none may be lost.
    fn lose_one(&mut self) -> bool {
        let highest = self.left.iter().chain(&self.right).map(|segment| segment.rank).max();
        let Some(highest) = highest.filter(|rank| *rank > 0) else { return false };
        let side = [&mut self.right, &mut self.left]
            .into_iter()
            .find(|side| side.iter().any(|segment| segment.rank == highest));
        if let Some(side) = side
            && let Some(at) = side.iter().rposition(|segment| segment.rank == highest)
        {
            side.remove(at);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_important_goes_first() {
        let check = |width, expected: &str| {
            let segment = |rank, text: &str| Segment::new(rank, text, Style::new());
            let segments = Segments {
                left: vec![segment(0, "otop"), segment(2, "host"), segment(1, "9/s")],
                right: vec![segment(3, "clock"), segment(0, "LIVE")],
                separator: Span::raw("-"),
            };
            let area = Rect::new(0, 0, width, 1);
            let mut buffer = Buffer::empty(area);
            segments.render(area, &mut buffer);
            let text: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
            assert_eq!(text, expected);
        };
        check(26, "otop-host-9/s   clock LIVE");
        check(23, "otop-host-9/s      LIVE");
        check(14, "otop-9/s  LIVE");
        check(10, "otop  LIVE");
        check(6, "o LIVE");
        check(2, " L");
        check(0, "");
    }
}
