// The child of a vfork works on its parent's stack; the note is the child's pid.
#include "life.h"

KEPT uint64_t vfork_leaf(uint64_t seed)
{
	for (int unit = 0; unit < 100; unit++)
		seed = work(seed, 20000);
	return seed;
}

KEPT void vfork_caller(int *told)
{
	pid_t child = vfork();
	if (child == 0) {
		if (!*told)
			ready(getpid());
		*told = 1;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		uint64_t value = vfork_leaf(1);
		OPAQUE(value);
		_exit(0);
	}
	if (child < 0)
		_exit(1);
}

int main(int argc, char **argv)
{
	live(argc, argv);
	signal(SIGCHLD, SIG_IGN);
	for (int told = 0;;)
		vfork_caller(&told);
}
