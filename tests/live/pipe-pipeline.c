/* Four tasks in a row, each blocked in reading from the one before. */
#include "live.h"

static int in_fd, out_fd;

static void stage(void)
{
	unsigned int n;

	while (read(in_fd, &n, sizeof(n)) == sizeof(n)) {
		n++;
		CHECK(write(out_fd, &n, sizeof(n)) == sizeof(n), "write: %s", strerror(errno));
	}
}

int main(void)
{
	int first[2], next[2];
	pid_t pid[4];
	unsigned int n = 0;

	(void)SYS(pipe2(first, O_CLOEXEC));
	in_fd = first[0];
	for (int i = 0; i < 4; i++) {
		(void)SYS(pipe2(next, O_CLOEXEC));
		out_fd = next[1];
		pid[i] = SYS(fork());
		if (pid[i] == 0) {
			(void)close(first[1]);
			(void)close(next[0]);
			stage();
			_exit(0);
		}
		(void)close(in_fd);
		(void)close(out_fd);
		in_fd = next[0];
	}
	for (int i = 0; i < 4; i++)
		live_wait_blocked(pid[i], SYS_read);
	live_say("ready");
	live_wait();
	for (unsigned int round = 0; round < 100; round++) {
		n = round * 10;
		CHECK(write(first[1], &n, sizeof(n)) == sizeof(n), "write: %s", strerror(errno));
		CHECK(read(in_fd, &n, sizeof(n)) == sizeof(n), "read: %s", strerror(errno));
		CHECK(n == round * 10 + 4, "round %u comes back as %u", round, n);
	}
	(void)close(first[1]);
	CHECK(read(in_fd, &n, sizeof(n)) == 0, "the pipeline does not end");
	for (int i = 0; i < 4; i++)
		live_reap(pid[i]);
	live_pass();
}
