/*
 * orphan: what an interrupted start left at work.
 *
 * conmon goes on when we are killed, and so does the runtime below it. Before
 * the container can be made again, they have to be gone. They are known by
 * what they execute and by the container's id, 64 random digits, among their words.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "pod/conmon.h"
#include "pod/container.h"
#include "pod/oci.h"
#include "pod/pod.h"

#define END_WAIT_MS 10000
#define WORDS_MAX 16384
#define FINISH_WAIT_NS (UINT64_C(240) * NS_PER_SEC)
#define LOOK_AGAIN_MS 2

struct programs {
	char *conmon;
	char *runtime;
};

static void programs_done(struct programs *p)
{
	free(p->conmon);
	free(p->runtime);
}

/* Is it one of the two programs, with the id as one whole word? */
static bool is_ours(pid_t pid, const struct programs *programs, const char *id)
{
	cleanup_fd int fd = -EBADF;
	char path[64];
	char words[WORDS_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, words, sizeof(words) - 1);
	if (n <= 0)
		return false;
	words[n] = '\0';
	if (strcmp(words, programs->conmon) != 0 && strcmp(words, programs->runtime) != 0)
		return false;
	for (const char *word = words; word < words + n; word += strlen(word) + 1)
		if (strcmp(word, id) == 0)
			return true;
	return false;
}

static int end_one(pid_t pid, const struct programs *programs, const char *id, struct error *err)
{
	cleanup_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	/* Only now is it certain that the descriptor is of the one that was looked at. */
	if (fd < 0 || !is_ours(pid, programs, id))
		return 0;
	log_debug("ending process %d, left by an interrupted start of %s", pid, id);
	if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0)
		return errno == ESRCH ? 0 : err_sys(err, "end process %d", pid);
	if (poll(&poll_fd, 1, END_WAIT_MS) < 0)
		return err_sys(err, "wait for process %d", pid);
	return poll_fd.revents ? 0 : err_set(err, -ETIMEDOUT, "process %d does not end", pid);
}

/* A descriptor of one process of the program with that id; -ESRCH: there is none. */
static int find_one(const char *program, const char *id)
{
	const struct programs only = { (char *)program, (char *)program };
	cleanup_dir DIR *proc = opendir("/proc");
	const struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		cleanup_fd int fd = -EBADF;
		pid_t pid = isdigit((unsigned char)entry->d_name[0])
				    ? (pid_t)strtol(entry->d_name, NULL, 10)
				    : 0;

		if (pid <= 0 || pid == getpid() || !is_ours(pid, &only, id))
			continue;
		fd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (fd >= 0 && is_ours(pid, &only, id))
			return take_fd(&fd);
	}
	return -ESRCH;
}

int conmon_await_orphans(const struct pod *pod, const struct container *c, struct error *err)
{
	__attribute__((cleanup(programs_done))) struct programs programs = { NULL, NULL };
	const char *name = pod->settings.conmon ? pod->settings.conmon : "conmon";
	uint64_t end = clock_mono_ns() + FINISH_WAIT_NS;
	cleanup_free char *pidfile = NULL;
	int r = pod_find_program(pod, name, &programs.conmon, err);

	if (r == 0)
		r = oci_find_runtime(pod, c, &programs.runtime, err);
	if (r == 0)
		r = pod_path(pod, c->id, "userdata/pidfile", &pidfile, err);
	while (r == 0 && clock_mono_ns() < end) {
		cleanup_fd int conmon = find_one(programs.conmon, c->id);
		cleanup_fd int runtime = find_one(programs.runtime, c->id);
		struct pollfd fds[2] = { { .fd = conmon, .events = POLLIN },
					 { .fd = runtime, .events = POLLIN } };

		if (runtime < 0 && (conmon < 0 || access(pidfile, F_OK) == 0))
			return 0;
		/* Between its start and the runtime's, conmon has nothing to wait on. */
		if (poll(fds, 2, runtime < 0 ? LOOK_AGAIN_MS : END_WAIT_MS) < 0 && errno != EINTR)
			return err_sys(err, "wait for an interrupted restore");
	}
	return r < 0 ? r
		     : err_set(err, -ETIMEDOUT, "an interrupted restore does not come to its end");
}

int conmon_end_orphans(const struct pod *pod, const struct container *c, struct error *err)
{
	__attribute__((cleanup(programs_done))) struct programs programs = { NULL, NULL };
	cleanup_dir DIR *proc = opendir("/proc");
	const char *conmon = pod->settings.conmon ? pod->settings.conmon : "conmon";
	const struct dirent *entry;
	int r = pod_find_program(pod, conmon, &programs.conmon, err);

	if (r == 0)
		r = oci_find_runtime(pod, c, &programs.runtime, err);
	if (r == 0 && !proc)
		r = err_sys(err, "open '/proc'");
	while (r == 0 && (entry = readdir(proc))) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0])
				    ? (pid_t)strtol(entry->d_name, NULL, 10)
				    : 0;

		if (pid > 0 && pid != getpid() && is_ours(pid, &programs, c->id))
			r = end_one(pid, &programs, c->id, err);
	}
	return r;
}
