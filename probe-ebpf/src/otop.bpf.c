/* otop's BPF programs. `sample` runs on every CPU at every tick of its cpu-clock
 * event; it writes one record to the ring buffer, or counts why not. */
#include "kernel_types.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "abi.h"
#include "maps.bpf.h"
#include "policy.bpf.h"
#include "walk.bpf.h"
#include "copy.bpf.h"
#include "stack.bpf.h"

/* Who runs. 0.1 us. */
static __always_inline void describe(struct sample *s, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;

	s->time_ns = bpf_ktime_get_ns();
	s->pid = task->tgid;
	s->tid = task->pid;
	s->cpu = bpf_get_smp_processor_id();
	s->start_ns = leader->start_boottime;
	s->exec_id = task->self_exec_id;
	s->cgroup_id = bpf_get_current_cgroup_id();
	s->stack_bytes = 0;
	bpf_get_current_comm(s->thread_name, sizeof(s->thread_name));
	bpf_probe_read_kernel(s->process_name, sizeof(s->process_name), leader->comm);
}

/* Writes the record without waking anybody: a timer drains the ring. */
static __always_inline void submit(struct sample *s, struct books *books)
{
	u32 frames = s->kernel_frames + s->user_frames;
	u64 bytes = __builtin_offsetof(struct sample, frames) + frames * sizeof(u64);

	if (s->stack_bytes)
		bytes += REGISTERS_BYTES + s->stack_bytes;
	if (bytes > sizeof(*s))
		bytes = sizeof(*s);
	if (bpf_ringbuf_output(&samples, s, bytes, BPF_RB_NO_WAKEUP))
		books->lost_ringbuf++;
	else
		books->submitted++;
}

SEC("perf_event")
int sample(struct bpf_perf_event_data *ctx)
{
	u32 zero = 0;
	struct books *books = bpf_map_lookup_elem(&counters, &zero);
	struct settings *settings = bpf_map_lookup_elem(&configuration, &zero);
	struct sample *s = bpf_map_lookup_elem(&scratch, &zero);
	struct task_struct *task;

	if (!books)
		return 0;
	books->ran++;
	if (!settings || !s) {
		books->lost_map_full++;
		return 0;
	}
	task = bpf_get_current_task_btf();
	if (!wanted(task, settings, books))
		return 0;
	describe(s, task);
	take_stack(ctx, task, s, books);
	submit(s, books);
	books->busy_ns += bpf_ktime_get_ns() - s->time_ns; /* 0.02 us */
	return 0;
}

/* Follows the forks of the command that otop was asked to watch. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(follow_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 from = parent->tgid, to = child->tgid;
	u8 one = 1;

	if (from != to && bpf_map_lookup_elem(&targets, &from))
		bpf_map_update_elem(&targets, &to, &one, BPF_ANY);
	return 0;
}

/* What was mapped is gone: until user space says what is mapped now, the walk goes
 * by frame pointers. 0.1 us an exec. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(forget_mappings, struct task_struct *task)
{
	struct regions_key key = { .pid = task->tgid };

	bpf_map_delete_elem(&processes, &key);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
