//! What the outside has to do after an event: [`crate::app::App::update`] itself
//! touches nothing but its own state.

use crate::view::Request;
use probe::profile::Command;

/// How the screen was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Somebody asked for it with a key.
    Quit,
    /// This signal did.
    Signal(i32),
    /// The terminal is gone.
    HungUp,
}

/// Something to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Draw the screen, soon.
    Draw,
    /// Clear the terminal first, since something else has written to it.
    Repaint,
    /// Compute a view.
    Compute(Box<Request>),
    /// Ask something of the source.
    Source(Command),
    /// Give the terminal back and stop until continued.
    Suspend,
    /// End.
    Exit(Exit),
}
