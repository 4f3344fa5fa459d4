/* A shared mapping of a file still writes to that file, and shows what others write. */
#include "live.h"

int main(void)
{
	const char *path = live_path("mapped");
	int fd = SYS(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	char got[4] = "";
	char *map;

	(void)SYS(ftruncate(fd, 8192));
	map = SYS(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	memcpy(map + 5000, "one", 3);
	live_freeze();
	CHECK(memcmp(map + 5000, "one", 3) == 0, "its bytes changed");
	memcpy(map + 5000, "two", 3);
	CHECK(pread(fd, got, 3, 5000) == 3 && memcmp(got, "two", 3) == 0, "the file has '%s'", got);
	CHECK(pwrite(fd, "six", 3, 100) == 3 && memcmp(map + 100, "six", 3) == 0,
	      "the mapping has '%.3s'", map + 100);
	(void)SYS(unlink(live_path("mapped")));
	live_pass();
}
