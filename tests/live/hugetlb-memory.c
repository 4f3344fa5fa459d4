/*
 * Huge pages: private ones, shared anonymous ones with a child, a memfd of them mapped shared and
 * privately; touched pages and untouched ones.
 */
#include "live.h"

#include <linux/memfd.h>

#define HUGE ((size_t)2 << 20)

static unsigned char *shared;

static void child(void)
{
	live_wait();
	while (__atomic_load_n(&shared[HUGE], __ATOMIC_SEQ_CST) != 'P')
		live_pause_ms(1);
	if (shared[5] != 's')
		_exit(1);
	__atomic_store_n(&shared[HUGE], 'C', __ATOMIC_SEQ_CST);
}

static unsigned char *map(size_t pages, int flags, int fd)
{
	return SYS(mmap(NULL, pages * HUGE, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0));
}

static bool is_huge(const void *at)
{
	char line[4096], want[64];
	bool here = false;
	FILE *file = fopen("/proc/self/smaps", "re");

	CHECK(file, "smaps");
	(void)snprintf(want, sizeof(want), "%lx-", (unsigned long)(uintptr_t)at);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, want, strlen(want)) == 0)
			here = true;
		if (here && strncmp(line, "KernelPageSize:", 15) == 0) {
			(void)fclose(file);
			return strtoul(line + 15, NULL, 10) == HUGE / 1024;
		}
	}
	(void)fclose(file);
	return false;
}

int main(void)
{
	int fd = SYS(memfd_create("huge", MFD_HUGETLB | MFD_HUGE_2MB | MFD_ALLOW_SEALING));
	unsigned char *private, *file, *copy;
	pid_t pid;

	(void)SYS(ftruncate(fd, 3 * HUGE));
	private = map(3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	shared = map(2, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1);
	file = map(3, MAP_SHARED, fd);
	copy = map(3, MAP_PRIVATE, fd);
	memset(private + HUGE, 'p', HUGE);
	shared[5] = 's';
	memset(file + 2 * HUGE, 'f', HUGE);
	copy[2 * HUGE + 1] = 'c';
	(void)SYS(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	pid = live_fork(child);
	live_freeze();

	for (size_t i = 0; i < HUGE; i += 511)
		CHECK(private[HUGE + i] == 'p' && file[2 * HUGE + i] == 'f', "byte %zu changed", i);
	CHECK(copy[2 * HUGE] == 'f' && copy[2 * HUGE + 1] == 'c', "the private copy changed");
	CHECK(file[2 * HUGE + 1] == 'f', "the file got the private byte");
	CHECK(private[0] == 0 && file[0] == 0, "pages that were never touched");
	__atomic_store_n(&shared[HUGE], 'P', __ATOMIC_SEQ_CST);
	live_reap(pid);
	CHECK(shared[HUGE] == 'C', "the child's byte is not here");
	file[7] = '7';
	CHECK(copy[7] == '7', "the mappings are of two files");
	CHECK(is_huge(private) && is_huge(shared) && is_huge(file), "the pages are small now");
	CHECK(fcntl(fd, F_GET_SEALS) == F_SEAL_SHRINK, "seals %#x", fcntl(fd, F_GET_SEALS));
	live_pass();
}
