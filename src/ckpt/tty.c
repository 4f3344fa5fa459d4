#include "ckpt/tty.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/sysmacros.h>

/* Documentation/admin-guide/devices.txt */
#define MAJOR_TTY 4
#define MAJOR_TTY_ALTERNATE 5
#define MAJOR_PTY_MASTER 128
#define MAJOR_PTY_SLAVE 136
#define N_PTY_MAJORS 8
#define N_VIRTUAL 64

enum tty_what tty_what(dev_t rdev)
{
	unsigned int kind = major(rdev);

	if (kind == MAJOR_TTY)
		return minor(rdev) < N_VIRTUAL ? TTY_VIRTUAL : TTY_SERIAL;
	if (kind == MAJOR_TTY_ALTERNATE) {
		switch (minor(rdev)) {
		case 0:
			return TTY_OWN;
		case 1:
			return TTY_CONSOLE;
		case 2:
			return TTY_MASTER;
		default:
			return TTY_OTHER;
		}
	}
	if (kind >= MAJOR_PTY_MASTER && kind < MAJOR_PTY_MASTER + N_PTY_MAJORS)
		return TTY_MASTER;
	if (kind >= MAJOR_PTY_SLAVE && kind < MAJOR_PTY_SLAVE + N_PTY_MAJORS)
		return TTY_SLAVE;
	return TTY_NONE;
}

const char *tty_key(uint64_t rdev, uint64_t dev, char key[TTY_KEY_MAX])
{
	(void)snprintf(key, TTY_KEY_MAX, "tty[%" PRIx64 ":%" PRIx64 "]", rdev, dev); /* fits */
	return key;
}
