/* After a fork each side keeps its own copy of what it changed, and the rest is equal. */
#include "live.h"

#define SIZE (64 * 4096)

static uint8_t *map;

static void check(int changed)
{
	for (int page = 0; page < 64; page++) {
		int want = page == changed ? 200 : page == 30 ? 0 : page + 1;

		CHECK(map[page * 4096 + 17] == want, "task %d: page %d is %d, not %d", getpid(),
		      page, map[page * 4096 + 17], want);
	}
}

static void child(void)
{
	map[10 * 4096 + 17] = 200;
	live_wait();
	check(10);
	map[11 * 4096 + 17] = 201; /* must not be seen by the parent */
}

int main(void)
{
	pid_t pid;

	map = SYS(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	for (int page = 0; page < 64; page++)
		if (page != 30)
			memset(map + page * 4096, page + 1, 4096);
	pid = live_fork(child);
	map[20 * 4096 + 17] = 200;
	live_freeze();
	live_reap(pid);
	check(20);
	live_pass();
}
