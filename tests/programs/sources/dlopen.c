// Loads a library, works in it, unloads it, for ever.
#include "life.h"
#include <dlfcn.h>

typedef uint64_t (*plugin_t)(uint64_t);

KEPT uint64_t load_and_work(uint64_t seed)
{
	void *library = dlopen(LIBRARY, RTLD_NOW);
	plugin_t hot = library ? (plugin_t)dlsym(library, "plugin_hot") : 0;
	if (!hot)
		_exit(1);
	for (int unit = 0; unit < 20; unit++)
		seed += hot(seed);
	dlclose(library);
	return seed;
}

int main(int argc, char **argv)
{
	live(argc, argv);
	ready(0);
	for (uint64_t seed = 1;;)
		seed = load_and_work(seed);
}
