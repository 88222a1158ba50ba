//! `perf_event_open(2)`, as little of it as otop needs.

use rustix::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::io;

const PERF_TYPE_SOFTWARE: u32 = 1;
const PERF_COUNT_SW_CPU_CLOCK: u64 = 0;
const PERF_COUNT_SW_DUMMY: u64 = 9;
const PERF_SAMPLE_TID: u64 = 1 << 1;
const PERF_SAMPLE_TIME: u64 = 1 << 2;
const PERF_FORMAT_TOTAL_TIME_ENABLED: u64 = 1 << 0;
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;
const PERF_EVENT_IOC_ENABLE: libc::c_ulong = 0x2400;
const PERF_EVENT_IOC_DISABLE: libc::c_ulong = 0x2401;
const PERF_EVENT_IOC_SET_BPF: libc::c_ulong = 0x4004_2408;

/// Bits of `perf_event_attr` after `read_format` (`uapi/linux/perf_event.h`).
mod flag {
    pub(super) const DISABLED: u64 = 1 << 0;
    pub(super) const MMAP: u64 = 1 << 8;
    pub(super) const COMM: u64 = 1 << 9;
    pub(super) const FREQ: u64 = 1 << 10;
    pub(super) const TASK: u64 = 1 << 13;
    pub(super) const WATERMARK: u64 = 1 << 14;
    pub(super) const SAMPLE_ID_ALL: u64 = 1 << 18;
    pub(super) const MMAP2: u64 = 1 << 23;
    pub(super) const COMM_EXEC: u64 = 1 << 24;
    pub(super) const USE_CLOCKID: u64 = 1 << 25;
    pub(super) const BUILD_ID: u64 = 1 << 34;
}

/// `struct perf_event_attr`, version 5 (112 bytes): the kernel takes any
/// version's size.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Attr {
    kind: u32,
    size: u32,
    config: u64,
    sample_freq: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_watermark: u32,
    bp_type: u32,
    config1: u64,
    config2: u64,
    branch_sample_type: u64,
    sample_regs_user: u64,
    sample_stack_user: u32,
    clockid: i32,
    sample_regs_intr: u64,
    aux_watermark: u32,
    sample_max_stack: u16,
    reserved: u16,
}

/// A disabled cpu-clock event on one CPU, for all processes.
pub(super) fn open_cpu_clock(cpu: u32, hz: u32) -> io::Result<OwnedFd> {
    open(
        cpu,
        &Attr {
            kind: PERF_TYPE_SOFTWARE,
            config: PERF_COUNT_SW_CPU_CLOCK,
            sample_freq: u64::from(hz),
            read_format: PERF_FORMAT_TOTAL_TIME_ENABLED,
            flags: flag::DISABLED | flag::FREQ,
            ..Attr::default()
        },
    )
}

/// An event that counts nothing but reports every executable mapping (with its
/// build id), exec, fork and exit on one CPU, stamped with `CLOCK_MONOTONIC`.
pub(super) fn open_process_records(cpu: u32, wakeup_bytes: u32) -> io::Result<OwnedFd> {
    open(
        cpu,
        &Attr {
            kind: PERF_TYPE_SOFTWARE,
            config: PERF_COUNT_SW_DUMMY,
            sample_type: PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
            flags: flag::MMAP
                | flag::COMM
                | flag::TASK
                | flag::WATERMARK
                | flag::SAMPLE_ID_ALL
                | flag::MMAP2
                | flag::COMM_EXEC
                | flag::USE_CLOCKID
                | flag::BUILD_ID,
            wakeup_watermark: wakeup_bytes,
            clockid: libc::CLOCK_MONOTONIC,
            ..Attr::default()
        },
    )
}

fn open(cpu: u32, attr: &Attr) -> io::Result<OwnedFd> {
    let size = u32::try_from(size_of::<Attr>()).map_err(io::Error::other)?;
    let attr = Attr { size, ..*attr };
    let cpu = i32::try_from(cpu).map_err(io::Error::other)?;
    let (every_process, no_group) = (-1, -1);
    // SAFETY: `attr` is a valid perf_event_attr of the size that it states, and
    // the kernel only reads it.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attr,
            every_process,
            cpu,
            no_group,
            PERF_FLAG_FD_CLOEXEC,
        )
    };
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Has `program` run at every tick of `event`.
pub(super) fn set_bpf(event: &OwnedFd, program: i32) -> io::Result<()> {
    ioctl(event, PERF_EVENT_IOC_SET_BPF, program)
}

pub(super) fn enable(event: &OwnedFd) -> io::Result<()> {
    ioctl(event, PERF_EVENT_IOC_ENABLE, 0)
}

pub(super) fn disable(event: &OwnedFd) -> io::Result<()> {
    ioctl(event, PERF_EVENT_IOC_DISABLE, 0)
}

fn ioctl(event: &OwnedFd, request: libc::c_ulong, argument: i32) -> io::Result<()> {
    // SAFETY: these requests take an integer, not a pointer.
    let result = unsafe { libc::ioctl(event.as_raw_fd(), request, argument) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// For how long the event has been enabled, in ns.
pub(super) fn time_enabled_ns(event: &OwnedFd) -> io::Result<u64> {
    let mut words = [0_u8; 16];
    let n = rustix::io::read(event, &mut words)?;
    match words.last_chunk::<8>() {
        Some(enabled) if n == words.len() => Ok(u64::from_ne_bytes(*enabled)),
        _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
    }
}
