//! What every Rust program here shares: it ends by itself.

use std::hint::black_box;
use std::io::Write as _;
use std::os::unix::process::parent_id;
use std::process::exit;
use std::time::{Duration, Instant};

/// Ends the process with its parent, or when its time is over.
pub struct Life {
    parent: u32,
    end: Instant,
}

impl Life {
    /// `argv[1]` seconds from now, 30 if absent; then says that it is ready.
    pub fn start() -> Self {
        let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(30);
        let mut out = std::io::stdout();
        if writeln!(out, "ready 0").and_then(|()| out.flush()).is_err() {
            exit(1);
        }
        Self { parent: parent_id(), end: Instant::now() + Duration::from_secs(seconds) }
    }

    /// To be called now and then.
    pub fn check(&self) {
        if parent_id() != self.parent || Instant::now() >= self.end {
            exit(0);
        }
    }
}

/// A chain of dependent shifts, which costs the same wherever it lies.
#[inline(always)]
pub fn work(seed: u64, rounds: u32) -> u64 {
    let mut value = seed | 1;
    for _ in 0..rounds {
        value ^= value << 13;
        value ^= value >> 7;
        value ^= value << 17;
        value = black_box(value);
    }
    value
}
