/* A file whose opened name is gone, and whose other name is somewhere else, comes by a third one.
 */
#include "live.h"

#include <dirent.h>

static int count_links(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;
	int n = 0;

	CHECK(dir, "open '%s': %s", folder, strerror(errno));
	while ((e = readdir(dir)))
		n += !strncmp(e->d_name, "link_remap", 10);
	(void)closedir(dir);
	return n;
}

int main(void)
{
	char folder[4096], opened[4200], other[4096], reused[4096];
	int fd, again, second;
	struct stat a, b;
	char text[16];

	live_copy(folder, sizeof(folder), live_path("folder"));
	live_copy(other, sizeof(other), live_path("other"));
	live_copy(reused, sizeof(reused), live_path("reused"));
	(void)snprintf(opened, sizeof(opened), "%s/opened", folder);
	SYS(mkdir(folder, 0700));
	fd = SYS(open(opened, O_RDWR | O_CREAT, 0600));
	SYS(write(fd, "hello", 5));
	again = SYS(open(opened, O_RDONLY));
	SYS(link(opened, other));
	SYS(unlink(opened));
	/* Its name is another file's now. */
	second = SYS(open(reused, O_RDWR | O_CREAT, 0600));
	SYS(write(second, "second", 6));
	SYS(mkdir(live_path("away"), 0700));
	SYS(rename(reused, live_path("away/second")));
	(void)close(SYS(open(reused, O_RDWR | O_CREAT, 0600)));
	live_freeze();
	SYS(fstat(fd, &a));
	SYS(stat(other, &b));
	CHECK(a.st_ino == b.st_ino && a.st_nlink == 1, "another file, or %ju links",
	      (uintmax_t)a.st_nlink);
	CHECK(SYS(lseek(fd, 0, SEEK_CUR)) == 5, "its position is lost");
	CHECK(read(again, text, sizeof(text)) == 5 && !memcmp(text, "hello", 5), "its content");
	CHECK(SYS(pread(second, text, sizeof(text), 0)) == 6 && !memcmp(text, "second", 6),
	      "the second file's content");
	SYS(stat(live_path("away/second"), &b));
	SYS(fstat(second, &a));
	CHECK(a.st_ino == b.st_ino && a.st_nlink == 1, "the second is another file");
	strcpy(strrchr(other, '/'), "/");
	CHECK(!count_links(folder) && !count_links(other), "names are left");
	live_pass();
}
