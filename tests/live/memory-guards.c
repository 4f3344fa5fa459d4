/* Guard pages (MADV_GUARD_INSTALL): touching them is SIGSEGV, their neighbours keep what they had.
 */
#include "live.h"

#include "fault.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif

#define PAGE 4096
#define PAGES 64

static bool is_guard(int page)
{
	return page == 0 || page == PAGES - 1 || (page >= 10 && page < 20) || page == 40;
}

static void check(uint8_t *map, const char *what)
{
	for (int page = 0; page < PAGES; page++) {
		int sig = touch(map + page * PAGE);

		CHECK(sig == (is_guard(page) ? SIGSEGV : 0), "%s: page %d: signal %d", what, page,
		      sig);
		CHECK(sig || map[page * PAGE] == (page % 2 ? page + 1 : 0), "%s: page %d is %d",
		      what, page, map[page * PAGE]);
	}
}

static void install(uint8_t *map)
{
	for (int page = 0; page < PAGES; page++) {
		if (page % 2)
			map[page * PAGE] = (uint8_t)(page + 1);
		if (is_guard(page))
			SYS(madvise(map + page * PAGE, PAGE, MADV_GUARD_INSTALL));
	}
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_fault };
	uint8_t *anon = SYS(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint8_t *shared = SYS(mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	SYS(sigaction(SIGSEGV, &action, NULL));
	install(anon);
	install(shared);
	check(anon, "private, before");
	check(shared, "shared, before");
	live_freeze();
	check(anon, "private");
	check(shared, "shared");
	SYS(madvise(anon, PAGES * PAGE, MADV_GUARD_REMOVE));
	CHECK(!touch(anon) && anon[0] == 0 && anon[11 * PAGE] == 0, "guards that were removed");
	live_pass();
}
