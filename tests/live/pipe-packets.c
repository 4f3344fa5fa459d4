/* Packet mode: what was written in one piece is read in one piece, before and after. */
#include "live.h"

static void expect(int fd, size_t len, char fill)
{
	char buf[8192];
	ssize_t n = SYS(read(fd, buf, sizeof(buf)));

	CHECK(n == (ssize_t)len, "a packet of %zd bytes instead of %zu", n, len);
	for (ssize_t i = 0; i < n; i++)
		CHECK(buf[i] == fill, "byte %zd is wrong", i);
}

int main(void)
{
	int direct[2], once[2], plain[2];
	char buf[4096];

	SYS(pipe2(direct, O_DIRECT | O_NONBLOCK));
	SYS(pipe2(once, O_DIRECT));
	SYS(pipe2(plain, 0));
	SYS(fcntl(direct[0], F_SETPIPE_SZ, 1 << 20));
	for (int i = 1; i <= 40; i++) {
		memset(buf, i, sizeof(buf));
		SYS(write(direct[1], buf, (size_t)i * 100));
	}
	memset(buf, 'x', sizeof(buf));
	SYS(write(once[1], buf, 10));
	SYS(write(plain[1], buf, 10));
	SYS(write(plain[1], buf, 20));
	live_freeze();
	CHECK(SYS(fcntl(direct[1], F_GETFL)) == (O_WRONLY | O_DIRECT | O_NONBLOCK), "flags %#x",
	      fcntl(direct[1], F_GETFL));
	CHECK(SYS(fcntl(plain[1], F_GETFL)) == O_WRONLY, "flags %#x", fcntl(plain[1], F_GETFL));
	CHECK(SYS(fcntl(direct[0], F_GETPIPE_SZ)) == 1 << 20, "its size is lost");
	for (int i = 1; i <= 40; i++)
		expect(direct[0], (size_t)i * 100, (char)i);
	memset(buf, 'x', sizeof(buf));
	SYS(write(once[1], buf, 5));
	expect(once[0], 10, 'x');
	expect(once[0], 5, 'x');
	expect(plain[0], 30, 'x');
	live_pass();
}
