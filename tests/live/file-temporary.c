/* O_TMPFILE, deleted and sparse files, positions above 4 GiB, O_PATH, and folders mid-way. */
#include "live.h"

#include <dirent.h>

/* The names behind that position. */
static int count(DIR *dir, long at)
{
	int n = 0;

	SYS(lseek(dirfd(dir), at, SEEK_SET));
	seekdir(dir, at);
	while (readdir(dir))
		n++;
	return n;
}

int main(void)
{
	const off_t far = (off_t)5 << 30;
	char folder[4096], name[4200], text[8] = "";
	int temporary, sparse, path, big;
	struct stat st;
	DIR *dir;
	long at;
	int follow;

	live_copy(folder, sizeof(folder), live_path("folder"));
	SYS(mkdir(folder, 0700));
	for (int i = 0; i < 500; i++) {
		(void)snprintf(name, sizeof(name), "%s/%d", folder, i);
		(void)close(SYS(open(name, O_WRONLY | O_CREAT, 0600)));
	}
	dir = opendir(folder);
	CHECK(dir, "opendir");
	for (int i = 0; i < 100; i++)
		CHECK(readdir(dir), "readdir");
	at = telldir(dir);
	follow = count(dir, at);
	SYS(lseek(dirfd(dir), at, SEEK_SET));
	temporary = SYS(open(folder, O_TMPFILE | O_RDWR, 0640));
	SYS(write(temporary, "temporary", 9));
	sparse = SYS(open(live_path("sparse"), O_RDWR | O_CREAT, 0600));
	SYS(pwrite(sparse, "end", 3, far));
	SYS(lseek(sparse, far, SEEK_SET));
	SYS(unlink(live_path("sparse")));
	big = SYS(open(live_path("big"), O_RDWR | O_CREAT | O_APPEND, 0600));
	SYS(ftruncate(big, far + 1));
	SYS(lseek(big, far, SEEK_SET));
	path = SYS(open(live_path("big"), O_PATH | O_NOFOLLOW));
	live_freeze();
	SYS(fstat(temporary, &st));
	CHECK(st.st_size == 9 && st.st_nlink == 0 && (st.st_mode & 0777) == 0640, "O_TMPFILE");
	SYS(pread(temporary, text, 4, 0));
	CHECK(!memcmp(text, "temp", 4), "its content");
	SYS(fstat(sparse, &st));
	CHECK(st.st_size == far + 3 && st.st_blocks < 64, "%jd bytes in %jd blocks",
	      (intmax_t)st.st_size, (intmax_t)st.st_blocks);
	CHECK(SYS(read(sparse, text, 3)) == 3 && !memcmp(text, "end", 3), "beyond the hole");
	CHECK(SYS(lseek(big, 0, SEEK_CUR)) == far, "a position above 4 GiB");
	CHECK(fcntl(big, F_GETFL) & O_APPEND, "O_APPEND");
	CHECK(fcntl(path, F_GETFL) & O_PATH && read(path, text, 1) < 0 && errno == EBADF, "O_PATH");
	CHECK(SYS(lseek(dirfd(dir), 0, SEEK_CUR)) == at, "the folder's position");
	CHECK(count(dir, at) == follow, "%d of %d names follow", count(dir, at), follow);
	live_pass();
}
