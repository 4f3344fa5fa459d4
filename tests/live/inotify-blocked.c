/* Readers blocked in read and poll of an instance that two processes share wake up as before. */
#include "live.h"

#include <poll.h>
#include <sys/inotify.h>

static int shared, own;

static void reader(void)
{
	char buf[1024];
	struct inotify_event *e = (void *)buf;

	while (read(shared, buf, sizeof(buf)) < 0)
		CHECK(errno == EINTR, "read: %s", strerror(errno));
	CHECK(e->wd == 1 && e->mask == IN_ATTRIB, "watch %d, mask %#x", e->wd, e->mask);
}

int main(void)
{
	const char *path = live_path("file");
	struct pollfd p;
	pid_t pid;

	(void)close(SYS(open(path, O_RDWR | O_CREAT, 0600)));
	shared = SYS(inotify_init());
	own = SYS(inotify_init());
	(void)SYS(inotify_add_watch(shared, path, IN_ATTRIB));
	(void)SYS(inotify_add_watch(own, path, IN_OPEN));
	pid = live_fork(reader);
	live_wait_blocked(pid, SYS_read);
	live_freeze();
	SYS(chmod(path, 0640));
	live_reap(pid);
	p = (struct pollfd){ .fd = own, .events = POLLIN };
	CHECK(poll(&p, 1, 0) == 0, "opened by the restore");
	(void)close(SYS(open(path, O_RDONLY)));
	CHECK(poll(&p, 1, 0) == 1, "the watch is lost");
	live_pass();
}
