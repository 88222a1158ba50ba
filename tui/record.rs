//! Sampling for a while, into a file.

use crate::event::{Event, Signal};
use probe::profile::Source;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// Waits until the time is over, the source has ended, or a signal comes;
/// gives the signal. What was sampled until then is kept all the same.
pub async fn wait(
    duration: Duration,
    source: &Arc<dyn Source>,
    events: &mut Receiver<Event>,
) -> Option<i32> {
    let over = tokio::time::sleep(duration);
    tokio::pin!(over);
    while source.ended().is_none() {
        tokio::select! {
            () = &mut over => break,
            event = events.recv() => match event {
                Some(Event::Signal(Signal::End(number))) => return Some(number),
                Some(_) => {}
                None => break,
            }
        }
    }
    None
}
