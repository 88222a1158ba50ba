// Forks, and the child works; the note is the child's pid.
#include "life.h"
#include <sys/wait.h>

KEPT uint64_t fork_leaf(uint64_t seed)
{
	ready(getpid());
	for (;;)
		seed = work(seed, 20000);
	return seed;
}

int main(int argc, char **argv)
{
	live(argc, argv);
	pid_t child = fork();
	if (child == 0) {
		live(argc, argv);
		return (int)fork_leaf(1);
	}
	return child < 0 || waitpid(child, 0, 0) < 0;
}
