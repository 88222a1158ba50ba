//! One second of samples.

use super::{StackHandle, ThreadHandle};

/// The length of a slice in ns. Slices start at whole seconds of the monotonic
/// clock.
pub const SLICE_NS: u64 = 1_000_000_000;

/// One sample, in 12 bytes: 30 minutes of 64 busy CPUs at 99 Hz are 137 MB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The whole stack.
    pub stack: StackHandle,
    /// Who ran.
    pub thread: ThreadHandle,
    /// When, after the slice's start, in 1/65,536 of a slice (15.3 us).
    pub offset: u16,
    /// The logical CPU.
    pub cpu: u16,
}

/// The samples of one type in one slice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// In the order in which they arrived, which is almost that of time.
    pub points: Vec<Point>,
    /// One value a point; empty where each is 1.
    pub values: Vec<u64>,
}

impl Series {
    /// Adds a sample. A value of 1 costs nothing until another one comes.
    pub fn push(&mut self, point: Point, value: u64) {
        if value != 1 && self.values.is_empty() {
            self.values = vec![1; self.points.len()];
        }
        if value != 1 || !self.values.is_empty() {
            self.values.push(value);
        }
        self.points.push(point);
    }

    /// Each point with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&Point, u64)> {
        self.points.iter().enumerate().map(|(i, p)| (p, self.values.get(i).copied().unwrap_or(1)))
    }
}

/// One second of samples, of every type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// Monotonic ns; a multiple of [`SLICE_NS`].
    pub start_ns: u64,
    /// In the order of `Snapshot::sample_types`.
    pub series: Vec<Series>,
}

impl Slice {
    /// The time of a point, in monotonic ns.
    #[must_use]
    pub const fn time_ns(&self, point: &Point) -> u64 {
        self.start_ns + ((point.offset as u64 * SLICE_NS) >> 16)
    }

    /// The offset that stands for `time_ns` in its slice, rounded down.
    #[must_use]
    pub fn offset_of(time_ns: u64) -> u16 {
        u16::try_from(((time_ns % SLICE_NS) << 16) / SLICE_NS).unwrap_or(u16::MAX)
    }

    /// How many samples there are, of all types.
    #[must_use]
    pub fn points_len(&self) -> usize {
        self.series.iter().map(|series| series.points.len()).sum()
    }
}
