/* Transparent huge pages come back as such where they were advised; where they are forbidden, not.
 */
#include "live.h"

#define MIB ((size_t)1 << 20)
#define SIZE (32 * MIB)

/* KiB of huge pages in the mapping that begins there. */
static long huge_kib(const char *start)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	char line[4096];
	unsigned long from, to;
	bool here = false;
	long kib = -1;

	CHECK(smaps, "open smaps: %s", strerror(errno));
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = from <= (unsigned long)start && (unsigned long)start < to;
		if (here && strncmp(line, "AnonHugePages:", 14) == 0)
			kib = strtol(line + 14, NULL, 10);
	}
	(void)fclose(smaps);
	return kib;
}

static char *map(int advice)
{
	char *raw = SYS(mmap(NULL, SIZE + 2 * MIB, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char *at = (char *)(((uintptr_t)raw + 2 * MIB - 1) & ~(2 * MIB - 1));

	SYS(madvise(raw, SIZE + 2 * MIB, advice));
	for (size_t i = 0; i < SIZE; i += 512)
		at[i] = (char)(i / 512);
	return at;
}

static void check(const char *at)
{
	for (size_t i = 0; i < SIZE; i += 512)
		CHECK(at[i] == (char)(i / 512), "byte %zu is %d", i, at[i]);
}

int main(void)
{
	char *huge = map(MADV_HUGEPAGE);
	char *small = map(MADV_NOHUGEPAGE);
	long before = huge_kib(huge);

	live_freeze();
	check(huge);
	check(small);
	/* The kernel may have none to give: all are not asked for. */
	CHECK(!before || huge_kib(huge) >= before / 2, "%ld KiB were huge, now %ld", before,
	      huge_kib(huge));
	CHECK(huge_kib(small) == 0, "%ld KiB are huge that must not be", huge_kib(small));
	live_pass();
}
