// Built with debug information: the work is inlined twice into inlined_caller.
#include "life.h"

static inline __attribute__((always_inline)) uint64_t inlined_hot(uint64_t seed)
{
	return work(seed, 20000) + 1;
}

KEPT uint64_t inlined_caller(uint64_t seed)
{
	return inlined_hot(seed) + 1;
}

int main(int argc, char **argv)
{
	live(argc, argv);
	ready(0);
	for (uint64_t seed = 1;; seed++)
		seed = inlined_caller(seed) + 1;
}
