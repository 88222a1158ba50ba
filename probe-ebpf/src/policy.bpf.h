/* Which samples are taken. */
#ifndef OTOP_POLICY_BPF_H
#define OTOP_POLICY_BPF_H

static __always_inline bool is_own(u32 pid, const struct settings *settings)
{
	bool own = false;

	for (int i = 0; i < OWN_PIDS_MAX; i++)
		own |= settings->own_pids[i] == pid;
	return own;
}

/* Whether to take this sample; counts why not. */
static __always_inline bool wanted(struct task_struct *task, const struct settings *settings,
				   struct books *books)
{
	u32 pid = task->tgid;

	if (!pid) {
		books->filtered_idle++;
		return false;
	}
	if (is_own(pid, settings)) {
		books->filtered_self++;
		return false;
	}
	if (settings->only_targets && !bpf_map_lookup_elem(&targets, &pid)) {
		books->filtered_policy++;
		return false;
	}
	return true;
}

#endif
