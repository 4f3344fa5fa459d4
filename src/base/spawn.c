#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"

#define MAX_FDS 16

/* What stopped the child before its exec; sent through a pipe that exec closes. */
struct fault {
	enum {
		STAGE_SETUP,
		STAGE_FOLDER,
		STAGE_DESCRIPTORS,
		STAGE_EXEC,
	} stage;
	int error;
};

/* Descriptors of one start, parent's side. */
struct plumbing {
	int stdio[3];	  /* what becomes 0, 1, 2 in the child */
	int capture[3];	  /* reading ends, or -EBADF */
	int fault_reader; /* end of file: exec succeeded */
	int fault_writer;
	int null;
};

#define PLUMBING_INIT                                                                              \
	{                                                                                          \
		.stdio = { -EBADF, -EBADF, -EBADF }, .capture = { -EBADF, -EBADF, -EBADF },        \
		.fault_reader = -EBADF, .fault_writer = -EBADF, .null = -EBADF                     \
	}

static void plumbing_done(struct plumbing *p)
{
	for (size_t i = 0; i < 3; i++) {
		cleanup_fd_p(&p->stdio[i]);
		cleanup_fd_p(&p->capture[i]);
	}
	cleanup_fd_p(&p->fault_reader);
	cleanup_fd_p(&p->fault_writer);
	cleanup_fd_p(&p->null);
}

static void close_now(int *fd)
{
	cleanup_fd_p(fd);
	*fd = -EBADF;
}

static _Noreturn void fail_child(int fault_fd, int stage, int error)
{
	struct fault fault = { .stage = stage, .error = error };

	(void)!write(fault_fd, &fault, sizeof(fault)); /* the parent also sees our exit status */
	_exit(127);
}

/*
 * Puts copies high first, so that placing one descriptor can't overwrite
 * another that is still to be placed. Returns the new number of the fault pipe.
 */
static int place_descriptors_child(const struct spawn *spawn, const int *stdio, int fault_fd)
{
	int high[3 + MAX_FDS];
	size_t n = 3 + spawn->n_fds;
	int fault_high;

	fault_high = fcntl(fault_fd, F_DUPFD_CLOEXEC, (int)n);
	if (fault_high < 0)
		fail_child(fault_fd, STAGE_DESCRIPTORS, errno);
	for (size_t i = 0; i < n; i++) {
		high[i] = fcntl(i < 3 ? stdio[i] : spawn->fds[i - 3], F_DUPFD_CLOEXEC, (int)n);
		if (high[i] < 0)
			fail_child(fault_high, STAGE_DESCRIPTORS, errno);
	}
	for (size_t i = 0; i < n; i++)
		if (dup2(high[i], (int)i) < 0)
			fail_child(fault_high, STAGE_DESCRIPTORS, errno);
	/* Those our own caller left open without O_CLOEXEC are none of the helper's business. */
	if (syscall(SYS_close_range, (unsigned int)n, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		fail_child(fault_high, STAGE_DESCRIPTORS, errno);
	return fault_high;
}

static _Noreturn void run_child(const struct spawn *spawn, const int *stdio, int fault_fd,
				pid_t parent)
{
	sigset_t none;

	if (!spawn->outlives) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			fail_child(fault_fd, STAGE_SETUP, errno);
		if (getppid() != parent) /* it died before the prctl */
			_exit(127);
	}
	if (spawn->new_session && setsid() < 0)
		fail_child(fault_fd, STAGE_SETUP, errno);
	(void)sigemptyset(&none); /* can't fail */
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_DFL);
	if (spawn->folder && chdir(spawn->folder) < 0)
		fail_child(fault_fd, STAGE_FOLDER, errno);
	fault_fd = place_descriptors_child(spawn, stdio, fault_fd);
	(void)execvpe(spawn->argv[0], spawn->argv, spawn->envp ? spawn->envp : environ);
	fail_child(fault_fd, STAGE_EXEC, errno);
}

static int plumb_one(struct plumbing *p, int which, int want, struct error *err)
{
	int ends[2];

	if (want == SPAWN_CAPTURE) {
		if (pipe2(ends, O_CLOEXEC) < 0)
			return err_sys(err, "make a pipe");
		p->capture[which] = ends[0];
		p->stdio[which] = ends[1];
		return 0;
	}
	p->stdio[which] = fcntl(want == SPAWN_NULL ? p->null : want, F_DUPFD_CLOEXEC, 3);
	return p->stdio[which] < 0 ? err_sys(err, "copy descriptor %d", want) : 0;
}

static int plumb(struct plumbing *p, const struct spawn *spawn, struct error *err)
{
	int want[3] = { spawn->in, spawn->out, spawn->err };
	int ends[2];

	p->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (p->null < 0)
		return err_sys(err, "open '/dev/null'");
	for (int i = 0; i < 3; i++) {
		int r = plumb_one(p, i, want[i], err);

		if (r < 0)
			return r;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	p->fault_reader = ends[0];
	p->fault_writer = ends[1];
	return 0;
}

static int tell_fault(const struct spawn *spawn, const struct fault *fault, struct error *err)
{
	errno = fault->error;
	switch (fault->stage) {
	case STAGE_SETUP:
		return err_sys(err, "prepare to run '%s'", spawn->argv[0]);
	case STAGE_FOLDER:
		return err_sys(err, "run '%s': go to folder '%s'", spawn->argv[0], spawn->folder);
	case STAGE_DESCRIPTORS:
		return err_sys(err, "run '%s': hand over descriptors", spawn->argv[0]);
	case STAGE_EXEC:
		break;
	}
	return err_sys(err, "run '%s'", spawn->argv[0]);
}

static int wait_for(pid_t pid, int *ret_status)
{
	pid_t r;

	do {
		r = waitpid(pid, ret_status, 0);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* Forks, and comes back when the program's own code runs (or could not be run). */
static int start(const struct spawn *spawn, struct plumbing *p, pid_t *ret_pid, struct error *err)
{
	pid_t parent = getpid();
	struct fault fault;
	ssize_t n;
	int status;
	pid_t pid;

	if (spawn->n_fds > MAX_FDS)
		return err_set(err, -EINVAL, "run '%s': too many descriptors", spawn->argv[0]);
	pid = fork();
	if (pid < 0)
		return err_sys(err, "fork for '%s'", spawn->argv[0]);
	if (pid == 0)
		run_child(spawn, p->stdio, p->fault_writer, parent);

	close_now(&p->fault_writer);
	for (size_t i = 0; i < 3; i++)
		close_now(&p->stdio[i]);
	do {
		n = read(p->fault_reader, &fault, sizeof(fault));
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(fault)) {
		(void)wait_for(pid, &status); /* it has told why already */
		return tell_fault(spawn, &fault, err);
	}
	*ret_pid = pid;
	return 0;
}

/* Reads what there is. Returns false at the end of file. */
static bool drain(int fd, struct buf *into, size_t max)
{
	char chunk[16384];
	ssize_t n = read(fd, chunk, sizeof(chunk));
	size_t room = into->len < max ? max - into->len : 0;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (n == 0)
		return false;
	buf_add(into, chunk, (size_t)n < room ? (size_t)n : room);
	return true;
}

/* Milliseconds that poll may sleep; -1: no deadline. */
static int time_left_ms(uint64_t deadline_ns)
{
	uint64_t now = clock_mono_ns();

	if (deadline_ns == 0)
		return -1;
	if (now >= deadline_ns)
		return 0;
	return (int)((deadline_ns - now) / NS_PER_MS) + 1;
}

/*
 * Follows outputs and the process itself (pidfd): a helper's own child may
 * hold the pipes longer than the helper lives, and that is not waited for.
 */
static int follow(const struct spawn *spawn, struct plumbing *p, int pidfd, uint64_t deadline_ns,
		  struct spawn_result *result)
{
	for (;;) {
		struct pollfd polled[3] = {
			{ .fd = p->capture[1], .events = POLLIN },
			{ .fd = p->capture[2], .events = POLLIN },
			{ .fd = pidfd, .events = POLLIN },
		};
		int n = poll(polled, ARRAY_SIZE(polled), time_left_ms(deadline_ns));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ETIMEDOUT;
		if (n < 0)
			continue;
		if (polled[0].revents && !drain(p->capture[1], &result->out, spawn->max_captured))
			close_now(&p->capture[1]);
		if (polled[1].revents && !drain(p->capture[2], &result->err, spawn->max_captured))
			close_now(&p->capture[2]);
		if (polled[2].revents && !polled[0].revents && !polled[1].revents)
			return 0;
	}
}

int spawn_run(const struct spawn *spawn, struct spawn_result *ret_result, struct error *err)
{
	__attribute__((cleanup(plumbing_done))) struct plumbing p = PLUMBING_INIT;
	cleanup_fd int pidfd = -EBADF;
	uint64_t deadline_ns = spawn->timeout_ns ? clock_mono_ns() + spawn->timeout_ns : 0;
	pid_t pid = -1;
	int waited;
	int r;

	r = plumb(&p, spawn, err);
	if (r < 0)
		return r;
	r = start(spawn, &p, &pid, err);
	if (r < 0)
		return r;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	r = pidfd < 0 ? -errno : follow(spawn, &p, pidfd, deadline_ns, ret_result);
	if (r < 0)
		(void)kill(pid, SIGKILL); /* ours, and not waited for yet: the number is right */
	waited = wait_for(pid, &ret_result->status);
	if (r == -ETIMEDOUT)
		return err_set(err, r, "'%s' did not end within %llu s and was killed",
			       spawn->argv[0],
			       (unsigned long long)(spawn->timeout_ns / NS_PER_SEC));
	if (r < 0 || waited < 0)
		return err_set(err, r < 0 ? r : waited, "wait for '%s': %s", spawn->argv[0],
			       strerror(r < 0 ? -r : -waited));
	return buf_ok(&ret_result->out) && buf_ok(&ret_result->err) ? 0 : err_oom(err);
}

int spawn_start(const struct spawn *spawn, pid_t *ret_pid, struct error *err)
{
	__attribute__((cleanup(plumbing_done))) struct plumbing p = PLUMBING_INIT;
	int r;

	if (spawn->out == SPAWN_CAPTURE || spawn->err == SPAWN_CAPTURE)
		return err_set(err, -EINVAL, "run '%s': nobody would read its output",
			       spawn->argv[0]);
	r = plumb(&p, spawn, err);
	return r < 0 ? r : start(spawn, &p, ret_pid, err);
}

const char *spawn_last_line(const struct buf *text, size_t *ret_len)
{
	const char *data = buf_str(text);
	size_t end = text->len;
	size_t begin;

	while (end > 0 && (data[end - 1] == '\n' || data[end - 1] == '\r' || data[end - 1] == ' '))
		end--;
	for (begin = end; begin > 0 && data[begin - 1] != '\n'; begin--)
		;
	*ret_len = end - begin;
	return data + begin;
}

int spawn_check(const char *program, const struct spawn_result *result, struct error *err)
{
	size_t len;
	const char *line = spawn_last_line(&result->err, &len);
	char how[64];

	if (WIFEXITED(result->status) && WEXITSTATUS(result->status) == 0)
		return 0;
	if (WIFSIGNALED(result->status))
		(void)snprintf(how, sizeof(how), "killed by signal %d", WTERMSIG(result->status));
	else
		(void)snprintf(how, sizeof(how), "exit status %d", WEXITSTATUS(result->status));
	if (len == 0)
		return err_set(err, -EIO, "%s: %s", program, how);
	return err_set(err, -EIO, "%s: %s: %.*s", program, how, (int)len, line);
}

void spawn_result_done(struct spawn_result *result)
{
	buf_done(&result->out);
	buf_done(&result->err);
}
