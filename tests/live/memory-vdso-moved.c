/* A vDSO that the program has moved: it stays where it was put. */
#include "live.h"

struct part {
	unsigned long start;
	unsigned long end;
};

/* [vvar], [vvar_vclock], [vdso]: ascending, side by side. */
static int find(struct part *parts)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	int n = 0;

	CHECK(maps, "open maps: %s", strerror(errno));
	while (fgets(line, sizeof(line), maps))
		if ((strstr(line, "[vvar") || strstr(line, "[vdso]")) && n < 4 &&
		    sscanf(line, "%lx-%lx", &parts[n].start, &parts[n].end) == 2)
			n++;
	(void)fclose(maps);
	return n;
}

int main(void)
{
	struct part before[4], now[4];
	int n = find(before);
	size_t size = before[n - 1].end - before[0].start;
	char *to = SYS(mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (int i = 0; i < n; i++) {
		size_t len = before[i].end - before[i].start;
		char *there = to + (before[i].start - before[0].start);

		CHECK(mremap((void *)before[i].start, len, len, MREMAP_MAYMOVE | MREMAP_FIXED,
			     there) == there,
		      "moving part %d: %s", i, strerror(errno));
	}
	CHECK(find(before) == n && before[0].start == (unsigned long)to, "it has not moved");
	live_freeze();
	CHECK(find(now) == n && memcmp(now, before, (size_t)n * sizeof(now[0])) == 0,
	      "it was at %lx, is at %lx", before[0].start, now[0].start);
	CHECK(memcmp((void *)now[n - 1].start, "\177ELF", 4) == 0, "it is no ELF image");
	live_pass();
}
