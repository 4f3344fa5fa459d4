/*
 * remove: what ends with a container's life, and what ends with the container.
 *
 * Each step may be done again, and is, if we die in between.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "pod/conmon.h"
#include "pod/db.h"
#include "pod/exit.h"
#include "pod/held.h"
#include "pod/lifecycle.h"
#include "pod/oci.h"
#include "pod/pod.h"
#include "store/overlay.h"

/* Sockets and pipes that conmon made, and the numbers of processes that are gone. */
static const char *const living_files[] = { "attach", "ctl", "winsz", "pidfile", "conmon.pid" };

static int remove_living_files(const struct pod *pod, const struct container *c, struct error *err)
{
	cleanup_free char *bundle = NULL;
	cleanup_fd int fd = -EBADF;
	int r = pod_path(pod, c->id, "userdata", &bundle, err);

	if (r < 0)
		return r;
	fd = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(err, "open folder '%s'", bundle);
	for (size_t i = 0; i < ARRAY_SIZE(living_files); i++)
		if (unlinkat(fd, living_files[i], 0) < 0 && errno != ENOENT)
			return err_sys(err, "remove '%s/%s'", bundle, living_files[i]);
	return 0;
}

/* conmon writes "conmon.pid.XXXXXX" and renames it; killed in between, it leaves that. */
static int remove_half_written(const struct pod *pod, const struct container *c, struct error *err)
{
	cleanup_free char *bundle = NULL;
	cleanup_dir DIR *dir = NULL;
	const struct dirent *entry;
	int r = pod_path(pod, c->id, "userdata", &bundle, err);

	if (r < 0)
		return r;
	dir = opendir(bundle);
	if (!dir)
		return errno == ENOENT ? 0 : err_sys(err, "open folder '%s'", bundle);
	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, "conmon.pid.", strlen("conmon.pid.")) == 0 &&
		    unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
			return err_sys(err, "remove '%s/%s'", bundle, entry->d_name);
	return 0;
}

static int runtime_knows(const struct pod *pod, const struct container *c)
{
	char path[4096];

	/* Where runc, crun and cryorun keep the state of a container. */
	(void)snprintf(path, sizeof(path), "%s/runtime/%s", pod->runroot, c->id);
	return access(path, F_OK) == 0;
}

int lifecycle_cleanup(struct pod *pod, struct held *held, struct error *err)
{
	struct container *c = &held->c;
	cleanup_free char *dir = NULL;
	int r = pod_path(pod, c->id, "", &dir, err);

	if (r == 0 && c->state.conmon.host_pid != 0)
		r = conmon_end_orphans(pod, c, err);
	if (r == 0 && c->state.conmon.host_pid != 0)
		r = remove_half_written(pod, c, err);
	if (r == 0 && runtime_knows(pod, c))
		r = oci_delete(pod, c, err);
	/*
	 * The root of a checkpointed container stays mounted for its restore: unmounting
	 * an overlay writes back the whole file system below it, however busy that is.
	 */
	if (r == 0 && !c->state.mounted && !c->state.checkpointed)
		r = overlay_unmount(dir, 0, err);
	if (r == 0)
		r = remove_living_files(pod, c, err);
	if (r < 0)
		return err_wrap(err, r, "clean up after '%s'", c->name);
	c->state.needs_cleanup = false;
	c->state.conmon = (struct process){ 0 };
	return held_save(pod, held, err);
}

static int remove_files(struct pod *pod, struct container *c, struct error *err)
{
	cleanup_free char *dir = NULL;
	cleanup_free char *bundle = NULL;
	int r = pod_path(pod, c->id, "", &dir, err);

	if (r == 0)
		r = pod_path(pod, c->id, "userdata", &bundle, err);
	if (r == 0)
		r = overlay_remove(dir, err);
	if (r == 0)
		r = file_remove_tree_at(AT_FDCWD, bundle, err);
	if (r == 0)
		r = exit_forget(pod, c->id, err);
	/* The record goes before the folder with the lock: see held.c. */
	if (r == 0)
		r = db_remove(pod->db, c, err);
	return r < 0 ? r : file_remove_tree_at(AT_FDCWD, dir, err);
}

static bool is_forgotten(struct pod *pod, const char *id)
{
	char found[ID_LEN + 1];

	return db_find(pod->db, id, found, NULL) == -ENOENT;
}

int lifecycle_remove(struct pod *pod, struct held *held, bool force, unsigned int timeout_s,
		     struct error *err)
{
	struct container *c = &held->c;
	int r = 0;

	if ((c->state.status == STATUS_RUNNING || c->state.status == STATUS_PAUSED) && !force)
		return err_set(
			err, -EBUSY,
			"cannot remove container %s as it is %s - running or paused containers "
			"cannot be removed without force: container state improper",
			c->id, status_name(c->state.status));
	if (container_is_alive(c))
		r = lifecycle_stop(pod, held, timeout_s, err);
	if (r == -ENOENT && is_forgotten(pod, c->id))
		return 0; /* somebody else removed it while we waited for its end */
	if (r < 0)
		return r;
	c->state.status = STATUS_REMOVING;
	c->state.mounted = false;
	r = held_save(pod, held, err);
	if (r == 0)
		r = lifecycle_cleanup(pod, held, err);
	if (r == 0)
		r = remove_files(pod, c, err);
	return r < 0 ? err_wrap(err, r, "remove container '%s'", c->name) : 0;
}
