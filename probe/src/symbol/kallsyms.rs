//! The kernel's functions, by `/proc/kallsyms` (`kernel/kallsyms.c`).
//!
//! One line a symbol: address in hexadecimal, a letter for the type as `nm`
//! prints it, the name, and for a module its name in brackets after a tab. The
//! kernel decides who sees addresses when the file is opened, so a descriptor
//! that a privileged process opened serves an unprivileged one.

use super::demangle::demangle;
use super::image::{CHUNK_BYTES, Cursor, reason};
use super::limits::{FUNCTIONS_MAX, KALLSYMS_BYTES_MAX, MODULE_BYTES_MAX, NAME_BYTES_MAX};
use super::wire::{Label, Line};
use crate::profile::{FrameKind, Unresolved};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::OwnedFd;

/// A function's address, and where its name starts in `Kallsyms::text`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    address: u64,
    text_at: u32,
}

/// The kernel's functions by address.
#[derive(Debug, Default)]
pub(super) struct Kallsyms {
    rows: Vec<Row>,
    /// `name` or `name\t[module]`, each ended by a newline.
    text: Vec<u8>,
}

impl Kallsyms {
    /// Reads the whole file.
    ///
    /// # Errors
    ///
    /// [`Unresolved::Denied`] where the kernel hides its addresses
    /// (`kernel.kptr_restrict`), [`Unresolved::Limit`] where there is too much.
    pub(super) fn new(file: OwnedFd) -> Result<Self, Unresolved> {
        let file = File::from(file);
        let cursor = Cursor::new(&file, 0).take(KALLSYMS_BYTES_MAX);
        let mut reader = BufReader::with_capacity(CHUNK_BYTES, cursor);
        let mut this = Self::default();
        let mut seen = false;
        let mut line = Vec::new();
        loop {
            line.clear();
            let room = (NAME_BYTES_MAX + MODULE_BYTES_MAX) as u64;
            let count = reader.by_ref().take(room).read_until(b'\n', &mut line);
            if count.map_err(|error| reason(&error))? == 0 {
                break;
            }
            seen = true;
            this.push(line.trim_ascii_end());
            if this.rows.len() > FUNCTIONS_MAX {
                return Err(Unresolved::Limit);
            }
        }
        if this.rows.is_empty() {
            return Err(if seen { Unresolved::Denied } else { Unresolved::NoFile });
        }
        this.rows.sort_unstable();
        this.rows.shrink_to_fit();
        this.text.shrink_to_fit();
        Ok(this)
    }

    /// How much memory it takes, in bytes.
    #[must_use]
    pub(super) const fn bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>() + self.text.capacity()
    }

    /// The function at a kernel address; None before the first.
    #[must_use]
    pub(super) fn find(&self, address: u64) -> Option<Line> {
        let after = self.rows.partition_point(|row| row.address <= address);
        let row = self.rows.get(after.checked_sub(1)?)?;
        // Of several names the first in the file, as the kernel itself does.
        let first = self.rows.partition_point(|other| other.address < row.address);
        let at = usize::try_from(self.rows.get(first)?.text_at).ok()?;
        let text = self.text.get(at..)?.split(|byte| *byte == b'\n').next()?;
        let mut parts = text.split(|byte| *byte == b'\t');
        let name = demangle(parts.next()?);
        let module = parts.next().map(<[u8]>::to_vec);
        let label = Label::Name(name.bytes);
        Some(Line { label, kind: FrameKind::Kernel, line: 0, file: None, module })
    }

    /// Keeps a line that names code at a known address.
    fn push(&mut self, line: &[u8]) {
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        let (Some(address), Some(kind), Some(text)) = (parts.next(), parts.next(), parts.next())
        else {
            return;
        };
        let address =
            std::str::from_utf8(address).ok().and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let Some(address) = address.filter(|address| *address != 0) else { return };
        let Ok(text_at) = u32::try_from(self.text.len()) else { return };
        // Text symbols, and weak ones, which can be text.
        if matches!(kind, b"t" | b"T" | b"w" | b"W") {
            self.rows.push(Row { address, text_at });
            self.text.extend_from_slice(text);
            self.text.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn kallsyms(text: &str) -> Result<Kallsyms, Unresolved> {
        let file = rustix::fs::memfd_create("kallsyms", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
        let mut file = File::from(file);
        file.write_all(text.as_bytes()).unwrap();
        Kallsyms::new(file.into())
    }

    const TEXT: &str = "ffffffff81000000 T _text\nffffffff81000000 T startup_64\n\
        ffffffff81000100 t helper\nffffffff81000180 D jiffies\nnonsense\n\nffff T\n\
        ffffffffa0000000 t ext4_read\t[ext4]\n";

    #[track_caller]
    fn check(address: u64, name: &str, module: Option<&str>) {
        let line = kallsyms(TEXT).unwrap().find(address).unwrap();
        assert_eq!(line.label, Label::Name(name.into()));
        assert_eq!(line.module, module.map(Into::into));
        assert_eq!(line.kind, FrameKind::Kernel);
    }

    #[test]
    fn the_last_function_before_an_address_has_it() {
        check(0xffff_ffff_8100_0000, "_text", None);
        check(0xffff_ffff_8100_00ff, "_text", None);
        check(0xffff_ffff_8100_0190, "helper", None);
        check(0xffff_ffff_a000_0010, "ext4_read", Some("[ext4]"));
        assert_eq!(kallsyms(TEXT).unwrap().find(1), None);
    }

    #[test]
    fn hidden_addresses_are_told_from_an_empty_file() {
        let hidden = "0000000000000000 T _text\n0000000000000000 T startup_64\n";
        assert_eq!(kallsyms(hidden).unwrap_err(), Unresolved::Denied);
        assert_eq!(kallsyms("").unwrap_err(), Unresolved::NoFile);
    }
}
