/* A bind mount of a folder, and of a file, that were deleted. */
#include "mounts.h"

#include <dirent.h>

int main(void)
{
	int fd;

	mount_tmpfs("/tmp/a", 0, NULL);
	(void)SYS(mkdir("/tmp/a/folder", 0755));
	mount_bind("/tmp/a/folder", "/tmp/b", 0);
	(void)SYS(rmdir("/tmp/a/folder"));
	put_file("/tmp/a/file", "");
	put_file("/tmp/c", "");
	(void)SYS(mount("/tmp/a/file", "/tmp/c", NULL, MS_BIND, NULL));
	(void)SYS(unlink("/tmp/a/file"));
	live_freeze();
	CHECK(strstr(live_proc(getpid(), "mountinfo", ""), "/"), "no mount table");
	CHECK(access("/tmp/a/folder", F_OK) < 0 && access("/tmp/a/file", F_OK) < 0,
	      "they have names again");
	fd = SYS(open("/tmp/b", O_RDONLY | O_DIRECTORY));
	CHECK(openat(fd, "x", O_CREAT | O_WRONLY, 0600) < 0 && errno == ENOENT, "b: %s",
	      strerror(errno));
	(void)close(fd);
	(void)SYS(umount2("/tmp/b", 0));
	(void)SYS(umount2("/tmp/c", 0));
	live_pass();
}
