#include "runtime/destroy.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "runtime/cgroup-tasks.h"
#include "runtime/container.h"
#include "runtime/hook.h"
#include "runtime/spec.h"

#define KILL_WAIT_MS 10000

static int wait_gone(const struct container *c, struct error *err)
{
	cleanup_fd int pidfd = procref_open(&c->init, NULL);
	struct pollfd fd = { .fd = pidfd, .events = POLLIN };
	int n;

	if (pidfd < 0)
		return 0;
	do {
		n = poll(&fd, 1, KILL_WAIT_MS);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return err_set(err, -ETIMEDOUT, "process %d did not end within %d s of SIGKILL",
			       c->init.pid, KILL_WAIT_MS / 1000);
	return 0;
}

/* The init first: with a PID namespace of its own all others go with it. */
static int kill_all(const struct container *c, struct error *err)
{
	int r;

	if (cgroup_is_frozen(&c->cgroup))
		(void)cgroup_freeze(&c->cgroup, false, NULL); /* the kill tells if it matters */
	r = procref_signal(&c->init, SIGKILL, err);
	if (r < 0 && r != -ESRCH)
		return r;
	r = wait_gone(c, err);
	if (r < 0)
		return r;
	for (int tries = 0; tries < 100; tries++) {
		r = cgroup_signal(&c->cgroup, SIGKILL, err);
		if (r <= 0)
			break; /* none left, or a failure; forks between two looks get the next */
	}
	return r < 0 && r != -EPERM ? r : 0;
}

static void run_poststop(const struct container *c)
{
	cleanup_spec struct spec spec = SPEC_INIT;
	struct error err = ERROR_INIT;

	if (spec_load_at(c->dir, CONTAINER_CONFIG, &spec, &err) < 0)
		return; /* a creation cut short: nothing ran */
	if (hook_run(&spec, HOOK_POSTSTOP, c, &err) < 0)
		log_warn("container '%s' is deleted, but: %s", c->id, err.text);
}

int container_destroy(const struct container *c, struct error *err)
{
	int r;

	r = kill_all(c, err);
	if (r >= 0)
		r = cgroup_remove(&c->cgroup, err);
	if (r < 0)
		return r;
	if (c->init.pid) /* else its creation was cut short: the other hooks didn't run, either */
		run_poststop(c);
	return container_remove(c, err);
}
