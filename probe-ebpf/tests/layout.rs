//! Holds the Rust mirror of the shared structs against the object's own type
//! information (BTF, as the kernel's Documentation/bpf/btf.rst has it).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use object::{Object as _, ObjectSection as _};
use probe_ebpf::{CpuBooks, SampleHeader, Settings, table};
use std::collections::HashMap;
use std::mem::offset_of;

/// A struct as BTF has it: its size, and each member's offset in bytes.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    bytes: usize,
    members: HashMap<String, usize>,
}

const KIND_STRUCT: u32 = 4;

/// Every named struct of the object.
fn layouts() -> HashMap<String, Layout> {
    let file = object::File::parse(probe_ebpf::OBJECT).unwrap();
    let btf = file.section_by_name(".BTF").unwrap().data().unwrap();
    let word = |at: usize| u32::from_le_bytes(btf[at..at + 4].try_into().unwrap());
    let header = word(4) as usize;
    let (types, types_len) = (header + word(8) as usize, word(12) as usize);
    let strings = header + word(16) as usize;
    let name = |offset: u32| {
        let text = &btf[strings + offset as usize..];
        let text = text.split(|byte| *byte == 0).next().unwrap();
        String::from_utf8(text.to_vec()).unwrap()
    };
    let mut found = HashMap::new();
    let mut at = types;
    while at < types + types_len {
        let (info, size) = (word(at + 4), word(at + 8));
        let (kind, members) = (info >> 24 & 31, (info & 0xffff) as usize);
        if kind == KIND_STRUCT {
            // Without bit fields (kind_flag 0), the offset is in bits.
            let member = |n| (name(word(at + 12 + n * 12)), word(at + 20 + n * 12) as usize / 8);
            let layout =
                Layout { bytes: size as usize, members: (0..members).map(member).collect() };
            found.insert(name(word(at)), layout);
        }
        at += 12
            + match kind {
                1 | 14 | 17 => 4,                // INT, VAR, DECL_TAG
                3 => 12,                         // ARRAY
                4 | 5 | 15 | 19 => members * 12, // STRUCT, UNION, DATASEC, ENUM64
                6 | 13 => members * 8,           // ENUM, FUNC_PROTO
                _ => 0,
            };
    }
    found
}

macro_rules! check {
    ($layouts:expr, $c:literal, $rust:ty { $($member:ident: $field:ident),* $(,)? }) => {{
        let layout = &$layouts[$c];
        let expected = HashMap::from([$((stringify!($member).to_owned(), offset_of!($rust, $field))),*]);
        assert_eq!(layout.members, expected, "members of {}", $c);
        layout.bytes
    }};
}

#[test]
fn records_counters_and_settings() {
    let layouts = layouts();
    // The frames follow the fixed part, which is all that Rust has of the struct.
    let sample = &layouts["sample"];
    assert_eq!(sample.members["frames"], size_of::<SampleHeader>());
    let fixed = HashMap::from([
        ("time_ns", offset_of!(SampleHeader, time_ns)),
        ("start_ns", offset_of!(SampleHeader, start_ns)),
        ("cgroup_id", offset_of!(SampleHeader, cgroup_id)),
        ("pid", offset_of!(SampleHeader, pid)),
        ("tid", offset_of!(SampleHeader, tid)),
        ("exec_id", offset_of!(SampleHeader, exec_id)),
        ("cpu", offset_of!(SampleHeader, cpu)),
        ("walk_end", offset_of!(SampleHeader, walk_end)),
        ("user_mode", offset_of!(SampleHeader, user_mode)),
        ("kernel_frames", offset_of!(SampleHeader, kernel_frames)),
        ("user_frames", offset_of!(SampleHeader, user_frames)),
        ("stack_bytes", offset_of!(SampleHeader, stack_bytes)),
        ("process_name", offset_of!(SampleHeader, process_name)),
        ("thread_name", offset_of!(SampleHeader, thread_name)),
    ]);
    assert_eq!(sample.members.len(), fixed.len() + 1);
    for (member, offset) in fixed {
        assert_eq!(sample.members[member], offset, "{member}");
    }
    let bytes = check!(
        layouts,
        "books",
        CpuBooks {
            ran: ran,
            filtered_self: filtered_self,
            filtered_idle: filtered_idle,
            filtered_policy: filtered_policy,
            submitted: submitted,
            lost_ringbuf: lost_ringbuf,
            lost_map_full: lost_map_full,
            stack_copies: stack_copies,
            stack_copies_refused: stack_copies_refused,
            busy_ns: busy_ns,
        }
    );
    assert_eq!(bytes, size_of::<CpuBooks>());
    let bytes =
        check!(layouts, "settings", Settings { own_pids: own_pids, only_targets: only_targets });
    assert_eq!(bytes, size_of::<Settings>());
}

#[test]
fn what_the_walk_looks_up() {
    let layouts = layouts();
    let bytes = check!(
        layouts,
        "region",
        table::Region { start: start, base: base, pages: pages, table: table, kind: kind }
    );
    assert_eq!(bytes, size_of::<table::Region>());
    let bytes = check!(layouts, "regions_key", table::RegionsKey { pid: pid, page: page });
    assert_eq!(bytes, size_of::<table::RegionsKey>());
    let bytes = check!(
        layouts,
        "regions",
        table::Regions {
            start_ns: start_ns,
            exec_id: exec_id,
            count: count,
            pages: pages,
            region: region,
        }
    );
    assert_eq!(bytes, size_of::<table::Regions>());
    // No map has these two in its type, so BTF does not know them.
    assert_eq!(size_of::<table::Page>(), table::PAGE_BYTES);
    assert_eq!((offset_of!(table::Bucket, first), offset_of!(table::Bucket, count)), (4, 6));
    // In C a rule is a u64 that is taken apart by shifts.
    assert_eq!(size_of::<table::Rule>(), 8);
    assert_eq!(offset_of!(table::Rule, reg_fp), 1);
    assert_eq!(offset_of!(table::Rule, fp_offset), 2);
    assert_eq!(offset_of!(table::Rule, cfa_offset), 4);
}
