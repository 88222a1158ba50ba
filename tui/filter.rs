//! Filters as people type them.

use anyhow::Result;
use probe::profile::{Filter, filter::Term};

/// The longest filter that can be typed.
pub const LEN_MAX: usize = 200;

/// Reads a filter.
///
/// # Errors
///
/// Where it is none, in one line.
pub fn parse(text: &str) -> Result<Filter> {
    let terms = text.split_whitespace().map(|word| Term::Function(word.into())).collect();
    Ok(Filter { terms })
}

/// The filter as it would be typed.
#[must_use]
pub fn text(filter: &Filter) -> String {
    let words = filter.terms.iter().filter_map(|term| match term {
        Term::Function(name) => Some(name.as_str()),
        _ => None,
    });
    words.collect::<Vec<_>>().join(" ")
}
