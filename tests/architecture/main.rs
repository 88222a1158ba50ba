//! Who may know whom, held against the sources themselves.
//!
//! Each rule is a function from one file to its complaints about it, and each
//! test holds its rule against the repository, then against a planted violation,
//! so that a rule which has gone blind fails too.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod source;

use std::path::Path;

use source::{Source, read_all};

/// What one rule says of one file: nothing, if it is kept.
type Complaints = Vec<String>;

/// The parts of the engine that know `profile` and not each other.
const PARTS: [&str; 8] =
    ["kernel", "process", "unwind", "runtime", "symbol", "format", "tee", "listen"];

/// Where Rust code of ours lies.
const FOLDERS: [&str; 5] = ["probe", "probe-ebpf", "tests", "tui", "xtask"];

/// The longest that a file may be, in lines.
const LINES_MAX: usize = 500;
/// The longest that `tui/main.rs` may be, in lines.
const MAIN_LINES_MAX: usize = 40;

#[test]
fn profile_imports_nothing_of_ours() {
    let rule = |source: &Source| {
        if !source.is_in("probe/src/profile") {
            return Complaints::new();
        }
        named(source, |path| match path {
            ["crate", part, ..] => *part != "profile",
            [first, ..] => ["probe_ebpf", "tui", "probe"].contains(first) && path.len() > 1,
            [] => false,
        })
    };
    holds(rule);
    breaks(rule, "probe/src/profile/stack.rs", "use crate::kernel::Ring;");
    breaks(rule, "probe/src/profile/stack.rs", "use super::super::symbol;");
    breaks(rule, "probe/src/profile/a/b.rs", "fn f(x: probe_ebpf::Record) {}");
    keeps(rule, "probe/src/profile/stack.rs", "use super::frame::Frame; // crate::kernel");
    keeps(rule, "probe/src/profile/mod.rs", "mod tests { use super::super::profile::*; }");
}

#[test]
fn profile_has_no_files_clocks_or_threads() {
    let rule = |source: &Source| {
        if !source.is_in("probe/src/profile") {
            return Complaints::new();
        }
        let mut complaints = named(source, |path| match path {
            ["std", "time", what, ..] => *what != "Duration",
            ["std", what, ..] => ["fs", "net", "thread", "process", "env", "os"].contains(what),
            [first, _, ..] => ["rustix", "libc", "tokio"].contains(first),
            _ => false,
        });
        complaints.extend(words(source, &["Instant", "SystemTime"]));
        complaints
    };
    holds(rule);
    breaks(rule, "probe/src/profile/store.rs", "use std::time::Instant;");
    breaks(
        rule,
        "probe/src/profile/store.rs",
        "use std::{collections::HashMap, fs::{self, File}};",
    );
    breaks(rule, "probe/src/profile.rs", "fn f() { std::thread::spawn(g); }");
    keeps(
        rule,
        "probe/src/profile/store.rs",
        "use std::time::Duration; const S: &str = \"std::fs::x\";",
    );
    keeps(rule, "probe/src/process/proc.rs", "use std::fs;");
}

#[test]
fn parts_know_profile_and_not_each_other() {
    let rule = |source: &Source| {
        let Some(own) = part_of(source) else { return Complaints::new() };
        named(source, |path| match path {
            ["crate", other, ..] => *other != own && *other != "profile",
            _ => false,
        })
    };
    holds(rule);
    breaks(rule, "probe/src/kernel/ring.rs", "use crate::{process::maps, profile::Stack};");
    breaks(rule, "probe/src/symbol/worker.rs", "use super::super::unwind::Table;");
    breaks(rule, "probe/src/format.rs", "fn f() { crate::pipeline::start(); }");
    keeps(rule, "probe/src/kernel/ring.rs", "use crate::{kernel::clock, profile::Stack};");
    keeps(rule, "probe/src/unwind/row.rs", "mod tests { mod deep { use super::super::Row; } }");
    keeps(rule, "probe/src/pipeline.rs", "use crate::{kernel, process};");
}

#[test]
fn only_the_pipeline_joins_parts() {
    let rule = |source: &Source| {
        if !source.path.starts_with("probe/src/") || source.is_in("probe/src/pipeline") {
            return Complaints::new();
        }
        // In the crate's root a part can be named without `crate::`.
        let root = source.path == "probe/src/lib.rs";
        let paths = source.paths();
        let names = |path: &[String], part: &str| match path {
            [first, second, ..] => (first == "crate" && second == part) || (root && first == part),
            _ => false,
        };
        let known: Vec<&str> =
            PARTS.into_iter().filter(|part| paths.iter().any(|path| names(path, part))).collect();
        if known.len() > 1 { vec![format!("knows {}", known.join(" and "))] } else { Vec::new() }
    };
    holds(rule);
    breaks(rule, "probe/src/replay.rs", "use crate::format::read; use crate::process::Table;");
    breaks(rule, "probe/src/lib.rs", "pub use kernel::Ring; pub use symbol::Worker;");
    keeps(rule, "probe/src/lib.rs", "pub mod kernel; pub mod symbol; pub use pipeline::start;");
    keeps(rule, "probe/src/replay.rs", "use crate::format::read; use crate::profile::Profile;");
    keeps(rule, "probe/src/pipeline/threads.rs", "use crate::{kernel, process, symbol};");
}

#[test]
fn unsafe_stays_in_kernel() {
    let rule = |source: &Source| {
        if source.is_in("probe/src/kernel") { Vec::new() } else { words(source, &["unsafe"]) }
    };
    holds(rule);
    breaks(rule, "tui/app.rs", "fn f() { unsafe { g() } }");
    keeps(rule, "probe/src/kernel/ring.rs", "fn f() { unsafe { g() } }");
    keeps(
        rule,
        "tui/app.rs",
        "// unsafe\nconst S: &str = r#\"unsafe \" unsafe\"#; /* /* unsafe */ unsafe */",
    );
    keeps(rule, "tui/app.rs", "fn f<'a>(_: &'a str) -> char { '\"' } fn unsafe_code() {}");
}

#[test]
fn each_engine_library_has_one_home() {
    let rule = |source: &Source| {
        let mut complaints = Complaints::new();
        for (library, home) in [
            ("aya", "probe/src/kernel"),
            ("aya_obj", "probe/src/kernel"),
            ("blazesym", "probe/src/symbol"),
        ] {
            if source.path.starts_with("probe/src/") && !source.is_in(home) {
                complaints.extend(named(source, |path| path.len() > 1 && path[0] == library));
            }
        }
        complaints
    };
    holds(rule);
    breaks(rule, "probe/src/pipeline.rs", "use aya::maps::RingBuf;");
    breaks(rule, "probe/src/unwind/mod.rs", "fn f() -> blazesym::Result<()> {}");
    keeps(rule, "probe/src/kernel/attach.rs", "use aya::Ebpf;");
    keeps(rule, "probe/src/symbol/worker.rs", "use blazesym::symbolize;");
}

#[test]
fn the_screen_knows_neither_kernel_nor_wire() {
    let rule = |source: &Source| {
        let engine = ["aya", "aya_obj", "blazesym", "gimli", "object", "prost", "tonic"];
        if source.path.starts_with("tui/") {
            named(source, |path| path.len() > 1 && engine.contains(&path[0]))
        } else {
            Vec::new()
        }
    };
    holds(rule);
    breaks(rule, "tui/screen/top.rs", "use prost::Message;");
    keeps(rule, "tui/screen/top.rs", "use probe::profile::Snapshot; fn object() {}");
}

#[test]
fn the_engine_knows_no_terminal() {
    let rule = |source: &Source| {
        let terminal = ["ratatui", "crossterm", "tui"];
        if source.path.starts_with("probe/src/") {
            named(source, |path| path.len() > 1 && terminal.contains(&path[0]))
        } else {
            Vec::new()
        }
    };
    holds(rule);
    breaks(rule, "probe/src/pipeline.rs", "use ratatui::style::Color;");
    keeps(rule, "tui/app.rs", "use ratatui::style::Color;");
}

#[test]
fn a_widget_knows_no_app() {
    let rule = |source: &Source| {
        if !source.is_in("tui/widget") {
            return Complaints::new();
        }
        let above = ["app", "action", "cli", "config", "effect", "event", "keymap", "screen"];
        let mut complaints =
            named(source, |path| matches!(path, ["crate", what, ..] if above.contains(what)));
        complaints.extend(words(source, &["App"]));
        complaints
    };
    holds(rule);
    breaks(rule, "tui/widget/flame.rs", "use crate::app::Selection;");
    breaks(rule, "tui/widget/flame.rs", "fn draw(app: &App) {}");
    breaks(rule, "tui/widget/flame.rs", "use super::super::screen::top;");
    keeps(rule, "tui/widget/flame.rs", "use crate::theme::Theme; use super::bar;");
    keeps(rule, "tui/screen/flame.rs", "use crate::app::App;");
}

#[test]
fn the_app_knows_no_screen() {
    let rule = |source: &Source| {
        if source.is_in("tui/app") {
            named(source, |path| matches!(path, ["crate", "screen", ..]))
        } else {
            Vec::new()
        }
    };
    holds(rule);
    breaks(rule, "tui/app.rs", "use crate::screen::Screen;");
    breaks(rule, "tui/app.rs", "use super::{screen, theme};");
    breaks(rule, "tui/app/select.rs", "use super::super::screen;");
    keeps(rule, "tui/app.rs", "use crate::effect::Effect; enum Screen { Top }");
    keeps(rule, "tui/lib.rs", "use crate::screen;");
}

#[test]
fn async_stays_at_the_edges() {
    let rule = |source: &Source| {
        let engine = source.path.starts_with("probe/src/")
            && !source.is_in("probe/src/tee")
            && !source.is_in("probe/src/listen");
        let inside = ["tui/app", "tui/screen", "tui/widget"];
        if engine || inside.iter().any(|folder| source.is_in(folder)) {
            words(source, &["async", "await"])
        } else {
            Vec::new()
        }
    };
    holds(rule);
    breaks(rule, "probe/src/symbol/ask.rs", "async fn f() {}");
    breaks(rule, "tui/app.rs", "fn f() { g.await }");
    keeps(rule, "probe/src/tee/queue.rs", "async fn f() {}");
    keeps(rule, "tui/event.rs", "async fn f() {}");
}

#[test]
fn main_is_short() {
    let rule = |source: &Source| {
        if source.path == "tui/main.rs" { longer(source, MAIN_LINES_MAX) } else { Vec::new() }
    };
    holds(rule);
    breaks(rule, "tui/main.rs", &"\n".repeat(MAIN_LINES_MAX + 1));
    keeps(rule, "tui/main.rs", &"\n".repeat(MAIN_LINES_MAX));
}

#[test]
fn no_file_is_long() {
    let rule = |source: &Source| longer(source, LINES_MAX);
    holds(rule);
    breaks(rule, "probe-ebpf/src/otop.bpf.c", &"\n".repeat(LINES_MAX + 1));
    keeps(rule, "probe-ebpf/src/otop.bpf.c", &"\n".repeat(LINES_MAX));
}

#[test]
fn every_rust_file_says_what_it_is() {
    let rule = |source: &Source| {
        let silent = source.path.ends_with("rs") && !source.text.starts_with("//!");
        if silent { vec!["starts with no //! comment".to_owned()] } else { Vec::new() }
    };
    holds(rule);
    breaks(rule, "tui/app.rs", "use crate::effect::Effect;");
    keeps(rule, "tui/app.rs", "//! The state.");
    keeps(rule, "probe-ebpf/src/otop.bpf.c", "int x;");
}

/// Fails with every complaint of `rule` about the repository.
#[track_caller]
fn holds(rule: impl Fn(&Source) -> Complaints) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut complaints = Complaints::new();
    for folder in FOLDERS {
        let sources = read_all(root, folder, &[".rs", ".c", ".h", ".cc", ".go"]).unwrap();
        assert!(!sources.is_empty(), "no sources in {folder}: the rules see nothing");
        for source in sources {
            let said = rule(&source).into_iter();
            complaints.extend(said.map(|complaint| format!("{}: {complaint}", source.path)));
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// Fails unless `rule` complains about a file at `path` that holds `text`.
#[track_caller]
fn breaks(rule: impl Fn(&Source) -> Complaints, path: &str, text: &str) {
    assert!(!rule(&Source::new(path, text)).is_empty(), "kept by {path}: {text}");
}

/// Fails if `rule` complains about a file at `path` that holds `text`.
#[track_caller]
fn keeps(rule: impl Fn(&Source) -> Complaints, path: &str, text: &str) {
    assert_eq!(rule(&Source::new(path, text)), Complaints::new(), "{path}: {text}");
}

/// A complaint for each path in `source` that `forbidden` picks.
fn named(source: &Source, forbidden: impl Fn(&[&str]) -> bool) -> Complaints {
    let paths = source.paths();
    let parts = paths.iter().map(|path| path.iter().map(String::as_str).collect::<Vec<_>>());
    parts.filter(|path| forbidden(path)).map(|path| format!("names {}", path.join("::"))).collect()
}

/// A complaint for each of `forbidden` that is a word of `source`.
fn words(source: &Source, forbidden: &[&str]) -> Complaints {
    let found = forbidden.iter().filter(|word| source.words().any(|other| other == **word));
    found.map(|word| format!("uses `{word}`")).collect()
}

fn longer(source: &Source, lines_max: usize) -> Complaints {
    let lines = source.text.lines().count();
    if lines > lines_max { vec![format!("{lines} lines, over {lines_max}")] } else { Vec::new() }
}

/// The part of the engine that `source` belongs to.
fn part_of(source: &Source) -> Option<&'static str> {
    PARTS.into_iter().find(|part| source.is_in(&format!("probe/src/{part}")))
}
