//! Mangled names to readable ones, within bounds.
//!
//! The language is told by the mangling: Rust's v0 (`_R…`, RFC 2603) and legacy
//! (`_ZN…17h<16 hex digits>E`) schemes, and C++'s (Itanium C++ ABI, "External
//! Names", `_Z…`).

use super::limits::{DEMANGLE_DEPTH_MAX, MANGLED_BYTES_MAX, NAME_BYTES_MAX};
use crate::profile::FrameKind;
use std::fmt::{self, Write};

/// A function's name as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Demangled where that was possible; at most [`NAME_BYTES_MAX`] bytes.
    pub(super) bytes: Vec<u8>,
    /// [`FrameKind::Rust`] or [`FrameKind::Native`].
    pub(super) kind: FrameKind,
}

/// Demangles a symbol's name. A name that is too long stays as it is, cut; a
/// readable form that would be too long is cut.
#[must_use]
pub(super) fn demangle(mangled: &[u8]) -> Name {
    let readable = std::str::from_utf8(mangled)
        .ok()
        .filter(|name| name.len() <= MANGLED_BYTES_MAX)
        .and_then(|name| rust(name).or_else(|| cpp(name)));
    readable.unwrap_or_else(|| Name {
        bytes: mangled.get(..NAME_BYTES_MAX).unwrap_or(mangled).to_vec(),
        kind: if mangled.starts_with(b"_R") { FrameKind::Rust } else { FrameKind::Native },
    })
}

fn rust(name: &str) -> Option<Name> {
    let demangled = rustc_demangle::try_demangle(name).ok()?;
    let mut out = Bounded::default();
    // A legacy name without its hash is C++, to which it would read the same.
    // `{:#}` leaves the hash out.
    out.accept(|out| write!(out, "{demangled:#}"))?;
    let v0 = name.starts_with("_R") || name.starts_with("__R");
    (v0 || has_legacy_hash(name)).then_some(Name { bytes: out.text, kind: FrameKind::Rust })
}

/// Whether a legacy name ends in `17h<16 hex digits>E`, perhaps with a suffix of
/// the optimizer (`.llvm.123`).
fn has_legacy_hash(name: &str) -> bool {
    let after = name.rsplit_once("17h").and_then(|(_, after)| after.split_at_checked(16));
    after.is_some_and(|(digits, end)| {
        let ends = end == "E" || end.starts_with("E.");
        ends && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

fn cpp(name: &str) -> Option<Name> {
    if !name.starts_with("_Z") {
        return None;
    }
    let parse = cpp_demangle::ParseOptions::default().recursion_limit(DEMANGLE_DEPTH_MAX);
    // `.cold`, `.part.0`, `.isra.0`: parts that the compiler split off.
    let (core, suffix) = name.split_at(name.find('.').unwrap_or(name.len()));
    let symbol = cpp_demangle::Symbol::new_with_options(core.as_bytes(), &parse).ok()?;
    let options = cpp_demangle::DemangleOptions::new()
        .no_params()
        .no_return_type()
        .recursion_limit(DEMANGLE_DEPTH_MAX);
    let mut out = Bounded::default();
    out.accept(|out| symbol.structured_demangle(out, &options))?;
    out.accept(|out| out.write_str(suffix))?;
    Some(Name { bytes: out.text, kind: FrameKind::Native })
}

/// Refuses to grow past the limit, which ends a demangler that would not.
#[derive(Default)]
struct Bounded {
    text: Vec<u8>,
    full: bool,
}

impl Bounded {
    /// None where writing failed for another reason than that it is full.
    fn accept(&mut self, write: impl FnOnce(&mut Self) -> fmt::Result) -> Option<()> {
        (write(self).is_ok() || self.full).then_some(())
    }
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = NAME_BYTES_MAX.saturating_sub(self.text.len());
        let fits = text.as_bytes().get(..room).unwrap_or(text.as_bytes());
        self.text.extend_from_slice(fits);
        self.full |= fits.len() < text.len();
        if self.full { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mangled: &str, expected: &str, kind: FrameKind) {
        let name = demangle(mangled.as_bytes());
        assert_eq!((String::from_utf8(name.bytes).unwrap().as_str(), name.kind), (expected, kind));
    }

    #[test]
    fn each_language_is_told_by_its_mangling() {
        check("malloc", "malloc", FrameKind::Native);
        check("_RNvCs1234_7mycrate3foo", "mycrate::foo", FrameKind::Rust);
        check("_ZN3foo3bar17h05af221e174051e9E", "foo::bar", FrameKind::Rust);
        check("_ZN3foo3bar17h05af221e174051e9E.llvm.77", "foo::bar", FrameKind::Rust);
        check(
            "_ZN58_$LT$$RF$object..read..ReadCache$LT$R$GT$$u20$as$u20$X$GT$2at17h05d6f16093446b8bE",
            "<&object::read::ReadCache<R> as X>::at",
            FrameKind::Rust,
        );
        check("_ZN5space3fooEibc", "space::foo", FrameKind::Native);
        check("_ZN5space3fooEibc.cold", "space::foo.cold", FrameKind::Native);
        check(
            "_ZNSt6vectorIiSaIiEE9push_backERKi",
            "std::vector<int, std::allocator<int> >::push_back",
            FrameKind::Native,
        );
        check("_Znot_mangled", "_Znot_mangled", FrameKind::Native);
        check("_Z", "_Z", FrameKind::Native);
        check("", "", FrameKind::Native);
    }

    #[test]
    fn a_name_that_is_too_long_is_cut_and_not_demangled() {
        let long = format!("_ZN{}E", "3foo".repeat(MANGLED_BYTES_MAX));
        let name = demangle(long.as_bytes());
        assert_eq!(name.bytes, &long.as_bytes()[..NAME_BYTES_MAX]);
        let invalid = demangle(b"\xff\xfe");
        assert_eq!(invalid.bytes, b"\xff\xfe");
    }

    #[test]
    fn a_name_that_explodes_is_cut() {
        // Each template argument is the substitution of all before it.
        let mut bomb = String::from("_Z1fI1AI1AS_E");
        for _ in 0..60 {
            bomb.push_str("1AIS0_S1_S2_S3_E");
        }
        bomb.push('E');
        assert!(demangle(bomb.as_bytes()).bytes.len() <= NAME_BYTES_MAX);
        let many = format!("_Z1fI{}E", "3foo".repeat(240));
        let name = demangle(many.as_bytes()).bytes;
        assert!(name.starts_with(b"f<foo, foo, ") && name.len() == NAME_BYTES_MAX);
        let deep = format!("_Z1f{}i", "P".repeat(1000));
        assert!(demangle(deep.as_bytes()).bytes.len() <= NAME_BYTES_MAX);
    }
}
