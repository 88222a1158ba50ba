//! The books in words: the diagnostics screen and `--stats-json` are made from
//! the same list, so that neither can forget a counter.

use crate::costs::Costs;
use crate::format::{self, count, duration_ns, percent_of};
use crate::quality;
use probe::profile::{Books, KernelBooks, Latency, Snapshot, TableBooks, Unresolved, UserBooks};
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
    /// Its name in JSON.
    pub key: String,
    /// Its name on the screen.
    pub label: String,
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

impl Entry {
    /// A fact; its name on the screen has blanks for `_`.
    #[must_use]
    pub fn new(key: impl Into<String>, text: String, value: Value) -> Self {
        let key = key.into();
        Self { label: key.replace('_', " "), key, text, value, tone: Tone::Plain }
    }

    /// A count.
    #[must_use]
    pub fn number(key: impl Into<String>, value: u64) -> Self {
        Self::new(key, count(value), json!(value))
    }
}

/// A count that should be 0.
fn loss(key: impl Into<String>, value: u64) -> Entry {
    let tone = if value == 0 { Tone::Plain } else { Tone::Warn };
    Entry { tone, ..Entry::number(key, value) }
}

/// Whether an identity of the books holds.
fn balance(key: &str, holds: bool) -> Entry {
    let (text, tone) = if holds { ("yes", Tone::Good) } else { ("NO", Tone::Warn) };
    Entry { tone, ..Entry::new(key, text.to_owned(), json!(holds)) }
}

/// Everything that was counted.
#[must_use]
pub fn sections(snapshot: &Snapshot) -> Vec<Section> {
    let Books {
        kernel,
        user,
        tables,
        quality,
        unwind_bytes,
        unwind_bytes_max,
        latencies,
        own_cpu_percent,
        bpf_cpu_percent,
        own_rss_bytes,
        hz,
        notes: _,
    } = &snapshot.books;
    let age_ns = snapshot.taken_at.monotonic_ns.saturating_sub(snapshot.started_at.monotonic_ns);
    let mut own = vec![
        Entry::number("hz", u64::from(*hz)),
        Entry::new("running", duration_ns(age_ns), json!(age_ns)),
        Entry::new("cpu_percent", format!("{own_cpu_percent:.1}%"), json!(own_cpu_percent)),
        Entry::new(
            "bpf_cpu_percent",
            bpf_cpu_percent.map_or_else(|| "not known".to_owned(), |part| format!("{part:.1}%")),
            json!(bpf_cpu_percent),
        ),
        Entry::new("resident_bytes", format::bytes(*own_rss_bytes), json!(own_rss_bytes)),
    ];
    let lost = snapshot.books.lost_share();
    let tone = if lost < 0.001 { Tone::Good } else { Tone::Warn };
    own.push(Entry {
        tone,
        ..Entry::new("lost_share", format!("{}%", percent_of(lost)), json!(lost))
    });
    let unwind =
        format!("{} of {}", format::bytes(*unwind_bytes), format::bytes(*unwind_bytes_max));
    let mut tables = table_entries(tables);
    tables.push(Entry::new("unwind_bytes", unwind, json!(unwind_bytes)));
    let [stacks, quality] = quality::sections(quality);
    vec![
        Section { title: "otop", entries: own },
        Section { title: "kernel", entries: kernel_entries(kernel) },
        Section { title: "user", entries: user_entries(kernel, user) },
        Section { title: "names", entries: name_entries(user) },
        stacks,
        quality,
        Section { title: "tables", entries: tables },
        Section { title: "latencies", entries: latencies.iter().map(latency_entry).collect() },
    ]
}

fn latency_entry(latency: &Latency) -> Entry {
    let text = format!("{} / {}", duration_ns(latency.p50_ns), duration_ns(latency.p99_ns));
    let value = json!({
        "count": latency.count,
        "p50_ns": latency.p50_ns,
        "p99_ns": latency.p99_ns,
        "max_ns": latency.max_ns,
    });
    Entry::new(latency.part, text, value)
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
        Entry::number("due", due),
        Entry::number("asleep", asleep),
        Entry::number("ran", ran),
        loss("missed_kernel", books.missed_kernel()),
        Entry::number("filtered_self", filtered_self),
        Entry::number("filtered_idle", filtered_idle),
        Entry::number("filtered_policy", filtered_policy),
        Entry::number("submitted", submitted),
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
        Entry::number("in_ring", kernel.submitted.saturating_sub(received)),
        Entry::number("received", received),
        Entry::number("decoded", decoded),
        loss("lost_decode", lost_decode),
        Entry::number("kept", kept),
        Entry::number("aged_out", aged_out),
        loss("lost_process_records", lost_process_records),
        balance("balanced", balanced),
    ]
}

fn name_entries(books: &UserBooks) -> Vec<Entry> {
    let mut entries =
        vec![Entry::number("named", books.named), Entry::number("pending", books.pending)];
    let reasons = Unresolved::ALL.iter().zip(books.unresolved);
    entries.extend(reasons.map(|(why, n)| Entry::number(why.word().replace(' ', "_"), n)));
    entries
}

fn table_entries(books: &TableBooks) -> Vec<Entry> {
    let TableBooks { stacks, frames, functions, processes, compactions } = *books;
    vec![
        Entry::number("stacks", stacks),
        Entry::number("frames", frames),
        Entry::number("functions", functions),
        Entry::number("processes", processes),
        Entry::number("compactions", compactions),
    ]
}

/// What the screen itself costs: median and 99th percentile.
#[must_use]
pub fn screen(costs: &Costs) -> Section {
    Section { title: "screen", entries: costs.latencies().iter().map(latency_entry).collect() }
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
    object.insert("processes".to_owned(), quality::json_of_processes(snapshot));
    Value::Object(object)
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
        snapshot.books.unwind_bytes = 4096;
        snapshot.books.notes.push("a note".into());
        let json = json(&snapshot);
        assert_eq!(json["kernel"]["missed_kernel"], 1);
        assert_eq!(json["kernel"]["balanced"], false);
        assert_eq!(json["user"]["in_ring"], 8);
        assert_eq!(json["stacks"]["root_reached"], 0);
        assert_eq!(json["names"]["no_file"], 0);
        assert_eq!(json["quality"]["frames_checked"], 0);
        assert_eq!(json["tables"]["unwind_bytes"], 4096);
        assert_eq!(json["processes"], json!([]));
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
