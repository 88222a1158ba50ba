//! `/proc/PID/maps` (`proc_pid_maps(5)`), as bytes: what a process maps, and
//! how it calls its files, is not to be trusted.

use super::regions::{Region, RegionFile};
use crate::profile::Text;
use rustix::fs::makedev;
use std::sync::Arc;

/// The longest line read: a path of `PATH_MAX` (4096) bytes, each of them
/// written as an escape of four, and the columns before it. Longer lines are
/// skipped.
pub const LINE_BYTES_MAX: usize = 4 * 4096 + 256;

/// What the kernel appends to the path of a file that has no name any more.
pub(super) const DELETED: &[u8] = b" (deleted)";

/// The executable region that `line` (without its newline) describes; None
/// for what is not executable, and for what is not a line of `maps`.
#[must_use]
pub fn executable(line: &[u8]) -> Option<Region> {
    if line.len() > LINE_BYTES_MAX {
        return None;
    }
    let (range, rest) = split_at_space(line)?;
    let (permissions, rest) = split_at_space(rest)?;
    if permissions.get(2) != Some(&b'x') {
        return None;
    }
    let (offset, rest) = split_at_space(rest)?;
    let (device, rest) = split_at_space(rest)?;
    let (inode, name) = split_at_space(rest).unwrap_or((rest, b""));
    let dash = range.iter().position(|byte| *byte == b'-')?;
    let start = hex(range.get(..dash)?)?;
    let end = hex(range.get(dash + 1..)?)?;
    let colon = device.iter().position(|byte| *byte == b':')?;
    let major = u32::try_from(hex(device.get(..colon)?)?).ok()?;
    let minor = u32::try_from(hex(device.get(colon + 1..)?)?).ok()?;
    let inode = std::str::from_utf8(inode).ok()?.parse().ok()?;
    let file = region_file(name.trim_ascii_start(), (makedev(major, minor), inode));
    let region = Region { start, end, offset: hex(offset)?, file: Arc::new(file) };
    (start < end).then_some(region)
}

/// What a name in the last column of `maps`, or in a `PERF_RECORD_MMAP2`
/// (which calls anonymous memory `//anon`), says about a region.
#[must_use]
pub fn region_file(name: &[u8], device_inode: (u64, u64)) -> RegionFile {
    match name {
        b"[vdso]" => RegionFile::Vdso,
        b"" | b"//anon" | b"[heap]" | b"[stack]" => RegionFile::Anonymous,
        // Named by prctl(PR_SET_VMA_ANON_NAME).
        _ if name.starts_with(b"[anon:") || name.starts_with(b"[anon_shmem:") => {
            RegionFile::Anonymous
        }
        // Shared anonymous memory, and what maps the zero device.
        b"/dev/zero" | b"/dev/zero (deleted)" => RegionFile::Anonymous,
        _ if name.starts_with(b"[") => RegionFile::Other(Text::from_bytes(name)),
        _ => {
            let path = unescape(name.strip_suffix(DELETED).unwrap_or(name));
            RegionFile::File { build_id: None, device_inode, path: Text::from_bytes(&path) }
        }
    }
}

/// Undoes the one escape that the kernel applies to paths here: `\012` for a
/// newline (`show_map_vma`, `seq_path` with "\n").
fn unescape(name: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    const ESCAPE: &[u8] = b"\\012";
    if !name.windows(ESCAPE.len()).any(|window| window == ESCAPE) {
        return name.into();
    }
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(ESCAPE) {
            out.push(b'\n');
            rest = after;
        } else {
            out.push(first);
            rest = after;
        }
    }
    out.into()
}

fn split_at_space(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    Some((bytes.get(..space)?, bytes.get(space + 1..)?))
}

/// Unsigned hexadecimal of at most 16 digits.
fn hex(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |value, digit| Some(value << 4 | u64::from(char::from(*digit).to_digit(16)?)))
}

/// Splits what is fed to it, in pieces of any size, into lines. A line longer
/// than [`LINE_BYTES_MAX`] is skipped.
#[derive(Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
    skipping: bool,
}

impl Lines {
    /// Calls `each` with every line that `piece` completes.
    pub fn feed(&mut self, mut piece: &[u8], mut each: impl FnMut(&[u8])) {
        while let Some(newline) = piece.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = piece.split_at(newline);
            piece = rest.get(1..).unwrap_or_default();
            if !self.skipping {
                if self.partial.is_empty() {
                    each(line);
                } else if self.partial.len() + line.len() <= LINE_BYTES_MAX {
                    self.partial.extend_from_slice(line);
                    each(&self.partial);
                }
            }
            self.skipping = false;
            self.partial.clear();
        }
        if self.partial.len() + piece.len() > LINE_BYTES_MAX {
            self.skipping = true;
            self.partial.clear();
        } else if !self.skipping {
            self.partial.extend_from_slice(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(major: u32, minor: u32, inode: u64, path: &[u8]) -> RegionFile {
        RegionFile::File {
            build_id: None,
            device_inode: (makedev(major, minor), inode),
            path: Text::from_bytes(path),
        }
    }

    #[track_caller]
    fn check(line: &[u8], expected: Option<(u64, u64, u64, RegionFile)>) {
        let expected = expected.map(|(start, end, offset, file)| Region {
            start,
            end,
            offset,
            file: Arc::new(file),
        });
        assert_eq!(executable(line), expected, "{}", line.escape_ascii());
    }

    #[test]
    fn reads_a_line() {
        let libc = b"7fc01d3c9000-7fc01d51f000 r-xp 00026000 fe:00 326269                     /usr/lib/libc.so.6";
        let range = (0x7fc0_1d3c_9000, 0x7fc0_1d51_f000);
        check(
            libc,
            Some((range.0, range.1, 0x26000, file(0xfe, 0, 326_269, b"/usr/lib/libc.so.6"))),
        );
        check(b"1000-2000 r--p 0 fe:00 1 /x", None);
        check(
            b"1000-2000 r-xp 00000000 00:00 0 ",
            Some((0x1000, 0x2000, 0, RegionFile::Anonymous)),
        );
        check(b"1000-2000 r-xp 00000000 00:00 0", Some((0x1000, 0x2000, 0, RegionFile::Anonymous)));
        check(
            b"1000-2000 rwxp 00000000 00:00 0          [anon:v8]",
            Some((0x1000, 0x2000, 0, RegionFile::Anonymous)),
        );
        check(b"1000-2000 r-xp 0 00:00 0 [vdso]", Some((0x1000, 0x2000, 0, RegionFile::Vdso)));
        check(
            b"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0    [vsyscall]",
            Some((
                0xffff_ffff_ff60_0000,
                0xffff_ffff_ff60_1000,
                0,
                RegionFile::Other("[vsyscall]".into()),
            )),
        );
    }

    #[test]
    fn reads_hostile_and_odd_paths() {
        for (name, path) in [
            (&b"/a b c"[..], &b"/a b c"[..]),
            (b"/a\\012b\\012", b"/a\nb\n"),
            (b"/a\\01", b"/a\\01"),
            (b"/gone (deleted)", b"/gone"),
            (b"/memfd:jit (deleted)", b"/memfd:jit"),
            (b"/\xff\x1b]0;x\x07", b"/\xff\x1b]0;x\x07"),
            (b"/dev/shm/x", b"/dev/shm/x"),
            (b"/SYSV00000000 (deleted)", b"/SYSV00000000"),
        ] {
            let line = [b"1000-2000 r-xs 00003000 08:01 7  ", name].concat();
            check(&line, Some((0x1000, 0x2000, 0x3000, file(8, 1, 7, path))));
        }
        let zero = b"1000-2000 r-xs 0 00:01 5 /dev/zero (deleted)";
        check(zero, Some((0x1000, 0x2000, 0, RegionFile::Anonymous)));
    }

    #[test]
    fn refuses_what_is_no_line() {
        for line in [
            &b""[..],
            b"x",
            b"1000-2000",
            b"1000-2000 r-xp",
            b"2000-1000 r-xp 0 0:0 0 ",
            b"1000-1000 r-xp 0 0:0 0 ",
            b"-2000 r-xp 0 0:0 0 ",
            b"10000000000000000-2 r-xp 0 0:0 0 ",
            b"1000-2000 r-xp 0 00 0 ",
            b"1000-2000 r-xp 0 0:0 x ",
            b"1000-2000 r- 0 0:0 0 ",
        ] {
            check(line, None);
        }
        check(&[b"1000-2000 r-xp 0 0:0 0 /".to_vec(), vec![b'a'; 1 << 20]].concat(), None);
    }

    #[test]
    fn skips_overlong_lines_alone() {
        let text = [b"one\n".to_vec(), vec![b'x'; 100_000], b"\ntwo\nunfinished".to_vec()].concat();
        for piece in [1, 3, 4096, text.len()] {
            let mut lines = Lines::default();
            let mut seen = Vec::new();
            for part in text.chunks(piece) {
                lines.feed(part, |line| {
                    if line.len() < 10 {
                        seen.push(line.to_vec());
                    }
                });
            }
            assert_eq!(seen, [b"one".to_vec(), b"two".to_vec()], "in pieces of {piece}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(line in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = executable(&line);
        }

        #[test]
        fn survives_mutation(at in 0..90_usize, byte in any::<u8>(), cut in 0..95_usize) {
            let mut line = b"7fc01d3c9000-7fc01d51f000 r-xp 00026000 fe:00 326269      /usr/lib/x (deleted)".to_vec();
            if let Some(old) = line.get_mut(at) {
                *old = byte;
            }
            line.truncate(cut);
            if let Some(region) = executable(&line) {
                prop_assert!(region.start < region.end);
            }
        }
    }
}
