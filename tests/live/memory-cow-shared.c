/* Pages shared since a fork are shared again, over three generations; what differed, differs. */
#include "live.h"

#define PAGE 4096
#define PAGES 2048

#define TASKS 3

static uint8_t *anon, *file;
static int *compared; /* by so many; shared memory */

struct usage {
	long shared;
	long private;
};

/* KiB in the mappings between these addresses that are shared, or not. */
static struct usage usage(const uint8_t *start, size_t len)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	struct usage u = { 0 };
	char line[4096];
	unsigned long from, to;
	bool here = false;

	CHECK(smaps, "open smaps: %s", strerror(errno));
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = from >= (unsigned long)start && to <= (unsigned long)start + len;
		if (here && strncmp(line, "Shared_Dirty:", 13) == 0)
			u.shared += strtol(line + 13, NULL, 10);
		if (here && strncmp(line, "Private_Dirty:", 14) == 0)
			u.private += strtol(line + 14, NULL, 10);
	}
	(void)fclose(smaps);
	return u;
}

static void fill(uint8_t *map, int from, int to, int seed)
{
	for (int page = from; page < to; page++)
		memset(map + (size_t)page * PAGE, (page * 7 + seed) % 251 + 1, PAGE);
}

static void check(const uint8_t *map, int from, int to, int seed)
{
	for (int page = from; page < to; page++)
		for (int i = 0; i < PAGE; i += 1023)
			CHECK(map[(size_t)page * PAGE + (size_t)i] ==
				      (seed < 0 ? 0 : (page * 7 + seed) % 251 + 1),
			      "task %d: page %d is %d", getpid(), page, map[(size_t)page * PAGE]);
}

static void compare(const char *who, struct usage before, const uint8_t *map)
{
	struct usage now = usage(map, (size_t)PAGES * PAGE);

	CHECK(now.shared >= before.shared - 64 && now.private <= before.private + 64,
	      "%s: %ld KiB were shared and %ld private, now %ld and %ld", who, before.shared,
	      before.private, now.shared, now.private);
	/* A task that ends shares no more. */
	__atomic_add_fetch(compared, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(compared, __ATOMIC_SEQ_CST) < TASKS)
		live_pause_ms(1);
}

static void ready(int fd)
{
	CHECK(write(fd, "r", 1) == 1, "tell");
}

static int told[2];

static void grandchild(void)
{
	struct usage before;

	fill(anon, 100, 200, 3);
	SYS(mprotect(anon + 300 * PAGE, 50 * PAGE, PROT_READ));
	before = usage(anon, (size_t)PAGES * PAGE);
	ready(told[1]);
	live_wait();
	compare("grandchild", before, anon);
	check(anon, 0, 100, 2);
	check(anon, 100, 200, 3);
	check(anon, 200, 500, 1);
	check(anon, 500, 600, -1);
	check(anon, 600, PAGES, 1);
	check(file, 0, 16, 5);
}

static void child(void)
{
	struct usage before;
	pid_t pid;

	fill(anon, 0, 100, 2);
	SYS(madvise(anon + 500 * PAGE, 100 * PAGE, MADV_DONTNEED));
	pid = live_fork(grandchild);
	fill(file, 8, 16, 6);
	SYS(munmap(anon + 700 * PAGE, 10 * PAGE));
	before = usage(anon, (size_t)PAGES * PAGE);
	ready(told[1]);
	live_wait();
	compare("child", before, anon);
	live_reap(pid);
	check(anon, 0, 100, 2);
	check(anon, 100, 500, 1);
	check(anon, 500, 600, -1);
	check(anon, 600, 700, 1);
	check(anon, 710, PAGES, 1);
	check(file, 0, 8, 5);
	check(file, 8, 16, 6);
	fill(anon, 800, 900, 9); /* nobody else sees it */
}

int main(void)
{
	struct usage before;
	pid_t pid;
	char c;
	int fd = SYS(open(live_path("file"), O_CREAT | O_RDWR | O_CLOEXEC, 0600));

	SYS(ftruncate(fd, 32 * PAGE));
	SYS(pipe(told));
	compared = SYS(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	anon = SYS(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0));
	file = SYS(mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	fill(anon, 0, PAGES, 1);
	fill(file, 0, 16, 5);
	pid = live_fork(child);
	for (int i = 0; i < 2; i++)
		CHECK(read(told[0], &c, 1) == 1, "wait for the others");
	before = usage(anon, (size_t)PAGES * PAGE);
	CHECK(before.shared > PAGES * 4 * 3 / 4, "only %ld KiB are shared", before.shared);
	live_freeze();
	compare("parent", before, anon);
	live_reap(pid);
	check(anon, 0, PAGES, 1);
	check(file, 0, 16, 5);
	live_pass();
}
