//! Output without a screen: a block of text, or a JSON object, every interval.

use crate::event::{Event, Signal};
use crate::format::{self, percent, percent_of, share};
use crate::options::{Options, period_ns};
use crate::pulse::Pulse;
use crate::quality::complete_text;
use crate::theme::kind_word;
use crate::widget::clip::pad;
use anyhow::Result;
use probe::profile::{Grouping, ProcessTable, Scope, Snapshot, Source, TopTable, processes, top};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{ErrorKind, Write};
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;

/// Rows of the top list in a block.
const TOP_ROWS: usize = 20;
/// Columns of a module's or a process's name, and the sign that it was cut.
const NAME_COLUMNS: usize = 16;
const ELLIPSIS: char = '~';
/// Rows of the process list in a block.
const PROCESS_ROWS: usize = 10;

/// How it ended: with the signal that ended it, if one did.
pub type Ending = Option<i32>;

/// Prints blocks until there have been enough, the source or the reader is gone,
/// or a signal comes. A source that has failed has no last block.
///
/// # Errors
///
/// Where `out` cannot be written to, other than because its reader is gone.
pub async fn run(
    options: &Options,
    (rounds, as_json): (Option<u64>, bool),
    source: &Arc<dyn Source>,
    events: &mut Receiver<Event>,
    out: &mut dyn Write,
) -> Result<Ending> {
    let mut left = rounds.unwrap_or(u64::MAX);
    let mut intervals = tokio::time::interval(options.interval);
    intervals.tick().await;
    while left > 0 {
        tokio::select! {
            _ = intervals.tick() => {}
            event = events.recv() => match event {
                Some(Event::Signal(Signal::End(number))) => return Ok(Some(number)),
                // The last block comes at once.
                _ if source.ended().is_none() => continue,
                _ => {}
            }
        }
        let ended = source.ended();
        if ended.as_ref().is_some_and(|reason| !reason.is_empty()) {
            break;
        }
        let snapshot = source.latest();
        let block = Block::of(&snapshot, options);
        let text = if as_json { format!("{}\n", block.json()) } else { block.text() };
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(None),
            written => written?,
        }
        left -= 1;
        if ended.is_some() {
            break;
        }
    }
    Ok(None)
}

/// What one interval says.
#[derive(Debug)]
pub struct Block<'a> {
    snapshot: &'a Snapshot,
    options: &'a Options,
    pulse: Pulse,
    top: TopTable,
    processes: ProcessTable,
}

impl<'a> Block<'a> {
    /// Computes it.
    #[must_use]
    pub fn of(snapshot: &'a Snapshot, options: &'a Options) -> Self {
        let query = options.window.query(snapshot, Scope::Machine, options.filter.clone());
        Self {
            snapshot,
            options,
            pulse: Pulse::of(snapshot),
            top: top::top(snapshot, &query, Grouping::Function),
            processes: processes::processes(snapshot, &query),
        }
    }

    /// % of one CPU.
    fn cpu_percent(&self, samples: u64) -> f64 {
        let cpu_ns = samples.saturating_mul(period_ns(self.snapshot));
        share(cpu_ns, self.options.window.covered_ns(self.snapshot)) * 100.0
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_text(&mut out);
        out
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let books = &self.snapshot.books;
        let host = self.snapshot.tables.hosts.iter().map(|(_, host)| host).next();
        if let Some(host) = host {
            write!(out, "{} {}  ", host.name, host.kernel)?;
        }
        writeln!(
            out,
            "{}  {} {}% busy  {:.0} samples/s  lost {}%  complete {}  self {:.1}% {}  {}",
            format::time_of_day(self.snapshot.taken_at.wall_ns),
            format::plural(self.pulse.busy.len() as u64, "cpu", "cpus"),
            percent_of(self.pulse.load()),
            self.pulse.samples_per_s,
            percent_of(books.lost_share()),
            complete_text(&books.quality),
            books.own_cpu_percent + books.bpf_cpu_percent.unwrap_or(0.0),
            format::bytes(books.own_rss_bytes),
            self.options.window.label(),
        )?;
        writeln!(
            out,
            "\n{:>6} {:>6}  {:16} {:16} FUNCTION",
            "SELF%", "TOTAL%", "MODULE", "PROCESS"
        )?;
        for row in self.top.rows.iter().take(TOP_ROWS) {
            let others = match row.processes {
                0 | 1 => String::new(),
                several => format!(" +{}", several - 1),
            };
            writeln!(
                out,
                "{:>6} {:>6}  {} {} {}",
                percent(row.self_value, self.top.sum),
                percent(row.total, self.top.sum),
                pad(row.module.as_str(), NAME_COLUMNS, ELLIPSIS),
                pad(&format!("{}{others}", row.process), NAME_COLUMNS, ELLIPSIS),
                row.name,
            )?;
        }
        writeln!(
            out,
            "\n{:>8} {:>6} {:>7}  {:16} HOTTEST FUNCTION",
            "PID", "CPU%", "KERNEL%", "NAME"
        )?;
        for row in self.processes.rows.iter().take(PROCESS_ROWS) {
            let hottest = row.hottest.as_ref().map_or("", |(name, _)| name.as_str());
            writeln!(
                out,
                "{:>8} {:>6.1} {:>7}  {} {hottest}",
                row.key.pid,
                self.cpu_percent(row.samples),
                percent(row.kernel, row.samples),
                pad(row.name.as_str(), NAME_COLUMNS, ELLIPSIS),
            )?;
        }
        writeln!(out)
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let books = &self.snapshot.books;
        let host = self.snapshot.tables.hosts.iter().map(|(_, host)| host).next();
        let top = self.top.rows.iter().take(TOP_ROWS).map(|row| {
            json!({
                "function": row.name.as_str(),
                "module": row.module.as_str(),
                "source": row.source.as_ref().map(probe::profile::Text::as_str),
                "line": row.line,
                "kind": kind_word(row.kind),
                "self": row.self_value,
                "total": row.total,
                "process": row.process.as_str(),
                "processes": row.processes,
            })
        });
        let processes = self.processes.rows.iter().take(PROCESS_ROWS).map(|row| {
            json!({
                "pid": row.key.pid,
                "name": row.name.as_str(),
                "unit": row.place.as_str(),
                "samples": row.samples,
                "kernel": row.kernel,
                "threads": row.threads,
                "cpu_percent": self.cpu_percent(row.samples),
                "hottest": row.hottest.as_ref().map(|(name, _)| name.as_str()),
            })
        });
        json!({
            "time_unix_ns": self.snapshot.taken_at.wall_ns,
            "host": host.map(|host| host.name.as_str()),
            "kernel": host.map(|host| host.kernel.as_str()),
            "cpus": self.pulse.busy.len(),
            "load": self.pulse.load(),
            "samples_per_s": self.pulse.samples_per_s,
            "covered_ns": self.options.window.covered_ns(self.snapshot),
            "period_ns": period_ns(self.snapshot),
            "samples": self.top.sum,
            "samples_hidden": self.top.hidden,
            "lost_share": books.lost_share(),
            "complete_share": books.quality.complete_share(),
            "wrong_share": books.quality.wrong_share(),
            "own_cpu_percent": books.own_cpu_percent,
            "bpf_cpu_percent": books.bpf_cpu_percent,
            "own_rss_bytes": books.own_rss_bytes,
            "top": top.collect::<Vec<_>>(),
            "processes": processes.collect::<Vec<_>>(),
        })
    }
}
