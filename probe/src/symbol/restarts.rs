//! How often a worker may be started: a program that kills each one must not
//! make otop spend its time on starting them.

use super::limits::{RESTART_WINDOW, RESTARTS_MAX};
use std::collections::VecDeque;
use std::time::Instant;

/// The starts of the last [`RESTART_WINDOW`], [`RESTARTS_MAX`] at most.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    starts: VecDeque<Instant>,
}

impl Restarts {
    /// Whether one more start is allowed now; if so, it is counted.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        while let Some(first) = self.starts.front()
            && now.saturating_duration_since(*first) >= RESTART_WINDOW
        {
            self.starts.pop_front();
        }
        let allowed = self.starts.len() < RESTARTS_MAX;
        if allowed {
            self.starts.push_back(now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_is_cut_and_time_heals() {
        let mut restarts = Restarts::default();
        let start = Instant::now();
        for n in 0..RESTARTS_MAX as u64 {
            assert!(restarts.take(start + Duration::from_millis(n)));
        }
        assert!(!restarts.take(start + Duration::from_millis(500)));
        assert!(!restarts.take(start + RESTART_WINDOW.saturating_sub(Duration::from_millis(1))));
        assert!(restarts.take(start + RESTART_WINDOW));
        assert!(!restarts.take(start + RESTART_WINDOW));
    }
}
