/* A child in strict mode: it may read, write and exit, and dies of anything else. */
#include "live.h"

#include <linux/seccomp.h>

static int request[2], answer[2];

static void child(void)
{
	char c;

	(void)SYS(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
	while (read(request[0], &c, 1) == 1) {
		c++;
		if (c == 'z')
			(void)syscall(SYS_getppid);
		if (write(answer[1], &c, 1) != 1)
			break;
	}
	(void)syscall(SYS_exit, 0);
}

int main(void)
{
	pid_t pid;
	int status;
	char c = 'a';

	(void)SYS(pipe2(request, O_CLOEXEC));
	(void)SYS(pipe2(answer, O_CLOEXEC));
	pid = live_fork(child);
	live_wait_blocked(pid, SYS_read);
	live_say("ready");
	live_wait();
	CHECK(write(request[1], &c, 1) == 1 && read(answer[0], &c, 1) == 1 && c == 'b',
	      "the child answers '%c'", c);
	c = 'y';
	CHECK(write(request[1], &c, 1) == 1, "write");
	CHECK(waitpid(pid, &status, 0) == pid, "waitpid: %s", strerror(errno));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "strict mode is lost: status %#x",
	      (unsigned int)status);
	live_pass();
}
