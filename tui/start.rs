//! From options to a running task, and what is said at its end.

use crate::app::App;
use crate::color::Depth;
use crate::effect::Exit;
use crate::event::{EVENTS_MAX, Event};
use crate::live::{self, Running};
use crate::options::{Options, Sampling, Task, Window};
use crate::terminal::{Guard, forward_input, forward_signals};
use crate::theme::{Glyphs, THEMES, Theme};
use crate::{counters, format, plain, quality, record, save};
use anyhow::{Context as _, Result};
use probe::format::folded;
use probe::profile::{Filter, Scope, Snapshot, Source};
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// What a shell adds to the number of the signal that ended a program.
const EXIT_SIGNAL: i32 = 128;

/// What starts a source.
pub type Launch = fn(&Sampling) -> Result<Running>;

/// Does what was asked for, with samples from the source that `launch` starts.
///
/// # Errors
///
/// Where it cannot be done, in one line with the remedy where there is one.
pub fn start(options: &Options, launch: Launch) -> Result<ExitCode> {
    if options.task == Task::Doctor {
        let (report, able) = live::doctor();
        std::io::stdout().write_all(report.as_bytes()).context("cannot write")?;
        return Ok(if able { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if let Some(path) = &options.stats_json {
        save::check(path)?;
    }
    if let Task::Record { output, .. } = &options.task {
        save::check(output)?;
    }
    let runtime = Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let ended: Result<(Option<i32>, Option<u8>)> = runtime.block_on(async {
        let (sender, mut events) = channel(EVENTS_MAX);
        forward_signals(&sender)?;
        match &options.task {
            Task::Screen => return Ok((screen(options, launch, (sender, events)).await?, None)),
            Task::Doctor => return Ok((None, None)),
            Task::Plain { .. } | Task::Record { .. } => {}
        }
        let Running { source, stop } = launch(&options.sampling)?;
        wake_on_publish(source.as_ref(), sender);
        let (signal, (last, code)) = match &options.task {
            Task::Plain { rounds, json } => {
                let out = &mut std::io::stdout().lock();
                let signal =
                    plain::run(options, (*rounds, *json), &source, &mut events, out).await?;
                let stopped = stop();
                check_ended_well(source.as_ref())?;
                (signal, stopped)
            }
            Task::Record { output, duration } => {
                let signal = record::wait(*duration, &source, &mut events).await;
                let (last, code) = stop();
                check_ended_well(source.as_ref())?;
                let query = Window::All.query(&last, Scope::Machine, Filter::default());
                save::replace(output, |out| Ok(folded::write(&last, &query, out)?))?;
                (signal, (last, code))
            }
            Task::Screen | Task::Doctor => (None, stop()),
        };
        finish(options, &last)?;
        Ok((signal, code))
    });
    // A source that is still starting must not hold up the end.
    runtime.shutdown_background();
    let (signal, code) = ended?;
    let of_signal = |signal| u8::try_from(EXIT_SIGNAL + signal).unwrap_or(u8::MAX);
    Ok(ExitCode::from(signal.map(of_signal).or(code).unwrap_or(0)))
}

/// An error where the source has ended of itself, for a reason.
fn check_ended_well(source: &dyn Source) -> Result<()> {
    let reason = source.ended().unwrap_or_default();
    anyhow::ensure!(reason.is_empty(), reason);
    Ok(())
}

/// Wakes whoever waits for events, so that the end of the source is seen.
fn wake_on_publish(source: &dyn Source, sender: Sender<Event>) {
    source.on_publish(Box::new(move || {
        let _ = sender.try_send(Event::Tick);
    }));
}

/// Opens the screen at once and starts to sample meanwhile.
async fn screen(
    options: &Options,
    launch: Launch,
    (sender, events): (Sender<Event>, Receiver<Event>),
) -> Result<Option<i32>> {
    let var = |name: &str| std::env::var(name).ok();
    let name = options.theme.as_deref().unwrap_or(THEMES[0].0);
    let theme = Theme::load(name, Depth::detect(var), Glyphs::detect(var))?;
    let (exit, running) = {
        let (mut guard, mut terminal) = Guard::take()?;
        forward_input(sender.clone());
        let size = terminal.size().context("the terminal has no size")?;
        let app = App::new(options, theme, size);
        let sampling = options.sampling.clone();
        let source = async move {
            tokio::task::spawn_blocking(move || launch(&sampling)).await.context("cannot start")?
        };
        crate::run(app, source, &mut terminal, &mut guard, (sender, events)).await?
    };
    if let Some(Running { source: _, stop }) = running {
        finish(options, &stop().0)?;
    }
    match exit {
        Exit::Quit => Ok(None),
        Exit::Signal(number) => {
            say(&format!("ended by signal {number}"));
            Ok(Some(number))
        }
        Exit::HungUp => anyhow::bail!("the terminal is gone"),
    }
}

/// The last words: the books to their file, and a line on stderr.
fn finish(options: &Options, last: &Snapshot) -> Result<()> {
    let age_ns = last.taken_at.monotonic_ns.saturating_sub(last.started_at.monotonic_ns);
    let books = &last.books;
    say(&format!(
        "{} in {}, lost {}%, complete stacks {}",
        format::plural(books.user.decoded, "sample", "samples"),
        format::duration(Duration::from_nanos(age_ns)),
        format::percent_of(books.lost_share()),
        quality::complete_text(&books.quality),
    ));
    if let Some(path) = &options.stats_json {
        save::replace(path, |out| Ok(writeln!(out, "{}", counters::json(last))?))?;
    }
    Ok(())
}

/// A line on stderr; where that is closed, nobody is left to tell.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "otop: {text}");
}
