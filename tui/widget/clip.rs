//! Text cut to a number of columns.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Where text gives way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clip {
    /// At its end.
    #[default]
    End,
    /// In its middle: both ends of a function's name tell something.
    Middle,
    /// At its start.
    Start,
}

/// The columns that text takes.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.width()
}

/// `text` in at most `width` columns, with `ellipsis` where it was cut.
#[must_use]
pub fn clip(text: &str, width: usize, at: Clip, ellipsis: char) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let room = match width {
        0 => return String::new(),
        width => width - 1,
    };
    let (head, tail) = match at {
        Clip::End => (room, 0),
        Clip::Middle => (room - room * 3 / 5, room * 3 / 5),
        Clip::Start => (0, room),
    };
    let start = prefix(text.chars(), head);
    let end: Vec<char> = prefix(text.chars().rev(), tail).collect();
    start.chain([ellipsis]).chain(end.into_iter().rev()).collect()
}

/// `text` in exactly `width` columns, cut at its end or followed by blanks.
#[must_use]
pub fn pad(text: &str, width: usize, ellipsis: char) -> String {
    let clipped = clip(text, width, Clip::End, ellipsis);
    let blanks = width.saturating_sub(columns(&clipped));
    clipped + &" ".repeat(blanks)
}

/// The characters that fit into `room` columns.
fn prefix(chars: impl Iterator<Item = char>, room: usize) -> impl Iterator<Item = char> {
    chars.scan(room, |room, c| {
        *room = room.checked_sub(c.width().unwrap_or(0))?;
        Some(c)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns() {
        let check = |text, width, at, expected: &str| {
            let clipped = clip(text, width, at, '…');
            assert_eq!(clipped, expected);
            assert!(columns(&clipped) <= width);
        };
        check("parse", 5, Clip::End, "parse");
        check("parse_value", 5, Clip::End, "pars…");
        check("parse_value", 6, Clip::Middle, "pa…lue");
        check("parse_value", 6, Clip::Start, "…value");
        check("日本語", 5, Clip::End, "日本…");
        check("日本語", 4, Clip::Start, "…語");
        assert_eq!(pad("日本語", 6, '…'), "日本語");
        assert_eq!(pad("日本語", 5, '…'), "日本…");
        assert_eq!(pad("日本", 5, '…'), "日本 ");
        check("x", 0, Clip::End, "");
        check("xy", 1, Clip::Middle, "…");
    }
}
