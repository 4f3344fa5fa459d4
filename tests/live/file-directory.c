/* An open directory is still one, can be used by *at calls, and is read on. */
#include "live.h"

#include <dirent.h>

int main(void)
{
	char path[4096];
	int fd, file;
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s", live_path("folder"));
	(void)SYS(mkdir(path, 0755));
	fd = SYS(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	file = SYS(openat(fd, "inside", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	CHECK(write(file, "x", 1) == 1, "write");
	(void)close(file);
	live_freeze();
	CHECK(fstat(fd, &st) == 0 && S_ISDIR(st.st_mode), "no longer a folder");
	CHECK(fstatat(fd, "inside", &st, 0) == 0 && st.st_size == 1, "inside: %s", strerror(errno));
	(void)SYS(unlinkat(fd, "inside", 0));
	live_pass();
}
