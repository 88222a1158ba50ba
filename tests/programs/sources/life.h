// What every program here shares: it ends by itself, and says when it is ready.
#ifndef LIFE_H
#define LIFE_H
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#if defined(__clang__)
#define KEPT __attribute__((noinline))
#else
#define KEPT __attribute__((noinline, noipa))
#endif

// Hides a value from the optimizer, and what a pointer leads to.
#define OPAQUE(value) __asm__ volatile("" : "+r"(value) : : "memory")

static void end(int number)
{
	(void)number;
	_exit(0);
}

// Ends with the thread that started it, and after argv[1] seconds (30 if absent).
static inline void live(int argc, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGALRM, end);
	alarm(argc > 1 ? (unsigned)atoi(argv[1]) : 30);
}

// The first line on standard output: what is to be seen is there from now on.
static inline void ready(long note)
{
	char line[64];
	int length = snprintf(line, sizeof line, "ready %ld\n", note);
	if (write(1, line, (size_t)length) != length)
		_exit(1);
}

// One unit of work: a chain of dependent shifts, so that it costs the same
// wherever its loop happens to lie.
static inline __attribute__((always_inline)) uint64_t work(uint64_t seed, unsigned rounds)
{
	uint64_t value = seed | 1;
	for (unsigned round = 0; round < rounds; round++) {
		value ^= value << 13;
		value ^= value >> 7;
		value ^= value << 17;
		OPAQUE(value);
	}
	return value;
}
#endif
