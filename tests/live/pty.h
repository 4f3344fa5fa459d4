/*
 * pty: terminals for live tests, also where there is no /dev/pts yet.
 */
#pragma once

#include "live.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <termios.h>

/* In a namespace of our own: a devpts, and what stands beside it. */
static inline void pty_prepare(void)
{
	if (getpid() != 1)
		return;
	(void)SYS(mkdir("/dev/pts", 0755));
	(void)SYS(mount("devpts", "/dev/pts", "devpts", 0, "ptmxmode=666,mode=620"));
	(void)SYS(symlink("pts/ptmx", "/dev/ptmx"));
	(void)SYS(mknod("/dev/tty", S_IFCHR | 0666, makedev(5, 0)));
}

static inline int pty_master(void)
{
	int master = SYS(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
	int no = 0;

	(void)SYS(ioctl(master, TIOCSPTLCK, &no));
	return master;
}

static inline int pty_number(int master)
{
	int number = -1;

	(void)SYS(ioctl(master, TIOCGPTN, &number));
	return number;
}

static inline int pty_slave(int master, int flags)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/dev/pts/%d", pty_number(master));
	return SYS(open(path, flags | O_NOCTTY | O_CLOEXEC));
}

/* Reads until that text was seen; what came instead is told. */
static inline void pty_expect(int fd, const char *text)
{
	char got[4096] = "";
	size_t n = 0;

	while (!strstr(got, text)) {
		struct pollfd look = { .fd = fd, .events = POLLIN };
		ssize_t more;

		CHECK(n + 1 < sizeof(got) && poll(&look, 1, 20000) == 1,
		      "'%s' does not come, but '%s'", text, got);
		more = read(fd, got + n, sizeof(got) - 1 - n);
		CHECK(more > 0, "'%s' does not come, but '%s', then %s", text, got,
		      strerror(errno));
		n += (size_t)more;
		got[n] = '\0';
	}
}

static inline void pty_type(int fd, const char *text)
{
	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write to the terminal: %s",
	      strerror(errno));
}

static inline bool pty_is_readable(int fd, int timeout_ms)
{
	struct pollfd look = { .fd = fd, .events = POLLIN };

	return poll(&look, 1, timeout_ms) == 1 && (look.revents & POLLIN);
}
