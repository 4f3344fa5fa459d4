/* A deleted symbolic link that is held (O_PATH), and the times of a deleted file. */
#include "live.h"

int main(void)
{
	struct timespec times[2] = { { 1000000000, 0 }, { 1100000000, 0 } };
	char target[64] = "";
	int link, file;
	struct stat st;

	SYS(symlink("over/there", live_path("link")));
	link = SYS(open(live_path("link"), O_PATH | O_NOFOLLOW));
	SYS(unlink(live_path("link")));
	file = SYS(open(live_path("file"), O_RDWR | O_CREAT, 0600));
	SYS(write(file, "x", 1));
	SYS(unlink(live_path("file")));
	SYS(futimens(file, times));
	live_freeze();
	CHECK(readlinkat(link, "", target, sizeof(target) - 1) == 10 &&
		      !strcmp(target, "over/there"),
	      "it leads to '%s'", target);
	SYS(fstat(link, &st));
	CHECK(S_ISLNK(st.st_mode) && !st.st_nlink, "mode %#o, %ju names", st.st_mode,
	      (uintmax_t)st.st_nlink);
	SYS(fstat(file, &st));
	CHECK(st.st_mtim.tv_sec == 1100000000 && st.st_atim.tv_sec == 1000000000, "times %jd %jd",
	      (intmax_t)st.st_atim.tv_sec, (intmax_t)st.st_mtim.tv_sec);
	CHECK(access(live_path("link"), F_OK) < 0 && access(live_path("file"), F_OK) < 0,
	      "they have names again");
	live_pass();
}
