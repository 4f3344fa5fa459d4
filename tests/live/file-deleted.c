/*
 * Deleted files that are still open keep their bytes, position, mode and times; two
 * descriptions of one of them, opened apart, still see the same file; holes stay holes.
 */
#include "live.h"

static const char text[] = "the quick brown fox";

int main(void)
{
	const struct timespec times[2] = { { .tv_sec = 981158400 }, { .tv_sec = 981158401 } };
	const char *path = live_path("deleted");
	char got[64] = "";
	struct stat st;
	int a, b, sparse;

	a = SYS(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
	b = SYS(open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
	CHECK(write(a, text, sizeof(text)) == sizeof(text), "write");
	(void)SYS(lseek(b, 4, SEEK_SET));
	(void)SYS(futimens(a, times));
	(void)SYS(unlink(path));
	path = live_path("sparse");
	sparse = SYS(open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	CHECK(pwrite(sparse, "end", 3, 64 << 20) == 3, "pwrite");
	(void)SYS(unlink(path));
	live_freeze();
	(void)SYS(fstat(a, &st));
	CHECK(st.st_nlink == 0, "it has a name again");
	CHECK((st.st_mode & 07777) == 0640, "its mode is %o", st.st_mode);
	CHECK(st.st_mtim.tv_sec == times[1].tv_sec, "it was modified at %ld",
	      (long)st.st_mtim.tv_sec);
	CHECK(st.st_atim.tv_sec == times[0].tv_sec, "it was read at %ld", (long)st.st_atim.tv_sec);
	CHECK(read(b, got, 5) == 5 && memcmp(got, "quick", 5) == 0, "read '%s'", got);
	CHECK(write(a, "!", 1) == 1, "write");
	CHECK(pread(b, got, sizeof(got), 0) == sizeof(text) + 1, "they are two files now");
	CHECK(memcmp(got, text, sizeof(text)) == 0 && got[sizeof(text)] == '!',
	      "its bytes changed");
	(void)SYS(fstat(sparse, &st));
	CHECK(st.st_size == (64 << 20) + 3, "the sparse file has %ld bytes", (long)st.st_size);
	CHECK(st.st_blocks * 512 < (1 << 20), "the hole was filled");
	CHECK(pread(sparse, got, 4, 64 << 20) == 3 && memcmp(got, "end", 3) == 0,
	      "its end is lost");
	CHECK(pread(sparse, got, 1, 5000) == 1 && got[0] == 0, "its hole is not zero");
	live_pass();
}
