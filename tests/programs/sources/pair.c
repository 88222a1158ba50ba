// Becomes the other of a pair, again and again: pair_a becomes pair_b, which lies
// beside it, and so on, until argv[1] seconds are over. Each of the two has a
// function that the other one has not.
#include "life.h"
#include <string.h>
#include <time.h>

KEPT uint64_t LEAF(uint64_t seed) { return work(seed, 300000); }

int main(int argc, char **argv)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	long end_s = argc > 2 ? atol(argv[2]) : now.tv_sec + (argc > 1 ? atol(argv[1]) : 30);
	if (argc <= 2) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ready(0);
	}
	if (now.tv_sec >= end_s)
		return 0;
	uint64_t value = LEAF(1);
	OPAQUE(value);
	char other[4096], end_text[24];
	size_t length = strlen(argv[0]);
	if (length == 0 || length >= sizeof other)
		return 1;
	memcpy(other, argv[0], length + 1);
	other[length - 1] = OTHER;
	snprintf(end_text, sizeof end_text, "%ld", end_s);
	char *arguments[] = {other, "again", end_text, 0};
	execv(other, arguments);
	return 1;
}
