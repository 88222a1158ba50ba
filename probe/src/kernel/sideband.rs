//! The ring buffer through which perf reports what processes do, one a CPU.

use super::perf;
use rustix::fd::{AsRawFd as _, OwnedFd};
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

/// Pages of data; a power of two (`perf_event_open(2)`, "MMAP layout"). An exec
/// writes about 1 KB: 256 KiB hold 250 of them on this CPU between two drains.
const DATA_PAGES: usize = 64;

/// The ring wakes its reader once this much is in it: nobody waits for less.
const WAKEUP_BYTES: u32 = 4096;

/// Where `data_head` is in `struct perf_event_mmap_page`; `data_tail` follows.
const DATA_HEAD_OFFSET: usize = 1024;

/// A ring of process records of one CPU.
#[derive(Debug)]
pub(super) struct SideBand {
    event: OwnedFd,
    base: NonNull<u8>,
    page_bytes: usize,
}

// SAFETY: the mapping belongs to this value alone, and only `&mut self` reads
// from it.
unsafe impl Send for SideBand {}

impl SideBand {
    /// Opens and enables the ring of `cpu`.
    pub(super) fn open(cpu: u32) -> io::Result<Self> {
        let event = perf::open_process_records(cpu, WAKEUP_BYTES)?;
        let page_bytes = rustix::param::page_size();
        let bytes = page_bytes * (1 + DATA_PAGES);
        // SAFETY: a new shared mapping of the event's own buffer, at an address of
        // the kernel's choice; unmapped in `drop`.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                event.as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Self { event, base, page_bytes })
    }

    /// The event, to wait for it.
    pub(super) const fn event(&self) -> &OwnedFd {
        &self.event
    }

    /// Appends everything in the ring to `bytes` and empties it.
    pub(super) fn drain(&mut self, bytes: &mut Vec<u8>) {
        let data_bytes = self.page_bytes * DATA_PAGES;
        let (head, tail) = (self.position(0), self.position(1));
        let from = tail.load(Ordering::Relaxed);
        let to = head.load(Ordering::Acquire);
        let len = usize::try_from(to.wrapping_sub(from)).unwrap_or(0).min(data_bytes);
        let start = usize::try_from(from % data_bytes as u64).unwrap_or(0);
        let until_wrap = len.min(data_bytes - start);
        for (offset, len) in [(start, until_wrap), (0, len - until_wrap)] {
            // SAFETY: offset + len <= data_bytes, so the range lies in the data part
            // of the mapping; the kernel does not write between tail and head.
            let part = unsafe {
                std::slice::from_raw_parts(self.base.add(self.page_bytes + offset).as_ptr(), len)
            };
            bytes.extend_from_slice(part);
        }
        tail.store(to, Ordering::Release);
    }

    /// `data_head` (0) or `data_tail` (1).
    fn position(&self, which: usize) -> &AtomicU64 {
        // SAFETY: both are aligned u64s in the first page, which lives as long as
        // self; the kernel, too, accesses them atomically.
        unsafe { AtomicU64::from_ptr(self.base.add(DATA_HEAD_OFFSET).cast().add(which).as_ptr()) }
    }
}

impl Drop for SideBand {
    fn drop(&mut self) {
        let bytes = self.page_bytes * (1 + DATA_PAGES);
        // SAFETY: this is the mapping made in `open`, and nothing refers to it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), bytes) };
    }
}
