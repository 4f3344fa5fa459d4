/* A named pipe keeps its bytes, and both ends are still ends of it. */
#include "live.h"

int main(void)
{
	const char *path = live_path("fifo");
	char got[64] = "";
	int in, out;

	(void)SYS(mkfifo(path, 0600));
	out = SYS(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
	in = SYS(open(path, O_WRONLY | O_CLOEXEC));
	CHECK(write(in, "before", 6) == 6, "write");
	live_freeze();
	CHECK(write(in, " after", 6) == 6, "write: %s", strerror(errno));
	CHECK(read(out, got, sizeof(got)) == 12 && memcmp(got, "before after", 12) == 0,
	      "read '%s'", got);
	CHECK(read(out, got, 1) < 0 && errno == EAGAIN, "it is not empty or blocks");
	(void)close(in);
	CHECK(read(out, got, 1) == 0, "no end of file");
	(void)SYS(unlink(live_path("fifo")));
	live_pass();
}
