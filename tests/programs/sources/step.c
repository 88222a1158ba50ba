// What plt.c calls.
#include "life.h"

KEPT uint64_t plt_step(uint64_t seed) { return seed + 1; }
