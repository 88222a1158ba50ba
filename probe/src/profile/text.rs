//! Text that came from outside, made safe to print once, where it is decoded.

use std::fmt;
use std::sync::Arc;
use unicode_width::UnicodeWidthChar;

/// The longest text kept, in bytes after escaping; longer text ends in `…`.
///
/// C++ symbol names of a few hundred bytes are common; hostile ones reach
/// 100 MB.
pub const TEXT_BYTES_MAX: usize = 1024;

/// How many zero-width characters may follow each other before they are escaped.
const ZERO_WIDTH_RUN_MAX: usize = 2;

/// Escaped text: safe to write to a terminal, a log, or a text export.
///
/// The only way to make one is [`Text::from_bytes`] (or `From<&str>`, which is
/// the same), so that a name which a hostile program chose cannot reach a
/// terminal unescaped. Escaped are: control characters (C0, DEL, C1), bytes
/// that are not UTF-8, bidirectional controls, tag characters, line and
/// paragraph separators, byte order marks and zero-width joiners, and every
/// zero-width character after the second in a row.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Arc<str>);

impl Text {
    /// Escapes `bytes`, which need not be UTF-8.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        // What is cut is cut before the work is done: a 100 MB name costs no
        // more than a short one.
        let cut = bytes.len() > TEXT_BYTES_MAX;
        let bytes = &bytes[..bytes.len().min(TEXT_BYTES_MAX)];
        let mut out = String::with_capacity(bytes.len());
        let mut zero_width_run = 0;
        let mut full = false;
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                full |= !push_char(&mut out, c, &mut zero_width_run);
            }
            // A character cut in two at the limit is not the sender's fault.
            let at_cut = cut && chunk.valid().is_empty();
            if !at_cut {
                for byte in chunk.invalid() {
                    full |= !push_escape(&mut out, &format!("\\x{byte:02x}"));
                }
            }
        }
        if cut || full {
            out.push('…');
        }
        Self(out.into())
    }

    /// The escaped text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Appends `c`, escaped if it has to be; false when there is no room left.
fn push_char(out: &mut String, c: char, zero_width_run: &mut usize) -> bool {
    let zero_width = c.width() == Some(0);
    *zero_width_run = if zero_width { *zero_width_run + 1 } else { 0 };
    if c.is_control() || is_invisible(c) || *zero_width_run > ZERO_WIDTH_RUN_MAX {
        let code = u32::from(c);
        return if code < 0x80 {
            push_escape(out, &format!("\\x{code:02x}"))
        } else {
            push_escape(out, &format!("\\u{{{code:x}}}"))
        };
    }
    if out.len() + c.len_utf8() > TEXT_BYTES_MAX {
        return false;
    }
    out.push(c);
    true
}

fn push_escape(out: &mut String, escape: &str) -> bool {
    let fits = out.len() + escape.len() <= TEXT_BYTES_MAX;
    if fits {
        out.push_str(escape);
    }
    fits
}

/// Characters that reorder, hide or break text without being controls
/// (Unicode 16: `Bidi_Control`, `Default_Ignorable_Code_Point`, Zl, Zp).
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::from_bytes(text.as_bytes())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::from_bytes(text.as_bytes())
    }
}

impl Default for Text {
    fn default() -> Self {
        Self(Arc::from(""))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[u8], expected: &str) {
        assert_eq!(Text::from_bytes(input).as_str(), expected);
    }

    #[test]
    fn escapes_what_a_terminal_or_a_reader_would_obey() {
        check(b"plain name", "plain name");
        check("naïve 日本".as_bytes(), "naïve 日本");
        check(b"\x1b]52;c;aGk=\x07", "\\x1b]52;c;aGk=\\x07");
        check("\u{9b}31m".as_bytes(), "\\u{9b}31m");
        check(b"a\nb\tc\0d\x7f", "a\\x0ab\\x09c\\x00d\\x7f");
        check("x\u{202e}y".as_bytes(), "x\\u{202e}y");
        check("x\u{e0041}".as_bytes(), "x\\u{e0041}");
        check(b"bad \xff\xfe utf8", "bad \\xff\\xfe utf8");
        check("e\u{301}\u{302}\u{303}".as_bytes(), "e\u{301}\u{302}\\u{303}");
        check("\u{2028}".as_bytes(), "\\u{2028}");
    }

    #[test]
    fn long_text_is_cut() {
        let text = Text::from_bytes(&vec![b'a'; 100_000_000]);
        assert_eq!(text.as_str().len(), TEXT_BYTES_MAX + '…'.len_utf8());
        let text = Text::from_bytes(&[0x1b; TEXT_BYTES_MAX]);
        assert!(text.as_str().len() <= TEXT_BYTES_MAX + '…'.len_utf8());
        assert!(text.as_str().ends_with('…'));
    }
}
