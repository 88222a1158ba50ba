//! The BPF programs' object, and the Rust mirror of every struct that they share
//! with user space. `src/abi.h` is the same in C; a test of this crate holds the
//! two together by the object's BTF.

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
    /// The number of the rule of [`CFA_NONE`], in every table.
    pub const RULE_NONE: u16 = 0;
    /// The number of the rule of [`CFA_UNSUPPORTED`], in every table.
    pub const RULE_UNSUPPORTED: u16 = 1;

    /// A page. Index: `head` = the page number of the first child, and `entry[i]`
    /// = the first file offset below child `i`, ascending. Leaf: `head` = the file
    /// offset of the leaf's start, and `entry[i]` = (offset from there) << 16 |
    /// rule, ascending. A look-up takes the last entry that is not above the
    /// address, which in a leaf is limited to 16 bits: an address beyond the leaf's
    /// span has the last row. There is none below the first entry of the root. The
    /// root's `count` carries [`ROOT_TWO_LEVELS`] where its children are indexes.
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
