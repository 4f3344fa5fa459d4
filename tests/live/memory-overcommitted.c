/* A mapping larger than the machine's memory, which the kernel would not give at once. */
#include "live.h"

#include <sys/sysinfo.h>

int main(void)
{
	size_t step = (size_t)get_phys_pages() / 4 * 4096;
	int n = 0;
	char *at = SYS(mmap(NULL, 8 * step, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			    -1, 0));

	SYS(munmap(at, 8 * step));
	for (int i = 0; i < 8; i++, n++) {
		char *part = mmap(at + (size_t)i * step, step, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		/* A kernel that counts strictly gives less: then less is the test. */
		if (part == MAP_FAILED && errno == ENOMEM && i > 0)
			break;
		CHECK(part == at + (size_t)i * step, "mmap: %s", strerror(errno));
		part[4096] = (char)(i + 1);
	}
	live_freeze();
	for (int i = 0; i < n; i++)
		CHECK(at[(size_t)i * step + 4096] == (char)(i + 1), "part %d", i);
	live_pass();
}
