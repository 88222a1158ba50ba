/* The two halves of a stack. */
#ifndef OTOP_STACK_BPF_H
#define OTOP_STACK_BPF_H

/* Whether the interrupted code was the user's. ctx is read through volatile:
 * clang would otherwise merge this load with others into one that the verifier
 * refuses ("dereference of modified ctx ptr"). */
static __always_inline bool in_user_mode(struct bpf_perf_event_data *ctx)
{
#if defined(__TARGET_ARCH_x86)
	return (*(volatile unsigned long *)&ctx->regs.cs & 3) == 3;
#else
	return (*(volatile u64 *)&ctx->regs.pstate & 0xf) == 0; /* PSR_MODE_EL0t */
#endif
}

static __always_inline u32 frames_of(long bytes, u32 most)
{
	u32 frames = bytes > 0 ? (u32)bytes / sizeof(u64) : 0;

	return frames < most ? frames : most;
}

static __always_inline void take_stack(struct bpf_perf_event_data *ctx, struct task_struct *task,
				       struct sample *s, struct books *books)
{
	s->user_mode = in_user_mode(ctx);
	s->kernel_frames = 0;
	s->user_frames = 0;
	s->walk_end = WALK_NO_USER;
	/* The kernel's unwinder costs 2.7 us at least: not where it has nothing to find. */
	if (!s->user_mode)
		s->kernel_frames = frames_of(
			bpf_get_stack(ctx, s->frames, KERNEL_FRAMES_MAX * sizeof(u64), 0),
			KERNEL_FRAMES_MAX);
	if (!task->mm)
		return;
	walk_user(task, s);
	if (s->walk_end != WALK_ROOT && s->walk_end != WALK_TOO_DEEP)
		copy_stack(task, s, books);
}

#endif
