/*
 * mount-load: mountpoints-N.img of every mount namespace of the tree.
 */
#include <string.h>

#include "base/err.h"
#include "ckpt/mount-priv.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"

#define MOUNTS_MAX 100000

const char *mount_below(const char *path, const char *base)
{
	size_t len = strcmp(base, "/") == 0 ? 0 : strlen(base);

	if (strncmp(path, base, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	while (path[len] == '/')
		len++;
	return path + len;
}

static struct rmount *find_id(struct rmount *mounts, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (mounts[i].entry->mnt_id == id)
			return &mounts[i];
	return NULL;
}

/* The root task's, then those that other tasks are in. */
static int find_namespaces(struct restore *r, struct rmounts *all, struct error *err)
{
	all->ns = arena_new_array(&r->arena, struct rmount_ns, r->n_image_tasks + 1);
	if (!all->ns)
		return err_oom(err);
	all->ns[all->n_ns++] = (struct rmount_ns){ .id = r->root->ids->mnt_ns_id, .fd = -1 };
	for (size_t i = 0; i < r->n_image_tasks; i++) {
		const TaskKobjIdsEntry *ids = r->tasks[i]->ids;
		size_t k = 0;

		while (ids && k < all->n_ns && all->ns[k].id != ids->mnt_ns_id)
			k++;
		if (ids && k == all->n_ns)
			all->ns[all->n_ns++] = (struct rmount_ns){ .id = ids->mnt_ns_id, .fd = -1 };
	}
	return 0;
}

static int add_tree(struct rmounts *all, struct rmount_ns *ns, MntEntry **entries, size_t n,
		    struct error *err)
{
	struct rmount *v = all->v + all->n;

	for (size_t i = 0; i < n; i++)
		v[i] = (struct rmount){ .entry = entries[i], .ns = ns, .fd = -1 };
	all->n += n;
	for (size_t i = 0; i < n; i++) {
		const MntEntry *e = v[i].entry;

		if (e->mountpoint[0] != '/' || e->root[0] != '/')
			return err_set(err, -EBADMSG, "mount '%s': no absolute path",
				       e->mountpoint);
		if (e->parent_mnt_id != e->mnt_id)
			v[i].parent = find_id(v, n, e->parent_mnt_id);
		if (v[i].parent && !mount_below(e->mountpoint, v[i].parent->entry->mountpoint))
			return err_set(err, -EBADMSG, "mount '%s' is not below its parent '%s'",
				       e->mountpoint, v[i].parent->entry->mountpoint);
		if (v[i].parent)
			continue;
		if (ns->root)
			return err_set(err, -EBADMSG, "two root mounts, '%s' and '%s'",
				       ns->root->entry->mountpoint, e->mountpoint);
		ns->root = &v[i];
	}
	return ns->root ? 0 : err_set(err, -EBADMSG, "mountpoints-%u.img: no root mount", ns->id);
}

int mounts_load(struct restore *r, struct error *err)
{
	struct rmounts *all = arena_new(&r->arena, struct rmounts);
	MntEntry ***entries = NULL;
	size_t *n = NULL;
	size_t total = 0;
	int ret;

	if (!all)
		return err_oom(err);
	ret = externals_parse(r->opts->externals, &r->arena, &all->externals, err);
	if (ret >= 0)
		ret = find_namespaces(r, all, err);
	if (ret < 0)
		return ret;
	entries = arena_new_array(&r->arena, MntEntry **, all->n_ns);
	n = arena_new_array(&r->arena, size_t, all->n_ns);
	if (!entries || !n)
		return err_oom(err);
	for (size_t i = 0; i < all->n_ns; i++) {
		ret = image_read_all(r->opts->images_dir, IMG_KIND_MNTS, all->ns[i].id, &r->arena,
				     &entries[i], &n[i], err);
		if (ret < 0)
			return ret;
		total += n[i];
	}
	if (total > MOUNTS_MAX)
		return err_set(err, -EBADMSG, "mountpoints images: %zu mounts", total);
	all->v = arena_new_array(&r->arena, struct rmount, total + 1);
	if (!all->v)
		return err_oom(err);
	for (size_t i = 0; i < all->n_ns; i++) {
		ret = add_tree(all, &all->ns[i], entries[i], n[i], err);
		if (ret < 0)
			return ret;
	}
	all->now = &all->ns[0];
	r->mounts = all;
	return 0;
}
