/* What waits in a terminal is still there: whole lines, an unfinished one, raw input, output.
 * Nothing of it is echoed once more, and no character in it is taken for a signal. */
#include "pty.h"

static void raw(int fd)
{
	struct termios t;

	(void)SYS(tcgetattr(fd, &t));
	cfmakeraw(&t);
	(void)SYS(tcsetattr(fd, TCSANOW, &t));
}

static void no_echo(int fd)
{
	struct termios t;

	(void)SYS(tcgetattr(fd, &t));
	t.c_lflag &= (tcflag_t)~ECHO;
	(void)SYS(tcsetattr(fd, TCSANOW, &t));
}

static void take(int fd, const char *text, const char *what)
{
	char got[256] = "";
	ssize_t n;

	CHECK(pty_is_readable(fd, 20000), "%s: nothing to read", what);
	n = read(fd, got, sizeof(got) - 1);
	CHECK(n == (ssize_t)strlen(text) && strcmp(got, text) == 0, "%s: '%s' instead of '%s'",
	      what, got, text);
}

int main(void)
{
	int lines, lines_slave, bytes, bytes_slave, packets, packets_slave;
	const int on = 1;

	pty_prepare();
	lines = pty_master();
	lines_slave = pty_slave(lines, O_RDWR);
	bytes = pty_master();
	bytes_slave = pty_slave(bytes, O_RDWR);
	packets = pty_master();
	packets_slave = pty_slave(packets, O_RDWR);
	no_echo(lines_slave);
	raw(bytes_slave);
	raw(packets_slave);
	(void)SYS(ioctl(packets, TIOCPKT, &on));
	pty_type(lines, "first\nsecond\n");
	pty_type(lines, "no newline\004"); /* end of file: what is there is a line */
	pty_type(lines, "unfin");
	pty_type(lines_slave, "said\n");
	pty_type(bytes, "raw\003\n\004bytes");
	pty_type(bytes_slave, "answer");
	pty_type(packets_slave, "packet");
	CHECK(pty_is_readable(lines_slave, 20000) && pty_is_readable(bytes_slave, 20000) &&
		      pty_is_readable(packets, 20000),
	      "it does not arrive");
	live_freeze();

	take(lines_slave, "first\n", "first line");
	take(lines_slave, "second\n", "second line");
	take(lines_slave, "no newline", "third line");
	CHECK(!pty_is_readable(lines_slave, 50), "the unfinished line is there already");
	pty_type(lines, "ished\n");
	take(lines_slave, "unfinished\n", "unfinished line");
	take(lines, "said\r\n", "output");
	CHECK(!pty_is_readable(lines, 0), "there is more output than was written");
	take(bytes_slave, "raw\003\n\004bytes", "raw input");
	take(bytes, "answer", "raw output");
	CHECK(pty_is_readable(packets, 20000), "packets: nothing to read");
	{
		char got[64] = "";

		/* A control packet may come before it. */
		ssize_t n = read(packets, got, sizeof(got));

		if (n == 1)
			n = read(packets, got, sizeof(got));
		CHECK(n == 7 && got[0] == TIOCPKT_DATA && memcmp(got + 1, "packet", 6) == 0,
		      "packets: %zd bytes '%s'", n, got + 1);
	}
	live_pass();
}
