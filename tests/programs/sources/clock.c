// Asks what time it is, in a loop: its work is in the vDSO.
#include "life.h"
#include <time.h>

KEPT void clock_caller(void)
{
	struct timespec now;
	for (int round = 0; round < 20000; round++)
		clock_gettime(CLOCK_MONOTONIC, &now);
}

int main(int argc, char **argv)
{
	live(argc, argv);
	ready(0);
	for (;;)
		clock_caller();
}
