#include "pod/held.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "pod/checkpoint.h"
#include "pod/db.h"
#include "pod/exit.h"
#include "pod/lifecycle.h"
#include "pod/oci.h"
#include "pod/pod.h"

/* Neither the process nor conmon can tell how it ended any more. */
#define EXIT_UNKNOWN 255

static void set_exited(struct container *c, int code, uint64_t when_ns)
{
	c->state.status = STATUS_EXITED;
	c->state.exit_code = code;
	c->state.finished_ns = when_ns;
	c->state.init = (struct process){ 0 };
	c->state.conmon = (struct process){ 0 };
	c->state.needs_cleanup = true;
}

static bool is_of_this_boot(const struct pod *pod, const struct container *c)
{
	return c->state.boot_id && strcmp(c->state.boot_id, pod->boot_id) == 0;
}

int container_refresh(const struct pod *pod, struct container *c, struct error *err)
{
	uint64_t when = 0;
	int code = 0;
	int r;

	if (!container_is_alive(c)) {
		if (!c->state.mounted || is_of_this_boot(pod, c))
			return 0;
		c->state.mounted = false; /* no mount outlives a boot */
		return 1;
	}
	if (!is_of_this_boot(pod, c)) {
		set_exited(c, EXIT_UNKNOWN, clock_real_ns());
		c->state.mounted = false;
		return 1;
	}
	r = exit_read(pod, c->id, &code, &when, err);
	if (r < 0)
		return r;
	if (r == 0 && (process_is_alive(&c->state.conmon) || process_is_alive(&c->state.init)))
		return 0;
	if (r == 0) { /* conmon may have written it between the two looks */
		r = exit_read(pod, c->id, &code, &when, err);
		if (r < 0)
			return r;
	}
	if (checkpoint_adopt(pod, c, NULL) > 0) /* that it ended is certain, whatever this says */
		return 1;
	set_exited(c, r > 0 ? code : EXIT_UNKNOWN, r > 0 ? when : clock_real_ns());
	return 1;
}

/* A start may have succeeded without being written down: the runtime knows. */
static int adopt_start(struct pod *pod, struct held *held, struct error *err)
{
	cleanup_free char *state = NULL;
	int r = oci_state(pod, &held->c, &state, err);

	if (r < 0 || strcmp(state, "running") != 0)
		return r;
	held->c.state.status = STATUS_RUNNING;
	held->c.state.started_ns = clock_real_ns();
	return held_save(pod, held, err);
}

static int load(struct pod *pod, const char *id, struct held *held, struct error *err)
{
	int changed;
	int r = db_load(pod->db, id, &held->c, err);

	if (r < 0)
		return r;
	changed = container_refresh(pod, &held->c, err);
	if (changed < 0)
		return changed;
	if (changed > 0)
		log_debug("container %s has ended with %d", id, held->c.state.exit_code);
	if (changed > 0) {
		r = held_save(pod, held, err);
		if (r < 0)
			return r;
	}
	if (held->c.state.status == STATUS_INITIALIZED)
		return adopt_start(pod, held, err);
	if (!held->c.state.needs_cleanup || container_is_alive(&held->c))
		return 0;
	r = is_of_this_boot(pod, &held->c) ? checkpoint_adopt_restore(pod, held, err) : 0;
	held->restored = r > 0;
	return r == 0 ? lifecycle_cleanup(pod, held, err) : r < 0 ? r : 0;
}

/*
 * The lock lies in the container's folder, which goes with it: no folder, no
 * container. Whoever waited for the lock of one that is removed meanwhile finds
 * no record.
 */
static int take_lock(const struct pod *pod, const char *id, struct lock *lock, struct error *err)
{
	cleanup_free char *folder = NULL;
	cleanup_fd int fd = -EBADF;
	int r = pod_path(pod, id, "", &folder, err);

	if (r < 0)
		return r;
	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "open folder '%s'", folder);
	return lock_take(fd, "lock", LOCK_MODE_EXCLUSIVE, lock, err);
}

int held_take(struct pod *pod, const char *id, struct held *ret, struct error *err)
{
	cleanup_held struct held held = HELD_INIT;
	int r = take_lock(pod, id, &held.lock, err);

	if (r == -ENOENT)
		return err_set(err, r, "no container with ID \"%s\" found: no such container", id);
	if (r == 0)
		r = load(pod, id, &held, err);
	if (r < 0)
		return r;
	held_done(ret);
	*ret = held;
	held = (struct held)HELD_INIT;
	return 0;
}

int held_retake(struct pod *pod, struct held *held, struct error *err)
{
	char id[ID_LEN + 1];

	memcpy(id, held->c.id, sizeof(id));
	held_release(held); /* a second lock of ours would wait for the first */
	return held_take(pod, id, held, err);
}

void held_release(struct held *held)
{
	lock_release(&held->lock);
}

void held_done(struct held *held)
{
	container_done(&held->c);
	lock_release(&held->lock);
}

int held_save(struct pod *pod, struct held *held, struct error *err)
{
	return db_save_state(pod->db, &held->c, err);
}
