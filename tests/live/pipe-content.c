/* A pipe keeps its bytes, its size, the flags of both ends; an end without writers says so. */
#include "live.h"

int main(void)
{
	static char big[40000], got[40000];
	int full[2], empty[2], done[2];

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 13 + i / 256);
	(void)SYS(pipe2(full, O_CLOEXEC | O_NONBLOCK));
	(void)SYS(pipe2(empty, 0));
	(void)SYS(fcntl(empty[0], F_SETFL, O_NONBLOCK));
	(void)SYS(pipe2(done, O_CLOEXEC));
	(void)SYS(fcntl(full[1], F_SETPIPE_SZ, 131072));
	CHECK(write(full[1], big, sizeof(big)) == sizeof(big), "write");
	CHECK(write(done[1], "last", 4) == 4, "write");
	(void)close(done[1]);
	live_freeze();
	CHECK(fcntl(full[1], F_GETPIPE_SZ) == 131072, "the pipe's size is %d",
	      fcntl(full[1], F_GETPIPE_SZ));
	CHECK(read(full[0], got, sizeof(got)) == sizeof(got), "the pipe lost bytes");
	CHECK(memcmp(big, got, sizeof(big)) == 0, "the pipe's bytes changed");
	CHECK(read(full[0], got, 1) < 0 && errno == EAGAIN,
	      "the pipe should be empty and non-blocking");
	CHECK(read(empty[0], got, 1) < 0 && errno == EAGAIN, "the empty pipe is not, or blocks");
	CHECK((fcntl(empty[1], F_GETFL) & O_NONBLOCK) == 0, "O_NONBLOCK spread to the other end");
	CHECK(write(empty[1], "a", 1) == 1 && read(empty[0], got, 2) == 1 && got[0] == 'a',
	      "the pipe is broken");
	CHECK(read(done[0], got, 10) == 4 && memcmp(got, "last", 4) == 0,
	      "the last words are lost");
	CHECK(read(done[0], got, 10) == 0, "no end of file without a writer");
	live_pass();
}
