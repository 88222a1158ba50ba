//! The filter expression that people type.
//!
//! ```text
//!  expression  = [ term { space term } ]
//!  term        = key ( "=" | "~" ) value | "user" | "kernel" | value
//!  key         = comm | pid | tid | thread | place | cgroup | cpu | kind | fn
//!  value       = word | '"' { char | '\"' | '\\' } '"'
//! ```
//!
//! A value alone is looked for in the names of functions and processes. Quoted,
//! it may hold spaces, `=`, `~`, or be one of the words above.

use super::{Filter, Term};
use crate::profile::{FrameKind, Text};
use std::fmt;
use std::str::FromStr;

/// The longest expression read, in bytes.
const EXPRESSION_BYTES_MAX: usize = 4096;

/// Why an expression is not one: a line for the prompt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Too long.
    #[error("the filter is longer than {EXPRESSION_BYTES_MAX} bytes; use fewer terms")]
    TooLong,
    /// No such key.
    #[error(
        "no key `{0}`: use comm, pid, tid, thread, place, cpu, kind or fn, or quote the whole term"
    )]
    Key(Text),
    /// A key without a value.
    #[error("`{0}` needs a value, as in `{0}=1` or `{0}=\"two words\"`")]
    NoValue(Text),
    /// Not a number, or too large.
    #[error("`{key}` needs a number, not `{value}`")]
    Number {
        /// The key before it.
        key: Text,
        /// What stands there.
        value: Text,
    },
    /// No such kind of code.
    #[error("no kind `{0}`: use {kinds}", kinds = kind_words())]
    Kind(Text),
    /// A quote without its end, or text right after it.
    #[error("a quoted value must end with a quote and a space")]
    Quote,
}

/// The words for kinds, as they are typed.
const KINDS: [(&str, FrameKind); 15] = [
    ("kernel", FrameKind::Kernel),
    ("native", FrameKind::Native),
    ("rust", FrameKind::Rust),
    ("go", FrameKind::Go),
    ("python", FrameKind::Python),
    ("jvm", FrameKind::Jvm),
    ("v8", FrameKind::V8),
    ("ruby", FrameKind::Ruby),
    ("php", FrameKind::Php),
    ("perl", FrameKind::Perl),
    ("dotnet", FrameKind::Dotnet),
    ("beam", FrameKind::Beam),
    ("luajit", FrameKind::LuaJit),
    ("jit", FrameKind::Jit),
    ("marker", FrameKind::Marker),
];

fn kind_words() -> String {
    KINDS.map(|(word, _)| word).join(", ")
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(expression: &str) -> Result<Self, FilterError> {
        if expression.len() > EXPRESSION_BYTES_MAX {
            return Err(FilterError::TooLong);
        }
        let mut terms = Vec::new();
        let mut rest = expression.trim_start();
        while !rest.is_empty() {
            let (term, after) = term(rest)?;
            terms.push(term);
            rest = after.trim_start();
        }
        Ok(Self { terms })
    }
}

/// Reads one term; returns it with what follows.
fn term(text: &str) -> Result<(Term, &str), FilterError> {
    if text.starts_with('"') {
        let (word, rest) = value(text)?;
        let word = some("\"\"", word)?;
        return Ok((Term::Word(word), rest));
    }
    let end = text.find(|c: char| c.is_whitespace() || c == '=' || c == '~').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if let Some(rest) = rest.strip_prefix(['=', '~']) {
        let (value, rest) = value(rest)?;
        return Ok((keyed(word, some(word, value)?)?, rest));
    }
    let term = match word {
        "user" => Term::User,
        "kernel" => Term::Kernel,
        _ => Term::Word(word.into()),
    };
    Ok((term, rest))
}

fn some(key: &str, value: String) -> Result<Text, FilterError> {
    if value.is_empty() { Err(FilterError::NoValue(key.into())) } else { Ok(value.into()) }
}

fn keyed(key: &str, value: Text) -> Result<Term, FilterError> {
    Ok(match key {
        "comm" => Term::ProcessName(value),
        "pid" => Term::Pid(number(key, value)?),
        "tid" => Term::Tid(number(key, value)?),
        "thread" => Term::ThreadName(value),
        "place" | "cgroup" => Term::Place(value),
        "cpu" => Term::Cpu(number(key, value)?),
        "kind" => {
            let known = KINDS.iter().find(|(word, _)| *word == value.as_str());
            Term::Kind(known.ok_or(FilterError::Kind(value))?.1)
        }
        "fn" => Term::Function(value),
        _ => return Err(FilterError::Key(key.into())),
    })
}

fn number<T: FromStr>(key: &str, value: Text) -> Result<T, FilterError> {
    value.as_str().parse().map_err(|_| FilterError::Number { key: key.into(), value })
}

/// Reads a word or a quoted value; returns it with what follows.
fn value(text: &str) -> Result<(String, &str), FilterError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        return Ok((word.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next().ok_or(FilterError::Quote)? {
            '"' => break,
            '\\' => value.push(chars.next().ok_or(FilterError::Quote)?),
            c => value.push(c),
        }
    }
    let rest = chars.as_str();
    let ended = rest.is_empty() || rest.starts_with(char::is_whitespace);
    if ended { Ok((value, rest)) } else { Err(FilterError::Quote) }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProcessName(text) => write!(f, "comm={}", Value(text)),
            Self::Pid(pid) => write!(f, "pid={pid}"),
            Self::Tid(tid) => write!(f, "tid={tid}"),
            Self::ThreadName(text) => write!(f, "thread={}", Value(text)),
            Self::Place(text) => write!(f, "place={}", Value(text)),
            Self::Cpu(cpu) => write!(f, "cpu={cpu}"),
            Self::Kind(kind) => {
                let word = KINDS.iter().find(|(_, known)| known == kind);
                write!(f, "kind={}", word.map_or("", |(word, _)| word))
            }
            Self::Function(text) => write!(f, "fn~{}", Value(text)),
            Self::Word(text) => Word(text).fmt(f),
            Self::User => f.write_str("user"),
            Self::Kernel => f.write_str("kernel"),
        }
    }
}

/// A value after a key, quoted where it has to be.
struct Value<'a>(&'a Text);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.as_str();
        if text.is_empty() || text.starts_with('"') || text.contains(char::is_whitespace) {
            return quote(text, f);
        }
        f.write_str(text)
    }
}

/// A value without a key, quoted where it would be taken for something else.
struct Word<'a>(&'a Text);

impl fmt::Display for Word<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.as_str();
        if matches!(text, "user" | "kernel") || text.contains(['=', '~']) {
            return quote(text, f);
        }
        Value(self.0).fmt(f)
    }
}

fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use fmt::Write as _;
    f.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(expression: &str, expected: &[Term]) {
        assert_eq!(expression.parse::<Filter>().unwrap().terms, expected);
    }

    #[track_caller]
    fn check_error(expression: &str, expected: &str) {
        let error = expression.parse::<Filter>().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
        assert!(!error.contains('\n'));
    }

    #[test]
    fn reads_what_people_type() {
        check("", &[]);
        check("  \t ", &[]);
        check(
            "comm=nginx pid=12 tid=13 thread=worker",
            &[
                Term::ProcessName("nginx".into()),
                Term::Pid(12),
                Term::Tid(13),
                Term::ThreadName("worker".into()),
            ],
        );
        check("cgroup~api.service", &[Term::Place("api.service".into())]);
        check("cpu=3 kind=luajit ", &[Term::Cpu(3), Term::Kind(FrameKind::LuaJit)]);
        check("user  kernel", &[Term::User, Term::Kernel]);
        check("fn~operator==", &[Term::Function("operator==".into())]);
        check(r#"fn~"a \"b\" \\x00""#, &[Term::Function(r#"a "b" \x00"#.into())]);
        check(
            "parse \"user\" \"a=b c\"",
            &["parse", "user", "a=b c"].map(|w| Term::Word(w.into())),
        );
        check("fn~x\u{1b}", &[Term::Function("x\\x1b".into())]);
    }

    #[test]
    fn says_in_a_line_what_is_wrong() {
        check_error("operator==", "no key `operator`");
        check_error("=x", "no key ``");
        check_error("comm=", "`comm` needs a value");
        check_error("comm=\"\" user", "`comm` needs a value");
        check_error("pid=x", "`pid` needs a number, not `x`");
        check_error("pid=-1", "`pid` needs a number");
        check_error("cpu=65536", "`cpu` needs a number");
        check_error("kind=cobol", "no kind `cobol`: use kernel, native, rust");
        check_error("\"abc", "a quoted value must end");
        check_error("\"abc\"d", "a quoted value must end");
        check_error("fn~\"abc\\", "a quoted value must end");
        check_error("a\n=b", "no key ``");
        check_error("\u{1b}=b", "no key `\\x1b`");
        check_error(&"x".repeat(EXPRESSION_BYTES_MAX + 1), "the filter is longer than");
    }

    fn any_term() -> impl Strategy<Value = Term> {
        let text = || "\\PC{1,12}|[a-z\"\\\\=~ ]{1,6}|user|kernel".prop_map(Text::from);
        prop_oneof![
            text().prop_map(Term::ProcessName),
            any::<u32>().prop_map(Term::Pid),
            any::<u32>().prop_map(Term::Tid),
            text().prop_map(Term::ThreadName),
            text().prop_map(Term::Place),
            any::<u16>().prop_map(Term::Cpu),
            (0..KINDS.len()).prop_map(|index| Term::Kind(KINDS[index].1)),
            text().prop_map(Term::Function),
            text().prop_map(Term::Word),
            Just(Term::User),
            Just(Term::Kernel),
        ]
    }

    proptest! {
        #[test]
        fn display_gives_the_expression_back(terms in proptest::collection::vec(any_term(), 0..6)) {
            let filter = Filter { terms };
            let expression = filter.to_string();
            prop_assert_eq!(expression.parse::<Filter>(), Ok(filter));
        }

        #[test]
        fn no_expression_panics(expression in "\\PC{0,40}|[a-z\"\\\\=~ ]{0,40}") {
            if let Ok(filter) = expression.parse::<Filter>() {
                prop_assert_eq!(filter.to_string().parse(), Ok(filter));
            }
        }
    }
}
