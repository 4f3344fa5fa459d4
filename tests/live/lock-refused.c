/* Without --file-locks a lock is told, and nothing is touched. */
#include "live.h"

int main(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_len = 10 };
	int fd = SYS(open(live_path("locked"), O_RDWR | O_CREAT, 0600));
	pid_t pid;

	SYS(fcntl(fd, F_SETLK, &lock));
	live_freeze();
	pid = SYS(fork());
	if (pid == 0)
		_exit(fcntl(fd, F_SETLK, &lock) < 0 && errno == EAGAIN ? 0 : 1);
	live_reap(pid);
	live_pass();
}
