/*
 * root: the container's copy-on-write root, over store/overlay.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "pod/config.h"
#include "pod/held.h"
#include "pod/lifecycle.h"
#include "pod/pod.h"
#include "store/overlay.h"

int root_mount(struct pod *pod, const struct container *c, char **ret_path, struct error *err)
{
	cleanup_strv struct strv layers = STRV_INIT;
	cleanup_free char *dir = NULL;
	cleanup_free char *used = NULL;
	int r = pod_path(pod, c->id, "", &dir, err);

	if (r == 0)
		r = pod_path(pod, c->id, "work/work", &used, err);
	if (r == 0)
		r = config_strings(c->config, "layers", &layers, err);
	/*
	 * The first mount makes this folder. Until then an earlier command may have been
	 * killed while it made the others; from then on they are the container's.
	 */
	if (r == 0 && access(used, F_OK) < 0)
		r = overlay_create(dir, &layers, err);
	if (r == 0)
		r = overlay_mount(dir, &layers, err);
	if (r < 0)
		return err_wrap(err, r, "mount the root of '%s'", c->name);
	return pod_path(pod, c->id, "merged", ret_path, err);
}

int root_mount_user(struct pod *pod, struct held *held, char **ret_path, struct error *err)
{
	int r;

	if (held->c.state.status == STATUS_REMOVING)
		return err_set(err, -EBUSY,
			       "container %s is being removed: container state improper",
			       held->c.id);
	r = root_mount(pod, &held->c, ret_path, err);
	if (r < 0)
		return r;
	held->c.state.mounted = true;
	r = container_is_alive(&held->c)
		    ? 0
		    : state_set_string(&held->c.state.boot_id, pod->boot_id, err);
	return r < 0 ? r : held_save(pod, held, err);
}

static int unmount(struct pod *pod, const struct container *c, bool lazy, struct error *err)
{
	cleanup_free char *dir = NULL;
	int r = pod_path(pod, c->id, "", &dir, err);

	return r < 0 ? r : overlay_unmount(dir, lazy, err);
}

int root_unmount_user(struct pod *pod, struct held *held, bool force, struct error *err)
{
	int r;

	if (container_is_alive(&held->c) && !force)
		return err_set(err, -EBUSY,
			       "container %s is running or paused, cannot unmount: container state "
			       "improper",
			       held->c.id);
	r = container_is_alive(&held->c) ? 0 : unmount(pod, &held->c, force, err);
	if (r < 0)
		return err_wrap(err, r, "unmount the root of '%s'", held->c.name);
	held->c.state.mounted = false;
	return held_save(pod, held, err);
}

int root_is_mounted(const struct pod *pod, const struct container *c, char **ret_path,
		    struct error *err)
{
	cleanup_free char *dir = NULL;
	int r = pod_path(pod, c->id, "", &dir, err);

	if (r == 0)
		r = overlay_is_mounted(dir, err);
	if (r <= 0)
		return r;
	r = pod_path(pod, c->id, "merged", ret_path, err);
	return r < 0 ? r : 1;
}
