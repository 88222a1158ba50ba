// Frames that move the stack pointer to a multiple of 64 and keep the way back in
// a register (gcc's DRAP): their CFA is a DWARF expression.
#include "life.h"
#include <alloca.h>

typedef char wide_t __attribute__((vector_size(32)));

KEPT uint64_t realigned_leaf(uint64_t seed)
{
	ready(0);
	for (;;)
		seed = work(seed, 20000);
	return seed;
}

KEPT uint64_t realigned_inner(uint64_t seed, unsigned bytes)
{
	_Alignas(64) char local[128];
	char *aligned = local, *sized = alloca(bytes);
	OPAQUE(aligned);
	OPAQUE(sized);
	uint64_t value = realigned_leaf(seed);
	OPAQUE(value);
	return value + (uint64_t)aligned[0] + (uint64_t)sized[0];
}

KEPT __attribute__((force_align_arg_pointer)) uint64_t realigned_outer(uint64_t seed, unsigned bytes)
{
	wide_t local = {0}, *wide = &local;
	OPAQUE(wide);
	uint64_t value = realigned_inner(seed, bytes);
	OPAQUE(value);
	return value + (uint64_t)(*wide)[0];
}

int main(int argc, char **argv)
{
	live(argc, argv);
	return (int)realigned_outer(1, 100 + (unsigned)argc * 24);
}
