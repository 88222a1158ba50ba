// Works with 100,000 mappings, or as many as vm.max_map_count lets it have; the
// note is how many it made.
#include "life.h"
#include <sys/mman.h>

#define WANTED 100000L

KEPT uint64_t mappings_leaf(uint64_t seed) { return work(seed, 20000); }

int main(int argc, char **argv)
{
	live(argc, argv);
	long page = sysconf(_SC_PAGESIZE), made = 1;
	char *area = mmap(0, (size_t)(WANTED * page), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return 1;
	// Every other page executable: no two neighbours can be merged, and an
	// executable mapping is one that a profiler must look at.
	for (long at = 1; at < WANTED; at += 2) {
		if (mprotect(area + at * page, (size_t)page, PROT_READ | PROT_EXEC))
			break;
		made += 2;
	}
	ready(made);
	for (uint64_t seed = 1;;)
		seed = mappings_leaf(seed);
}
