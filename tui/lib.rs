//! otop's screen and command line.
//!
//! ```text
//!  keys, mouse, signals ─┐                  ┌─▶ Draw ─▶ screen/ ─▶ terminal
//!  snapshots ────────────┼─▶ Event ─▶ App ──┼─▶ Compute ─▶ view thread ─▶ Event
//!  views ────────────────┘  (one channel)   └─▶ Source, Suspend, Exit
//! ```
//!
//! [`app::App::update`] is the only writer of state, and [`run()`] the seam at
//! which tests put in their own terminal, source and events.

pub mod action;
pub mod app;
pub mod cli;
pub mod color;
pub mod costs;
pub mod counters;
pub mod effect;
pub mod event;
pub mod filter;
pub mod format;
pub mod icicle;
pub mod keymap;
pub mod layout;
pub mod live;
pub mod options;
pub mod plain;
pub mod pulse;
pub mod quality;
pub mod record;
pub mod rows;
pub mod run;
pub mod save;
pub mod screen;
pub mod sort;
pub mod start;
pub mod terminal;
pub mod theme;
#[cfg(test)]
mod tree_fixture;
pub mod view;
pub mod widget;

pub use run::run;
pub use start::start;
