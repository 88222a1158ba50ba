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
/// Registers that accompany a copy of the stack, by DWARF number; the stack pointer
/// and the program counter follow them.
pub const REGISTERS: usize = 32;
/// The longest copy of a stack.
pub const STACK_COPY_BYTES: usize = 8192;
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
    /// Bytes of the stack's copy that follow the frames and the registers; 0 where
    /// there is neither.
    pub stack_bytes: u32,
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
    /// Samples that carry a copy of their stack.
    pub stack_copies: u64,
    /// Samples that would have needed one more copy than is allowed.
    pub stack_copies_refused: u64,
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
}

/// Bit 63 of a user address in a record: it is no return address but the code
/// that a signal interrupted.
pub const EXACT_ADDRESS: u64 = 1 << 63;

/// The unwind tables, which the crate `probe` makes from `.eh_frame` and the walk in
/// `walk.bpf.h` reads.
///
/// The table of one ELF file is an array of pages of 4 KiB. Code is divided into
/// buckets of 4 KiB, counted from the table's first offset in the file (a multiple
/// of the bucket size, which whoever fills in [`table::Region::base`] takes off). The
/// first pages are a directory: entry `n` says where the rows of bucket `n` are.
/// The rows of a bucket are together on one page, ascending by address, and the
/// first one is at the bucket's start; so one look-up is two loads and a search
/// among some 60 rows.
pub mod table {
    /// Bytes of a page.
    pub const PAGE_BYTES: usize = 4096;
    /// A bucket is 2 to this power bytes of code.
    pub const BUCKET_SHIFT: u32 = 12;
    /// Buckets of a directory page.
    pub const DIRECTORY_ENTRIES: usize = 512;
    /// Rows of a row page.
    pub const ROWS: usize = 1024;
    /// Most rows of one bucket; code that needs more has no rows in that bucket.
    pub const BUCKET_ROWS_MAX: usize = 1023;
    /// Tables that can be loaded at the same time.
    pub const TABLES_MAX: u32 = 4096;
    /// Rules are numbered by 16 bits, machine-wide. Rule 0 is always
    /// [`CFA_NONE`].
    pub const RULES_MAX: usize = 65_536;
    /// The number of the rule of [`CFA_NONE`], in every table.
    pub const RULE_NONE: u16 = 0;
    /// The number of the rule of [`CFA_UNSUPPORTED`], in every table.
    pub const RULE_UNSUPPORTED: u16 = 1;

    /// Where the rows of a bucket are; all zero where there is no code.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Bucket {
        /// The page, counted from the table's first.
        pub page: u32,
        /// The first row in it.
        pub first: u16,
        /// How many rows.
        pub count: u16,
    }

    /// A page: [`DIRECTORY_ENTRIES`] of [`Bucket`] (in the order of its fields, as
    /// two words: `page`, then `first | count << 16`), or [`ROWS`] rows: the offset in
    /// the bucket << 16 | the rule's number.
    #[repr(transparent)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Page(pub [u32; ROWS]);

    /// Regions of one page of a process's map; one less is used.
    pub const REGIONS: usize = 64;

    /// [`Region::kind`]: unwound by table.
    pub const REGION_TABLE: u16 = 0;
    /// Code without a table, a JIT's: unwound by frame pointers.
    pub const REGION_FRAME_POINTER: u16 = 1;
    /// The table is not there (yet).
    pub const REGION_UNKNOWN: u16 = 2;

    /// Something executable that is mapped.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Region {
        /// The first address.
        pub start: u64,
        /// Address - base = the offset that the table knows.
        pub base: u64,
        /// Pages of 4 KiB.
        pub pages: u32,
        /// The table's number.
        pub table: u16,
        /// One of `REGION_*`.
        pub kind: u16,
    }

    /// Which page of whose map.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct RegionsKey {
        /// Thread group.
        pub pid: u32,
        /// The page.
        pub page: u32,
    }

    /// A page of a process's map: up to 63 regions by address. Where a process has
    /// more, page 0 is a directory: `region[i].start` is where page i + 1 begins.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Regions {
        /// With `exec_id`: whose these are; 0 where only the pid is known.
        pub start_ns: u64,
        /// See `start_ns`.
        pub exec_id: u32,
        /// Regions in use.
        pub count: u16,
        /// In page 0: how many pages follow.
        pub pages: u16,
        /// See above.
        pub region: [Region; REGIONS],
    }

    /// How to get from a frame to its caller. On x86-64 the return address is at
    /// CFA - 8. On arm64 it is where `FP_*` says, and may carry a pointer
    /// authentication code in its top bits, which the walk takes off.
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
    /// x86-64, as binutils writes its `.eh_frame` expression).
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
    /// The caller's frame pointer is the frame's own (x86-64).
    pub const FP_SAME: u8 = 0;
    /// It is at CFA + `fp_offset`.
    pub const FP_AT_CFA: u8 = 1;
    /// It is not known from here on.
    pub const FP_UNDEFINED: u8 = 2;
    /// arm64: it is at CFA + `fp_offset`, and the return address 8 bytes above.
    pub const FP_AND_RA_AT_CFA: u8 = 3;
    /// arm64: the return address is still in the link register (the leaf).
    pub const RA_IN_REGISTER: u8 = 4;
    /// It is at the frame's own frame pointer + `fp_offset`, since the CFA is read
    /// from memory and has no fixed distance to it (a stack that gcc realigned).
    pub const FP_AT_FP: u8 = 5;
    /// arm64: it is the frame's own, and the return address is at
    /// CFA + `fp_offset`.
    pub const RA_AT_CFA: u8 = 6;
}
