//! The books in words: the diagnostics screen and `--stats-json` are made from
//! the same list, so that neither can forget a counter.

use crate::format::{self, count, duration_ns, percent_of};
use probe::profile::{Books, KernelBooks, Snapshot, TableBooks, Unresolved, UserBooks, WalkEnd};
use serde_json::{Map, Value, json};

/// The columns that a section takes on the screen.
pub const SECTION_COLUMNS: u16 = 40;

/// How a line is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// A fact.
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
}

/// One line: what, and how much.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name in JSON; its name on the screen with blanks for `_`.
    pub key: String,
    /// For people.
    pub text: String,
    /// For programs.
    pub value: Value,
    /// How it is to be read.
    pub tone: Tone,
}

/// Lines that belong together.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Its name in JSON and on the screen.
    pub title: &'static str,
    /// Its lines.
    pub entries: Vec<Entry>,
}

fn number(key: impl Into<String>, value: u64) -> Entry {
    Entry { key: key.into(), text: count(value), value: json!(value), tone: Tone::Plain }
}

/// A count that should be 0.
fn loss(key: impl Into<String>, value: u64) -> Entry {
    let tone = if value == 0 { Tone::Plain } else { Tone::Warn };
    Entry { tone, ..number(key, value) }
}

fn entry(key: impl Into<String>, text: String, value: Value) -> Entry {
    Entry { key: key.into(), text, value, tone: Tone::Plain }
}

/// Whether an identity of the books holds.
fn balance(key: &str, holds: bool) -> Entry {
    let (text, tone) = if holds { ("yes", Tone::Good) } else { ("NO", Tone::Warn) };
    Entry { key: key.to_owned(), text: text.to_owned(), value: json!(holds), tone }
}

/// Everything that was counted.
#[must_use]
pub fn sections(snapshot: &Snapshot) -> Vec<Section> {
    let Books {
        kernel,
        user,
        tables,
        walk_ends,
        latencies,
        own_cpu_percent,
        bpf_cpu_percent,
        own_rss_bytes,
        hz,
        notes: _,
    } = &snapshot.books;
    let age_ns = snapshot.taken_at.monotonic_ns.saturating_sub(snapshot.started_at.monotonic_ns);
    let mut own = vec![
        number("hz", u64::from(*hz)),
        entry("running", duration_ns(age_ns), json!(age_ns)),
        entry("cpu_percent", format!("{own_cpu_percent:.1}%"), json!(own_cpu_percent)),
        entry(
            "bpf_cpu_percent",
            bpf_cpu_percent.map_or_else(|| "not known".to_owned(), |part| format!("{part:.1}%")),
            json!(bpf_cpu_percent),
        ),
        entry("resident_bytes", format::bytes(*own_rss_bytes), json!(own_rss_bytes)),
    ];
    let lost = snapshot.books.lost_share();
    let tone = if lost < 0.001 { Tone::Good } else { Tone::Warn };
    own.push(Entry { tone, ..entry("lost_share", format!("{}%", percent_of(lost)), json!(lost)) });
    let latencies = latencies.iter().map(|latency| {
        let text = format!("{} / {}", duration_ns(latency.p50_ns), duration_ns(latency.p99_ns));
        let value = json!({
            "count": latency.count,
            "p50_ns": latency.p50_ns,
            "p99_ns": latency.p99_ns,
            "max_ns": latency.max_ns,
        });
        entry(latency.part, text, value)
    });
    let ends = WalkEnd::ALL.iter().zip(walk_ends);
    vec![
        Section { title: "otop", entries: own },
        Section { title: "kernel", entries: kernel_entries(kernel) },
        Section { title: "user", entries: user_entries(kernel, user) },
        Section { title: "names", entries: name_entries(user) },
        Section {
            title: "stacks",
            entries: ends.map(|(end, n)| number(end.words().replace(' ', "_"), *n)).collect(),
        },
        Section { title: "tables", entries: table_entries(tables) },
        Section { title: "latencies", entries: latencies.collect() },
    ]
}

fn kernel_entries(books: &KernelBooks) -> Vec<Entry> {
    let KernelBooks {
        due,
        asleep,
        ran,
        filtered_self,
        filtered_idle,
        filtered_policy,
        submitted,
        lost_ringbuf,
        lost_map_full,
    } = *books;
    vec![
        number("due", due),
        number("asleep", asleep),
        number("ran", ran),
        loss("missed_kernel", books.missed_kernel()),
        number("filtered_self", filtered_self),
        number("filtered_idle", filtered_idle),
        number("filtered_policy", filtered_policy),
        number("submitted", submitted),
        loss("lost_ringbuf", lost_ringbuf),
        loss("lost_map_full", lost_map_full),
        balance("balanced", books.balance()),
    ]
}

fn user_entries(kernel: &KernelBooks, books: &UserBooks) -> Vec<Entry> {
    let UserBooks {
        received,
        decoded,
        lost_decode,
        kept,
        aged_out,
        named: _,
        pending: _,
        unresolved: _,
        lost_process_records,
    } = *books;
    let balanced =
        received == decoded.saturating_add(lost_decode) && decoded == kept.saturating_add(aged_out);
    vec![
        number("in_ring", kernel.submitted.saturating_sub(received)),
        number("received", received),
        number("decoded", decoded),
        loss("lost_decode", lost_decode),
        number("kept", kept),
        number("aged_out", aged_out),
        loss("lost_process_records", lost_process_records),
        balance("balanced", balanced),
    ]
}

fn name_entries(books: &UserBooks) -> Vec<Entry> {
    let mut entries = vec![number("named", books.named), number("pending", books.pending)];
    let reasons = Unresolved::ALL.iter().zip(books.unresolved);
    entries.extend(reasons.map(|(why, n)| number(why.word().replace(' ', "_"), n)));
    entries
}

fn table_entries(books: &TableBooks) -> Vec<Entry> {
    let TableBooks { stacks, frames, functions, processes, compactions } = *books;
    vec![
        number("stacks", stacks),
        number("frames", frames),
        number("functions", functions),
        number("processes", processes),
        number("compactions", compactions),
    ]
}

/// What only the screen knows.
#[must_use]
pub fn screen(compute_ns: u64) -> Section {
    let entries = vec![entry("view", duration_ns(compute_ns), json!(compute_ns))];
    Section { title: "screen", entries }
}

/// The books as one JSON object.
#[must_use]
pub fn json(snapshot: &Snapshot) -> Value {
    let section = |section: Section| {
        let entries = section.entries.into_iter().map(|entry| (entry.key, entry.value));
        (section.title.to_owned(), Value::Object(entries.collect()))
    };
    let mut object: Map<_, _> = sections(snapshot).into_iter().map(section).collect();
    object.insert("notes".to_owned(), json!(snapshot.books.notes));
    Value::Object(object)
}

/// The share of samples whose stack is complete, from 0 to 1: the root was
/// reached, or there is no user part.
#[must_use]
pub fn complete_share(books: &Books) -> f64 {
    let of = |end: WalkEnd| books.walk_ends.get(end as usize).copied().unwrap_or(0);
    format::share(of(WalkEnd::Root) + of(WalkEnd::NoUser), books.walk_ends.iter().sum())
}

/// Which sections stand in which column of a screen of `width`, in order.
#[must_use]
pub fn arrange(sections: &[Section], width: u16) -> Vec<&[Section]> {
    let columns = usize::from(width / SECTION_COLUMNS).max(1);
    // The lowest height at which they fit; there are few of them.
    let most: usize = sections.iter().map(height).sum();
    (1..=most)
        .map(|limit| fill(sections, limit))
        .find(|filled| filled.len() <= columns)
        .unwrap_or_default()
}

fn fill(sections: &[Section], limit: usize) -> Vec<&[Section]> {
    let mut columns = Vec::new();
    let mut rest = sections;
    while !rest.is_empty() {
        let mut used = 0;
        let fits = |section: &&Section| {
            used += height(section);
            used <= limit
        };
        let taken = rest.iter().take_while(fits).count().max(1);
        let (column, after) = rest.split_at(taken);
        columns.push(column);
        rest = after;
    }
    columns
}

/// A title, the lines, and a blank line.
const fn height(section: &Section) -> usize {
    section.entries.len() + 2
}

/// How many rows the sections take on a screen of `width`.
#[must_use]
pub fn rows(sections: &[Section], width: u16) -> usize {
    let columns = arrange(sections, width);
    columns.iter().map(|column| column.iter().map(height).sum()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_are_told_in_full() {
        let mut snapshot = Snapshot::default();
        snapshot.books.kernel = KernelBooks { due: 10, ran: 9, submitted: 8, ..Default::default() };
        snapshot.books.notes.push("a note".into());
        let json = json(&snapshot);
        assert_eq!(json["kernel"]["missed_kernel"], 1);
        assert_eq!(json["kernel"]["balanced"], false);
        assert_eq!(json["user"]["in_ring"], 8);
        assert_eq!(json["stacks"]["root_reached"], 0);
        assert_eq!(json["names"]["no_file"], 0);
        assert_eq!(json["notes"][0], "a note");
    }

    #[test]
    fn sections_fill_columns_in_order() {
        let sections = sections(&Snapshot::default());
        for width in [0, 39, 40, 80, 200, u16::MAX] {
            let columns = arrange(&sections, width);
            assert!(columns.len() <= usize::from(width / SECTION_COLUMNS).max(1));
            let all: Vec<_> = columns.concat();
            assert_eq!(all, sections, "{width}");
        }
        assert!(rows(&sections, 80) < rows(&sections, 40));
    }
}
