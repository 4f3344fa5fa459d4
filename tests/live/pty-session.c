/* A session keeps its terminal: foreground group, /dev/tty opened before and inherited, signals
 * of typed characters and of a new size, input of the background refused. */
#include "pty.h"

static int slave;
static int told[2];  /* to main */
static int ready[2]; /* to the leader */
static volatile sig_atomic_t seen;

static void note(int signal)
{
	seen = signal;
}

static void say(const int *to, char c)
{
	CHECK(write(to[1], &c, 1) == 1, "write");
}

static char hear(const int *from)
{
	char c = 0;

	CHECK(read(from[0], &c, 1) == 1, "read: %s", strerror(errno));
	return c;
}

static void foreground(void)
{
	struct sigaction act = { .sa_handler = note };
	int tty;

	(void)SYS(setpgid(0, 0));
	(void)SYS(sigaction(SIGINT, &act, NULL));
	(void)SYS(sigaction(SIGWINCH, &act, NULL));
	say(ready, 'f');
	live_wait();
	tty = SYS(open("/dev/tty", O_RDWR));
	CHECK(tcgetpgrp(tty) == getpid(), "foreground group %d", tcgetpgrp(tty));
	say(told, 'F');
	for (int i = 0; i < 5000 && seen != SIGINT; i++)
		live_pause_ms(2);
	CHECK(seen == SIGINT, "^C does not come");
	say(told, 'I');
	for (int i = 0; i < 5000 && seen != SIGWINCH; i++)
		live_pause_ms(2);
	CHECK(seen == SIGWINCH, "SIGWINCH does not come");
	say(told, 'W');
}

static void background(void)
{
	char c;

	(void)SYS(setpgid(0, 0));
	(void)signal(SIGTTIN, SIG_IGN);
	say(ready, 'b');
	live_wait();
	CHECK(read(slave, &c, 1) < 0 && errno == EIO, "reading in the background: %s",
	      strerror(errno));
	say(told, 'B');
}

static void leader(void)
{
	pid_t front, back;
	int tty;

	(void)SYS(setsid());
	(void)SYS(ioctl(slave, TIOCSCTTY, 0));
	tty = SYS(open("/dev/tty", O_RDWR | O_CLOEXEC));
	(void)signal(SIGTTOU, SIG_IGN);
	front = live_fork(foreground);
	CHECK(hear(ready) == 'f', "the foreground does not start");
	(void)SYS(tcsetpgrp(tty, front));
	back = live_fork(background);
	CHECK(hear(ready) == 'b', "the background does not start");
	say(told, 'r');
	live_wait();
	CHECK(tcgetpgrp(tty) == front, "foreground group %d instead of %d", tcgetpgrp(tty), front);
	CHECK(tcgetsid(slave) == getpid(), "session %d instead of %d", tcgetsid(slave), getpid());
	CHECK(tcgetsid(tty) == getpid(), "/dev/tty: session %d instead of %d", tcgetsid(tty),
	      getpid());
	live_reap(front);
	live_reap(back);
}

int main(void)
{
	struct winsize size = { .ws_row = 11, .ws_col = 22 };
	int master;
	pid_t pid;
	char got[3] = "";

	pty_prepare();
	(void)SYS(pipe2(told, O_CLOEXEC));
	(void)SYS(pipe2(ready, O_CLOEXEC));
	master = pty_master();
	slave = pty_slave(master, O_RDWR);
	pid = live_fork(leader);
	CHECK(hear(told) == 'r', "the leader does not start");
	live_freeze();
	for (int i = 0; i < 2; i++)
		got[i] = hear(told);
	CHECK(strchr(got, 'F') && strchr(got, 'B'), "they say '%s'", got);
	pty_type(master, "\003");
	CHECK(hear(told) == 'I', "no interrupt");
	(void)SYS(ioctl(master, TIOCSWINSZ, &size));
	CHECK(hear(told) == 'W', "no new size");
	live_reap(pid);
	live_pass();
}
