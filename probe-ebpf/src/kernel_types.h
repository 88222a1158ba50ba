/* The little of the kernel's types that the programs read. Field names matter,
 * offsets do not: CO-RE relocates every access at load time (BTF). */
#ifndef OTOP_KERNEL_TYPES_H
#define OTOP_KERNEL_TYPES_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;
typedef _Bool bool;
enum { false = 0, true = 1 };

/* include/uapi/linux/bpf.h */
enum {
	BPF_F_USER_STACK = 1 << 8,
	BPF_F_NO_PREALLOC = 1 << 0,
	BPF_F_MMAPABLE = 1 << 10,
	BPF_F_INNER_MAP = 1 << 12,
	BPF_RB_NO_WAKEUP = 1 << 0,
	BPF_ANY = 0,
};
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};

#if defined(__TARGET_ARCH_x86)
/* arch/x86/include/asm/ptrace.h; `cs` is an unsigned short there. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip;
	unsigned short cs;
	unsigned long flags, sp;
} __attribute__((preserve_access_index));
/* arch/x86/include/uapi/asm/bpf_perf_event.h: what a program may read of ctx. */
struct bpf_user_pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip,
		cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
/* arch/arm64/include/uapi/asm/ptrace.h: the start of struct pt_regs, too. */
struct user_pt_regs {
	u64 regs[31];
	u64 sp;
	u64 pc;
	u64 pstate;
};
struct pt_regs {
	u64 regs[31];
	u64 sp;
	u64 pc;
	u64 pstate;
} __attribute__((preserve_access_index));
#define bpf_user_pt_regs user_pt_regs
#endif

/* include/uapi/linux/bpf_perf_event.h */
struct bpf_perf_event_data {
	struct bpf_user_pt_regs regs;
	u64 sample_period;
	u64 addr;
};

struct mm_struct;
struct task_struct {
	int pid;
	int tgid;
	char comm[16];
	u64 start_boottime;
	u64 self_exec_id;
	struct mm_struct *mm;
	struct task_struct *group_leader;
} __attribute__((preserve_access_index));

#endif
