//! The loop of the screen and plain output, with a source and a terminal of our
//! own.

#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage has failed")]

#[allow(dead_code, reason = "each test uses a part")]
mod support;

use anyhow::Result;
use probe::profile::Source;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::sync::Arc;
use support::{Ended, Machine, key, options, row};
use tokio::sync::mpsc::channel;
use tui::app::App;
use tui::color::Depth;
use tui::effect::Exit;
use tui::event::{EVENTS_MAX, Event, Signal};
use tui::live::Running;
use tui::options::{Options, Window};
use tui::plain;
use tui::terminal::Tty;
use tui::theme::{Theme, UNICODE};

/// A terminal that counts how often it was given back.
#[derive(Default)]
struct Counted {
    suspended: usize,
    resumed: usize,
}

impl Tty for Counted {
    fn suspend(&mut self) -> Result<()> {
        self.suspended += 1;
        Ok(())
    }

    fn resume(&mut self) -> Result<()> {
        self.resumed += 1;
        Ok(())
    }
}

fn running() -> Running {
    let last = Machine::busy(10).snapshot(0);
    let source = Arc::new(Ended(Arc::clone(&last)));
    Running { source, stop: Box::new(|| (last, None)) }
}

/// Runs the screen with these events; gives how it ended and the first rows.
fn run(
    source: impl Future<Output = Result<Running>>,
    events: impl IntoIterator<Item = Event>,
    tty: &mut Counted,
) -> (Result<(Exit, Option<Running>)>, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    let theme = Theme::load("dark", Depth::True, &UNICODE).unwrap();
    let app = App::new(&options(), theme, terminal.size().unwrap());
    let (sender, inbox) = channel(EVENTS_MAX);
    for event in events {
        sender.try_send(event).unwrap();
    }
    let ended = runtime.block_on(tui::run(app, source, &mut terminal, tty, (sender, inbox)));
    let buffer = terminal.backend().buffer();
    (ended, (0..24).map(|y| row(buffer, y)).collect())
}

#[test]
fn the_screen_is_there_before_the_source() {
    let never = std::future::pending();
    let (ended, rows) = run(never, [key("q")], &mut Counted::default());
    let (exit, running) = ended.unwrap();
    assert_eq!(exit, Exit::Quit);
    assert!(running.is_none());
    assert!(rows[0].starts_with(" otop"), "{rows:?}");
    assert!(rows[1].contains("1 Top"), "{rows:?}");
}

#[test]
fn a_source_that_cannot_start_ends_it() {
    let fails = async { anyhow::bail!("no permission; run it as root") };
    let (ended, _) = run(fails, [], &mut Counted::default());
    assert_eq!(ended.unwrap_err().to_string(), "no permission; run it as root");
}

#[test]
fn a_stop_gives_the_terminal_back() {
    let mut tty = Counted::default();
    let stop = [Signal::Suspend, Signal::Continue, Signal::End(15)].map(Event::Signal);
    let (ended, _) = run(async { Ok(running()) }, stop, &mut tty);
    assert_eq!(ended.unwrap().0, Exit::Signal(15));
    assert_eq!((tty.suspended, tty.resumed), (1, 1));
}

/// Plain output of the made-up machine until it ends by itself.
fn plain(options: &Options, rounds: Option<u64>, json: bool) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let source: Arc<dyn Source> = running().source;
    let (_sender, mut events) = channel(1);
    let mut out = Vec::new();
    let done = plain::run(options, (rounds, json), &source, &mut events, &mut out);
    assert_eq!(runtime.block_on(done).unwrap(), None);
    String::from_utf8(out).unwrap()
}

#[test]
fn plain_blocks() {
    insta::assert_snapshot!("plain", plain(&options(), Some(3), false));
}

#[test]
fn plain_json_is_an_object_a_line() {
    let window = Window::All;
    let text = plain(&Options { window, ..options() }, Some(1), true);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 1);
    let object: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(object["host"], "web-3");
    assert_eq!(object["cpus"], 2);
    let sum = object["samples"].as_u64().unwrap();
    let all: u64 =
        object["top"].as_array().unwrap().iter().map(|row| row["self"].as_u64().unwrap()).sum();
    assert_eq!(all, sum);
    let escaped = object["processes"].to_string().contains("evil\\\\x1b]52;c;aGk=\\\\x07");
    assert!(escaped, "{}", object["processes"]);
}

#[test]
fn plain_ends_where_nobody_reads() {
    struct Closed;
    impl std::io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let source: Arc<dyn Source> = running().source;
    let (_sender, mut events) = channel(1);
    let (options, mut closed) = (options(), Closed);
    let done = plain::run(&options, (None, false), &source, &mut events, &mut closed);
    assert_eq!(runtime.block_on(done).unwrap(), None);
}
