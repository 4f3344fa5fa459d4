/*
 * userns-restore: R is born into the tree's user namespace, with all
 * capabilities there and no number of its own. M gives the namespace its ids,
 * and R takes the first of them, root as a rule.
 *
 * A tmpfs belongs to the namespace in which it was made; so R makes it, and a
 * child of M's that enters the namespace unpacks its files.
 */
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "ckpt/mount-priv.h"
#include "ckpt/mount-restore.h"
#include "ckpt/restore-priv.h"
#include "ckpt/userns.h"
#include "img/image.h"
#include "img/pb/userns.pb-c.h"

struct fill {
	struct fill *next;
	const struct rmount *mount;
};

struct ruserns {
	UsernsEntry *entry;
	struct fill *first; /* in the order of R's tape */
	struct fill **last;
	uint32_t n;
	uint64_t made;	 /* word: how many wait to be filled */
	uint64_t filled; /* word: how many are */
};

int userns_load(struct restore *r, struct error *err)
{
	struct ruserns *u = arena_new(&r->arena, struct ruserns);
	int ret;

	if (!u)
		return err_oom(err);
	ret = image_read_one(r->opts->images_dir, IMG_KIND_USERNS, r->root->ids->user_ns_id,
			     &r->arena, &u->entry, err);
	if (ret < 0)
		return ret;
	if (!u->entry->n_uid_map || !u->entry->n_gid_map)
		return err_set(err, -EBADMSG, "userns-%u.img: no ids", r->root->ids->user_ns_id);
	u->last = &u->first;
	r->userns = u;
	return 0;
}

/* Root, if the namespace has one. */
static uint32_t best_id(UidGidExtent *const *map, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (map[i]->first == 0)
			return 0;
	return map[0]->first;
}

uid_t userns_own_uid(const struct restore *r)
{
	return r->userns ? best_id(r->userns->entry->uid_map, r->userns->entry->n_uid_map)
			 : geteuid();
}

gid_t userns_own_gid(const struct restore *r)
{
	return r->userns ? best_id(r->userns->entry->gid_map, r->userns->entry->n_gid_map)
			 : getegid();
}

static int write_map(const struct restore *r, const char *name, UidGidExtent *const *map, size_t n,
		     struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	char path[64];
	int ret;

	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "%u %u %u\n", map[i]->first, map[i]->lower_first, map[i]->count);
	if (!buf_ok(&text))
		return err_oom(err);
	(void)snprintf(path, sizeof(path), "/proc/%d/%s", r->host_pid, name); /* always fits */
	ret = file_poke_at(AT_FDCWD, path, buf_str(&text), err);
	return ret < 0 ? err_wrap(err, ret, "ids of the user namespace") : 0;
}

int userns_map(struct restore *r, struct error *err)
{
	const UsernsEntry *e = r->userns ? r->userns->entry : NULL;
	int ret;

	if (!e)
		return 0;
	ret = write_map(r, "uid_map", e->uid_map, e->n_uid_map, err);
	return ret < 0 ? ret : write_map(r, "gid_map", e->gid_map, e->n_gid_map, err);
}

void userns_tape_become(struct restore *r)
{
	struct tape *tape = r->root->build;
	uint64_t uid = userns_own_uid(r);
	uint64_t gid = userns_own_gid(r);

	if (!r->userns)
		return;
	tape_call(tape, SYS_setgroups, TAPE_ARGS(tape_imm(0), tape_imm(0)),
		  "leaving the caller's groups");
	tape_call(tape, SYS_setresgid, TAPE_ARGS(tape_imm(gid), tape_imm(gid), tape_imm(gid)),
		  "group %" PRIu64 " of the user namespace", gid);
	tape_call(tape, SYS_setresuid, TAPE_ARGS(tape_imm(uid), tape_imm(uid), tape_imm(uid)),
		  "user %" PRIu64 " of the user namespace", uid);
	/* Both are lost with other ids. */
	tape_call(tape, SYS_prctl, TAPE_ARGS(tape_imm(PR_SET_DUMPABLE), tape_imm(1)),
		  "its own folder in /proc stays its own");
	tree_tape_pdeathsig(r, r->root);
}

/* ------------------------------------------------------------------------- tmpfs */

static void tape_read_only(struct restore *r, const struct rmount *m)
{
	struct tape *tape = r->root->build;
	uint32_t fs = tape_call(tape, SYS_fspick,
				TAPE_ARGS(tape_imm((uint64_t)m->fd),
					  tape_at(area_add_string(&r->area, "")),
					  tape_imm(FSPICK_EMPTY_PATH | FSPICK_CLOEXEC)),
				"tmpfs '%s' is read-only", m->entry->mountpoint);

	tape_call(tape, SYS_fsconfig,
		  TAPE_ARGS(tape_slot(fs), tape_imm(FSCONFIG_SET_FLAG),
			    tape_at(area_add_string(&r->area, "ro"))),
		  "tmpfs '%s' is read-only", m->entry->mountpoint);
	tape_call(tape, SYS_fsconfig, TAPE_ARGS(tape_slot(fs), tape_imm(FSCONFIG_CMD_RECONFIGURE)),
		  "tmpfs '%s' is read-only", m->entry->mountpoint);
	tape_call(tape, SYS_close, TAPE_ARGS(tape_slot(fs)), "closing it");
}

int userns_tape_fill(struct restore *r, const struct rmount *m, struct error *err)
{
	struct fill *fill = arena_new(&r->arena, struct fill);
	struct ruserns *u = r->userns;

	if (!fill)
		return err_oom(err);
	*fill = (struct fill){ .mount = m };
	*u->last = fill;
	u->last = &fill->next;
	if (!u->n++) {
		u->made = area_add_word(&r->area);
		u->filled = area_add_word(&r->area);
	}
	tape_post(r->root->build, u->made, "a tmpfs waits to be filled");
	tape_barrier(r->root->build, u->filled, u->n, "waiting until it is");
	if (m->entry->has_sb_flags && m->entry->sb_flags & MS_RDONLY)
		tape_read_only(r, m);
	return 0;
}

/* In a child of M's; its exit code is an errno. */
static int unpack_there(const struct restore *r, int ns, int archive, int mount, struct error *err)
{
	uid_t uid = userns_own_uid(r);
	gid_t gid = userns_own_gid(r);

	if (setns(ns, CLONE_NEWUSER) < 0)
		return err_sys(err, "enter the user namespace");
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return err_sys(err, "become user %u of the user namespace", uid);
	return tmpfs_unpack(archive, mount, err);
}

static int fill_one(struct restore *r, int ns, const struct rmount *m, struct error *err)
{
	cleanup_fd int archive = tmpfs_archive(r, m->entry, err);
	cleanup_fd int mount = (int)syscall(SYS_pidfd_getfd, r->root_pidfd, m->fd, 0);
	int told[2];
	int status = 0;
	pid_t pid;

	if (archive < 0)
		return archive;
	if (mount < 0)
		return err_sys(err, "tmpfs '%s': take it from its maker", m->entry->mountpoint);
	if (pipe2(told, O_CLOEXEC) < 0)
		return err_sys(err, "make a pipe");
	pid = fork();
	if (pid == 0) {
		struct error own = ERROR_INIT;
		int code = -unpack_there(r, ns, archive, mount, &own);

		/* What does not arrive is told by the exit code. */
		if (code && write(told[1], own.text, strlen(own.text)) < 0)
			code = EIO;
		_exit(code);
	}
	(void)close(told[1]);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status) {
		char text[ERROR_TEXT_MAX] = "";
		ssize_t n = read(told[0], text, sizeof(text) - 1);

		(void)close(told[0]);
		text[n > 0 ? n : 0] = '\0';
		return err_set(err, WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD,
			       "tmpfs '%s': %s", m->entry->mountpoint,
			       *text ? text : "who unpacks it died");
	}
	(void)close(told[0]);
	return pid > 0 ? 0 : err_sys(err, "tmpfs '%s': fork", m->entry->mountpoint);
}

int userns_fill(struct restore *r, struct error *err)
{
	cleanup_fd int ns = -EBADF;
	char path[64];
	uint32_t n = 0;

	if (!r->userns || !r->userns->n)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", r->host_pid); /* always fits */
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return err_sys(err, "open '%s'", path);
	for (const struct fill *f = r->userns->first; f; f = f->next) {
		int ret = launch_wait(r, r->userns->made, ++n, err);

		if (ret >= 0)
			ret = fill_one(r, ns, f->mount, err);
		if (ret < 0)
			return ret;
		launch_store_number(r, r->userns->filled, n);
	}
	return 0;
}
