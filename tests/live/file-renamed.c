/*
 * Files that lost the name they were opened by, but have another in the same
 * folder, as sem_open(3) makes them: open and mapped, and with the lost name
 * taken by another file.
 */
#include <limits.h>

#include "live.h"

static int open_and_link(const char *name, const char *linked_name)
{
	char opened[PATH_MAX], linked[PATH_MAX];
	int fd;

	(void)snprintf(opened, sizeof(opened), "%s", live_path(name));
	(void)snprintf(linked, sizeof(linked), "%s", live_path(linked_name));
	fd = SYS(open(opened, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));

	CHECK(write(fd, "words", 5) == 5, "write");
	(void)SYS(link(opened, linked));
	(void)SYS(unlink(opened));
	return fd;
}

static void check_same(int fd, const char *path)
{
	struct stat open_st, st;

	(void)SYS(fstat(fd, &open_st));
	(void)SYS(stat(path, &st));
	CHECK(st.st_ino == open_st.st_ino && st.st_dev == open_st.st_dev,
	      "'%s' is another file than the open one", path);
	CHECK(st.st_nlink == 1, "'%s' has %u names", path, (unsigned int)st.st_nlink);
}

int main(void)
{
	int a, b, mapped, other;
	char *shared;
	char got[5];

	a = open_and_link("opened", "linked");
	b = open_and_link("taken", "kept");
	other = SYS(open(live_path("taken"), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	mapped = open_and_link("mapped", "semaphore");
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0);
	CHECK(shared != MAP_FAILED, "mmap");
	(void)close(mapped);
	live_freeze();
	check_same(a, live_path("linked"));
	check_same(b, live_path("kept"));
	check_same(other, live_path("taken"));
	shared[0] = 'W';
	mapped = SYS(open(live_path("semaphore"), O_RDONLY | O_CLOEXEC));
	CHECK(pread(mapped, got, 5, 0) == 5 && memcmp(got, "Words", 5) == 0,
	      "the mapping is of another file");
	live_pass();
}
