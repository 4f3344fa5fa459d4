#include "runtime/procref.h"

#include <errno.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/proc.h"

int procref_of(pid_t pid, struct procref *ret, struct error *err)
{
	struct proc_stat stat;
	int r = proc_stat_of(pid, &stat, err);

	if (r < 0)
		return r;
	*ret = (struct procref){ .pid = pid, .start = stat.starttime };
	return 0;
}

bool procref_alive(const struct procref *ref)
{
	struct proc_stat stat;

	return ref->pid > 0 && proc_stat_of(ref->pid, &stat, NULL) >= 0 &&
	       stat.starttime == ref->start && stat.state != 'Z' && stat.state != 'X';
}

int procref_open(const struct procref *ref, struct error *err)
{
	cleanup_fd int fd = -EBADF;

	fd = ref->pid > 0 ? pidfd_open(ref->pid, 0) : -1;
	/* The id can't pass on to another process while the descriptor is open. */
	if (fd < 0 || !procref_alive(ref))
		return err_set(err, -ESRCH, "process %d is gone", ref->pid);
	return take_fd(&fd);
}

int procref_signal(const struct procref *ref, int signal, struct error *err)
{
	cleanup_fd int fd = procref_open(ref, err);

	if (fd < 0)
		return fd;
	if (pidfd_send_signal(fd, signal, NULL, 0) < 0)
		return err_sys(err, "send signal %d to process %d", signal, ref->pid);
	return 0;
}
