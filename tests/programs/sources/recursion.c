// One function 400 times on the stack, with a deep leaf.
#include "life.h"

KEPT uint64_t recursion_leaf(uint64_t seed)
{
	ready(400);
	for (;;)
		seed = work(seed, 20000);
	return seed;
}

KEPT uint64_t recurse(uint64_t seed, unsigned left)
{
	char local[24];
	char *escaped = local;
	OPAQUE(escaped);
	uint64_t value = left > 1 ? recurse(seed + 1, left - 1) : recursion_leaf(seed);
	OPAQUE(value);
	return value + (uint64_t)escaped[0];
}

int main(int argc, char **argv)
{
	live(argc, argv);
	return (int)recurse(1, 400);
}
