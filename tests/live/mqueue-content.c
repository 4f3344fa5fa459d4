/*
 * POSIX message queues: name, owner, rights, attributes; messages of several priorities, an empty
 * one, in their order; descriptors that read, write, block or not; one that lost its name; a
 * child that sleeps in one. The queues are as they were after a dump that left the program running,
 * too.
 */
#include "live.h"

#include <mqueue.h>

static mqd_t empty;

static void child(void)
{
	char text[64];
	unsigned int priority = 0;

	if (mq_receive(empty, text, sizeof(text), &priority) != 4 || memcmp(text, "wake", 4) != 0 ||
	    priority != 9)
		_exit(1);
}

static mqd_t make(const char *name, int flags, long messages, long size)
{
	struct mq_attr attr = { .mq_maxmsg = messages, .mq_msgsize = size };

	(void)mq_unlink(name);
	return SYS(mq_open(name, flags | O_CREAT | O_EXCL, 0640, &attr));
}

static void put(mqd_t queue, const char *text, unsigned int priority)
{
	(void)SYS(mq_send(queue, text, strlen(text), priority));
}

static void get(mqd_t queue, const char *text, unsigned int priority)
{
	unsigned int got_priority = 77;
	char got[64] = "";
	ssize_t n = SYS(mq_receive(queue, got, sizeof(got), &got_priority));

	CHECK((size_t)n == strlen(text) && memcmp(got, text, strlen(text)) == 0 &&
		      got_priority == priority,
	      "'%s' with priority %u instead of '%s' with %u", got, got_priority, text, priority);
}

int main(void)
{
	mqd_t full = make("/cryopod-full", O_RDWR, 6, 64);
	mqd_t nameless = make("/cryopod-nameless", O_RDWR, 3, 32);
	mqd_t reader;
	struct mq_attr attr;
	struct stat st;
	pid_t pid;

	empty = make("/cryopod-empty", O_RDWR, 2, 64);
	reader = SYS(mq_open("/cryopod-full", O_RDONLY | O_NONBLOCK));
	(void)SYS(mq_unlink("/cryopod-nameless"));
	(void)SYS(fchown(full, 5, 6));
	put(full, "low", 1);
	put(full, "high, first", 5);
	put(full, "", 5);
	put(full, "high, third", 5);
	put(full, "highest", 32767);
	put(full, "lowest", 0);
	pid = live_fork(child);
	live_wait_blocked(pid, SYS_mq_timedreceive);
	live_freeze();

	(void)SYS(mq_getattr(full, &attr));
	CHECK(attr.mq_curmsgs == 6 && attr.mq_maxmsg == 6 && attr.mq_msgsize == 64 &&
		      attr.mq_flags == 0,
	      "%ld messages of %ld, %ld bytes each, flags %#lx", attr.mq_curmsgs, attr.mq_maxmsg,
	      attr.mq_msgsize, attr.mq_flags);
	(void)SYS(fstat(full, &st));
	CHECK(st.st_uid == 5 && st.st_gid == 6 && (st.st_mode & 07777) == 0640,
	      "owner %u, group %u, mode %o", st.st_uid, st.st_gid, st.st_mode);
	CHECK(mq_send(reader, "x", 1, 0) < 0 && errno == EBADF, "the reader can write");
	get(full, "highest", 32767);
	get(reader, "high, first", 5);
	get(reader, "", 5);
	get(full, "high, third", 5);
	get(SYS(mq_open("/cryopod-full", O_RDONLY)), "low", 1);
	get(reader, "lowest", 0);
	CHECK(mq_receive(reader, (char[64]){ 0 }, 64, NULL) < 0 && errno == EAGAIN, "it blocks");
	put(nameless, "still", 2);
	get(nameless, "still", 2);
	CHECK(mq_open("/cryopod-nameless", O_RDONLY) < 0 && errno == ENOENT, "it has a name again");
	CHECK(waitpid(pid, NULL, WNOHANG) == 0, "the child woke up");
	put(empty, "wake", 9);
	live_reap(pid);
	(void)SYS(mq_unlink("/cryopod-full"));
	(void)SYS(mq_unlink("/cryopod-empty"));
	live_pass();
}
