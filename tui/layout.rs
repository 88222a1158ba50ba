//! Where things are on the screen, for those who draw and for the mouse.
//!
//! ```text
//!  header    host, load, rates, losses, own cost, LIVE
//!  tabs      screens                    scope, filter, window
//!  heading   column titles, or the breadcrumb
//!  body      rows or boxes
//!  detail    the selected row in full   (from 10 rows)
//!  hints     keys                       (from 8 rows)
//! ```

use crate::action::Tab;
use ratatui::layout::{Position, Rect};

/// Below this nothing but a word fits.
pub const COLUMNS_MIN: u16 = 24;
/// Below this nothing but a word fits.
pub const ROWS_MIN: u16 = 5;

/// From here on every screen's name is shown.
const TABS_LONG_COLUMNS: u16 = 70;

/// The parts of the screen; a part without room has no height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Areas {
    /// Host, rates, losses.
    pub header: Rect,
    /// Screens, scope, window.
    pub tabs: Rect,
    /// Column titles or breadcrumb.
    pub heading: Rect,
    /// Rows or boxes.
    pub body: Rect,
    /// The selected row in full.
    pub detail: Rect,
    /// Keys.
    pub hints: Rect,
}

/// The parts of a screen of this size; None where it is too small for any.
#[must_use]
pub fn areas(screen: Rect) -> Option<Areas> {
    if screen.width < COLUMNS_MIN || screen.height < ROWS_MIN {
        return None;
    }
    let hints = u16::from(screen.height >= 8);
    let detail = u16::from(screen.height >= 10) + u16::from(screen.height >= 16);
    let body = screen.height - 3 - hints - detail;
    let mut top = screen.y;
    let mut take = |height| {
        let area = Rect { y: top, height, ..screen };
        top += height;
        area
    };
    Some(Areas {
        header: take(1),
        tabs: take(1),
        heading: take(1),
        body: take(body),
        detail: take(detail),
        hints: take(hints),
    })
}

/// Each screen's label and where it starts; without room, the others' names are
/// left out.
#[must_use]
pub fn tab_labels(width: u16, current: Tab) -> Vec<(Tab, u16, String)> {
    let long = width >= TABS_LONG_COLUMNS;
    let mut column = 0;
    let label = |(at, tab): (usize, Tab)| {
        let digit = at + 1;
        let label = if long || tab == current {
            format!(" {digit} {} ", tab.name())
        } else {
            format!(" {digit} ")
        };
        let start = column;
        column += u16::try_from(label.len()).unwrap_or(u16::MAX);
        (tab, start, label)
    };
    Tab::ALL.into_iter().enumerate().map(label).collect()
}

/// The screen whose label is at `column`.
#[must_use]
pub fn tab_at(column: u16, width: u16, current: Tab) -> Option<Tab> {
    let labels = tab_labels(width, current);
    labels
        .iter()
        .rfind(|(_, start, _)| *start <= column)
        .filter(|(_, start, label)| usize::from(column - start) < label.len())
        .map(|(tab, ..)| *tab)
}

/// The row of `area` that a position is in, counted from its top.
#[must_use]
pub fn row_at(area: Rect, position: Position) -> Option<usize> {
    area.contains(position).then(|| usize::from(position.y - area.y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fill_the_screen_at_every_size() {
        for height in 0..70 {
            let screen = Rect::new(0, 0, 80, height);
            let Some(areas) = areas(screen) else {
                assert!(height < ROWS_MIN);
                continue;
            };
            let Areas { header, tabs, heading, body, detail, hints } = areas;
            let parts = [header, tabs, heading, body, detail, hints];
            assert_eq!(parts.iter().map(|part| part.height).sum::<u16>(), height);
            assert!(body.height >= 2);
        }
        assert_eq!(areas(Rect::new(0, 0, 10, 50)), None);
    }

    #[test]
    fn tabs_are_found_where_they_are_drawn() {
        for width in [30, 80] {
            for (tab, start, label) in tab_labels(width, Tab::Flame) {
                let end = start + u16::try_from(label.len()).unwrap() - 1;
                assert_eq!(tab_at(start, width, Tab::Flame), Some(tab));
                assert_eq!(tab_at(end, width, Tab::Flame), Some(tab));
            }
            assert_eq!(tab_at(60, width, Tab::Flame), None);
        }
    }
}
