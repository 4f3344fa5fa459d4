/* An open file keeps its position, its flags and its close-on-exec; two openings stay two. */
#include "live.h"

int main(void)
{
	const char *path = live_path("data");
	int fd = SYS(open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
	int other, nonblock, far;
	char c[2] = "";

	CHECK(write(fd, "0123456789abcdef", 16) == 16, "write");
	CHECK(lseek(fd, 5, SEEK_SET) == 5, "lseek");
	other = SYS(open(path, O_RDONLY));
	CHECK(lseek(other, 9, SEEK_SET) == 9, "lseek");
	nonblock = SYS(open(path, O_WRONLY | O_NONBLOCK | O_NOATIME));
	far = SYS(fcntl(other, F_DUPFD, 200));
	live_freeze();
	CHECK(read(fd, c, 1) == 1 && c[0] == '5', "descriptor %d reads '%s' and not '5'", fd, c);
	CHECK(read(other, c, 1) == 1 && c[0] == '9', "descriptor %d reads '%s' and not '9'", other,
	      c);
	CHECK(read(far, c, 1) == 1 && c[0] == 'a',
	      "the duplicate %d reads '%s': its position is no longer shared", far, c);
	CHECK(lseek(fd, 0, SEEK_CUR) == 6, "two openings share a position now");
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC, "close-on-exec is lost");
	CHECK(fcntl(other, F_GETFD) == 0, "close-on-exec has appeared");
	CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR, "access mode of %d", fd);
	CHECK((fcntl(nonblock, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_NOATIME)) ==
		      (O_WRONLY | O_NONBLOCK | O_NOATIME),
	      "flags of %d are %#x", nonblock, (unsigned int)fcntl(nonblock, F_GETFL));
	CHECK(fcntl(far + 1, F_GETFD) < 0 && errno == EBADF, "descriptor %d has appeared", far + 1);
	for (int i = 3; i < 256; i++)
		if (i != fd && i != other && i != nonblock && i != far)
			CHECK(fcntl(i, F_GETFD) < 0, "descriptor %d has appeared", i);
	live_pass();
}
