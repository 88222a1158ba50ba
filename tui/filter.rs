//! Filters as people type them.

use probe::profile::{Filter, FilterError};

/// The longest filter that can be typed on the screen, in bytes.
pub const LEN_MAX: usize = 200;

/// Reads a filter.
///
/// # Errors
///
/// Where it is none, in one line that says what would be one.
pub fn parse(text: &str) -> Result<Filter, FilterError> {
    text.parse()
}

/// The filter as it would be typed.
#[must_use]
pub fn text(filter: &Filter) -> String {
    filter.to_string()
}
