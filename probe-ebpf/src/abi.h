/* What the programs and user space share; `src/lib.rs` is the same in Rust, and
 * a test holds the two together by this object's BTF. */
#ifndef OTOP_ABI_H
#define OTOP_ABI_H

#define KERNEL_FRAMES_MAX 127 /* kernel.perf_event_max_stack's default */
#define USER_FRAMES_MAX 512
/* KERNEL_FRAMES_MAX + USER_FRAMES_MAX, up to the power of two that masks need */
#define FRAMES_SLOTS 1024
#define COMM_BYTES 16
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
 * then the user's, leaf first; only those that there are are written. */
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
	u32 reserved;
	char process_name[COMM_BYTES];
	char thread_name[COMM_BYTES];
	u64 frames[FRAMES_SLOTS];
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
	u64 busy_ns; /* spent in the program on samples that were wanted */
};

/* What user space may change while the programs run. */
struct settings {
	u32 own_pids[OWN_PIDS_MAX]; /* thread groups that are otop; 0 = none */
	u32 only_targets;           /* sample the keys of `targets` alone */
	u32 follow_forks;           /* and what they fork */
};

#endif
