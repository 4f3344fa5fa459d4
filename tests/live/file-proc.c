/* Files of /proc: of oneself, of a child, of one that is gone; shared by two processes. */
#include "live.h"

static int of_child = -1;

static void child(void)
{
	char text[64] = "";

	live_wait();
	CHECK(of_child < 0 || (SYS(pread(of_child, text, 63, 0)) > 0 && atoi(text) == getpid()),
	      "stat tells '%s'", text);
}

int main(void)
{
	char path[64], text[64] = "";
	int own, gone, folder, stat;
	pid_t pid, dead, sharer;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", getpid());
	own = SYS(open(path, O_RDWR));
	pid = live_fork(child);
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	stat = SYS(open(path, O_RDONLY));
	SYS(lseek(stat, 1, SEEK_SET));
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	of_child = SYS(open(path, O_RDONLY));
	sharer = SYS(fork());
	if (sharer == 0) {
		live_wait();
		CHECK(SYS(pread(of_child, text, 63, 0)) > 0 && atoi(text) == pid,
		      "the sharer reads '%s'", text);
		_exit(0);
	}
	(void)snprintf(path, sizeof(path), "/proc/%d", pid);
	folder = SYS(open(path, O_RDONLY | O_DIRECTORY));
	dead = SYS(fork());
	if (dead == 0) {
		live_pause_ms(60000);
		_exit(0);
	}
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", dead);
	gone = SYS(open(path, O_RDONLY));
	SYS(kill(dead, SIGKILL));
	SYS(waitpid(dead, NULL, 0));
	live_freeze();
	SYS(write(own, "renamed", 7));
	CHECK(!strcmp(live_proc(getpid(), "comm", ""), "renamed"), "comm is not ours");
	CHECK(SYS(lseek(stat, 0, SEEK_CUR)) == 1, "its position is lost");
	CHECK(SYS(faccessat(folder, "task", F_OK, 0)) == 0, "the child's folder");
	CHECK(read(gone, text, 1) < 0 && errno == ESRCH, "reading of one that is gone: %s",
	      strerror(errno));
	live_reap(sharer);
	live_reap(pid);
	live_pass();
}
