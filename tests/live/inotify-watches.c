/* inotify tells what happens to what it watched, under the numbers it gave, and nothing of the
 * restore. */
#include "live.h"

#include <poll.h>
#include <sys/inotify.h>

static int ino;

/* The next event, which must be of that watch and name. */
static void expect(int wd, uint32_t mask, const char *name)
{
	char buf[sizeof(struct inotify_event) + 256];
	struct inotify_event *e = (void *)buf;
	struct pollfd p = { .fd = ino, .events = POLLIN };
	static char many[16384];
	static ssize_t at, len;

	CHECK(at < len || poll(&p, 1, 5000) == 1, "no event %#x of watch %d", mask, wd);
	if (at >= len) {
		len = SYS(read(ino, many, sizeof(many)));
		at = 0;
	}
	memcpy(buf, many + at, sizeof(*e));
	memcpy(buf + sizeof(*e), many + at + sizeof(*e), e->len);
	at += (ssize_t)(sizeof(*e) + e->len);
	CHECK(e->wd == wd && (e->mask & ~(uint32_t)IN_ISDIR) == mask &&
		      !strcmp(e->len ? e->name : "", name),
	      "watch %d, mask %#x, '%s' instead of watch %d, mask %#x, '%s'", e->wd, e->mask,
	      e->len ? e->name : "", wd, mask, name);
}

static void watch_and_forget(const char *path)
{
	int wd = SYS(inotify_add_watch(ino, path, IN_MODIFY));

	SYS(inotify_rm_watch(ino, wd));
}

int main(void)
{
	char file[4096], folder[4096], inside[4200], gone[4096], link[4096], watched_gone[64];
	int a, b, c, d, e, fd, deleted;

	live_copy(folder, sizeof(folder), live_path("folder"));
	live_copy(file, sizeof(file), live_path("file"));
	live_copy(gone, sizeof(gone), live_path("gone"));
	live_copy(link, sizeof(link), live_path("link"));
	SYS(mkdir(folder, 0700));
	fd = SYS(open(file, O_RDWR | O_CREAT, 0600));
	deleted = SYS(open(gone, O_RDWR | O_CREAT, 0600));
	SYS(unlink(gone));
	SYS(symlink("nowhere", link));
	ino = SYS(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
	/* Numbers with holes between them. */
	watch_and_forget(file);
	a = SYS(inotify_add_watch(ino, folder, IN_ALL_EVENTS));
	watch_and_forget(file);
	b = SYS(inotify_add_watch(ino, file, IN_MODIFY | IN_OPEN | IN_ATTRIB | IN_ONESHOT));
	c = SYS(inotify_add_watch(ino, "/", IN_CREATE | IN_ONLYDIR | IN_EXCL_UNLINK));
	d = SYS(inotify_add_watch(ino, link, IN_DELETE_SELF | IN_ATTRIB | IN_DONT_FOLLOW));
	(void)snprintf(watched_gone, sizeof(watched_gone), "/proc/self/fd/%d", deleted);
	e = SYS(inotify_add_watch(ino, watched_gone, IN_MODIFY));
	/* What removed watches have left. */
	expect(1, IN_IGNORED, "");
	expect(3, IN_IGNORED, "");
	CHECK(a == 2 && b == 4 && c == 5 && d == 6 && e == 7, "numbers %d %d %d %d %d", a, b, c, d,
	      e);
	live_freeze();
	CHECK(fcntl(ino, F_GETFL) & O_NONBLOCK, "it blocks");
	CHECK(fcntl(ino, F_GETFD) == FD_CLOEXEC, "close-on-exec is lost");
	CHECK(read(ino, inside, sizeof(inside)) < 0 && errno == EAGAIN,
	      "the restore itself was an event");
	(void)snprintf(inside, sizeof(inside), "%s/new", folder);
	SYS(mkdir(inside, 0700));
	expect(a, IN_CREATE, "new");
	SYS(rmdir(inside));
	expect(a, IN_DELETE, "new");
	SYS(write(fd, "x", 1));
	expect(b, IN_MODIFY, "");
	expect(b, IN_IGNORED, ""); /* one shot */
	SYS(write(deleted, "x", 1));
	expect(e, IN_MODIFY, "");
	SYS(unlink(link));
	expect(d, IN_ATTRIB, "");
	expect(d, IN_DELETE_SELF, "");
	expect(d, IN_IGNORED, "");
	CHECK(inotify_add_watch(ino, file, IN_MODIFY) == 8, "the next number is not a new one");
	live_pass();
}
