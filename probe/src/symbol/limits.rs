//! Every limit of symbolization, in one place.
//!
//! A file that passes one of them costs its own names only: the frame reads
//! `[unsymbolized: limit]`, or is named with less detail.

use crate::profile::text::TEXT_BYTES_MAX;
use std::time::Duration;

/// How long the worker may take over one request before it is ended: of its own
/// CPU time while it waits for nothing but a CPU, else of anybody's time.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// How long it may take at most, on a host that is so busy that the worker gets
/// no CPU.
pub const STARVED_MAX: Duration = Duration::from_secs(20);

/// Addresses in one request; [`super::Client::ask`] sends several where there
/// are more.
pub const ADDRESSES_MAX: usize = 1024;

/// Separate debug files that may accompany a file.
pub const DEBUG_FILES_MAX: usize = 4;

/// Descriptors in one message: a file and its debug files.
pub const DESCRIPTORS_MAX: usize = 1 + DEBUG_FILES_MAX;

/// Bytes in one message, either way. Below the default socket buffer
/// (`net.core.wmem_default`, 208 KiB), so that a message always fits.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Functions at one address: the inlined ones and the one they are inlined into.
pub const LINES_MAX: usize = 32;

/// A source path on the wire, in bytes.
pub const PATH_BYTES_MAX: usize = 512;

/// A kernel module's name with its brackets (`MODULE_NAME_LEN` of the kernel is
/// 56), in bytes.
pub const MODULE_BYTES_MAX: usize = 64;

/// A name on the wire, in bytes: no more than [`crate::profile::Text`] keeps,
/// and one, so that it is seen that more was cut.
pub const NAME_BYTES_MAX: usize = TEXT_BYTES_MAX + 1;

/// Mangled names longer than this are shown as they are: the time and memory of
/// demangling grow faster than the name.
pub const MANGLED_BYTES_MAX: usize = 1024;

/// How deep a C++ name may nest (`cpp_demangle` recurses).
pub const DEMANGLE_DEPTH_MAX: u32 = 96;

/// Files whose parsed state and descriptors the worker keeps.
pub const OBJECTS_MAX: usize = 64;

/// Parsed state that the worker keeps over all files, in bytes.
pub const CACHE_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Resident memory past which the worker is replaced by a new one after the
/// request, in bytes: line tables and functions that were looked up once stay
/// with their file, which no sum of section sizes foretells.
pub const RESIDENT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Debug information of one file, uncompressed, in bytes. Past it a file is
/// named from its symbol table alone.
pub const DWARF_BYTES_MAX: u64 = 160 * 1024 * 1024;

/// `.eh_frame` of one file, in bytes.
pub const EH_FRAME_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Functions of one file, by symbol or by unwind entry.
pub const FUNCTIONS_MAX: usize = 2_000_000;

/// A symbol table, in bytes: functions and all other symbols.
pub const SYMBOL_TABLE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Section headers of one file; the format allows 2^32.
pub const SECTIONS_MAX: u32 = 65_536;

/// Program headers of one file; the format allows 2^32.
pub const SEGMENTS_MAX: u32 = 4096;

/// A note or a debug link, in bytes.
pub const NOTE_BYTES_MAX: u64 = 4096;

/// A separate debug file that is read to compare its checksum, in bytes.
pub const CHECKSUM_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// `/proc/kallsyms`, in bytes.
pub const KALLSYMS_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Symbols that share one address, of which the best is chosen.
pub const ALIASES_MAX: usize = 16;

/// Demangled names kept for one file.
pub const NAMES_KEPT_MAX: usize = 8192;

/// Workers that may be started in [`RESTART_WINDOW`].
pub const RESTARTS_MAX: usize = 10;

/// See [`RESTARTS_MAX`].
pub const RESTART_WINDOW: Duration = Duration::from_secs(60);

/// Files remembered for having ended a worker.
pub const BLAMED_MAX: usize = 4096;

/// What is said of the code at one address, in bytes: a call and its target, and
/// whether and where its function starts.
const CODE_BYTES_MAX: usize = 1 + 8 + 1 + 8;

/// The largest answer to one address, in bytes (see `wire`).
pub const ANSWER_BYTES_MAX: usize =
    CODE_BYTES_MAX + 2 + LINES_MAX * (16 + NAME_BYTES_MAX + MODULE_BYTES_MAX + PATH_BYTES_MAX);

const _: () = assert!(8 * ADDRESSES_MAX + 64 <= MESSAGE_BYTES_MAX);
const _: () = assert!(ANSWER_BYTES_MAX + 64 <= MESSAGE_BYTES_MAX);
const _: () = assert!(LINES_MAX <= u8::MAX as usize);
const _: () = assert!(NAME_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(MANGLED_BYTES_MAX <= NAME_BYTES_MAX);
const _: () = assert!(DWARF_BYTES_MAX < RESIDENT_BYTES_MAX);
