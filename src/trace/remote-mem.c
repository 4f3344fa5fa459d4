#include "trace/remote-mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "base/err.h"

#define RUNS_AT_ONCE 512 /* IOV_MAX is 1024 */

/* A single remote call moves no more than MAX_RW_COUNT. */
#define BYTES_AT_ONCE ((size_t)1 << 30)

static int told(struct error *err, int code, const char *what, pid_t host_pid, struct raddr at)
{
	if (code == -ESRCH)
		return err_set(err, -ESRCH, "%s memory of task %d: it is gone", what,
			       (int)host_pid);
	return err_set(err, code, "%s memory of task %d at %" PRIx64 ": %s", what, (int)host_pid,
		       at.v, strerror(-code));
}

int rmem_read(pid_t host_pid, struct raddr from, void *to, size_t len, struct error *err)
{
	const struct rmem_run run = { from, len };

	return rmem_read_runs(host_pid, &run, 1, to, err);
}

int rmem_write(pid_t host_pid, struct raddr to, const void *from, size_t len, struct error *err)
{
	size_t done = 0;

	while (done < len) {
		size_t want = len - done < BYTES_AT_ONCE ? len - done : BYTES_AT_ONCE;
		struct iovec local = { (char *)(uintptr_t)from + done, want };
		struct iovec remote = { (void *)(uintptr_t)(to.v + done), want };
		ssize_t n = process_vm_writev(host_pid, &local, 1, &remote, 1, 0);

		if (n <= 0)
			return told(err, n < 0 ? -errno : -EFAULT, "write", host_pid,
				    raddr_add(to, done));
		done += (size_t)n;
	}
	return 0;
}

/* As many whole or partial runs as one call takes, beginning `skip` bytes into runs[0]. */
static size_t fill_remote(const struct rmem_run *runs, size_t n, uint64_t skip,
			  struct iovec *remote, size_t *ret_bytes)
{
	size_t bytes = 0;
	size_t i;

	for (i = 0; i < n && i < RUNS_AT_ONCE && bytes < BYTES_AT_ONCE; i++) {
		uint64_t len = runs[i].len - skip;

		if (len > BYTES_AT_ONCE - bytes)
			len = BYTES_AT_ONCE - bytes;
		remote[i].iov_base = (void *)(uintptr_t)(runs[i].start.v + skip);
		remote[i].iov_len = (size_t)len;
		bytes += (size_t)len;
		skip = 0;
	}
	*ret_bytes = bytes;
	return i;
}

int rmem_read_runs(pid_t host_pid, const struct rmem_run *runs, size_t n, void *to,
		   struct error *err)
{
	struct iovec remote[RUNS_AT_ONCE];
	uint64_t skip = 0;
	size_t i = 0;

	while (i < n) {
		struct iovec local = { to, 0 };
		size_t n_remote = fill_remote(runs + i, n - i, skip, remote, &local.iov_len);
		ssize_t got;

		if (local.iov_len == 0) { /* only empty runs */
			i += n_remote;
			continue;
		}
		got = process_vm_readv(host_pid, &local, 1, remote, n_remote, 0);
		if (got <= 0)
			return told(err, got < 0 ? -errno : -EFAULT, "read", host_pid,
				    raddr_add(runs[i].start, skip));
		to = (char *)to + got;
		/* A partial transfer ends before the page that failed: the next round fails
		 * right there, and names it. */
		for (skip += (uint64_t)got; i < n && skip >= runs[i].len; i++)
			skip -= runs[i].len;
	}
	return 0;
}

int rmem_open(pid_t host_pid, struct error *err)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)host_pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, -ESRCH, "open '%s': no such process", path);
	if (fd < 0)
		return err_sys(err, "open '%s'", path);
	return fd;
}

int rmem_poke(int mem_fd, struct raddr to, const void *from, size_t len, struct error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n =
			pwrite(mem_fd, (const char *)from + done, len - done, (off_t)(to.v + done));

		if (n == 0)
			return err_set(err, -ESRCH, "poke at %" PRIx64 ": the task is gone",
				       to.v + done);
		if (n < 0)
			return err_sys(err, "poke at %" PRIx64, to.v + done);
		done += (size_t)n;
	}
	return 0;
}

int rmem_poke_traced(pid_t host_tid, struct raddr to, const void *from, size_t len,
		     struct error *err)
{
	for (size_t done = 0; done < len; done += sizeof(long)) {
		long word;

		memcpy(&word, (const char *)from + done, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, host_tid, (void *)(uintptr_t)(to.v + done), word) < 0)
			return err_sys(err, "poke at %" PRIx64, to.v + done);
	}
	return 0;
}

int rmem_peek(int mem_fd, struct raddr from, void *to, size_t len, struct error *err)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(mem_fd, (char *)to + done, len - done, (off_t)(from.v + done));

		if (n == 0)
			return err_set(err, -ESRCH, "peek at %" PRIx64 ": the task is gone",
				       from.v + done);
		if (n < 0)
			return err_sys(err, "peek at %" PRIx64, from.v + done);
		done += (size_t)n;
	}
	return 0;
}
