/*
 * mount-restore: R begins with a copy of M's mounts; on top of the folder that
 * is to be the root it builds the tree's, parents before children, and then
 * makes it the root (pivot_root) and lets go of M's.
 *
 * Every mount is made without a place first (fsmount, open_tree) and moved to
 * where it belongs; its mount point is looked up beneath the new root, so that
 * no path of the images can lead out. One of these makes it:
 *	root	 a copy of the mount that has opts->root
 *	external a copy of what the caller names for its key
 *	bind	 a copy of a part of an earlier mount of the same file system
 *	tmpfs	 by M, with its content
 *	others	 a new instance: proc, sysfs, devpts, mqueue, cgroup
 */
#include "ckpt/mount-restore.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/external.h"
#include "ckpt/file-restore.h"
#include "ckpt/restore-priv.h"
#include "img/image.h"

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif

#define MOUNTS_MAX 100000

/* Numbers of file systems in the images, with the names mount(2) knows. */
static const char *const fs_names[] = {
	[1] = "proc",	 [2] = "sysfs",	  [3] = "devtmpfs",   [4] = "binfmt_misc", [5] = "tmpfs",
	[6] = "devpts",	 [8] = "pstore",  [9] = "securityfs", [10] = "fusectl",	   [11] = "debugfs",
	[12] = "cgroup", [14] = "mqueue", [19] = "tracefs",   [23] = "cgroup2",
};

struct node {
	MntEntry *entry;
	struct node *parent; /* NULL: the root */
	bool made;
	uint32_t slot; /* of R's tape: descriptor of the mount */
};

struct plan {
	struct restore *r;
	struct tape *tape;
	struct externals externals;
	struct node *nodes;
	size_t n;
	struct node *root;
};

static const char *fs_name(const MntEntry *m)
{
	if (m->fsname && *m->fsname)
		return m->fsname;
	return m->fstype < ARRAY_SIZE(fs_names) ? fs_names[m->fstype] : NULL;
}

char *mount_next_option(char **rest, char **ret_value)
{
	char *key = strsep(rest, ",");

	while (key && !*key)
		key = strsep(rest, ",");
	*ret_value = key ? strchr(key, '=') : NULL;
	if (*ret_value)
		*(*ret_value)++ = 0;
	return key;
}

/* ------------------------------------------------------------------- loading */

static struct node *find_id(const struct plan *p, uint32_t id)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->nodes[i].entry->mnt_id == id)
			return &p->nodes[i];
	return NULL;
}

static int load(struct plan *p, struct error *err)
{
	struct restore *r = p->r;
	MntEntry **entries = NULL;
	int ret = image_read_all(r->opts->images_dir, IMG_KIND_MNTS, r->root->ids->mnt_ns_id,
				 &r->arena, &entries, &p->n, err);

	if (ret < 0)
		return ret;
	if (p->n > MOUNTS_MAX)
		return err_set(err, -EBADMSG, "mountpoints image: %zu mounts", p->n);
	p->nodes = arena_new_array(&r->arena, struct node, p->n + 1);
	if (!p->nodes)
		return err_oom(err);
	for (size_t i = 0; i < p->n; i++)
		p->nodes[i].entry = entries[i];
	for (size_t i = 0; i < p->n; i++) {
		struct node *n = &p->nodes[i];

		n->parent = n->entry->parent_mnt_id == n->entry->mnt_id
				    ? NULL
				    : find_id(p, n->entry->parent_mnt_id);
		if (n->entry->mountpoint[0] != '/' || n->entry->root[0] != '/')
			return err_set(err, -EBADMSG, "mount '%s': no absolute path",
				       n->entry->mountpoint);
		if (n->parent)
			continue;
		if (p->root)
			return err_set(err, -EBADMSG, "two root mounts, '%s' and '%s'",
				       p->root->entry->mountpoint, n->entry->mountpoint);
		p->root = n;
	}
	return p->root ? 0 : err_set(err, -EBADMSG, "mountpoints image: no root mount");
}

/* ---------------------------------------------------------------- attributes */

struct flag_pair {
	uint32_t flag;
	uint64_t attribute;
};

static const struct flag_pair flag_pairs[] = {
	{ MS_RDONLY, MOUNT_ATTR_RDONLY },	  { MS_NOSUID, MOUNT_ATTR_NOSUID },
	{ MS_NODEV, MOUNT_ATTR_NODEV },		  { MS_NOEXEC, MOUNT_ATTR_NOEXEC },
	{ MS_NODIRATIME, MOUNT_ATTR_NODIRATIME },
};

#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE)

static void tape_attributes(struct plan *p, const struct node *n)
{
	const MntEntry *m = n->entry;
	struct mount_attr attr = {
		.attr_clr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			    MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODIRATIME | MOUNT_ATTR__ATIME,
		.propagation = m->shared_id   ? MS_SHARED
			       : m->master_id ? MS_SLAVE
					      : MS_PRIVATE,
	};

	for (size_t i = 0; i < ARRAY_SIZE(flag_pairs); i++)
		if (m->flags & flag_pairs[i].flag)
			attr.attr_set |= flag_pairs[i].attribute;
	attr.attr_set |= m->flags & MS_NOATIME	  ? MOUNT_ATTR_NOATIME
			 : m->flags & MS_RELATIME ? MOUNT_ATTR_RELATIME
						  : MOUNT_ATTR_STRICTATIME;
	tape_call(p->tape, SYS_mount_setattr,
		  TAPE_ARGS(tape_slot(n->slot), tape_at(area_add_string(&p->r->area, "")),
			    tape_imm(AT_EMPTY_PATH),
			    tape_at(area_add(&p->r->area, &attr, sizeof(attr))),
			    tape_imm(sizeof(attr))),
		  "attributes of mount '%s'", m->mountpoint);
}

/* --------------------------------------------------------------------- making */

static uint32_t tape_copy(struct plan *p, struct tape_arg dir, const char *path, const char *label)
{
	bool here = !*path;

	return tape_call(p->tape, SYS_open_tree,
			 TAPE_ARGS(dir, tape_at(area_add_string(&p->r->area, path)),
				   tape_imm(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
					    (here ? AT_EMPTY_PATH : 0))),
			 "copying mount of '%s'", label);
}

/* A path of the images, beneath the folder of that descriptor. */
static uint32_t tape_lookup(struct plan *p, uint32_t dir, const char *path, uint64_t resolve)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = resolve };

	return tape_call(p->tape, SYS_openat2,
			 TAPE_ARGS(tape_slot(dir), tape_at(area_add_string(&p->r->area, path)),
				   tape_at(area_add(&p->r->area, &how, sizeof(how))),
				   tape_imm(sizeof(how))),
			 "finding '%s'", path);
}

/* The part of `path` below `base`; NULL if it is not below. */
static const char *below(const char *path, const char *base)
{
	size_t len = strcmp(base, "/") == 0 ? 0 : strlen(base);

	if (strncmp(path, base, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	while (path[len] == '/')
		len++;
	return path + len;
}

/* An earlier mount of the same file system that shows what this one shows. */
static struct node *find_source(const struct plan *p, const struct node *n)
{
	struct node *best = NULL;

	for (size_t i = 0; i < p->n; i++) {
		struct node *m = &p->nodes[i];

		if (m->made && m != n && m->entry->root_dev == n->entry->root_dev &&
		    below(n->entry->root, m->entry->root) &&
		    (!best || strlen(m->entry->root) < strlen(best->entry->root)))
			best = m;
	}
	return best;
}

static void tape_bind(struct plan *p, struct node *n, const struct node *source)
{
	const char *rest = below(n->entry->root, source->entry->root);
	uint32_t at = source->slot;

	if (*rest)
		at = tape_lookup(p, source->slot, rest,
				 RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
	n->slot = tape_copy(p, tape_slot(at), "", n->entry->mountpoint);
	if (*rest)
		tape_call(p->tape, SYS_close, TAPE_ARGS(tape_slot(at)), "closing it");
}

static void tape_option(struct plan *p, uint32_t fs, const char *key, const char *value)
{
	tape_call(p->tape, SYS_fsconfig,
		  TAPE_ARGS(tape_slot(fs),
			    tape_imm(value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG),
			    tape_at(area_add_string(&p->r->area, key)),
			    value ? tape_at(area_add_string(&p->r->area, value)) : tape_imm(0)),
		  "mount option %s%s%s", key, value ? "=" : "", value ? value : "");
}

static int tape_new_fs(struct plan *p, struct node *n, const char *name, struct error *err)
{
	const MntEntry *m = n->entry;
	char *options = arena_strdup(&p->r->arena, m->options);
	char *rest = options;
	char *value = NULL;
	char *key;
	uint32_t fs;

	if (!options)
		return err_oom(err);
	fs = tape_call(
		p->tape, SYS_fsopen,
		TAPE_ARGS(tape_at(area_add_string(&p->r->area, name)), tape_imm(FSOPEN_CLOEXEC)),
		"file system %s for '%s'", name, m->mountpoint);
	tape_option(p, fs, "source", m->source);
	while ((key = mount_next_option(&rest, &value)))
		if (strcmp(key, "newinstance") != 0) /* every devpts is one since Linux 4.7 */
			tape_option(p, fs, key, value);
	if (m->has_sb_flags && m->sb_flags & MS_RDONLY)
		tape_option(p, fs, "ro", NULL);
	tape_call(p->tape, SYS_fsconfig, TAPE_ARGS(tape_slot(fs), tape_imm(FSCONFIG_CMD_CREATE)),
		  "file system %s for '%s'", name, m->mountpoint);
	n->slot =
		tape_call(p->tape, SYS_fsmount, TAPE_ARGS(tape_slot(fs), tape_imm(FSMOUNT_CLOEXEC)),
			  "mount '%s'", m->mountpoint);
	tape_call(p->tape, SYS_close, TAPE_ARGS(tape_slot(fs)), "closing it");
	return 0;
}

/* The caller's path for a mount from outside. NULL: it is none, or none was given. */
static const char *external_path(const struct plan *p, const MntEntry *m)
{
	const struct external *e = NULL;

	if (m->ext_key)
		e = externals_find(&p->externals, "mnt", m->ext_key);
	return e ? e->value : NULL;
}

static int tape_make(struct plan *p, struct node *n, struct error *err)
{
	const MntEntry *m = n->entry;
	const char *outside = external_path(p, m);
	const char *name = fs_name(m);
	const struct node *source = NULL;
	int fd;

	if (n == p->root) {
		n->slot = tape_copy(p, tape_imm((uint64_t)AT_FDCWD), p->r->opts->root, "/");
		return 0;
	}
	if (outside) {
		n->slot = tape_copy(p, tape_imm((uint64_t)AT_FDCWD), outside, outside);
		return 0;
	}
	if (m->ext_key) {
		err_set(err, -EINVAL, "mount '%s' is from outside", m->mountpoint);
		err_hint(err, "say what to mount there: --external 'mnt[%s]:PATH'", m->ext_key);
		return -EINVAL;
	}
	if (m->has_deleted && m->deleted)
		return err_set(err, -EOPNOTSUPP, "mount '%s' is of a deleted folder or file",
			       m->mountpoint);
	source = find_source(p, n);
	if (source) {
		tape_bind(p, n, source);
		return 0;
	}
	if (!name || strcmp(m->root, "/") != 0)
		return err_set(err, -EOPNOTSUPP,
			       "mount '%s' ('%s' of %s) is neither external nor of a known kind",
			       m->mountpoint, m->root, m->source);
	if (strcmp(name, "tmpfs") != 0)
		return tape_new_fs(p, n, name, err);
	fd = tmpfs_make(p->r, m, err);
	if (fd < 0)
		return fd;
	n->slot = tape_call(p->tape, SYS_dup, TAPE_ARGS(tape_imm((uint64_t)fd)), "tmpfs for '%s'",
			    m->mountpoint);
	return 0;
}

static void tape_attach(struct plan *p, struct node *n)
{
	uint64_t empty = area_add_string(&p->r->area, "");
	const char *path = n->entry->mountpoint + 1;
	uint32_t at;

	if (n == p->root) {
		tape_call(p->tape, SYS_move_mount,
			  TAPE_ARGS(tape_slot(n->slot), tape_at(empty),
				    tape_imm((uint64_t)AT_FDCWD),
				    tape_at(area_add_string(&p->r->area, p->r->opts->root)),
				    tape_imm(MOVE_MOUNT_F_EMPTY_PATH)),
			  "mounting the root on '%s'", p->r->opts->root);
		return;
	}
	at = tape_lookup(p, p->root->slot, path, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	tape_call(p->tape, SYS_move_mount,
		  TAPE_ARGS(tape_slot(n->slot), tape_at(empty), tape_slot(at), tape_at(empty),
			    tape_imm(MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)),
		  "mounting '%s'", n->entry->mountpoint);
	tape_call(p->tape, SYS_close, TAPE_ARGS(tape_slot(at)), "closing it");
}

static int tape_mount(struct plan *p, struct node *n, struct error *err)
{
	int ret = tape_make(p, n, err);

	if (ret < 0)
		return ret;
	n->made = true;
	tape_attributes(p, n);
	tape_attach(p, n);
	return 0;
}

/* Ready to be made: its parent is, and, if it is a bind, what it is a part of. */
static bool is_ready(const struct plan *p, const struct node *n)
{
	if (n->made || (n->parent && !n->parent->made))
		return false;
	if (n == p->root || n->entry->ext_key || strcmp(n->entry->root, "/") == 0)
		return true;
	return find_source(p, n) != NULL;
}

/* Images list children before parents, and of siblings the later ones first. */
static int tape_all(struct plan *p, struct error *err)
{
	size_t left = p->n;

	while (left) {
		size_t before = left;

		for (size_t i = p->n; i-- > 0;) {
			int ret;

			if (!is_ready(p, &p->nodes[i]))
				continue;
			ret = tape_mount(p, &p->nodes[i], err);
			if (ret < 0)
				return ret;
			left--;
		}
		if (left < before)
			continue;
		for (size_t i = 0; i < p->n; i++)
			if (!p->nodes[i].made)
				return err_set(
					err, -EOPNOTSUPP,
					"mount '%s' shows '%s' of a file system that is nowhere else",
					p->nodes[i].entry->mountpoint, p->nodes[i].entry->root);
	}
	return 0;
}

static void tape_enter(struct plan *p)
{
	uint64_t dot = area_add_string(&p->r->area, ".");

	tape_call(p->tape, SYS_fchdir, TAPE_ARGS(tape_slot(p->root->slot)),
		  "entering the new root");
	tape_call(p->tape, SYS_pivot_root, TAPE_ARGS(tape_at(dot), tape_at(dot)),
		  "making it the root");
	/* The old root lies on the new one now. */
	tape_call(p->tape, SYS_umount2, TAPE_ARGS(tape_at(dot), tape_imm(MNT_DETACH)),
		  "leaving the caller's mounts");
	tape_call(p->tape, SYS_chdir, TAPE_ARGS(tape_at(area_add_string(&p->r->area, "/"))),
		  "entering the new root");
}

int mounts_tape(struct restore *r, struct tape *tape, struct error *err)
{
	struct plan p = { .r = r, .tape = tape };
	uint64_t root;
	int ret;

	if (!r->new_mnt_ns)
		return 0;
	if (!r->opts->root) {
		err_set(err, -EINVAL,
			"the tree has its own mounts: the folder of its root is needed");
		err_hint(err, "--root DIR");
		return -EINVAL;
	}
	ret = externals_parse(r->opts->externals, &r->arena, &p.externals, err);
	if (ret >= 0)
		ret = load(&p, err);
	if (ret < 0)
		return ret;
	/* What is mounted outside may appear here, nothing of here outside. */
	root = area_add_string(&r->area, "/");
	tape_call(tape, SYS_mount,
		  TAPE_ARGS(tape_imm(0), tape_at(root), tape_imm(0), tape_imm(MS_REC | MS_SLAVE)),
		  "keeping mounts to ourselves");
	ret = tape_all(&p, err);
	if (ret < 0)
		return ret;
	tape_enter(&p);
	for (size_t i = 0; i < p.n; i++)
		tape_call(tape, SYS_close, TAPE_ARGS(tape_slot(p.nodes[i].slot)),
			  "closing mount '%s'", p.nodes[i].entry->mountpoint);
	return 0;
}
