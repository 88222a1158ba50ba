// Calls through the PLT as often as it can: samples land in its stubs.
#include "life.h"

uint64_t plt_step(uint64_t seed);

KEPT uint64_t plt_caller(uint64_t seed)
{
	for (int call = 0; call < 1000000; call++)
		seed = plt_step(seed);
	return seed;
}

int main(int argc, char **argv)
{
	live(argc, argv);
	ready(0);
	for (uint64_t seed = 1;;)
		seed = plt_caller(seed);
}
