//! Colours that the terminal has: full ones where it can, the nearest of 256 or
//! 16 where it cannot, none where nobody wants them.

use ratatui::style::{Color, Style};

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// 24 bits.
    True,
    /// The 256 of xterm.
    Indexed,
    /// The 16 of ANSI.
    Ansi,
    /// None: bold and reversed text alone.
    None,
}

impl Depth {
    /// What the environment says (<https://no-color.org>, and `COLORTERM` as
    /// most terminals set it).
    pub fn detect(var: impl Fn(&str) -> Option<String>) -> Self {
        let term = var("TERM").unwrap_or_default();
        let color_term = var("COLORTERM").unwrap_or_default();
        if var("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            Self::None
        } else if matches!(color_term.as_str(), "truecolor" | "24bit") || term.ends_with("-direct")
        {
            Self::True
        } else if term.contains("256color") {
            Self::Indexed
        } else if term.is_empty() || term == "dumb" || term.starts_with("vt") {
            Self::None
        } else {
            Self::Ansi
        }
    }

    /// The style as this depth can show it. Without colours a background
    /// becomes reversed text.
    #[must_use]
    pub fn style(self, style: Style) -> Style {
        let plain = Style { fg: None, bg: None, ..style };
        match self {
            Self::True => style,
            Self::None if style.bg.is_some() => plain.reversed(),
            Self::None => plain,
            Self::Indexed | Self::Ansi => {
                let fg = style.fg.map(|color| self.color(color));
                let bg = style.bg.map(|color| self.color(color));
                // Two colours that fall together would hide the text.
                let clash = bg.is_some() && fg == bg;
                if clash { plain.reversed() } else { Style { fg, bg, ..style } }
            }
        }
    }

    fn color(self, color: Color) -> Color {
        match (self, color) {
            (Self::Indexed, Color::Rgb(r, g, b)) => Color::Indexed(nearest_of_256([r, g, b])),
            (Self::Ansi, Color::Rgb(r, g, b)) => nearest_ansi([r, g, b]),
            _ => color,
        }
    }
}

/// The nearest of the 6x6x6 cube (16–231) and the greys (232–255).
fn nearest_of_256(color: [u8; 3]) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let level = |part: u8| {
        let far = |index: &u8| LEVELS[usize::from(*index)].abs_diff(part);
        (0..6_u8).min_by_key(far).unwrap_or(0)
    };
    let cube = color.map(level);
    let cube_color = cube.map(|index| LEVELS[usize::from(index)]);
    let grey = (0..24_u8).min_by_key(|n| distance(color, [8 + 10 * n; 3])).unwrap_or(0);
    if distance(color, [8 + 10 * grey; 3]) < distance(color, cube_color) {
        232 + grey
    } else {
        16 + 36 * cube[0] + 6 * cube[1] + cube[2]
    }
}

fn nearest_ansi(color: [u8; 3]) -> Color {
    const ANSI: [(Color, [u8; 3]); 16] = [
        (Color::Black, [0, 0, 0]),
        (Color::Red, [170, 0, 0]),
        (Color::Green, [0, 170, 0]),
        (Color::Yellow, [170, 85, 0]),
        (Color::Blue, [0, 0, 170]),
        (Color::Magenta, [170, 0, 170]),
        (Color::Cyan, [0, 170, 170]),
        (Color::Gray, [170, 170, 170]),
        (Color::DarkGray, [85, 85, 85]),
        (Color::LightRed, [255, 85, 85]),
        (Color::LightGreen, [85, 255, 85]),
        (Color::LightYellow, [255, 255, 85]),
        (Color::LightBlue, [85, 85, 255]),
        (Color::LightMagenta, [255, 85, 255]),
        (Color::LightCyan, [85, 255, 255]),
        (Color::White, [255, 255, 255]),
    ];
    let nearest = ANSI.iter().min_by_key(|(_, rgb)| distance(color, *rgb));
    nearest.map_or(Color::Reset, |(name, _)| *name)
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides() {
        let check = |pairs: &[(&str, &str)], expected| {
            let var = |name: &str| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(Depth::detect(var), expected, "{pairs:?}");
        };
        check(&[], Depth::None);
        check(&[("TERM", "xterm")], Depth::Ansi);
        check(&[("TERM", "linux")], Depth::Ansi);
        check(&[("TERM", "xterm-256color")], Depth::Indexed);
        check(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], Depth::True);
        check(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], Depth::None);
        check(&[("TERM", "xterm-256color"), ("NO_COLOR", "")], Depth::Indexed);
        check(&[("TERM", "dumb")], Depth::None);
    }

    #[test]
    fn colors_fall_to_the_nearest() {
        assert_eq!(nearest_of_256([255, 0, 0]), 196);
        assert_eq!(nearest_of_256([128, 128, 128]), 244);
        assert_eq!(nearest_of_256([0, 0, 0]), 16);
        assert_eq!(nearest_ansi([250, 250, 250]), Color::White);
        assert_eq!(nearest_ansi([200, 80, 70]), Color::LightRed);
    }

    #[test]
    fn without_colors_a_background_is_reversed() {
        let style = Style::new().fg(Color::Rgb(1, 2, 3)).bg(Color::Rgb(9, 9, 9)).bold();
        assert_eq!(Depth::None.style(style), Style::new().bold().reversed());
        assert_eq!(Depth::None.style(Style::new().fg(Color::Red)), Style::new());
        // Almost the same colours: reversed, so that the text can be read.
        assert_eq!(Depth::Ansi.style(style), Style::new().bold().reversed());
    }
}
