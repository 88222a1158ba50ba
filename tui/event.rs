//! Everything that can happen, on one bounded channel.

use crate::view::View;
use crossterm::event::{KeyEvent, MouseEvent};
use probe::profile::Snapshot;
use std::sync::Arc;

/// Events that wait at most; input beyond it waits in the terminal, snapshots
/// beyond it are skipped (the next one says the same and more).
pub const EVENTS_MAX: usize = 256;

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse was clicked or its wheel turned.
    Mouse(MouseEvent),
    /// The terminal has another size: columns, rows.
    Resize(u16, u16),
    /// A second has passed.
    Tick,
    /// The source has a new snapshot.
    Published(Arc<Snapshot>),
    /// The source has ended, with a reason where it was not asked to.
    Ended(String),
    /// The view worker is done.
    Computed(Box<View>),
    /// A frame was drawn and written, in so many ns.
    Drawn(u64),
    /// Somebody sent a signal.
    Signal(Signal),
    /// The terminal is gone.
    HungUp,
}

/// A signal, by what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// To end: SIGTERM, SIGINT, SIGQUIT or SIGHUP, with its number.
    End(i32),
    /// To stop until continued: SIGTSTP.
    Suspend,
    /// To go on after a stop that could not be seen: SIGCONT.
    Continue,
}
