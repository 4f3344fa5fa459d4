#include "pod/exit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "pod/container.h"
#include "pod/pod.h"

static int exit_path(const struct pod *pod, const char *id, char **ret, struct error *err)
{
	if (asprintf(ret, "%s/%s", pod->exits, id) < 0) {
		*ret = NULL;
		return err_oom(err);
	}
	return 0;
}

int exit_read(const struct pod *pod, const char *id, int *ret_code, uint64_t *ret_when_ns,
	      struct error *err)
{
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -EBADF;
	struct stat st;
	char text[32];
	ssize_t n;
	int r = exit_path(pod, id, &path, err);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "open '%s'", path);
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "read '%s'", path);
	text[n] = '\0';
	*ret_code = (int)strtol(text, NULL, 10);
	*ret_when_ns = (uint64_t)st.st_mtim.tv_sec * NS_PER_SEC + (uint64_t)st.st_mtim.tv_nsec;
	return 1;
}

int exit_forget(const struct pod *pod, const char *id, struct error *err)
{
	cleanup_free char *path = NULL;
	int r = exit_path(pod, id, &path, err);

	if (r < 0)
		return r;
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, "remove '%s'", path);
	return 0;
}

/* A descriptor that becomes readable when the process ends; -ESRCH: it is gone. */
static int watch_process(const struct process *process)
{
	cleanup_fd int fd = -EBADF;

	if (process->host_pid <= 0)
		return -ESRCH;
	fd = (int)syscall(SYS_pidfd_open, process->host_pid, 0);
	if (fd < 0)
		return -errno;
	/* Only now is it certain that the descriptor is of this one, not of a successor. */
	return process_is_alive(process) ? take_fd(&fd) : -ESRCH;
}

static bool file_is_there(const struct pod *pod, const char *id)
{
	int code;
	uint64_t when;

	return exit_read(pod, id, &code, &when, NULL) != 0; /* a failure is told by who reads it */
}

/* -1 for ever; rounded up, so that a poll does not end just before its time */
static int poll_ms(uint64_t now, uint64_t end)
{
	uint64_t left;

	if (end == UINT64_MAX)
		return -1;
	left = end > now ? (end - now + NS_PER_MS - 1) / NS_PER_MS : 0;
	return left > 60000 ? 60000 : (int)left;
}

static void drain(int fd)
{
	char events[4096];

	while (read(fd, events, sizeof(events)) > 0)
		; /* what happened is looked up, not read here */
}

static int wait_on(const struct pod *pod, const struct container *c, int notify, int conmon,
		   int init, uint64_t end, struct error *err)
{
	struct pollfd fds[3] = {
		{ .fd = notify, .events = POLLIN },
		{ .fd = conmon, .events = POLLIN },
		/* Without conmon nobody writes an exit code: the process itself is all there is. */
		{ .fd = conmon < 0 ? init : -1, .events = POLLIN },
	};

	for (;;) {
		uint64_t now = clock_mono_ns();

		if (file_is_there(pod, c->id) || (conmon < 0 && init < 0) || fds[2].revents)
			return 1;
		if (fds[1].revents) { /* killed: look at the process from now on */
			fds[1].fd = -1;
			fds[1].revents = 0;
			conmon = -EBADF;
			fds[2].fd = init;
			continue;
		}
		if (now >= end)
			return 0;
		if (poll(fds, 3, poll_ms(now, end)) < 0 && errno != EINTR)
			return err_sys(err, "wait for container %s", c->id);
		if (fds[0].revents)
			drain(notify);
	}
}

int exit_wait(const struct pod *pod, const struct container *c, uint64_t timeout_ns,
	      struct error *err)
{
	cleanup_fd int notify = -EBADF;
	cleanup_fd int conmon = -EBADF;
	cleanup_fd int init = -EBADF;
	uint64_t now = clock_mono_ns();

	/* Often it is there already, and taking an inotify instance down costs milliseconds. */
	if (file_is_there(pod, c->id))
		return 1;
	notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (notify < 0)
		return err_sys(err, "watch '%s'", pod->exits);
	if (inotify_add_watch(notify, pod->exits, IN_MOVED_TO | IN_CLOSE_WRITE) < 0)
		return err_sys(err, "watch '%s'", pod->exits);
	conmon = watch_process(&c->state.conmon);
	init = watch_process(&c->state.init);
	return wait_on(pod, c, notify, conmon, init,
		       timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns, err);
}
