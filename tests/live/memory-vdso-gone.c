/* A program that has unmapped its vDSO. */
#include "live.h"

int main(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end, vdso = 0, vdso_end = 0;
	char line[512];

	CHECK(maps, "open maps: %s", strerror(errno));
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[vdso]") && sscanf(line, "%lx-%lx", &start, &end) == 2) {
			vdso = start;
			vdso_end = end;
		}
	(void)fclose(maps);
	SYS(munmap((void *)vdso, vdso_end - vdso));
	live_freeze();
	live_pass();
}
