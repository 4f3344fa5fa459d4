/* The other end of a terminal is held by a process outside: that can't be given back. */
#include "pty.h"

int main(void)
{
	int master = pty_master();
	int slave = pty_slave(master, O_RDWR);
	int status;
	pid_t pid = SYS(fork());

	if (pid == 0) {
		/* An orphan: nobody of the tree is its parent. */
		pid = SYS(fork());
		if (pid == 0) {
			char c;

			(void)close(slave);
			while (read(master, &c, 1) > 0)
				; /* until nobody has it open any more */
			_exit(0);
		}
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0, "fork");
	(void)SYS(close(master));
	live_freeze();
	pty_type(slave, "still there");
	live_pass();
}
