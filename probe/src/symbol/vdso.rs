//! The kernel's code in every process (`vdso(7)`), as a file.

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

/// The vDSO is a few pages; far more is no vDSO.
const BYTES_MAX: u64 = 1024 * 1024;

/// A sealed copy of this process's vDSO: the same code as in every other 64-bit
/// process.
///
/// # Errors
///
/// [`io::ErrorKind::NotFound`] where the kernel maps none, and what reading
/// `/proc/self` reports.
pub fn vdso_image() -> io::Result<OwnedFd> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let range = maps.lines().find(|line| line.ends_with(" [vdso]")).and_then(range);
    let (start, size) = range.ok_or(io::ErrorKind::NotFound)?;
    let mut image = vec![0; size];
    File::open("/proc/self/mem")?.read_exact_at(&mut image, start)?;
    let file = memfd_create("vdso", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = File::from(file);
    file.write_all(&image)?;
    fcntl_add_seals(
        &file,
        SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL,
    )?;
    Ok(file.into())
}

/// Start and size in bytes of a line of `/proc/PID/maps`.
fn range(line: &str) -> Option<(u64, usize)> {
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    let size = end.checked_sub(start).filter(|size| (1..=BYTES_MAX).contains(size))?;
    Some((start, usize::try_from(size).ok()?))
}
