/* Private anonymous memory keeps its bytes and protections; untouched pages stay zero. */
#include "live.h"

#define PAGES 512

int main(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *map = SYS(mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint8_t *no = SYS(mmap(NULL, 4 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (size_t i = 0; i < PAGES; i += 3)
		memset(map + i * page, (int)(i % 251 + 1), page);
	(void)SYS(mprotect(map, 8 * page, PROT_READ));
	live_freeze();
	for (size_t i = 0; i < PAGES; i++) {
		uint8_t want = i % 3 == 0 ? (uint8_t)(i % 251 + 1) : 0;

		for (size_t k = 0; k < page; k++)
			CHECK(map[i * page + k] == want, "page %zu byte %zu is %d, not %d", i, k,
			      map[i * page + k], want);
	}
	CHECK(write(STDOUT_FILENO, no, 1) < 0 && errno == EFAULT,
	      "the PROT_NONE mapping can be read");
	int zero = SYS(open("/dev/zero", O_RDONLY | O_CLOEXEC));

	CHECK(read(zero, map, 1) < 0 && errno == EFAULT, "the read-only pages can be written");
	live_pass();
}
