//! Sampling for a while, into a file.

use crate::event::{Event, Signal};
use probe::profile::{Moment, Source};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;

/// Waits until sampling has gone on for `duration`, the source has ended, or a signal comes;
/// gives the signal. What was sampled until then is kept all the same.
pub async fn wait(
    duration: Duration,
    source: &Arc<dyn Source>,
    events: &mut Receiver<Event>,
) -> Option<i32> {
    let over = tokio::time::sleep(duration);
    tokio::pin!(over);
    let mut begun = false;
    while source.ended().is_none() {
        if !begun && source.latest().started_at != Moment::default() {
            // Loading the programs takes its time on a busy host.
            begun = true;
            over.as_mut().reset(Instant::now() + duration);
        }
        tokio::select! {
            () = &mut over, if begun => break,
            event = events.recv() => match event {
                Some(Event::Signal(Signal::End(number))) => return Some(number),
                Some(_) => {}
                None => break,
            }
        }
    }
    None
}
