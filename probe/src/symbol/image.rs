//! A file by its descriptor, read at offsets.
//!
//! Files are read, never mapped: one that is truncated meanwhile gives a short
//! read instead of a SIGBUS, and what is read counts against the worker's
//! memory limit. Positions are given with each read, since the descriptor's own
//! position is shared with the process that sent it.

use super::limits::CHECKSUM_BYTES_MAX;
use crate::profile::Unresolved;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

/// How much is read at a time where all of a file or section goes by.
pub(super) const CHUNK_BYTES: usize = 1024 * 1024;

/// A regular file.
#[derive(Debug)]
pub(super) struct Image {
    file: File,
    len: u64,
}

impl Image {
    /// Takes a descriptor.
    ///
    /// # Errors
    ///
    /// [`Unresolved::NoFile`] for anything but a regular file.
    pub(super) fn new(file: OwnedFd) -> Result<Self, Unresolved> {
        let file = File::from(file);
        let meta = file.metadata().map_err(|error| reason(&error))?;
        if !meta.is_file() {
            return Err(Unresolved::NoFile);
        }
        Ok(Self { file, len: meta.len() })
    }

    /// The file's length in bytes, as it was when it was taken.
    #[must_use]
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// The file itself, for a reader that keeps a position of its own.
    #[must_use]
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// `size` bytes at `offset`.
    ///
    /// # Errors
    ///
    /// [`Unresolved::Limit`] where `size` is over `size_max` or past the end of
    /// the file, before anything is allocated.
    pub(super) fn bytes(
        &self,
        offset: u64,
        size: u64,
        size_max: u64,
    ) -> Result<Vec<u8>, Unresolved> {
        let end = offset.checked_add(size).ok_or(Unresolved::Limit)?;
        if size > size_max || end > self.len {
            return Err(Unresolved::Limit);
        }
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| Unresolved::Limit)?];
        self.file.read_exact_at(&mut bytes, offset).map_err(|error| reason(&error))?;
        Ok(bytes)
    }

    /// The bytes from `offset` to the next NUL, but no more than `len_max`, and
    /// none past `end`.
    ///
    /// # Errors
    ///
    /// [`Unresolved::Limit`] where the file cannot be read there.
    pub(super) fn string(
        &self,
        offset: u64,
        end: u64,
        len_max: usize,
    ) -> Result<Vec<u8>, Unresolved> {
        const FIRST_BYTES: usize = 128;
        let room = end.min(self.len).checked_sub(offset).ok_or(Unresolved::Limit)?;
        let len_max = usize::try_from(room).unwrap_or(usize::MAX).min(len_max);
        let mut text = vec![0; len_max.min(FIRST_BYTES)];
        loop {
            self.file.read_exact_at(&mut text, offset).map_err(|error| reason(&error))?;
            if let Some(nul) = text.iter().position(|byte| *byte == 0) {
                text.truncate(nul);
                return Ok(text);
            }
            if text.len() == len_max {
                return Ok(text);
            }
            text.resize(len_max, 0);
        }
    }

    /// The checksum that `.gnu_debuglink` holds of the file it names (GDB
    /// manual, "Debugging Information in Separate Files").
    ///
    /// # Errors
    ///
    /// [`Unresolved::Limit`] where the file is too large for that.
    pub(super) fn crc32(&self) -> Result<u32, Unresolved> {
        if self.len > CHECKSUM_BYTES_MAX {
            return Err(Unresolved::Limit);
        }
        let mut hasher = crc32fast::Hasher::new();
        let mut offset = 0;
        while offset < self.len {
            let size = (self.len - offset).min(CHUNK_BYTES as u64);
            hasher.update(&self.bytes(offset, size, size)?);
            offset += size;
        }
        Ok(hasher.finalize())
    }
}

/// A position of our own in a descriptor that another process shares.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    file: &'a File,
    len: u64,
    position: u64,
}

impl<'a> Cursor<'a> {
    /// At the start of a file of `len` bytes.
    #[must_use]
    pub(super) const fn new(file: &'a File, len: u64) -> Self {
        Self { file, len, position: 0 }
    }
}

impl Read for Cursor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// What an error of the file system means for the frame.
#[must_use]
pub(super) fn reason(error: &io::Error) -> Unresolved {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Unresolved::Denied,
        io::ErrorKind::NotFound => Unresolved::NoFile,
        _ => Unresolved::Limit,
    }
}
