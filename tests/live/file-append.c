/* O_APPEND still appends, after somebody else has made the file longer. */
#include "live.h"

int main(void)
{
	char path[4096], text[32] = "";
	int fd, other;

	(void)snprintf(path, sizeof(path), "%s", live_path("log"));
	fd = SYS(open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
	CHECK(write(fd, "one ", 4) == 4, "write");
	live_freeze();
	other = SYS(open(path, O_RDWR | O_CLOEXEC));
	CHECK(pwrite(other, "two ", 4, 4) == 4, "pwrite");
	CHECK(write(fd, "three", 5) == 5, "write: %s", strerror(errno));
	CHECK(pread(other, text, sizeof(text) - 1, 0) == 13 && strcmp(text, "one two three") == 0,
	      "the file says '%s'", text);
	live_pass();
}
