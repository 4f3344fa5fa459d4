#include "cmd/cryopod/image-users.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "pod/db.h"
#include "pod/held.h"
#include "pod/lifecycle.h"

static int list(void *arg, const char *image_id, struct strv *ret_containers, struct error *err)
{
	struct pod *pod = arg;
	cleanup_strv struct strv ids = STRV_INIT;
	int r;

	r = db_ids(pod->db, &ids, err);
	for (size_t i = 0; r == 0 && i < ids.n; i++) {
		cleanup_container struct container c = CONTAINER_INIT;
		const char *image;

		r = db_load(pod->db, ids.items[i], &c, err);
		if (r == -ENOENT) { /* removed meanwhile */
			r = 0;
			continue;
		}
		image = r == 0 ? container_config_string(&c, "rootfsImageID") : NULL;
		if (image && strcmp(image, image_id) == 0)
			strv_add(ret_containers, c.id);
	}
	return r < 0 ? r : strv_ok(ret_containers) ? 0 : err_oom(err);
}

static int remove_one(struct pod *pod, const char *id, struct error *err)
{
	cleanup_held struct held held = HELD_INIT;
	int r;

	r = held_take(pod, id, &held, err);
	if (r == -ENOENT) /* somebody else was first */
		return 0;
	return r < 0 ? r : lifecycle_remove(pod, &held, true, 0, err);
}

static int remove_all(void *arg, const struct strv *containers, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < containers->n; i++)
		r = remove_one(arg, containers->items[i], err);
	return r;
}

struct image_users image_users_of(struct pod *pod)
{
	return (struct image_users){ .list = list, .remove = remove_all, .arg = pod };
}
