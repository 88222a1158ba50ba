//! The terminal, and that it always comes back.
//!
//! [`Guard`] puts it into raw mode on the alternate screen. Whatever ends the
//! program (an error, a signal, a panic in any thread), `leave` runs first,
//! and from then on nothing that is drawn reaches the terminal: [`Gate`] is
//! shut.

use crate::event::{Event, Signal};
use anyhow::{Context as _, Result};
use crossterm::cursor::{Hide, Show};
use crossterm::event::EventStream;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, style::Print, style::ResetColor};
use futures_util::StreamExt as _;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal as Number;
use std::io::{self, BufWriter, Write};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::Sender;

/// Clicks and the wheel, but not every motion, in the SGR form (xterm, "Mouse
/// Tracking": modes 1000 and 1006).
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// The exit code of a Rust program that panicked.
const EXIT_PANIC: i32 = 101;

/// A frame goes out in one write where it is no larger.
const FRAME_BYTES: usize = 64 << 10;

/// Whether the terminal is ours.
static OURS: AtomicBool = AtomicBool::new(false);

/// The screen on the terminal.
pub type Screen = Terminal<CrosstermBackend<BufWriter<Gate>>>;

/// stdout while the terminal is ours; afterwards what is written goes nowhere.
#[derive(Debug)]
pub struct Gate(io::Stdout);

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if OURS.load(Ordering::SeqCst) { self.0.write(bytes) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        if OURS.load(Ordering::SeqCst) { self.0.flush() } else { Ok(()) }
    }
}

/// Whether the terminal understands enough to draw on.
#[must_use]
pub fn can_draw() -> bool {
    std::env::var("TERM").is_ok_and(|term| !term.is_empty() && term != "dumb")
}

/// What the terminal does apart from being drawn on.
pub trait Tty {
    /// Gives the terminal back, stops, and takes it again when continued.
    ///
    /// # Errors
    ///
    /// Where it cannot be taken again.
    fn suspend(&mut self) -> Result<()>;

    /// Takes the terminal again after a stop that was not seen coming.
    ///
    /// # Errors
    ///
    /// Where it cannot be taken.
    fn resume(&mut self) -> Result<()>;
}

/// The terminal is ours as long as this lives.
#[derive(Debug)]
pub struct Guard(());

impl Guard {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// Where there is none.
    pub fn take() -> Result<(Self, Screen)> {
        restore_on_panic();
        let guard = Self(());
        enter()?;
        let out = BufWriter::with_capacity(FRAME_BYTES, Gate(io::stdout()));
        let screen = Terminal::new(CrosstermBackend::new(out)).context("cannot draw")?;
        Ok((guard, screen))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        leave();
    }
}

impl Tty for Guard {
    fn suspend(&mut self) -> Result<()> {
        leave();
        // SIGSTOP, since SIGTSTP has a handler here.
        rustix::process::kill_process(rustix::process::getpid(), Number::STOP)
            .context("cannot stop")?;
        enter()
    }

    fn resume(&mut self) -> Result<()> {
        enter()
    }
}

fn enter() -> Result<()> {
    enable_raw_mode().context("cannot use the terminal; try --plain")?;
    OURS.store(true, Ordering::SeqCst);
    execute!(io::stdout(), EnterAlternateScreen, Hide, Print(MOUSE_ON))
        .context("cannot use the terminal; try --plain")
}

/// Gives the terminal back, once; errors have nowhere to go.
fn leave() {
    if OURS.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), Print(MOUSE_OFF), ResetColor, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// A panic anywhere ends the program, since a thread is missing from then on:
/// first the terminal comes back, then the message.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let message = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            message(panic);
            std::process::exit(EXIT_PANIC);
        }));
    });
}

/// Whether the other end of the terminal is gone.
fn hung_up() -> bool {
    let stdout = io::stdout();
    let mut polled = [PollFd::new(&stdout, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    rustix::event::poll(&mut polled, Some(&now)).is_ok() && polled[0].revents().intersects(gone)
}

/// Sends keys, the mouse and sizes, and a tick a second, until nobody listens.
pub fn forward_input(events: Sender<Event>) {
    let ticks = events.clone();
    tokio::spawn(async move {
        let mut input = EventStream::new();
        while let Some(Ok(event)) = input.next().await {
            let event = match event {
                crossterm::event::Event::Key(key) => Event::Key(key),
                crossterm::event::Event::Mouse(mouse) => Event::Mouse(mouse),
                crossterm::event::Event::Resize(width, height) => Event::Resize(width, height),
                _ => continue,
            };
            if events.send(event).await.is_err() {
                return;
            }
        }
        let _ = events.send(Event::HungUp).await;
    });
    tokio::spawn(async move {
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        loop {
            seconds.tick().await;
            let event = if hung_up() { Event::HungUp } else { Event::Tick };
            if ticks.send(event).await.is_err() {
                return;
            }
        }
    });
}

/// Sends signals as events from now on.
///
/// # Errors
///
/// Where a handler cannot be installed.
pub fn forward_signals(events: &Sender<Event>) -> Result<()> {
    let ends = [Number::TERM, Number::INT, Number::QUIT, Number::HUP];
    let ends = ends.map(|number| (number, Signal::End(number.as_raw())));
    let jobs = [(Number::TSTP, Signal::Suspend), (Number::CONT, Signal::Continue)];
    for (number, meaning) in ends.into_iter().chain(jobs) {
        let mut signals =
            signal(SignalKind::from_raw(number.as_raw())).context("cannot handle signals")?;
        let events = events.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if events.send(Event::Signal(meaning)).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}
