/* A flock belongs to the description: forks share it, another open of the file is kept out. */
#include "live.h"

#include <sys/file.h>

static int shared, own, *taken;

/* Inherits the description, has the lock as well, and may give it up for both. */
static void give_up(void)
{
	live_wait();
	CHECK(!*taken, "the waiter has a lock that was not given up");
	SYS(flock(shared, LOCK_UN));
}

static bool can_lock(const char *name, int how)
{
	int other = SYS(open(name, O_RDONLY));
	int r = flock(other, how | LOCK_NB);

	CHECK(r == 0 || errno == EWOULDBLOCK, "flock: %s", strerror(errno));
	(void)close(other);
	return r == 0;
}

int main(void)
{
	char name[4096], folder[4096], locked[4096];
	pid_t waiter, child;
	int dir;

	taken = SYS(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	live_copy(folder, sizeof(folder), live_path("folder"));
	SYS(mkdir(folder, 0700));
	dir = SYS(open(folder, O_RDONLY | O_DIRECTORY));
	SYS(flock(dir, LOCK_EX));
	live_copy(name, sizeof(name), live_path("read"));
	own = SYS(open(name, O_RDONLY | O_CREAT, 0600));
	SYS(flock(own, LOCK_SH));
	live_copy(locked, sizeof(locked), live_path("locked"));
	shared = SYS(open(locked, O_RDWR | O_CREAT, 0600));
	waiter = fork();
	CHECK(waiter >= 0, "fork");
	if (waiter == 0) {
		(void)close(shared);
		while (!*taken)
			live_pause_ms(2);
		*taken = 0;
		shared = SYS(open(locked, O_RDONLY));
		while (flock(shared, LOCK_EX) < 0)
			CHECK(errno == EINTR, "waiting for a lock: %s", strerror(errno));
		*taken = 1;
		_exit(0);
	}
	SYS(flock(shared, LOCK_EX));
	child = live_fork(give_up);
	*taken = 1;
	live_wait_blocked(waiter, SYS_flock);
	live_freeze();
	live_reap(child);
	live_reap(waiter);
	CHECK(*taken == 1, "the waiter never had it");
	CHECK(can_lock(name, LOCK_SH), "a shared lock keeps others out");
	CHECK(!can_lock(name, LOCK_EX), "the shared lock is lost");
	CHECK(!can_lock(folder, LOCK_SH), "the lock on the folder is lost");
	SYS(flock(own, LOCK_UN));
	CHECK(can_lock(name, LOCK_EX), "it was locked twice");
	live_pass();
}
