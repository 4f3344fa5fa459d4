#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"

static int take(int dirfd, const char *name, int operation, struct lock *ret_lock,
		struct error *err)
{
	cleanup_fd int fd = -EBADF;
	int r;

	fd = openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(err, "open lock '%s'", name);
	do {
		r = flock(fd, operation);
	} while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EWOULDBLOCK)
		return err_set(err, -EBUSY, "'%s' is locked by another process", name);
	if (r < 0)
		return err_sys(err, "lock '%s'", name);
	ret_lock->fd = take_fd(&fd);
	return 0;
}

static int operation_of(enum lock_mode mode)
{
	return mode == LOCK_MODE_SHARED ? LOCK_SH : LOCK_EX;
}

int lock_take(int dirfd, const char *name, enum lock_mode mode, struct lock *ret_lock,
	      struct error *err)
{
	return take(dirfd, name, operation_of(mode), ret_lock, err);
}

int lock_try(int dirfd, const char *name, enum lock_mode mode, struct lock *ret_lock,
	     struct error *err)
{
	return take(dirfd, name, operation_of(mode) | LOCK_NB, ret_lock, err);
}

void lock_release(struct lock *lock)
{
	cleanup_fd_p(&lock->fd);
	lock->fd = -EBADF;
}
