/*
 * mount-restore: R begins with a copy of M's mounts, and makes another copy for
 * each further namespace of the tree. On top of the folder that is to be the
 * root it builds the tree's mounts, parents before children, and then makes
 * that the root (pivot_root) and lets go of M's.
 *
 * Every mount is made without a place first (mount-make-restore.c) and moved to
 * where it belongs. Its mount point is looked up beneath its parent, before
 * anything that hides it is mounted: so no path of the images can lead out, and
 * mounts that lie over each other get their old order.
 */
#include "ckpt/mount-restore.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/err.h"
#include "ckpt/file-restore.h"
#include "ckpt/mount-priv.h"
#include "ckpt/ns-restore.h"
#include "ckpt/restore-priv.h"

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

/* ------------------------------------------------------------------ namespaces */

void mount_tape_go(struct restore *r, struct rmount_ns *ns)
{
	if (r->mounts->now == ns)
		return;
	tape_call(r->root->build, SYS_setns,
		  TAPE_ARGS(tape_imm((uint64_t)ns->fd), tape_imm(CLONE_NEWNS)),
		  "going to mount namespace %u", ns->id);
	r->mounts->now = ns;
}

static int keep_ns(struct restore *r, struct rmount_ns *ns, struct error *err)
{
	uint32_t slot = tape_call(r->root->build, SYS_openat,
				  TAPE_ARGS(tape_imm((uint64_t)r->proc_fd),
					    tape_at(area_add_string(&r->area, "self/ns/mnt")),
					    tape_imm(O_RDONLY | O_CLOEXEC)),
				  "holding mount namespace %u", ns->id);

	ns->fd = fd_stage(r, err);
	if (ns->fd < 0)
		return ns->fd;
	fd_tape_stage(r->root->build, slot, ns->fd);
	return 0;
}

static int tape_namespaces(struct restore *r, struct error *err)
{
	struct rmounts *all = r->mounts;

	for (size_t i = 0; all->n_ns > 1 && i < all->n_ns; i++) {
		int ret;

		if (i)
			tape_call(r->root->build, SYS_unshare, TAPE_ARGS(tape_imm(CLONE_NEWNS)),
				  "making mount namespace %u", all->ns[i].id);
		ret = keep_ns(r, &all->ns[i], err);
		if (ret < 0)
			return ret;
		all->now = &all->ns[i];
	}
	return 0;
}

void mounts_tape_enter(struct restore *r, struct rtask *t)
{
	if (!r->new_mnt_ns || t->ids->mnt_ns_id == r->mounts->ns[0].id)
		return;
	for (size_t i = 1; i < r->mounts->n_ns; i++)
		if (r->mounts->ns[i].id == t->ids->mnt_ns_id)
			tape_call(t->build, SYS_setns,
				  TAPE_ARGS(tape_imm((uint64_t)r->mounts->ns[i].fd),
					    tape_imm(CLONE_NEWNS)),
				  "entering mount namespace %u", t->ids->mnt_ns_id);
}

/* ------------------------------------------------------------------- attaching */

static void tape_move(struct restore *r, const struct rmount *m, struct tape_arg dir,
		      const char *path)
{
	tape_call(r->root->build, SYS_move_mount,
		  TAPE_ARGS(tape_imm((uint64_t)m->fd), tape_at(area_add_string(&r->area, "")), dir,
			    tape_at(area_add_string(&r->area, path)),
			    tape_imm(MOVE_MOUNT_F_EMPTY_PATH |
				     (*path ? 0 : MOVE_MOUNT_T_EMPTY_PATH))),
		  "mounting '%s'", m->entry->mountpoint);
}

static void tape_attach(struct restore *r, struct rmount *m)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
				.resolve =
					RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS };
	const char *path;
	uint32_t at;

	mount_tape_go(r, m->ns);
	m->attached = true;
	if (!m->parent) {
		tape_move(r, m, tape_imm((uint64_t)AT_FDCWD), r->opts->root);
		return;
	}
	path = mount_below(m->entry->mountpoint, m->parent->entry->mountpoint);
	if (!*path) {
		tape_move(r, m, tape_imm((uint64_t)m->parent->fd), "");
		return;
	}
	at = tape_call(r->root->build, SYS_openat2,
		       TAPE_ARGS(tape_imm((uint64_t)m->parent->fd),
				 tape_at(area_add_string(&r->area, path)),
				 tape_at(area_add(&r->area, &how, sizeof(how))),
				 tape_imm(sizeof(how))),
		       "finding mount point '%s'", m->entry->mountpoint);
	tape_move(r, m, tape_slot(at), "");
	tape_call(r->root->build, SYS_close, TAPE_ARGS(tape_slot(at)), "closing it");
}

/* What it would hide is there already. */
static bool may_attach(const struct restore *r, const struct rmount *m)
{
	if (m->parent && !m->parent->attached)
		return false;
	for (size_t i = 0; m->parent && i < r->mounts->n; i++) {
		const struct rmount *other = &r->mounts->v[i];
		const char *rest;

		if (other == m || other->parent != m->parent || other->attached)
			continue;
		rest = mount_below(other->entry->mountpoint, m->entry->mountpoint);
		if (rest && *rest)
			return false;
	}
	return true;
}

/* Can be made without another mount of its file system. */
static bool is_origin(const struct restore *r, const struct rmount *m)
{
	return m == r->mounts->ns[0].root || m->entry->ext_key || strcmp(m->entry->root, "/") == 0;
}

static int try_mount(struct restore *r, struct rmount *m, bool *ret_done, struct error *err)
{
	int ret = 0;

	*ret_done = false;
	if (m->attached || !may_attach(r, m) || (m->fd < 0 && !is_origin(r, m)))
		return 0;
	if (m->fd >= 0) {
		tape_attach(r, m);
	} else {
		ret = mount_make(r, m, err);
		if (ret < 0)
			return ret;
		tape_attach(r, m);
		ret = mount_make_binds(r, m, err);
	}
	*ret_done = true;
	return ret;
}

static int tape_all(struct restore *r, struct error *err)
{
	struct rmounts *all = r->mounts;

	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < all->n; i++) {
			bool done = false;
			int ret = try_mount(r, &all->v[i], &done, err);

			if (ret < 0)
				return ret;
			more |= done;
		}
	}
	for (size_t i = 0; i < all->n; i++)
		if (!all->v[i].attached)
			return err_set(err, -EOPNOTSUPP,
				       "mount '%s' shows '%s' of a file system that is nowhere "
				       "else, or can't be mounted",
				       all->v[i].entry->mountpoint, all->v[i].entry->root);
	return 0;
}

static void tape_pivot(struct restore *r, struct rmount_ns *ns)
{
	uint64_t dot = area_add_string(&r->area, ".");
	struct tape *tape = r->root->build;

	mount_tape_go(r, ns);
	tape_call(tape, SYS_fchdir, TAPE_ARGS(tape_imm((uint64_t)ns->root->fd)),
		  "entering the new root");
	tape_call(tape, SYS_pivot_root, TAPE_ARGS(tape_at(dot), tape_at(dot)),
		  "making it the root");
	/* The old root lies on the new one now. */
	tape_call(tape, SYS_umount2, TAPE_ARGS(tape_at(dot), tape_imm(MNT_DETACH)),
		  "leaving the caller's mounts");
	tape_call(tape, SYS_chdir, TAPE_ARGS(tape_at(area_add_string(&r->area, "/"))),
		  "entering the new root");
}

int mounts_tape(struct restore *r, struct error *err)
{
	struct tape *tape = r->root->build;
	int ret;

	if (!r->new_mnt_ns)
		return 0;
	if (!r->opts->root) {
		err_set(err, -EINVAL,
			"the tree has its own mounts: the folder of its root is needed");
		err_hint(err, "--root DIR");
		return -EINVAL;
	}
	ret = mounts_load(r, err);
	if (ret < 0)
		return ret;
	/* Nothing that is mounted here appears outside, nor the other way. */
	tape_call(tape, SYS_mount,
		  TAPE_ARGS(tape_imm(0), tape_at(area_add_string(&r->area, "/")), tape_imm(0),
			    tape_imm(MS_REC | MS_PRIVATE)),
		  "keeping mounts to ourselves");
	ret = tape_namespaces(r, err);
	if (ret >= 0)
		ret = tape_all(r, err);
	if (ret < 0)
		return ret;
	mounts_tape_delete(r);
	for (size_t i = 0; i < r->mounts->n_ns; i++)
		tape_pivot(r, &r->mounts->ns[i]);
	ret = mounts_tape_share(r, err);
	mount_tape_go(r, &r->mounts->ns[0]);
	return ret;
}

/* --------------------------------------------------------------------- finding */

int mount_place(struct restore *r, bool has_id, int32_t mnt_id, const char *path,
		struct tape_arg *ret_dir, const char **ret_path, struct error *err)
{
	const struct rmount *m = NULL;

	*ret_dir = tape_imm((uint64_t)AT_FDCWD);
	*ret_path = path;
	if (!has_id || !r->new_mnt_ns)
		return 0;
	for (size_t i = 0; i < r->mounts->n && !m; i++)
		if (r->mounts->v[i].entry->mnt_id == (uint32_t)mnt_id)
			m = &r->mounts->v[i];
	if (!m || m->ns == &r->mounts->ns[0])
		return 0; /* R sees it by its name */
	*ret_path = mount_below(path, m->entry->mountpoint);
	if (!*ret_path)
		return err_set(err, -EBADMSG, "file '%s' is not below its mount '%s'", path,
			       m->entry->mountpoint);
	*ret_dir = tape_imm((uint64_t)m->fd);
	if (**ret_path)
		return 0;
	*ret_dir = tape_imm((uint64_t)r->proc_fd);
	*ret_path = arena_printf(&r->arena, "self/fd/%d", m->fd);
	return *ret_path ? 0 : err_oom(err);
}

/* What M has of that file system. */
bool mount_peek(const struct restore *r, bool has_id, int32_t mnt_id, const char *path,
		struct mount_view *ret)
{
	const struct rmount *m = NULL;
	const char *rest;
	size_t n;

	if (!has_id || !r->new_mnt_ns)
		return false;
	for (size_t i = 0; i < r->mounts->n && !m; i++)
		if (r->mounts->v[i].entry->mnt_id == (uint32_t)mnt_id)
			m = &r->mounts->v[i];
	rest = m ? mount_below(path, m->entry->mountpoint) : NULL;
	if (!rest)
		return false;
	ret->mountpoint = m->entry->mountpoint;
	for (size_t i = 0; i < r->mounts->n; i++) {
		const struct rmount *from = &r->mounts->v[i];
		const char *top;

		if (!from->by_us || from->entry->root_dev != m->entry->root_dev)
			continue;
		top = mount_below(m->entry->root, from->entry->root);
		if (!top)
			continue;
		n = (size_t)snprintf(ret->path, sizeof(ret->path), "%s%s%s", top, *top ? "/" : "",
				     rest);
		ret->fd = from->fd;
		return n < sizeof(ret->path);
	}
	return false;
}
