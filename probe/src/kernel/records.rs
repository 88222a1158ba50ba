//! perf's process records, from bytes (`perf_event_open(2)`, "MMAP layout").

use crate::profile::BuildId;

const PERF_RECORD_LOST: u32 = 2;
const PERF_RECORD_COMM: u32 = 3;
const PERF_RECORD_EXIT: u32 = 4;
const PERF_RECORD_FORK: u32 = 7;
const PERF_RECORD_MMAP2: u32 = 10;
const PERF_RECORD_MISC_COMM_EXEC: u16 = 1 << 13;
const PERF_RECORD_MISC_MMAP_BUILD_ID: u16 = 1 << 14;

/// The trailer that `sample_id_all` adds: pid, tid, time.
const SAMPLE_ID_BYTES: usize = 16;

/// The longest path the kernel reports (`PATH_MAX`).
const PATH_BYTES_MAX: usize = 4096;

/// What a process did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessRecord {
    /// `CLOCK_MONOTONIC`.
    pub time_ns: u64,
    /// Who did it (thread group).
    pub pid: u32,
    /// The thread that did it.
    pub tid: u32,
    /// What.
    pub what: What,
}

/// What a process did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It mapped something executable.
    Mmap {
        /// The first address.
        start: u64,
        /// The address after the last.
        end: u64,
        /// The offset in the file.
        offset: u64,
        /// The file's GNU build id, where it has one.
        build_id: Option<BuildId>,
        /// Device and inode; (0, 0) where the record has a build id instead.
        device_inode: (u64, u64),
        /// The path as the process sees it, `[vdso]`, or `//anon`.
        path: Box<[u8]>,
    },
    /// It was renamed.
    Comm {
        /// By exec: everything that was mapped is gone.
        exec: bool,
        /// The new name.
        name: Box<[u8]>,
    },
    /// `pid` was forked from `parent`, or made a thread where they are the same.
    Fork {
        /// The parent's thread group.
        parent: u32,
    },
    /// The thread ended; the process too where it was the last one.
    Exit,
}

/// Every record in `bytes`, in the ring's order. What is malformed is skipped,
/// up to the next record where its length is believable.
///
/// Adds to `lost` what the kernel says that it had no room for.
pub fn decode<'a>(
    bytes: &'a [u8],
    lost: &'a mut u64,
) -> impl Iterator<Item = ProcessRecord> + use<'a> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        loop {
            let (record, after) = split(rest)?;
            rest = after;
            if record.kind == PERF_RECORD_LOST {
                let mut body = record.body;
                let _id = u64_of(&mut body);
                *lost = lost.saturating_add(u64_of(&mut body).unwrap_or(1));
            } else if let Some(decoded) = decode_one(&record) {
                return Some(decoded);
            }
        }
    })
}

struct Raw<'a> {
    kind: u32,
    misc: u16,
    body: &'a [u8],
}

/// The first record of `bytes` and what follows it.
fn split(mut bytes: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let all = bytes;
    let kind = u32_of(&mut bytes)?;
    let misc = u16_of(&mut bytes)?;
    let size = usize::from(u16_of(&mut bytes)?);
    let body = all.get(8..size)?;
    Some((Raw { kind, misc, body }, all.get(size..)?))
}

fn decode_one(record: &Raw<'_>) -> Option<ProcessRecord> {
    let trailer_at = record.body.len().checked_sub(SAMPLE_ID_BYTES)?;
    let (mut body, mut trailer) = record.body.split_at_checked(trailer_at)?;
    let body = &mut body;
    let _pid_and_tid = u64_of(&mut trailer)?;
    let time_ns = u64_of(&mut trailer)?;
    let pid = u32_of(body)?;
    let (tid, what) = match record.kind {
        PERF_RECORD_MMAP2 => (u32_of(body)?, mmap2(body, record.misc)?),
        PERF_RECORD_COMM => {
            let exec = record.misc & PERF_RECORD_MISC_COMM_EXEC != 0;
            (u32_of(body)?, What::Comm { exec, name: until_nul(body) })
        }
        PERF_RECORD_FORK => {
            let parent = u32_of(body)?;
            (u32_of(body)?, What::Fork { parent })
        }
        PERF_RECORD_EXIT => {
            let _parent = u32_of(body)?;
            (u32_of(body)?, What::Exit)
        }
        _ => return None,
    };
    Some(ProcessRecord { time_ns, pid, tid, what })
}

fn mmap2(body: &mut &[u8], misc: u16) -> Option<What> {
    let start = u64_of(body)?;
    let end = start.checked_add(u64_of(body)?)?;
    let offset = u64_of(body)?;
    let (identity, after) = body.split_at_checked(24)?;
    *body = after;
    let (build_id, device_inode) = if misc & PERF_RECORD_MISC_MMAP_BUILD_ID == 0 {
        let mut identity = identity;
        let (major, minor) = (u32_of(&mut identity)?, u32_of(&mut identity)?);
        let device = rustix::fs::makedev(major, minor);
        (None, (device, u64_of(&mut identity)?))
    } else {
        let len = usize::from(*identity.first()?);
        (BuildId::new(identity.get(4..4 + len)?), (0, 0))
    };
    let _prot_and_flags = u64_of(body)?;
    Some(What::Mmap { start, end, offset, build_id, device_inode, path: until_nul(body) })
}

fn until_nul(bytes: &[u8]) -> Box<[u8]> {
    let bytes = &bytes[..bytes.len().min(PATH_BYTES_MAX)];
    bytes.split(|byte| *byte == 0).next().unwrap_or_default().into()
}

fn u16_of(bytes: &mut &[u8]) -> Option<u16> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u16::from_ne_bytes(*first))
}

fn u32_of(bytes: &mut &[u8]) -> Option<u32> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_ne_bytes(*first))
}

fn u64_of(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u64::from_ne_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A record with the trailer (pid 0, tid 0, time 77).
    fn record(kind: u32, misc: u16, body: &[u8]) -> Vec<u8> {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(8), 0);
        body.extend([0; 8]);
        body.extend(77_u64.to_ne_bytes());
        let size = u16::try_from(8 + body.len()).unwrap();
        let mut bytes = kind.to_ne_bytes().to_vec();
        bytes.extend(misc.to_ne_bytes());
        bytes.extend(size.to_ne_bytes());
        bytes.extend(body);
        bytes
    }

    fn mmap_body(identity: &[u8; 24], path: &[u8]) -> Vec<u8> {
        let mut body = [5_u32, 6].map(u32::to_ne_bytes).concat();
        body.extend([0x1000_u64, 0x2000, 0x3000].map(u64::to_ne_bytes).concat());
        body.extend(identity);
        body.extend([0; 8]);
        body.extend(path);
        body.push(0);
        body
    }

    fn all(bytes: &[u8]) -> (Vec<ProcessRecord>, u64) {
        let mut lost = 0;
        (decode(bytes, &mut lost).collect(), lost)
    }

    #[test]
    fn mmap2_with_inode_and_with_build_id() {
        let mut inode = [0; 24];
        inode[0] = 8;
        inode[4] = 1;
        inode[8] = 99;
        let mut id = [0; 24];
        id[0] = 20;
        id[4..].fill(0xab);
        let mut bytes = record(PERF_RECORD_MMAP2, 0, &mmap_body(&inode, b"/bin/a"));
        bytes.extend(record(
            PERF_RECORD_MMAP2,
            PERF_RECORD_MISC_MMAP_BUILD_ID,
            &mmap_body(&id, b"/bin/b"),
        ));
        let (records, lost) = all(&bytes);
        assert_eq!((records.len(), lost), (2, 0));
        let mmap = |build_id, device_inode, path: &[u8]| What::Mmap {
            start: 0x1000,
            end: 0x3000,
            offset: 0x3000,
            build_id,
            device_inode,
            path: path.into(),
        };
        let device = rustix::fs::makedev(8, 1);
        assert_eq!(records[0].what, mmap(None, (device, 99), b"/bin/a"));
        assert_eq!(records[1].what, mmap(BuildId::new(&[0xab; 20]), (0, 0), b"/bin/b"));
        assert_eq!((records[0].pid, records[0].tid, records[0].time_ns), (5, 6, 77));
    }

    #[test]
    fn comm_fork_exit_lost_and_unknown() {
        let ids = |ids: [u32; 4]| ids.map(u32::to_ne_bytes).concat();
        let mut comm = [5_u32, 6].map(u32::to_ne_bytes).concat();
        comm.extend(b"sh\0");
        let mut bytes = record(PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC, &comm);
        bytes.extend(record(99, 0, &[1, 2, 3]));
        bytes.extend(record(PERF_RECORD_FORK, 0, &ids([7, 5, 8, 6])));
        bytes.extend(record(PERF_RECORD_LOST, 0, &[1_u64, 42].map(u64::to_ne_bytes).concat()));
        bytes.extend(record(PERF_RECORD_EXIT, 0, &ids([7, 5, 8, 6])));
        let (records, lost) = all(&bytes);
        assert_eq!(lost, 42);
        let whats: Vec<_> = records.iter().map(|r| (r.pid, r.tid, r.what.clone())).collect();
        assert_eq!(
            whats,
            [
                (5, 6, What::Comm { exec: true, name: b"sh".as_slice().into() }),
                (7, 8, What::Fork { parent: 5 }),
                (7, 8, What::Exit),
            ]
        );
    }

    #[test]
    fn a_cut_record_ends_the_batch() {
        let bytes = record(PERF_RECORD_EXIT, 0, &[0; 16]);
        for len in 0..bytes.len() {
            assert_eq!(all(&bytes[..len]).0, []);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (records, _) = all(&bytes);
            prop_assert!(records.len() <= bytes.len() / 8);
        }
    }
}
