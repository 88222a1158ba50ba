/* The user stack, unwound by tables: about 50 ns a frame. */
#ifndef OTOP_WALK_BPF_H
#define OTOP_WALK_BPF_H
#include "table.h"

#define WINDOW_BYTES 2048
#define FRAMES_MAX (KERNEL_FRAMES_MAX + USER_FRAMES_MAX)
#define STACK_SLOT sizeof(u64)
/* Marks a user address that is no return address: the code that a signal
 * interrupted. User addresses end far below. */
#define EXACT_ADDRESS (1ULL << 63)

#if defined(__TARGET_ARCH_x86)
#define FP_REGISTER 6
/* Where struct ucontext, at the stack pointer of a signal frame, keeps the
 * registers (arch/x86/include/uapi/asm/sigcontext.h): r8 to r15, rdi, rsi, rbp,
 * rbx, rdx, rax, rcx, rsp, rip. */
#define SIGNAL_REGISTERS_OFFSET 40
#define SIGNAL_REGISTERS 17
#else
#define FP_REGISTER 29
#define LR_REGISTER 30
/* siginfo (128), then ucontext: uc_mcontext at 176, its regs after fault_address
 * (arch/arm64/include/uapi/asm/{ucontext,sigcontext}.h): x0 to x30, sp, pc. */
#define SIGNAL_REGISTERS_OFFSET (128 + 176 + 8)
#define SIGNAL_REGISTERS 33
#endif

/* The walk's state, of which each CPU has one. */
struct walk {
	u64 ip, sp;
	u64 region_start, region_bytes, region_base;
	u64 window_base;
	u32 window_bytes;
	u32 is_return;       /* ip is a return address */
	u32 registers_known; /* all of `registers`, not only the frame pointer */
	u32 pid;
	u32 frames;
	u16 table;
	u16 kind;
	u32 end;
	u32 unknown_process;
	u32 copies;           /* left of STACK_COPIES_MAX */
	u64 copies_period_ns; /* when the period began */
	u64 registers[REGISTERS]; /* by DWARF number */
	u64 signal_registers[SIGNAL_REGISTERS];
	u8 window[WINDOW_BYTES + STACK_SLOT];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct walk);
} walks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 32768);
	__type(key, struct regions_key);
	__type(value, struct regions);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RULES_MAX);
	__type(key, u32);
	__type(value, u64);
} rules SEC(".maps");

struct table_template {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, PAGE_BYTES);
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TABLES_MAX);
	__type(key, u32);
	__array(values, struct table_template);
} tables SEC(".maps");

/* The rule at `offset` of a table, or CFA_NONE (0). Global, so that the verifier
 * looks at it once; about 20 ns. */
__noinline u64 find_rule(u32 table, u64 offset)
{
	u32 key = offset >> (BUCKET_SHIFT + 9), low = offset & (BUCKET_BYTES - 1), n, at;
	void *pages = bpf_map_lookup_elem(&tables, &table);
	union page *page;
	u64 *rule;

	if (!pages || offset >> 43)
		return CFA_NONE;
	page = bpf_map_lookup_elem(pages, &key);
	if (!page)
		return CFA_NONE;
	at = (offset >> BUCKET_SHIFT) & (DIRECTORY_ENTRIES - 1);
	key = page->directory[at].page;
	n = page->directory[at].count;
	at = page->directory[at].first;
	page = bpf_map_lookup_elem(pages, &key);
	if (!page || !n)
		return CFA_NONE;
	/* The last row not above `low`. The first one never is. No branch depends
	 * on what is compared: a mispredicted one costs as much as the look-up. */
	for (int i = 0; i < 10 && n > 1; i++) {
		u32 half = n >> 1;
		u64 above = (u64)(page->row[(at + half) & (ROWS - 1)] >> 16);
		u64 take = (s64)(above - low - 1) >> 63;

		asm volatile("" : "+r"(take));
		at += half & (u32)take;
		n -= half;
	}
	key = page->row[at & (ROWS - 1)] & 0xffff;
	rule = bpf_map_lookup_elem(&rules, &key);
	return rule ? *rule : CFA_NONE;
}

/* How many of the first `n` regions start at or below `address`. */
static __always_inline u32 regions_until(struct regions *regions, u32 n, u64 address)
{
	u32 lo = 0, hi = n;

	for (int i = 0; i < 6 && lo < hi; i++) {
		u32 mid = (lo + hi) >> 1, at = mid;

		asm volatile("" : "+r"(at)); /* or clang drops the mask */
		if (regions->region[at & (REGIONS - 1)].start <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Sets the walk's region to the one that holds `address`; 0 where there is one. */
__noinline int find_region(u32 pid, u64 address)
{
	struct regions_key key = { .pid = pid };
	struct regions *regions = bpf_map_lookup_elem(&processes, &key);
	u32 zero = 0, at;
	struct walk *w = bpf_map_lookup_elem(&walks, &zero);

	if (!regions || !w)
		return 1;
	if (regions->pages) {
		key.page = regions_until(regions, regions->pages, address);
		if (!key.page)
			return 1;
		regions = bpf_map_lookup_elem(&processes, &key);
		if (!regions)
			return 1;
	}
	at = regions_until(regions, regions->count, address);
	if (!at)
		return 1;
	at--;
	asm volatile("" : "+r"(at));
	at &= REGIONS - 1;
	w->region_start = regions->region[at].start;
	w->region_bytes = (u64)regions->region[at].pages << 12;
	w->region_base = regions->region[at].base;
	w->table = regions->region[at].table;
	w->kind = regions->region[at].kind;
	return address - w->region_start >= w->region_bytes;
}

/* Reads WINDOW_BYTES of the stack in one go (0.5 to 1 us; 8 bytes cost 65 ns),
 * or what is left of the page where the next one is not there. */
__noinline int fill_window(u64 address)
{
	u32 zero = 0, bytes = WINDOW_BYTES;
	struct walk *w = bpf_map_lookup_elem(&walks, &zero);

	if (!w)
		return 1;
	w->window_base = address;
	w->window_bytes = 0;
	if (bpf_probe_read_user(w->window, bytes, (void *)address)) {
		bytes = PAGE_BYTES - (address & (PAGE_BYTES - 1));
		if (bytes > WINDOW_BYTES ||
		    bpf_probe_read_user(w->window, bytes, (void *)address))
			return 1;
	}
	w->window_bytes = bytes;
	return 0;
}

static __always_inline int read_stack(struct walk *w, u64 address, u64 *value)
{
	u64 at = address - w->window_base;

	if (at >= w->window_bytes || at + STACK_SLOT > w->window_bytes) {
		if (fill_window(address) || w->window_bytes < STACK_SLOT)
			return 1;
		at = 0;
	}
	*value = *(u64 *)&w->window[at & (WINDOW_BYTES - 1)];
	return 0;
}

/* The code that a signal interrupted: every register is in the signal frame. */
static __always_inline int leave_signal(struct walk *w)
{
	u64 *from = w->signal_registers, *to = w->registers;

	if (bpf_probe_read_user(from, sizeof(w->signal_registers),
				(void *)(w->sp + SIGNAL_REGISTERS_OFFSET)))
		return 1;
#if defined(__TARGET_ARCH_x86)
	for (int i = 0; i < 8; i++)
		to[8 + i] = from[i];
	to[5] = from[8];
	to[4] = from[9];
	to[6] = from[10];
	to[3] = from[11];
	to[1] = from[12];
	to[0] = from[13];
	to[2] = from[14];
	to[7] = from[15];
	w->sp = from[15];
	w->ip = from[16];
#else
	for (int i = 0; i < 31; i++)
		to[i] = from[i];
	w->sp = from[31];
	w->ip = from[32];
#endif
	w->registers_known = 1;
	w->is_return = 0;
	return 0;
}

/* To the caller by its frame record: {frame pointer, return address}. */
static __always_inline int follow_frame_pointer(struct walk *w)
{
	u64 fp = w->registers[FP_REGISTER], next, ra;

	if (fp < w->sp || fp & 7)
		return 1;
	if (read_stack(w, fp, &next) || read_stack(w, fp + STACK_SLOT, &ra))
		return 1;
	w->registers[FP_REGISTER] = next;
	w->sp = fp + 2 * STACK_SLOT;
	w->ip = ra;
	w->is_return = 1;
	w->registers_known = 0;
	return 0;
}

/* The caller's stack pointer by `rule`, or 0. */
static __always_inline u64 find_cfa(struct walk *w, u64 rule)
{
	u32 reg = RULE_REGISTER(rule);
	u64 value;

	switch (RULE_CFA(rule)) {
	case CFA_SP:
		return w->sp + RULE_OFFSET(rule);
	case CFA_FP:
		return w->registers[FP_REGISTER] + RULE_OFFSET(rule);
	case CFA_PLT:
		return w->sp + 8 + ((s64)(w->ip & 15) >= RULE_OFFSET(rule) ? 8 : 0);
	case CFA_REGISTER:
		if (!w->registers_known)
			return 0;
		return w->registers[reg & (REGISTERS - 1)] + RULE_OFFSET(rule);
	case CFA_DEREF:
#if defined(__TARGET_ARCH_x86)
		if (reg == 7) /* rsp is kept apart */
			value = w->sp;
		else
#endif
		if (reg == FP_REGISTER || w->registers_known)
			value = w->registers[reg & (REGISTERS - 1)];
		else
			return 0;
		if (read_stack(w, value + RULE_INNER_OFFSET(rule), &value))
			return 0;
		return value + RULE_OUTER_OFFSET(rule);
	}
	return 0;
}

/* The caller's registers by `rule`; 0, or why the walk ends. */
static __always_inline u32 apply_rule(struct walk *w, u64 rule)
{
	u64 cfa, ra, fp;

	if (RULE_CFA(rule) == CFA_SIGNAL)
		return leave_signal(w) ? WALK_UNREADABLE : 0;
	cfa = find_cfa(w, rule);
#if defined(__TARGET_ARCH_x86)
	/* The stack only ever shrinks: anything else is a wrong rule or a corrupt stack. */
	if (cfa <= w->sp)
		return WALK_UNSUPPORTED_RULE;
	if (read_stack(w, cfa - STACK_SLOT, &ra))
		return WALK_UNREADABLE;
	fp = w->registers[FP_REGISTER];
	switch (RULE_FP(rule)) {
	case FP_AT_CFA:
		if (read_stack(w, cfa + RULE_FP_OFFSET(rule), &fp))
			return WALK_UNREADABLE;
		break;
	case FP_AT_FP:
		if (read_stack(w, fp + RULE_FP_OFFSET(rule), &fp))
			return WALK_UNREADABLE;
		break;
	case FP_UNDEFINED:
		fp = 0;
		break;
	}
	w->registers[FP_REGISTER] = fp;
#else
	if (cfa < w->sp)
		return WALK_UNSUPPORTED_RULE;
	if (RULE_FP(rule) == FP_AND_RA_AT_CFA) {
		if (read_stack(w, cfa + RULE_FP_OFFSET(rule), &fp) ||
		    read_stack(w, cfa + RULE_FP_OFFSET(rule) + STACK_SLOT, &ra))
			return WALK_UNREADABLE;
		w->registers[FP_REGISTER] = fp;
	} else if (RULE_FP(rule) == RA_AT_CFA) {
		if (read_stack(w, cfa + RULE_FP_OFFSET(rule), &ra))
			return WALK_UNREADABLE;
	} else if (w->registers_known) {
		ra = w->registers[LR_REGISTER];
	} else {
		return WALK_UNSUPPORTED_RULE;
	}
	ra &= (1ULL << 48) - 1; /* without the pointer authentication code */
#endif
	w->sp = cfa;
	w->ip = ra;
	w->is_return = 1;
	w->registers_known = 0;
	return 0;
}

struct walk_context {
	struct sample *sample;
	struct walk *walk;
};

/* One frame: writes it down and goes to its caller. Ends the loop with 1. */
static long walk_step(u32 depth, void *context)
{
	struct walk_context *c = context;
	struct sample *s = c->sample;
	struct walk *w = c->walk;
	u64 pc, rule;
	u32 at;

	if (!s || !w)
		return 1;
	at = w->frames;
	if (at >= FRAMES_MAX) {
		w->end = WALK_TOO_DEEP;
		return 1;
	}
	asm volatile("" : "+r"(at));
	s->frames[at & (FRAMES_SLOTS - 1)] =
		w->ip | (depth && !w->is_return ? EXACT_ADDRESS : 0);
	w->frames = at + 1;

	pc = w->ip - w->is_return;
	if (w->unknown_process) {
		w->end = WALK_NO_MAPPING;
		return follow_frame_pointer(w);
	}
	if (pc - w->region_start >= w->region_bytes && find_region(w->pid, pc)) {
		w->end = WALK_NO_MAPPING;
		return 1;
	}
	if (w->kind != REGION_TABLE) {
		w->end = w->kind == REGION_FRAME_POINTER ? WALK_FRAME_POINTER : WALK_NO_ROW;
		return follow_frame_pointer(w);
	}
	rule = find_rule(w->table, pc - w->region_base);
	switch (RULE_CFA(rule)) {
	case CFA_NONE:
		w->end = WALK_NO_ROW;
		return 1;
	case CFA_END:
		w->end = WALK_ROOT;
		return 1;
	case CFA_UNSUPPORTED:
		w->end = WALK_UNSUPPORTED_RULE;
		return 1;
	}
	w->end = apply_rule(w, rule);
	if (w->end)
		return 1;
	if (!w->ip) {
		w->end = WALK_ROOT;
		return 1;
	}
	w->end = WALK_TOO_DEEP; /* unless another step says otherwise */
	return 0;
}

/* The registers with which the thread was in user code last. */
static __always_inline void load_registers(struct walk *w, struct pt_regs *regs)
{
	u64 *to = w->registers;

#if defined(__TARGET_ARCH_x86)
	to[0] = regs->ax;
	to[1] = regs->dx;
	to[2] = regs->cx;
	to[3] = regs->bx;
	to[4] = regs->si;
	to[5] = regs->di;
	to[6] = regs->bp;
	to[7] = regs->sp;
	to[8] = regs->r8;
	to[9] = regs->r9;
	to[10] = regs->r10;
	to[11] = regs->r11;
	to[12] = regs->r12;
	to[13] = regs->r13;
	to[14] = regs->r14;
	to[15] = regs->r15;
	w->sp = regs->sp;
	w->ip = regs->ip;
#else
	for (int i = 0; i < 31; i++)
		to[i] = regs->regs[i];
	w->sp = regs->sp;
	w->ip = regs->pc;
#endif
}

static __always_inline bool belongs_to(struct regions *regions, struct sample *s)
{
	return !regions->start_ns ||
	       (regions->start_ns == s->start_ns && regions->exec_id == s->exec_id);
}

/* Unwinds the user stack of `task` behind the kernel frames of `s`. */
static __always_inline void walk_user(struct task_struct *task, struct sample *s)
{
	struct regions_key key = { .pid = s->pid };
	struct regions *regions = bpf_map_lookup_elem(&processes, &key);
	struct walk_context context = { .sample = s };
	u32 zero = 0;
	struct walk *w = bpf_map_lookup_elem(&walks, &zero);

	if (!w)
		return;
	context.walk = w;
	load_registers(w, (struct pt_regs *)bpf_task_pt_regs(task));
	w->registers_known = 1;
	w->is_return = 0;
	w->region_bytes = 0;
	w->window_bytes = 0;
	w->pid = s->pid;
	w->frames = s->kernel_frames;
	w->end = WALK_TOO_DEEP;
	w->unknown_process = !regions || !belongs_to(regions, s);
	bpf_loop(USER_FRAMES_MAX, walk_step, &context, 0);
	s->user_frames = w->frames - s->kernel_frames;
	s->walk_end = w->end;
}

#endif
