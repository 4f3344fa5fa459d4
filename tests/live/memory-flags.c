/* All that smaps says of mappings: advice, locks, reservations, protection. */
#include "live.h"

#include <sys/syscall.h>

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

#define SIZE (16 * 4096)
#define GAP 4096

#define RW (PROT_READ | PROT_WRITE)
#define NOTHING (-1)

static const struct {
	const char *name;
	int prot;
	int flags;
	int advice;
	int again;
} wanted[] = {
	{ "plain", RW, 0, NOTHING, NOTHING },
	{ "not forked", RW, 0, MADV_DONTFORK, NOTHING },
	{ "wiped on fork", RW, 0, MADV_WIPEONFORK, NOTHING },
	{ "not in cores", RW, 0, MADV_DONTDUMP, NOTHING },
	{ "mergeable", RW, 0, MADV_MERGEABLE, NOTHING },
	{ "random", RW, 0, MADV_RANDOM, NOTHING },
	{ "sequential", RW, 0, MADV_SEQUENTIAL, NOTHING },
	{ "huge", RW, 0, MADV_HUGEPAGE, NOTHING },
	{ "never huge", RW, 0, MADV_NOHUGEPAGE, NOTHING },
	{ "not forked, not in cores", RW, 0, MADV_DONTFORK, MADV_DONTDUMP },
	{ "not reserved", RW, MAP_NORESERVE, NOTHING, NOTHING },
	{ "locked", RW, MAP_LOCKED, NOTHING, NOTHING },
	{ "locked, sequential", RW, MAP_LOCKED, MADV_SEQUENTIAL, NOTHING },
	{ "growing", RW, MAP_GROWSDOWN, NOTHING, NOTHING },
	{ "stack", RW, MAP_STACK, NOTHING, NOTHING },
	{ "unreadable", PROT_NONE, MAP_NORESERVE, NOTHING, NOTHING },
	{ "executable only", PROT_EXEC, 0, NOTHING, NOTHING },
	{ "read only, wiped", PROT_READ, 0, MADV_WIPEONFORK, NOTHING },
};

#define N (sizeof(wanted) / sizeof(wanted[0]))

static char *maps[N];

/* "perms VmFlags" of the mapping that begins there. */
static void look(const char *start, char *ret, size_t size)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	char line[4096], perms[8];
	unsigned long from, to;
	bool here = false;

	CHECK(smaps, "open smaps: %s", strerror(errno));
	ret[0] = '\0';
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx %4s", &from, &to, perms) == 3)
			here = from == (unsigned long)start;
		if (here && strncmp(line, "VmFlags:", 8) == 0)
			(void)snprintf(ret, size, "%s%s", perms, line + 8);
	}
	(void)fclose(smaps);
	CHECK(ret[0], "no mapping at %p", (const void *)start);
}

int main(void)
{
	char before[N][256];
	char now[256];
	char *at = SYS(mmap(NULL, N * (SIZE + 64 * GAP), PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

	SYS(munmap(at, N * (SIZE + 64 * GAP)));
	for (size_t i = 0; i < N; i++) {
		int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | wanted[i].flags;

		maps[i] = SYS(mmap(at + i * (SIZE + 64 * GAP) + 32 * GAP, SIZE, wanted[i].prot,
				   flags, -1, 0));
		if (wanted[i].advice != NOTHING)
			SYS(madvise(maps[i], SIZE, wanted[i].advice));
		if (wanted[i].again != NOTHING)
			SYS(madvise(maps[i], SIZE, wanted[i].again));
		if (wanted[i].prot & PROT_WRITE)
			maps[i][GAP] = (char)(i + 1);
		look(maps[i], before[i], sizeof(before[i]));
	}
	live_freeze();
	for (size_t i = 0; i < N; i++) {
		look(maps[i], now, sizeof(now));
		CHECK(strcmp(before[i], now) == 0, "%s: was '%s', is '%s'", wanted[i].name,
		      before[i], now);
		CHECK(!(wanted[i].prot & PROT_WRITE) || maps[i][GAP] == (char)(i + 1),
		      "%s: content", wanted[i].name);
	}
	live_pass();
}
