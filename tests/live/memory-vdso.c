/* The vDSO is where it was and still tells the time. */
#include "live.h"

#include <sys/auxv.h>

int main(void)
{
	unsigned long vdso = getauxval(AT_SYSINFO_EHDR);
	uint64_t before = live_now_ns(CLOCK_REALTIME), mono = live_now_ns(CLOCK_MONOTONIC), after;
	unsigned long start = 0;
	FILE *maps;
	char line[512];

	live_freeze();
	after = live_now_ns(CLOCK_REALTIME);
	CHECK(after > before && after - before < 60000000000U, "the clock went from %lu to %lu",
	      before, after);
	CHECK(live_now_ns(CLOCK_MONOTONIC) >= mono, "the monotonic clock went back");
	maps = fopen("/proc/self/maps", "re");
	CHECK(maps, "open maps");
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[vdso]"))
			start = strtoul(line, NULL, 16);
	CHECK(start == vdso, "the vDSO is at %#lx, not at %#lx", start, vdso);
	CHECK(memcmp((void *)vdso, "\177ELF", 4) == 0, "no vDSO there");
	live_pass();
}
