//! What building one table may cost.

use super::Error;

/// Bounds for one ELF file. Files are hostile: a few bytes of DWARF can ask for
/// any number of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Functions (16 bytes each while building).
    pub functions_max: usize,
    /// Rows (4 bytes each in the table).
    pub rows_max: usize,
    /// Steps: an entry read, or a call frame instruction or a pcsp step run.
    pub steps_max: u64,
    /// Bytes of a section after decompression.
    pub section_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            functions_max: 2_000_000,
            rows_max: 8_000_000,
            steps_max: 100_000_000,
            section_bytes_max: 256 << 20,
        }
    }
}

/// The steps that are left of [`Limits::steps_max`].
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
    max: u64,
}

impl Budget {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self { left: limits.steps_max, max: limits.steps_max }
    }

    /// Takes one step.
    pub(super) fn step(&mut self) -> Result<(), Error> {
        self.steps(1)
    }

    /// Takes `count` steps; where there are not so many, none are left.
    pub(super) fn steps(&mut self, count: u64) -> Result<(), Error> {
        let left = self.left.checked_sub(count);
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Error::Steps(self.max))
    }
}
