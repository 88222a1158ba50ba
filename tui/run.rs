//! The loop of the screen.

use crate::app::App;
use crate::effect::{Effect, Exit};
use crate::event::Event;
use crate::live::Running;
use crate::screen;
use crate::terminal::Tty;
use crate::view::Worker;
use anyhow::{Context as _, Result};
use probe::profile::Source;
use ratatui::Terminal;
use ratatui::backend::Backend;
use ratatui::layout::Rect;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::Instant;

/// The least time between two frames: 30 a second are more than the eye needs.
const FRAME_TIME: Duration = Duration::from_millis(33);

/// Runs the screen until it is left; gives how, and the source if it has
/// started. The screen is drawn at once; `source` may take its time to start.
///
/// # Errors
///
/// Where the source cannot start or the terminal cannot be drawn on.
pub async fn run<B>(
    mut app: App,
    source: impl Future<Output = Result<Running>>,
    terminal: &mut Terminal<B>,
    tty: &mut dyn Tty,
    (sender, mut events): (Sender<Event>, Receiver<Event>),
) -> Result<(Exit, Option<Running>)>
where
    B: Backend,
    B::Error: Send + Sync + 'static,
{
    let worker = Worker::start(sender.clone())?;
    tokio::pin!(source);
    let mut started: Option<Running> = None;
    let mut frames = Frames { drawn_at: None, wanted: true };
    loop {
        if let Some(took_ns) = frames.draw(&app, terminal)? {
            app.update(Event::Drawn(took_ns));
        }
        let event = tokio::select! {
            event = events.recv() => event.unwrap_or(Event::HungUp),
            found = &mut source, if started.is_none() => {
                let running = found?;
                listen(&running.source, &sender);
                started = Some(running);
                continue;
            }
            () = tokio::time::sleep_until(frames.due()), if frames.wanted => continue,
        };
        for effect in app.update(or_end(event, started.as_ref())) {
            match effect {
                Effect::Draw => frames.wanted = true,
                Effect::Repaint => {
                    tty.resume()?;
                    frames.repaint(terminal)?;
                }
                Effect::Suspend => {
                    tty.suspend()?;
                    frames.repaint(terminal)?;
                }
                Effect::Compute(request) => worker.ask(*request),
                Effect::Source(command) => {
                    if let Some(running) = &started {
                        running.source.command(command);
                    }
                }
                Effect::Exit(exit) => return Ok((exit, started)),
            }
        }
    }
}

/// The end of the source, where a tick finds it: its own event may have found
/// the channel full.
fn or_end(event: Event, started: Option<&Running>) -> Event {
    match (event, started.and_then(|running| running.source.ended())) {
        (Event::Tick, Some(reason)) => Event::Ended(reason),
        (event, _) => event,
    }
}

/// Has snapshots, and the end, of a source sent as events.
fn listen(source: &Arc<dyn Source>, sender: &Sender<Event>) {
    let sender = sender.clone();
    // Weak, since the source keeps the closure.
    let weak = Arc::downgrade(source);
    let wake = move || {
        let Some(source) = weak.upgrade() else { return };
        // A full channel means a stalled terminal: the next snapshot will do.
        let _ = sender.try_send(Event::Published(source.latest()));
        if let Some(reason) = source.ended() {
            let _ = sender.try_send(Event::Ended(reason));
        }
    };
    let known = !source.latest().slices.is_empty() || source.ended().is_some();
    if known {
        wake();
    }
    source.on_publish(Box::new(wake));
}

/// When to draw.
struct Frames {
    drawn_at: Option<Instant>,
    wanted: bool,
}

impl Frames {
    fn due(&self) -> Instant {
        self.drawn_at.map_or_else(Instant::now, |at| at + FRAME_TIME)
    }

    /// Draws where it is time to, and gives how long that took, in ns.
    fn draw<B>(&mut self, app: &App, terminal: &mut Terminal<B>) -> Result<Option<u64>>
    where
        B: Backend,
        B::Error: Send + Sync + 'static,
    {
        let start = Instant::now();
        if !self.wanted || self.drawn_at.is_some_and(|at| at + FRAME_TIME > start) {
            return Ok(None);
        }
        terminal.draw(|frame| screen::draw(app, frame)).context("cannot draw")?;
        self.wanted = false;
        // After the drawing: a slow terminal gets its rest, too.
        self.drawn_at = Some(Instant::now());
        Ok(Some(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)))
    }

    fn repaint<B>(&mut self, terminal: &mut Terminal<B>) -> Result<()>
    where
        B: Backend,
        B::Error: Send + Sync + 'static,
    {
        // Not `clear`, which asks the terminal where the cursor is: the answer
        // would go to the reader of keys.
        let size = terminal.size().context("cannot draw")?;
        terminal.resize(Rect::from(size)).context("cannot draw")?;
        (self.wanted, self.drawn_at) = (true, None);
        Ok(())
    }
}
