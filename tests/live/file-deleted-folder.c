/*
 * A working folder that was deleted, a descriptor of it, and a file that was
 * in it: they are what they were, and nothing has a name again.
 */
#include "live.h"

int main(void)
{
	const char *path = live_path("gone");
	char cwd[4096];
	char got[8] = "";
	struct stat st;
	int folder, file;

	CHECK(mkdir(path, 0750) == 0, "mkdir");
	CHECK(chdir(path) == 0, "chdir");
	folder = SYS(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	file = SYS(open("file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	CHECK(write(file, "inside", 6) == 6, "write");
	(void)SYS(unlink("file"));
	CHECK(rmdir(path) == 0, "rmdir");
	live_freeze();
	CHECK(!getcwd(cwd, sizeof(cwd)) && errno == ENOENT, "the working folder has a name again");
	(void)SYS(stat(".", &st));
	CHECK(S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0750, "its mode is %o", st.st_mode);
	(void)SYS(fstat(folder, &st));
	CHECK(st.st_nlink == 0, "the folder has %lu links", (unsigned long)st.st_nlink);
	CHECK(openat(folder, "new", O_WRONLY | O_CREAT, 0600) < 0 && errno == ENOENT,
	      "something can be made in it");
	CHECK(pread(file, got, sizeof(got), 0) == 6 && memcmp(got, "inside", 6) == 0, "read '%s'",
	      got);
	CHECK(access(path, F_OK) < 0, "its name is back");
	live_pass();
}
