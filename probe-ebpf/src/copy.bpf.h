/* What the walk could not finish leaves with its registers and a copy of the
 * stack, so that user space can. */
#ifndef OTOP_COPY_BPF_H
#define OTOP_COPY_BPF_H

/* Whether this CPU may make another copy now. */
static __always_inline bool may_copy(struct walk *w, u64 now_ns)
{
	if (now_ns - w->copies_period_ns > STACK_COPIES_PERIOD_NS) {
		w->copies_period_ns = now_ns;
		w->copies = STACK_COPIES_MAX;
	}
	if (!w->copies)
		return false;
	w->copies--;
	return true;
}

/* Copies what can be read from `sp` on; how many bytes that are. */
static __always_inline u32 read_stack_copy(u8 *to, u64 sp)
{
	u32 bytes = STACK_COPY_BYTES, rest = PAGE_BYTES - (sp & (PAGE_BYTES - 1));

	if (!bpf_probe_read_user(to, bytes, (void *)sp))
		return bytes;
	/* The stack ends before: page by page, then. */
	bytes = rest + PAGE_BYTES;
	if (bytes <= STACK_COPY_BYTES && !bpf_probe_read_user(to, bytes, (void *)sp))
		return bytes;
	if (rest <= PAGE_BYTES && !bpf_probe_read_user(to, rest, (void *)sp))
		return rest;
	return 0;
}

static __always_inline void copy_stack(struct task_struct *task, struct sample *s,
				       struct books *books)
{
	u32 zero = 0, at = s->kernel_frames + s->user_frames;
	struct walk *w = bpf_map_lookup_elem(&walks, &zero);
	u64 *to;

	if (!w)
		return;
	if (!may_copy(w, s->time_ns)) {
		books->stack_copies_refused++;
		return;
	}
	/* As they were before the walk. */
	load_registers(w, (struct pt_regs *)bpf_task_pt_regs(task));
	asm volatile("" : "+r"(at));
	to = &s->frames[at & (FRAMES_SLOTS - 1)];
	for (int i = 0; i < REGISTERS; i++)
		to[i] = w->registers[i];
	to[REGISTERS] = w->sp;
	to[REGISTERS + 1] = w->ip;
	s->stack_bytes = read_stack_copy((u8 *)(to + REGISTERS + 2), w->sp);
	if (s->stack_bytes)
		books->stack_copies++;
}

#endif
