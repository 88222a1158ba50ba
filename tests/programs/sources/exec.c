// Becomes itself anew, about 1,000 times a second, until argv[1] seconds are over.
#include "life.h"
#include <time.h>

KEPT uint64_t exec_leaf(uint64_t seed) { return work(seed, 20000); }

int main(int argc, char **argv)
{
	struct timespec now, pause = {.tv_nsec = 500000};
	clock_gettime(CLOCK_MONOTONIC, &now);
	char end_text[24];
	long end_s = argc > 2 ? atol(argv[2]) : now.tv_sec + (argc > 1 ? atol(argv[1]) : 30);
	if (argc <= 2) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ready(0);
	}
	if (now.tv_sec >= end_s)
		return 0;
	uint64_t value = exec_leaf(1);
	OPAQUE(value);
	nanosleep(&pause, 0);
	snprintf(end_text, sizeof end_text, "%ld", end_s);
	char *arguments[] = {argv[0], "again", end_text, 0};
	execv("/proc/self/exe", arguments);
	return 1;
}
