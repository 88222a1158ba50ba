//! Live sampling as a source, and whether this host allows it.

use crate::options::Sampling;
use anyhow::{Result, bail};
use probe::profile::{Snapshot, Source};
use std::sync::Arc;

/// A source that is running.
pub struct Running {
    /// Where snapshots come from.
    pub source: Arc<dyn Source>,
    /// Ends it: detaches, takes in what is still under way, and gives the last
    /// snapshot.
    pub stop: Box<dyn FnOnce() -> Arc<Snapshot> + Send>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

/// Starts to sample.
///
/// # Errors
///
/// Where this host cannot be sampled, with the remedy.
pub fn start(_sampling: &Sampling) -> Result<Running> {
    bail!("live sampling is not built in yet")
}

/// Says whether this host can be sampled, and what to do if not: lines of text,
/// and whether it can.
///
/// # Errors
///
/// Where that cannot be found out.
pub fn doctor() -> Result<(String, bool)> {
    bail!("live sampling is not built in yet")
}
