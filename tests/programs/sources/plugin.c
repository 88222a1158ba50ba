// What dlopen.c loads and unloads.
#include "life.h"

KEPT uint64_t plugin_hot(uint64_t seed) { return work(seed, 200000); }
