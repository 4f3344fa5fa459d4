/* A private mapping of a file: changed pages are ours, the others still come from the file. */
#include "live.h"

int main(void)
{
	int fd = SYS(open(live_path("mapped"), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
	uint8_t page[4096], *map, *ro;

	for (int i = 0; i < 8; i++) {
		memset(page, 'a' + i, sizeof(page));
		CHECK(write(fd, page, sizeof(page)) == sizeof(page), "write: %s", strerror(errno));
	}
	map = SYS(mmap(NULL, 6 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 2 * 4096));
	ro = SYS(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
	memset(map + 4096, 'X', 100);
	live_freeze();
	CHECK(map[0] == 'c' && map[4096] == 'X' && map[4096 + 100] == 'd' && map[5 * 4096] == 'h',
	      "content: %c%c%c%c", map[0], map[4096], map[4096 + 100], map[5 * 4096]);
	CHECK(ro[9] == 'a', "the read-only mapping begins with %c", ro[9]);
	/* A page nobody touched follows the file, as before. */
	CHECK(pwrite(fd, "new", 3, 4 * 4096) == 3, "pwrite: %s", strerror(errno));
	CHECK(memcmp(map + 2 * 4096, "new", 3) == 0,
	      "an untouched page no longer follows its file");
	CHECK(pread(fd, page, 1, 3 * 4096) == 1 && page[0] == 'd', "our change went into the file");
	live_pass();
}
