//! Colours of a terminal's cells.

use vt100::{Cell, Color};

/// A colour on the screen: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rgb(pub(super) u8, pub(super) u8, pub(super) u8);

/// Text and ground where a program has asked for none: those of a dark terminal.
const TEXT: Rgb = Rgb(0xd8, 0xd8, 0xd8);
pub(super) const GROUND: Rgb = Rgb(0x16, 0x18, 0x1d);

/// The first sixteen colours, as xterm has them (XTerm-col.ad).
const NAMED: [Rgb; 16] = [
    Rgb(0, 0, 0),
    Rgb(205, 0, 0),
    Rgb(0, 205, 0),
    Rgb(205, 205, 0),
    Rgb(0, 0, 238),
    Rgb(205, 0, 205),
    Rgb(0, 205, 205),
    Rgb(229, 229, 229),
    Rgb(127, 127, 127),
    Rgb(255, 0, 0),
    Rgb(0, 255, 0),
    Rgb(255, 255, 0),
    Rgb(92, 92, 255),
    Rgb(255, 0, 255),
    Rgb(0, 255, 255),
    Rgb(255, 255, 255),
];

/// A cell's text and ground.
pub(super) fn of(cell: &Cell) -> (Rgb, Rgb) {
    let text = resolve(cell.fgcolor(), TEXT);
    let ground = resolve(cell.bgcolor(), GROUND);
    let (text, ground) = if cell.inverse() { (ground, text) } else { (text, ground) };
    (if cell.dim() { between(text, ground) } else { text }, ground)
}

fn resolve(color: Color, default: Rgb) -> Rgb {
    match color {
        Color::Default => default,
        Color::Rgb(red, green, blue) => Rgb(red, green, blue),
        Color::Idx(index) => indexed(index),
    }
}

/// xterm's 256 colours: sixteen with names, a cube of 6×6×6, and 24 greys
/// (256colres.pl).
fn indexed(index: u8) -> Rgb {
    if let Some(named) = NAMED.get(usize::from(index)) {
        return *named;
    }
    if index >= 232 {
        let grey = (index - 232) * 10 + 8;
        return Rgb(grey, grey, grey);
    }
    let level = |step: u8| if step == 0 { 0 } else { step * 40 + 55 };
    let at = index - 16;
    Rgb(level(at / 36), level(at / 6 % 6), level(at % 6))
}

fn between(one: Rgb, other: Rgb) -> Rgb {
    Rgb(one.0.midpoint(other.0), one.1.midpoint(other.1), one.2.midpoint(other.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_256_colours() {
        let check = |index, expected| assert_eq!(indexed(index), expected, "{index}");
        check(1, Rgb(205, 0, 0));
        check(16, Rgb(0, 0, 0));
        check(21, Rgb(0, 0, 255));
        check(67, Rgb(95, 135, 175));
        check(231, Rgb(255, 255, 255));
        check(232, Rgb(8, 8, 8));
        check(255, Rgb(238, 238, 238));
    }
}
