// Throws through four frames and catches, for ever.
#include "life.h"
#include <stdexcept>

KEPT void thrower(uint64_t seed)
{
	OPAQUE(seed);
	if (seed)
		throw std::runtime_error("thrown");
}

KEPT void through_two(uint64_t seed) { thrower(seed); OPAQUE(seed); }
KEPT void through_one(uint64_t seed) { through_two(seed); OPAQUE(seed); }

KEPT uint64_t catcher(uint64_t seed)
{
	try {
		through_one(seed | 1);
	} catch (const std::runtime_error &error) {
		return seed + (uint64_t)error.what()[0];
	}
	return seed;
}

int main(int argc, char **argv)
{
	live(argc, argv);
	ready(0);
	for (uint64_t seed = 1;;)
		seed = catcher(seed);
}
