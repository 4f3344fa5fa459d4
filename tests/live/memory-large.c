/* Tens of megabytes that begin and end anywhere, with holes, of all rights: each byte is where it
 * was. */
#include "live.h"

#define MIB ((size_t)1 << 20)
#define PAGE ((size_t)4096)
#define SIZE (24 * MIB)

static uint64_t value(size_t at, uint64_t seed)
{
	uint64_t x = at * 0x9e3779b97f4a7c15U + seed;

	x ^= x >> 29;
	return x * 0xbf58476d1ce4e5b9U;
}

static bool is_hole(size_t at)
{
	return at / (5 * MIB) == 2 && at / PAGE % 7 == 3;
}

static uint64_t *map(size_t skip, uint64_t seed, int prot)
{
	char *raw = SYS(mmap(NULL, SIZE + 4 * MIB, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint64_t *at = (uint64_t *)(((uintptr_t)raw + 2 * MIB - 1) / (2 * MIB) * (2 * MIB) + skip);

	for (size_t i = 0; i < SIZE / 8; i++)
		if (!is_hole(i * 8))
			at[i] = value(i, seed);
	SYS(mprotect(raw, SIZE + 4 * MIB, prot));
	return at;
}

static void check(const uint64_t *at, uint64_t seed, const char *what)
{
	for (size_t i = 0; i < SIZE / 8; i++)
		CHECK(at[i] == (is_hole(i * 8) ? 0 : value(i, seed)), "%s: byte %zu", what, i * 8);
}

static uint64_t *aligned, *odd, *readable, *executable;

static void child(void)
{
	live_wait();
	check(aligned, 1, "child, aligned");
	check(odd, 2, "child, odd");
}

int main(void)
{
	pid_t pid;

	aligned = map(0, 1, PROT_READ | PROT_WRITE);
	odd = map(3 * PAGE, 2, PROT_READ | PROT_WRITE);
	readable = map(PAGE, 3, PROT_READ);
	executable = map(2 * PAGE, 4, PROT_READ | PROT_WRITE | PROT_EXEC);
	pid = live_fork(child);
	live_freeze();
	live_reap(pid);
	check(aligned, 1, "aligned");
	check(odd, 2, "odd");
	check(readable, 3, "readable");
	check(executable, 4, "executable");
	aligned[5] = 1;
	odd[5] = 1;
	executable[5] = 1;
	live_pass();
}
