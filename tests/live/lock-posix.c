/* POSIX locks stay with the process that took them, byte by byte; who waits for one goes on
 * waiting.
 */
#include "live.h"

static int file;
static int *taken; /* shared: the waiter has its lock */

static struct flock range(short type, off_t start, off_t len)
{
	return (struct flock){
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len
	};
}

/* Who is in the way of locking that range for writing? */
static struct flock holder(off_t start, off_t len)
{
	struct flock lock = range(F_WRLCK, start, len);

	SYS(fcntl(file, F_GETLK, &lock));
	return lock;
}

static void wait_for_lock(void)
{
	struct flock lock = range(F_WRLCK, 100, 50);

	while (fcntl(file, F_SETLKW, &lock) < 0)
		CHECK(errno == EINTR, "waiting for a lock: %s", strerror(errno));
	*taken = 1;
	while (*taken < 1000)
		live_pause_ms(2);
}

/* Its own locks, in a description that it shares with its parent. */
static void lock_and_judge(void)
{
	struct flock lock = range(F_RDLCK, 1000, 0);

	SYS(fcntl(file, F_SETLK, &lock));
	*taken += 10;
	live_wait();
	lock = holder(0, 10);
	CHECK(lock.l_type == F_WRLCK && lock.l_pid == getppid() && lock.l_len == 10,
	      "the parent's lock: type %d, process %d", lock.l_type, lock.l_pid);
	lock = holder(10, 10);
	CHECK(lock.l_type == F_RDLCK && lock.l_pid == getppid() && lock.l_start == 10,
	      "the parent's second lock: type %d, process %d", lock.l_type, lock.l_pid);
	lock = holder(20, 80);
	CHECK(lock.l_type == F_UNLCK, "bytes that nobody had locked are");
	*taken += 100;
	while (*taken < 1000)
		live_pause_ms(2);
}

int main(void)
{
	struct flock lock = range(F_WRLCK, 0, 10);
	pid_t judge, waiter;
	int copy;

	taken = SYS(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	file = SYS(open(live_path("locked"), O_RDWR | O_CREAT | O_TRUNC, 0600));
	copy = SYS(dup(file));
	SYS(fcntl(file, F_SETLK, &lock));
	lock = range(F_RDLCK, 10, 10);
	SYS(fcntl(copy, F_SETLK, &lock));
	lock = range(F_WRLCK, 100, 50);
	SYS(fcntl(file, F_SETLK, &lock));
	judge = live_fork(lock_and_judge);
	while (*taken != 10)
		live_pause_ms(2);
	*taken = 0;
	waiter = live_fork(wait_for_lock);
	live_wait_blocked(waiter, SYS_fcntl);
	live_freeze();
	while (*taken < 100)
		live_pause_ms(2);
	CHECK(*taken == 100, "the waiter has a lock that was not given up");
	lock = holder(2000, 1);
	CHECK(lock.l_type == F_RDLCK && lock.l_pid == judge && lock.l_start == 1000 && !lock.l_len,
	      "the child's lock: type %d, process %d", lock.l_type, lock.l_pid);
	lock = range(F_UNLCK, 100, 50);
	SYS(fcntl(copy, F_SETLK, &lock));
	while (*taken != 1)
		live_pause_ms(2);
	lock = holder(120, 1);
	CHECK(lock.l_type == F_WRLCK && lock.l_pid == waiter, "the waiter's lock: process %d",
	      lock.l_pid);
	*taken = 1000;
	live_reap(waiter);
	live_reap(judge);
	live_pass();
}
