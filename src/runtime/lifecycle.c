#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "runtime/cgroup-tasks.h"
#include "runtime/container.h"
#include "runtime/destroy.h"
#include "runtime/hook.h"
#include "runtime/runtime.h"
#include "runtime/spec.h"

/* --- start ---------------------------------------------------------------------- */

/*
 * Opening the fifo for reading lets the init's open(2) return. We read what it
 * writes then, or see it die.
 */
static int release_init(const struct container *c, struct error *err)
{
	cleanup_fd int pidfd = procref_open(&c->init, err);
	cleanup_fd int fifo = -EBADF;
	struct pollfd fds[2];
	char byte;

	if (pidfd < 0)
		return pidfd;
	fifo = openat(c->dir, CONTAINER_FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fifo < 0)
		return err_sys(err, "open the fifo of container '%s'", c->id);
	fds[0] = (struct pollfd){ .fd = fifo, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = pidfd, .events = POLLIN };
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return err_sys(err, "wait for the init of container '%s'", c->id);
		if (read(fifo, &byte, 1) == 1)
			break;
		if (fds[1].revents)
			return err_set(err, -ESRCH, "the init of container '%s' died", c->id);
	}
	if (unlinkat(c->dir, CONTAINER_FIFO, 0) < 0)
		return err_sys(err, "remove the fifo of container '%s'", c->id);
	return 0;
}

/* The hooks' failure stops nothing: the program runs already. */
static void run_poststart(const struct container *c)
{
	cleanup_spec struct spec spec = SPEC_INIT;
	struct error err = ERROR_INIT;

	if (spec_load_at(c->dir, CONTAINER_CONFIG, &spec, &err) < 0 ||
	    hook_run(&spec, HOOK_POSTSTART, c, &err) < 0)
		log_warn("container '%s' is started, but: %s", c->id, err.text);
}

int runtime_start(const struct runtime *rt, const char *id, struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	int r;

	r = container_open(rt, id, true, &c, err);
	if (r < 0)
		return r;
	switch (container_status(&c)) {
	case CONTAINER_CREATED:
		break;
	case CONTAINER_STOPPED:
	case CONTAINER_CREATING:
		return err_set(err, -EBUSY, "cannot start a container that has stopped");
	case CONTAINER_RUNNING:
	case CONTAINER_PAUSED:
		return err_set(err, -EBUSY, "cannot start an already running container");
	}
	r = release_init(&c, err);
	if (r < 0)
		return r;
	run_poststart(&c);
	return 0;
}

/* --- kill ----------------------------------------------------------------------- */

int runtime_kill(const struct runtime *rt, const char *id, int signal, bool all, struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	int r;

	r = container_open(rt, id, false, &c, err);
	if (r < 0)
		return r;
	if (all) {
		r = cgroup_signal(&c.cgroup, signal, err);
		return r < 0 ? r : 0;
	}
	if (container_status(&c) == CONTAINER_STOPPED)
		return err_set(err, -ESRCH, "container not running: '%s'", id);
	r = procref_signal(&c.init, signal, err);
	if (r == -ESRCH)
		return err_set(err, -ESRCH, "container not running: '%s'", id);
	/* A frozen process takes a deadly signal on v2, but on v1 only when it is thawed. */
	if (r >= 0 && signal == SIGKILL && container_status(&c) == CONTAINER_PAUSED)
		r = cgroup_freeze(&c.cgroup, false, err);
	return r;
}

/* --- delete --------------------------------------------------------------------- */

int runtime_delete(const struct runtime *rt, const char *id, bool force, struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	enum container_status status;
	int r;

	r = container_open(rt, id, true, &c, err);
	if (r == -ENOENT && force)
		return 0;
	if (r < 0)
		return r;
	status = container_status(&c);
	/* Created but never started: nothing of the user's is lost, as with runc. */
	if (!force && status != CONTAINER_STOPPED && status != CONTAINER_CREATED)
		return err_set(err, -EBUSY, "cannot delete container '%s' that is not stopped: %s",
			       id, container_status_name(status));
	r = container_destroy(&c, err);
	if (r < 0)
		return err_wrap(err, r, "delete container '%s'", id);
	return 0;
}
