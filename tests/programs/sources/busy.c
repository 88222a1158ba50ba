// 70 % of its work in hot_a, 30 % in warm_a.
#include "life.h"

KEPT uint64_t hot_a(uint64_t seed) { return work(seed, 20000); }
KEPT uint64_t warm_a(uint64_t seed) { return work(seed, 20000); }

KEPT uint64_t serve_a(uint64_t seed)
{
	for (int unit = 0; unit < 10; unit++)
		seed += unit < 7 ? hot_a(seed) : warm_a(seed);
	return seed;
}

int main(int argc, char **argv)
{
	live(argc, argv);
	ready(0);
	for (uint64_t seed = 1;; seed++)
		seed = serve_a(seed);
}
