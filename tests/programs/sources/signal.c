// A signal handler on an alternate stack works; below its frame lies the kernel's
// signal frame, and below that raiser on the first stack.
#include "life.h"

static char stack[1 << 16];

KEPT void handler_leaf(void)
{
	ready(0);
	for (uint64_t seed = 1;;)
		seed = work(seed, 20000);
}

KEPT void handler(int number)
{
	handler_leaf();
	OPAQUE(number);
}

KEPT void raiser(volatile int *nowhere)
{
	*nowhere = 1;
	OPAQUE(nowhere);
}

int main(int argc, char **argv)
{
	live(argc, argv);
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
	if (sigaltstack(&alternate, 0) || sigaction(SIGSEGV, &action, 0))
		return 1;
	raiser(0);
	return 0;
}
