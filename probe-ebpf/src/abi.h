/* What the programs and user space share; `src/lib.rs` is the same in Rust, and
 * a test holds the two together by this object's BTF. */
#ifndef OTOP_ABI_H
#define OTOP_ABI_H

#define KERNEL_FRAMES_MAX 127 /* kernel.perf_event_max_stack's default */
#define USER_FRAMES_MAX 512
/* KERNEL_FRAMES_MAX + USER_FRAMES_MAX, up to the power of two that masks need */
#define FRAMES_SLOTS 1024
#define COMM_BYTES 16
/* Registers by DWARF number (x86-64: 0 to 15, arm64: 0 to 30), then the stack
 * pointer and the program counter. */
#define REGISTERS 32
#define REGISTERS_BYTES ((REGISTERS + 2) * 8)
/* The copy of a stack: 2 us. Deep stacks are cut there. */
#define STACK_COPY_BYTES 8192
/* Copies that each CPU may make in a period of that many ns: 2.6 MB/s. */
#define STACK_COPIES_MAX 32
#define STACK_COPIES_PERIOD_NS 100000000ULL
#define OWN_PIDS_MAX 4

/* Why the user walk ended; `WalkEnd` in Rust. */
enum walk_end {
	WALK_ROOT,
	WALK_NO_USER,
	WALK_NO_MAPPING,
	WALK_NO_ROW,
	WALK_UNSUPPORTED_RULE,
	WALK_UNREADABLE,
	WALK_TOO_DEEP,
	WALK_FRAME_POINTER,
};

/* One record of the ring buffer. `frames` holds the kernel's frames, leaf first,
 * then the user's, leaf first; only those that there are are written. Where the
 * walk did not reach the root, what user space needs to do it over may follow:
 * the registers in the order of struct walk_registers, and the stack from its
 * pointer on. */
struct sample {
	u64 time_ns;   /* CLOCK_MONOTONIC */
	u64 start_ns;  /* of the process, since boot */
	u64 cgroup_id; /* in the v2 tree */
	u32 pid;       /* thread group */
	u32 tid;
	u32 exec_id;
	u16 cpu;
	u8 walk_end;
	u8 user_mode; /* 1 where the sample interrupted user code */
	u16 kernel_frames;
	u16 user_frames;
	u32 stack_bytes; /* of the copy; 0 where there is none, nor registers */
	char process_name[COMM_BYTES];
	char thread_name[COMM_BYTES];
	u64 frames[FRAMES_SLOTS + (REGISTERS_BYTES + STACK_COPY_BYTES) / sizeof(u64)];
};

/* Per-CPU counters: identity 2 of the books. */
struct books {
	u64 ran;
	u64 filtered_self;
	u64 filtered_idle;
	u64 filtered_policy;
	u64 submitted;
	u64 lost_ringbuf;
	u64 lost_map_full;
	u64 stack_copies;         /* samples that carry one */
	u64 stack_copies_refused; /* that would have needed one more than allowed */
	u64 busy_ns; /* spent in the program on samples that were wanted */
};

/* What user space may change while the programs run. */
struct settings {
	u32 own_pids[OWN_PIDS_MAX]; /* thread groups that are otop; 0 = none */
	u32 only_targets;           /* sample the keys of `targets` alone */
};

#endif
