//! The BPF programs' object, and the Rust mirror of every struct that they share
//! with user space. `src/abi.h` is the same in C; a test of this crate holds the
//! two together by the object's BTF.

#[cfg(target_arch = "x86_64")]
macro_rules! object {
    () => {
        include_bytes!("../otop.x86_64.bpf.o")
    };
}

/// ELF readers ask for 8-byte alignment, which `include_bytes!` does not give.
#[repr(C, align(8))]
struct Aligned<const N: usize>([u8; N]);

static ALIGNED: Aligned<{ object!().len() }> = Aligned(*object!());

/// The BPF object for this machine's architecture, committed so that building
/// otop needs no clang; `cargo xtask bpf` makes it.
pub static OBJECT: &[u8] = &ALIGNED.0;

/// Kernel frames in a record (`kernel.perf_event_max_stack`'s default).
pub const KERNEL_FRAMES_MAX: usize = 127;
/// User frames in a record.
pub const USER_FRAMES_MAX: usize = 512;
/// Bytes of a thread's name (the kernel's `TASK_COMM_LEN`).
pub const COMM_BYTES: usize = 16;
/// How many thread groups can be otop's own.
pub const OWN_PIDS_MAX: usize = 4;

/// The fixed part of a record of the ring buffer; `kernel_frames` and then
/// `user_frames` addresses of 8 bytes follow, leaf first.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleHeader {
    /// `CLOCK_MONOTONIC`.
    pub time_ns: u64,
    /// When the process was forked, since boot.
    pub start_ns: u64,
    /// The cgroup's id in the v2 tree.
    pub cgroup_id: u64,
    /// Thread group.
    pub pid: u32,
    /// Thread.
    pub tid: u32,
    /// How often the process and its ancestors had called exec.
    pub exec_id: u32,
    /// The CPU.
    pub cpu: u16,
    /// Why the user walk ended: a position in `WalkEnd::ALL`.
    pub walk_end: u8,
    /// 1 where the sample interrupted user code.
    pub user_mode: u8,
    /// Kernel frames that follow.
    pub kernel_frames: u16,
    /// User frames that follow.
    pub user_frames: u16,
    /// 0.
    pub reserved: u32,
    /// The thread group leader's name, NUL-padded.
    pub process_name: [u8; COMM_BYTES],
    /// The thread's name, NUL-padded.
    pub thread_name: [u8; COMM_BYTES],
}

/// Counters of one CPU: identity 2 of the books.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuBooks {
    /// Times that the program ran.
    pub ran: u64,
    /// Samples of otop itself.
    pub filtered_self: u64,
    /// Samples of the idle thread.
    pub filtered_idle: u64,
    /// Samples of processes that were not asked for.
    pub filtered_policy: u64,
    /// Records written.
    pub submitted: u64,
    /// Records for which the ring buffer had no room.
    pub lost_ringbuf: u64,
    /// Samples that a missing map kept from being taken.
    pub lost_map_full: u64,
    /// ns spent in the program on samples that were wanted.
    pub busy_ns: u64,
}

/// What user space may change while the programs run.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Thread groups that are otop; 0 = none.
    pub own_pids: [u32; OWN_PIDS_MAX],
    /// Sample the keys of the map `targets` alone.
    pub only_targets: u32,
    /// And what they fork.
    pub follow_forks: u32,
}

/// Rows of the unwind tables, which `otop_probe::unwind` makes and the walk in
/// `walk.bpf.h` reads.
///
/// The table of one ELF file is an array of pages of 4 KiB. Page 0 is the root.
/// A page is either an index, whose entry `i` says from which file offset on the
/// page `child + i` holds, or a leaf with rows. A table of up to
/// [`PAGE_ENTRIES`] leaves has one index (the root), a larger one has two levels
/// of them.
pub mod table {
    /// Bytes of a page.
    pub const PAGE_BYTES: usize = 4096;
    /// Entries (index) or rows (leaf) of a page.
    pub const PAGE_ENTRIES: usize = 1022;
    /// A leaf covers less than this many bytes of the file: a row's address has
    /// 16 bits.
    pub const LEAF_SPAN: u32 = 0x1_0000;
    /// Rules are numbered by 16 bits, machine-wide.
    pub const RULES_MAX: usize = 65_536;

    /// A page. Index: `head` = the page number of the first child, and `entry[i]`
    /// = the first file offset below child `i`, ascending. Leaf: `head` = the file
    /// offset of the leaf's start, and `entry[i]` = (offset from there) << 16 |
    /// rule, ascending. A look-up takes the last entry that is not above the
    /// address. The root's `count` carries [`ROOT_TWO_LEVELS`] where its children
    /// are indexes.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Page {
        /// See above.
        pub head: u32,
        /// Entries in use (in the low 16 bits).
        pub count: u32,
        /// See above.
        pub entry: [u32; PAGE_ENTRIES],
    }

    /// Bit of the root's `count`: two levels of indexes.
    pub const ROOT_TWO_LEVELS: u32 = 1 << 16;

    /// How to get from a frame to its caller.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Rule {
        /// One of `CFA_*`.
        pub cfa: u8,
        /// Low 5 bits: the DWARF number of the register in `CFA_REGISTER` and
        /// `CFA_DEREF`. Top 3 bits: one of `FP_*`, shifted by [`FP_SHIFT`].
        pub reg_fp: u8,
        /// Where the caller's frame pointer is kept, as an offset from the CFA.
        pub fp_offset: i16,
        /// The offset from the register. `CFA_DEREF`: the low 16 bits are the
        /// offset inside, the high 16 bits the one outside: `*(reg + low) + high`.
        /// `CFA_PLT`: the bytes of a PLT entry after which the stack is 8 deeper.
        pub cfa_offset: i32,
    }

    /// No code is known here (a gap between functions).
    pub const CFA_NONE: u8 = 0;
    /// CFA = stack pointer + offset.
    pub const CFA_SP: u8 = 1;
    /// CFA = frame pointer + offset.
    pub const CFA_FP: u8 = 2;
    /// CFA = sp + 8 + ((ip & 15) >= offset ? 8 : 0): a PLT entry (System V ABI,
    /// x86-64, as binutils writes its .eh_frame expression).
    pub const CFA_PLT: u8 = 3;
    /// CFA = register + offset; known only where all registers are (the leaf).
    pub const CFA_REGISTER: u8 = 4;
    /// CFA = *(register + low) + high.
    pub const CFA_DEREF: u8 = 5;
    /// A signal frame: the kernel's saved registers are at the stack pointer.
    pub const CFA_SIGNAL: u8 = 6;
    /// The return address is undefined: this is the outermost frame.
    pub const CFA_END: u8 = 7;
    /// There is a rule, but none of the above.
    pub const CFA_UNSUPPORTED: u8 = 8;

    /// Shift of `FP_*` in `reg_fp`.
    pub const FP_SHIFT: u32 = 5;
    /// The caller's frame pointer is the frame's own.
    pub const FP_SAME: u8 = 0;
    /// It is at CFA + `fp_offset`.
    pub const FP_AT_CFA: u8 = 1;
    /// It is not known from here on.
    pub const FP_UNDEFINED: u8 = 2;
    /// arm64: it is at CFA + `fp_offset`, and the return address 8 bytes above.
    pub const FP_AND_RA_AT_CFA: u8 = 3;
    /// arm64: the return address is still in the link register (the leaf).
    pub const RA_IN_REGISTER: u8 = 4;
}
