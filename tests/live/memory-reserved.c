/* Terabytes reserved, a few pages used: as Go, Java and sanitizers do. */
#include "live.h"

#include <sys/resource.h>

#define GIB ((size_t)1 << 30)
#define TIB ((size_t)1 << 40)

static char *reserve(size_t size, int prot)
{
	return SYS(mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
}

int main(void)
{
	char *none = reserve(16 * TIB, PROT_NONE);
	char *used = reserve(64 * GIB, PROT_READ | PROT_WRITE);
	char *opened = none + 5 * TIB;
	struct rlimit limit = { 0 };

	SYS(mprotect(opened, 64 << 20, PROT_READ | PROT_WRITE));
	for (size_t i = 0; i < (64 << 20); i += 65536)
		opened[i] = (char)(i >> 16);
	for (size_t i = 0; i < 64; i++)
		used[i * GIB + 12345] = (char)(i + 1);
	/* No room for more than what is there. */
	SYS(getrlimit(RLIMIT_AS, &limit));
	limit.rlim_cur = 16 * TIB + 65 * GIB;
	SYS(setrlimit(RLIMIT_AS, &limit));
	live_freeze();
	for (size_t i = 0; i < (64 << 20); i += 65536)
		CHECK(opened[i] == (char)(i >> 16), "byte %zu is %d", i, opened[i]);
	for (size_t i = 0; i < 64; i++)
		CHECK(used[i * GIB + 12345] == (char)(i + 1) && used[i * GIB + 4096 * 9] == 0,
		      "GiB %zu", i);
	CHECK(mmap(NULL, 2 * GIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) ==
		      MAP_FAILED,
	      "the limit of address space is gone");
	SYS(mprotect(none + TIB, 4096, PROT_READ));
	CHECK(none[TIB] == 0, "reserved memory is not zero");
	live_pass();
}
