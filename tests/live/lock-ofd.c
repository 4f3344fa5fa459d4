/* Locks of open file descriptions: shared by whoever has the description, in each other's way else.
 */
#include "live.h"

static struct flock range(short type, off_t start, off_t len)
{
	return (struct flock){
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len
	};
}

static short in_the_way(int fd, off_t start, off_t len)
{
	struct flock lock = range(F_WRLCK, start, len);

	SYS(fcntl(fd, F_OFD_GETLK, &lock));
	return lock.l_type;
}

static int a, b;

/* The parent has closed it: the description lives on here, with its lock. */
static void child(void)
{
	live_wait();
	CHECK(in_the_way(a, 0, 100) == F_UNLCK, "the description is in its own way");
	CHECK(in_the_way(b, 0, 1) == F_WRLCK, "its lock is lost");
	CHECK(in_the_way(b, 100, 0) == F_UNLCK, "its lock is larger than it was");
}

int main(void)
{
	const char *path = live_path("locked");
	struct flock lock = range(F_WRLCK, 0, 100);
	pid_t pid;

	a = SYS(open(path, O_RDWR | O_CREAT, 0600));
	b = SYS(open(path, O_RDWR));
	SYS(fcntl(a, F_OFD_SETLK, &lock));
	lock = range(F_RDLCK, 0x100000000, 0);
	SYS(fcntl(b, F_OFD_SETLK, &lock));
	pid = live_fork(child);
	SYS(close(a));
	live_freeze();
	a = SYS(open(path, O_RDWR));
	CHECK(in_the_way(a, 0x100000000, 1) == F_RDLCK, "the lock at 4 GiB is lost");
	CHECK(in_the_way(a, 0x0ffffffff, 1) == F_UNLCK, "it begins too early");
	live_reap(pid);
	live_pass();
}
