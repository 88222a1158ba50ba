//! Bars and levels made of characters.

use crate::format::cells;
use crate::theme::Glyphs;

/// A bar for `part` of `whole` of at most `width` cells, as finely as the
/// characters allow; nothing that is more than 0 is shown as nothing.
#[must_use]
pub fn bar(part: u64, whole: u64, width: u16, glyphs: &Glyphs) -> String {
    let steps = u16::try_from(glyphs.parts.len()).unwrap_or(0) + 1;
    let least = u16::from(part > 0 && width > 0);
    let filled = cells(part, whole, width.saturating_mul(steps)).max(least);
    let mut bar = glyphs.full.repeat(usize::from(filled / steps));
    let last = usize::from(filled % steps).checked_sub(1).and_then(|at| glyphs.parts.get(at));
    bar.push_str(last.unwrap_or(&""));
    bar
}

/// One character for a share from 0 to 1.
#[must_use]
pub fn level(share: f64, glyphs: &Glyphs) -> &'static str {
    let levels = glyphs.levels;
    let above = |at: &usize| {
        let bound = crate::format::share(*at as u64, levels.len() as u64);
        share >= bound
    };
    let at = (0..levels.len()).rfind(above).unwrap_or(0);
    levels.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theme::{ASCII, UNICODE};

    #[test]
    fn bars_are_fine_and_never_too_long() {
        let check = |part, whole, width, glyphs, expected| {
            assert_eq!(bar(part, whole, width, glyphs), expected);
        };
        check(1, 2, 4, &UNICODE, "██");
        check(9, 16, 2, &UNICODE, "█▏");
        check(1, 1000, 4, &UNICODE, "▏");
        check(0, 1000, 4, &UNICODE, "");
        check(5, 1, 3, &UNICODE, "███");
        check(1, 1, 0, &UNICODE, "");
        check(1, 2, 4, &ASCII, "##");
        check(1, 1000, 4, &ASCII, "#");
    }

    #[test]
    fn levels_rise() {
        let check = |share, expected| assert_eq!(level(share, &UNICODE), expected);
        check(0.0, "▁");
        check(0.5, "▅");
        check(1.0, "█");
        check(f64::NAN, "▁");
    }
}
