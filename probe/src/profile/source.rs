//! Where snapshots come from: live sampling, a replay, or other hosts. Screens,
//! exports and the tee cannot tell them apart.

use super::Snapshot;
use std::sync::Arc;

/// What a view may ask of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Count from zero again and forget the history.
    Reset,
}

/// A source of snapshots.
pub trait Source: Send + Sync {
    /// The newest snapshot. Never waits.
    fn latest(&self) -> Arc<Snapshot>;

    /// Has `wake` called, from another thread, after each new snapshot and once
    /// when the source has ended.
    fn on_publish(&self, wake: Box<dyn Fn() + Send + Sync>);

    /// Asks for something; done before some later snapshot.
    fn command(&self, command: Command);

    /// None while it runs; then the reason why it ended, in one line, or an
    /// empty reason where the end was asked for.
    fn ended(&self) -> Option<String>;
}
