/* fanotify: marks on files and mounts, what they ignore, and how the group reports. */
#include "live.h"

#include <sys/fanotify.h>

static struct fanotify_event_metadata next(int group)
{
	struct fanotify_event_metadata e = { .fd = -1 };
	ssize_t n = read(group, &e, sizeof(e));

	CHECK(n == sizeof(e) || (n < 0 && errno == EAGAIN), "read: %zd, %s", n, strerror(errno));
	if (n < 0)
		e.mask = 0;
	if (e.fd >= 0)
		(void)close(e.fd);
	return e;
}

static void touch(const char *path)
{
	int fd = SYS(open(path, O_WRONLY | O_CREAT, 0600));

	SYS(write(fd, "x", 1));
	SYS(close(fd));
}

int main(void)
{
	char file[4096], ignored[4096], folder[4096];
	struct fanotify_event_metadata e;
	int group, other;

	live_copy(file, sizeof(file), live_path("file"));
	live_copy(ignored, sizeof(ignored), live_path("ignored"));
	live_copy(folder, sizeof(folder), live_path("folder"));
	touch(file);
	touch(ignored);
	SYS(mkdir(folder, 0700));
	group = SYS(fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK | FAN_CLOEXEC,
				  O_RDONLY | O_LARGEFILE));
	SYS(fanotify_mark(group, FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, file));
	other = SYS(fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDWR));
	SYS(fanotify_mark(other, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_CLOSE_WRITE, AT_FDCWD, "/"));
	SYS(fanotify_mark(other,
			  FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY,
			  FAN_CLOSE_WRITE, AT_FDCWD, ignored));
	SYS(fanotify_mark(other, FAN_MARK_ADD | FAN_MARK_ONLYDIR,
			  FAN_OPEN | FAN_ONDIR | FAN_EVENT_ON_CHILD, AT_FDCWD, folder));
	while (next(other).mask)
		;
	live_freeze();
	CHECK(fcntl(group, F_GETFD) == FD_CLOEXEC, "close-on-exec is lost");
	while (next(other).mask)
		; /* what others on this mount did meanwhile */
	CHECK(!next(group).mask, "an event of the restore");
	touch(file);
	e = next(group);
	CHECK(e.mask == FAN_MODIFY && e.pid == getpid(), "mask %#llx of process %d",
	      (unsigned long long)e.mask, e.pid);
	CHECK(!next(group).mask, "further events");
	do
		e = next(other);
	while (e.mask && e.pid != getpid());
	CHECK(e.mask == FAN_CLOSE_WRITE, "the mark on the mount is lost: %#llx",
	      (unsigned long long)e.mask);
	touch(ignored);
	do
		e = next(other);
	while (e.mask && e.pid != getpid());
	CHECK(!e.mask, "what was ignored is told: %#llx", (unsigned long long)e.mask);
	(void)close(SYS(open(folder, O_RDONLY | O_DIRECTORY)));
	do
		e = next(other);
	while (e.mask && e.pid != getpid());
	CHECK((e.mask & FAN_OPEN) == FAN_OPEN, "the mark on the folder is lost: %#llx",
	      (unsigned long long)e.mask);
	live_pass();
}
