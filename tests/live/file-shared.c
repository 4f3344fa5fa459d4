/* A file opened before a fork has one position for both; one opened after has its own. */
#include "live.h"

static int shared, own;
static char path[4096];

static void child(void)
{
	char c;

	own = SYS(open(path, O_RDONLY | O_CLOEXEC));
	CHECK(lseek(own, 3, SEEK_SET) == 3, "lseek");
	live_wait();
	CHECK(read(shared, &c, 1) == 1 && c == '1', "the child reads '%c' from the shared file", c);
	CHECK(read(own, &c, 1) == 1 && c == '3', "the child reads '%c' from its own file", c);
}

int main(void)
{
	pid_t pid;
	char c;

	(void)snprintf(path, sizeof(path), "%s", live_path("digits"));
	shared = SYS(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	CHECK(write(shared, "0123456789", 10) == 10, "write");
	CHECK(lseek(shared, 1, SEEK_SET) == 1, "lseek");
	pid = live_fork(child);
	live_freeze();
	live_reap(pid);
	CHECK(read(shared, &c, 1) == 1 && c == '2',
	      "the parent reads '%c': the position is no longer shared", c);
	live_pass();
}
