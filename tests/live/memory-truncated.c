/* Files that became shorter behind their mappings: SIGBUS there, all else as it was. */
#include "live.h"

#include "fault.h"

#define PAGE 4096

int main(void)
{
	struct sigaction action = { .sa_handler = on_fault };
	uint8_t page[PAGE];
	uint8_t *private, *shared;
	int fd = SYS(open(live_path("file"), O_CREAT | O_RDWR | O_CLOEXEC, 0600));

	SYS(sigaction(SIGBUS, &action, NULL));
	for (int i = 0; i < 8; i++) {
		memset(page, i + 1, PAGE);
		CHECK(write(fd, page, PAGE) == PAGE, "write");
	}
	private = SYS(mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	shared = SYS(mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	private[1 * PAGE] = 101;
	private[2 * PAGE + 50] = 102;
	private[5 * PAGE] = 105;
	shared[6 * PAGE] = 106;
	SYS(ftruncate(fd, 2 * PAGE + 100));
	CHECK(touch(private + 5 * PAGE) == SIGBUS, "before: no SIGBUS");
	live_freeze();
	for (int i = 3; i < 8; i++) {
		CHECK(touch(private + i * PAGE) == SIGBUS, "private page %d: no SIGBUS", i);
		CHECK(touch(shared + i * PAGE) == SIGBUS, "shared page %d: no SIGBUS", i);
	}
	CHECK(private[0] == 1 && private[PAGE] == 101 && private[PAGE + 1] == 2, "private pages");
	CHECK(shared[0] == 1 && shared[PAGE] == 2 && shared[2 * PAGE] == 3, "shared pages");
	SYS(ftruncate(fd, 8 * PAGE));
	CHECK(touch(private + 5 * PAGE) == 0 && private[5 * PAGE] == 0, "private, grown again");
	CHECK(touch(shared + 6 * PAGE) == 0 && shared[6 * PAGE] == 0, "shared, grown again");
	live_pass();
}
