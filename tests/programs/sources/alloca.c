// A frame whose size is known only when it runs.
#include "life.h"
#include <alloca.h>

KEPT uint64_t alloca_leaf(uint64_t seed)
{
	ready(0);
	for (;;)
		seed = work(seed, 20000);
	return seed;
}

KEPT uint64_t alloca_caller(uint64_t seed, unsigned bytes)
{
	char *local = alloca(bytes);
	local[0] = (char)seed;
	OPAQUE(local);
	uint64_t value = alloca_leaf(seed);
	OPAQUE(value);
	return value + (uint64_t)local[0];
}

int main(int argc, char **argv)
{
	live(argc, argv);
	return (int)alloca_caller(1, 1000 + (unsigned)argc * 24);
}
