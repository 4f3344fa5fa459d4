/*
 * cloexec: is a descriptor closed on exec?
 *
 * fdinfo says so with a bit among the flags of its description. Most ways of
 * opening drop that bit from those flags; where the kernel keeps it (a slave
 * from TIOCGPTPEER: the console of a container), fdinfo says the same of all
 * descriptors. Then only the task itself can tell.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/dump-priv.h"
#include "img/pb/fdinfo.pb-c.h"
#include "trace/area.h"
#include "trace/remote.h"
#include "trace/tape.h"

int dump_ask_cloexec(struct dump_task *task, FdinfoEntry *entries, const bool *unclear, size_t n,
		     struct error *err)
{
	cleanup_remote struct remote remote = REMOTE_INIT;
	cleanup_area struct area area = { .size = 0 };
	cleanup_free uint32_t *asked = calloc(n + 1, sizeof(*asked));
	pid_t host_tid = task->threads[0].host_tid;
	struct tape *tape;
	int r;

	if (!asked)
		return err_oom(err);
	r = area_init(&area, err);
	if (r < 0)
		return r;
	tape = area_add_tape(&area, (uint32_t)host_tid, "close on exec");
	for (size_t i = 0; i < n; i++)
		if (unclear[i])
			asked[i] = tape_call(tape, SYS_fcntl,
					     TAPE_ARGS(tape_imm(entries[i].fd), tape_imm(F_GETFD)),
					     "flags of descriptor %u", entries[i].fd);
	r = remote_begin(&remote, host_tid, &task->status, &area, tape, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (unclear[i])
			entries[i].flags = tape_result(tape, remote.live, asked[i]) & FD_CLOEXEC;
	return remote_end(&remote, err);
}
