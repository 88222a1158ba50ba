//! A terminal's cells as an SVG picture.
//!
//! Grounds are rectangles below, text lies on them in runs of one style. Each run
//! is stretched to the columns that it takes, so that the picture is right with
//! whichever monospaced font its reader has. Block elements are rectangles, too:
//! fonts leave gaps between them.

use std::fmt::Write as _;

use vt100::{Cell, Screen};

use super::color::{self, GROUND, Rgb};

/// A cell, in pixels: about what a monospaced font of 14 px takes.
const WIDTH: f64 = 8.4;
const HEIGHT: f64 = 18.0;
/// From the top of a cell to the line that letters stand on.
const BASELINE: f64 = 13.5;
/// The border around the cells.
const MARGIN: f64 = 10.0;
const FONT: &str = "font-family=\"ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace\" \
                    font-size=\"14\"";

/// The part of a cell that a block element fills (Unicode, U+2580 to U+2590), in
/// eighths from its left top: x, y, width, height.
type Block = (u32, u32, u32, u32);

/// A whole cell, in eighths.
const EIGHTHS: u32 = 8;

/// Draws what is on `screen`.
pub(super) fn draw(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let (rows, columns) = (rows.get(), columns.get());
    let width = f64::from(columns) * WIDTH + 2.0 * MARGIN;
    let height = f64::from(rows) * HEIGHT + 2.0 * MARGIN;
    let mut grounds = Out::default();
    let mut texts = Out::default();
    for row in 0..rows {
        let cells: Vec<(u16, &Cell)> =
            (0..columns).filter_map(|column| Some((column, screen.cell(row, column)?))).collect();
        for run in cells.chunk_by(|(_, one), (_, next)| color::of(one).1 == color::of(next).1) {
            grounds.ground(row, run);
        }
        for run in cells.chunk_by(|(_, one), (_, next)| style(one) == style(next)) {
            texts.run(row, run);
        }
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" {FONT}>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{}\"/>\n{}{}</svg>\n",
        hex(GROUND),
        grounds.0,
        texts.0,
    )
}

/// What the cells of one run have in common, block elements apart.
fn style(cell: &Cell) -> (Rgb, bool, Option<Block>, bool) {
    let blank = cell.contents().trim().is_empty();
    (color::of(cell).0, cell.bold(), block(cell.contents()), blank)
}

/// Elements, one a line. Writing to a string cannot fail.
#[derive(Default)]
struct Out(String);

impl Out {
    /// The ground of a run of cells, where it is not that of all.
    fn ground(&mut self, row: u16, run: &[(u16, &Cell)]) {
        let Some((column, cell)) = run.first() else { return };
        let (_, ground) = color::of(cell);
        if ground != GROUND {
            self.rect(x(*column), y(row), columns(run.len()), HEIGHT, ground);
        }
    }

    /// A run of cells of one style.
    fn run(&mut self, row: u16, run: &[(u16, &Cell)]) {
        let Some((column, cell)) = run.first() else { return };
        let (color, bold, block, blank) = style(cell);
        if blank {
            return;
        }
        if let Some((left, top, width, height)) = block {
            // Blocks that touch are one, lest a seam be seen.
            let joined = if width == EIGHTHS { run.len() } else { 1 };
            for cells in run.chunks(joined) {
                let Some((column, _)) = cells.first() else { continue };
                let (x, y) = (x(*column) + eighths(left, WIDTH), y(row) + eighths(top, HEIGHT));
                let width = eighths(width, columns(cells.len()));
                self.rect(x, y, width, eighths(height, HEIGHT), color);
            }
            return;
        }
        let text: String = run.iter().map(|(_, cell)| escape(cell.contents())).collect();
        let weight = if bold { " font-weight=\"bold\"" } else { "" };
        let _ = writeln!(
            self.0,
            "<text x=\"{:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
             fill=\"{}\"{weight}>{text}</text>",
            x(*column),
            y(row) + BASELINE,
            columns(run.len()),
            hex(color),
        );
    }

    fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, color: Rgb) {
        let _ = writeln!(
            self.0,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.2}\" height=\"{height:.2}\" \
             fill=\"{}\"/>",
            hex(color)
        );
    }
}

fn x(column: u16) -> f64 {
    MARGIN + f64::from(column) * WIDTH
}

fn y(row: u16) -> f64 {
    MARGIN + f64::from(row) * HEIGHT
}

/// How wide a run of cells is; a screen has no more of them than fit into `u16`.
fn columns(cells: usize) -> f64 {
    f64::from(u16::try_from(cells).unwrap_or(u16::MAX)) * WIDTH
}

fn eighths(part: u32, whole: f64) -> f64 {
    f64::from(part) * whole / f64::from(EIGHTHS)
}

fn hex(Rgb(red, green, blue): Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Which part a block element fills; None for other characters.
fn block(text: &str) -> Option<Block> {
    let mut characters = text.chars();
    let only = characters.next().filter(|_| characters.next().is_none())?;
    let code = u32::from(only);
    match code {
        0x2580 => Some((0, 0, 8, 4)),
        // From one eighth to eight, from below.
        0x2581..=0x2588 => Some((0, 0x2588 - code, 8, code - 0x2580)),
        // From seven eighths to one, from the left.
        0x2589..=0x258f => Some((0, 0, 0x2590 - code, 8)),
        0x2590 => Some((4, 0, 4, 8)),
        _ => None,
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(bytes: &str) -> String {
        let (rows, columns) = (2.try_into().unwrap(), 20.try_into().unwrap());
        let mut parser = vt100::Parser::new(rows, columns, 0);
        parser.process(bytes.as_bytes());
        draw(parser.screen())
    }

    #[test]
    fn cells_become_elements() {
        let check = |bytes: &str, expected: &[&str]| {
            let svg = drawn(bytes);
            let elements: Vec<_> = svg.lines().skip(2).filter(|line| *line != "</svg>").collect();
            let found: Vec<_> = expected.iter().filter(|part| svg.contains(**part)).collect();
            assert_eq!(found.len(), expected.len(), "{bytes:?}: {svg}");
            assert_eq!(elements.len(), expected.len(), "{bytes:?}: {svg}");
        };
        check("", &[]);
        check(
            "a<&",
            &["textLength=\"25.2\" lengthAdjust=\"spacingAndGlyphs\" fill=\"#d8d8d8\">a&lt;&amp;<"],
        );
        check("\x1b[1;38;2;1;2;3mb", &["fill=\"#010203\" font-weight=\"bold\">b<"]);
        check("\x1b[48;5;21m  ", &["width=\"16.80\" height=\"18.00\" fill=\"#0000ff\""]);
        check("▂", &["x=\"10.0\" y=\"23.5\" width=\"8.40\" height=\"4.50\""]);
        check("▄▄", &["x=\"10.0\" y=\"19.0\" width=\"16.80\" height=\"9.00\""]);
        check("x▌", &[">x<", "x=\"18.4\" y=\"10.0\" width=\"4.20\" height=\"18.00\""]);
        check("\x1b[31mr\x1b[32mg", &["#cd0000\">r<", "#00cd00\">g<"]);
    }
}
