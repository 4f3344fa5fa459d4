/*
 * sk-unix: unix sockets, their names, connections and what waits in them.
 *
 * Who is connected to whom only sock_diag(7) tells, by inode numbers. A socket
 * whose other end is not in the tree can't be connected again; that shows when
 * all tasks were seen, so connections are judged at the end.
 */
#include "ckpt/sk-unix.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/scan.h"
#include "ckpt/dump-priv.h"
#include "ckpt/fd-kind.h"
#include "ckpt/sk-opts.h"
#include "ckpt/sk-queue.h"
#include "ckpt/unix-diag.h"
#include "ckpt/userns.h"
#include "img/image.h"

#ifndef SIOCUNIXFILE
#define SIOCUNIXFILE (SIOCPROTOPRIVATE + 0)
#endif

struct sk_unix {
	const UnixSkEntry *entry;
	const char *where;
	size_t order;		    /* in which they were seen */
	size_t peer;		    /* index in order + 1; 0: none */
	size_t waiter, next_waiter; /* indices + 1: records to be written behind this one */
};

struct dump_unix {
	struct unix_diags diags;
	struct sk_unix *sockets;
	size_t n;
	size_t size;
};

static int unix_begin(struct dump *dump, struct error *err)
{
	struct dump_unix *all = calloc(1, sizeof(*all));

	if (!all)
		return err_oom(err);
	dump->unix_sockets = all;
	return unix_diag_load(dump->tasks[0].host_pid, &dump->arena, &all->diags, err);
}

void unix_done(struct dump *dump)
{
	struct dump_unix *all = dump->unix_sockets;

	if (!all)
		return;
	unix_diags_done(&all->diags);
	free(all->sockets);
	free(all);
	dump->unix_sockets = NULL;
}

static int remember(struct dump *dump, const UnixSkEntry *entry, const char *where,
		    struct error *err)
{
	struct dump_unix *all = dump->unix_sockets;

	if (all->n == all->size) {
		size_t size = all->size ? 2 * all->size : 64;
		struct sk_unix *more = reallocarray(all->sockets, size, sizeof(*more));

		if (!more)
			return err_oom(err);
		all->sockets = more;
		all->size = size;
	}
	all->sockets[all->n] = (struct sk_unix){ .entry = entry, .where = where, .order = all->n };
	all->n++;
	return 0;
}

/* ----------------------------------------------------------------------- name */

/* Where the file of a relative name was looked up from: its path without the name. */
static int name_dir(struct dump *dump, const struct dump_fd *fd, const char *name, const char *path,
		    UnixSkEntry *entry, struct error *err)
{
	size_t n = strlen(name);
	size_t len = strlen(path);

	if (len < n + 1 || strcmp(path + len - n, name) != 0 || path[len - n - 1] != '/')
		return err_set(err, -EOPNOTSUPP,
			       "%s: socket: it was bound to '%s', and its file is '%s' now",
			       fd->look.where, name, path);
	entry->name_dir = arena_strndup(&dump->arena, path, len - n == 1 ? 1 : len - n - 1);
	return entry->name_dir ? 0 : err_oom(err);
}

/* Does the name still lead to the file? */
static int check_name(struct dump *dump, const struct dump_fd *fd, const char *name,
		      const char *path, const struct stat *st, struct error *err)
{
	cleanup_fd int found = dump_open_path(dump, path, O_PATH | O_NOFOLLOW, NULL);
	struct stat now;

	if (found >= 0 && fstat(found, &now) == 0 && now.st_ino == st->st_ino &&
	    now.st_dev == st->st_dev)
		return 0;
	return err_set(err, -EOPNOTSUPP,
		       "%s: socket: the file it is bound to, '%s', can't be reached in the tree's "
		       "root folder as '%s'",
		       fd->look.where, name, path);
}

/* A name that is gone is bound again for a moment, and needs a place for that. */
static int check_folder(struct dump *dump, const struct dump_fd *fd, const char *path,
			struct error *err)
{
	const char *end = strrchr(path, '/');
	cleanup_fd int found = -EBADF;
	char *folder =
		arena_strndup(&dump->arena, path, end && end > path ? (size_t)(end - path) : 1);

	if (!folder)
		return err_oom(err);
	found = dump_open_path(dump, folder, O_PATH | O_DIRECTORY, NULL);
	if (found >= 0)
		return 0;
	return err_set(err, -EOPNOTSUPP,
		       "%s: socket: the file it is bound to, '%s', was removed together with its "
		       "folder; this version can't save that",
		       fd->look.where, path);
}

static int dump_name(struct dump *dump, const struct dump_fd *fd, const struct unix_diag *diag,
		     UnixSkEntry *entry, FilePermsEntry *perms, struct error *err)
{
	static const char gone[] = " (deleted)";
	cleanup_free char *text = NULL;
	cleanup_fd int file = -EBADF;
	struct proc_fdinfo info;
	char link[64], path[4096];
	struct stat st;
	size_t len;
	ssize_t n;
	int r;

	if (!diag->name_len)
		return 0;
	entry->name.data = (uint8_t *)diag->name;
	entry->name.len = diag->name_len;
	if (!diag->name[0])
		return 0;
	file = ioctl(fd->fd, SIOCUNIXFILE);
	if (file < 0)
		return err_sys(err, "%s: the file of its socket", fd->look.where);
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", file); /* always fits */
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0 || fstat(file, &st) < 0)
		return err_sys(err, "%s: the file of its socket", fd->look.where);
	path[n] = '\0';
	(void)snprintf(link, sizeof(link), "/proc/self/fdinfo/%d", file); /* always fits */
	r = file_read_at(AT_FDCWD, link, 4096, &text, &len, err);
	if (r == 0)
		r = proc_fdinfo_parse(text, len, &info, err);
	if (r < 0)
		return err_wrap(err, r, "%s", fd->look.where);
	if (dump->ns[DUMP_NS_MNT].other) {
		entry->has_mnt_id = true;
		entry->mnt_id = info.mnt_id;
	}
	perms->mode = st.st_mode;
	perms->uid = userns_uid(dump, st.st_uid);
	perms->gid = userns_gid(dump, st.st_gid);
	entry->file_perms = perms;
	if ((size_t)n > strlen(gone) && !strcmp(path + n - strlen(gone), gone)) {
		path[(size_t)n - strlen(gone)] = '\0';
		entry->has_deleted = true;
		entry->deleted = true;
	}
	if (diag->name[0] != '/') {
		r = name_dir(dump, fd, diag->name, path, entry, err);
		if (r < 0)
			return r;
	}
	if (entry->deleted)
		return check_folder(dump, fd, path, err);
	return check_name(dump, fd, diag->name, diag->name[0] == '/' ? diag->name : path, &st, err);
}

/* ----------------------------------------------------------------- connection */

static int check_waiting(const struct dump_fd *fd, const struct unix_diag *diag, struct error *err)
{
	if (!diag->n_gone)
		return 0;
	return err_set(err, -EOPNOTSUPP,
		       "%s: listening socket: %u connections wait to be accepted whose other end "
		       "was closed already",
		       fd->look.where, diag->n_gone);
}

/* Whom it is connected to, as the images tell it. */
static int find_peer(struct dump *dump, const struct dump_fd *fd, const struct unix_diag *diag,
		     uint32_t *ret_peer, struct error *err)
{
	uint32_t listener;

	*ret_peer = diag->peer;
	if (diag->peer || diag->state != TCP_ESTABLISHED || diag->type == SOCK_DGRAM)
		return 0;
	listener = unix_diag_waits_at(&dump->unix_sockets->diags, diag->ino);
	if (listener && diag->unread)
		return err_set(err, -EOPNOTSUPP,
			       "%s: socket: it has sent data on a connection that is not accepted "
			       "yet",
			       fd->look.where);
	if (!listener && diag->shutdown != 3)
		return err_set(err, -EOPNOTSUPP, "%s: socket: its other end can't be found",
			       fd->look.where);
	*ret_peer = listener;
	return 0;
}

/* The record with all it points to, for as long as the dump lives. */
struct record {
	UnixSkEntry entry;
	FilePermsEntry perms;
	SkOptsEntry opts;
	FownEntry fown;
};

static struct record *new_record(struct dump *dump, const struct dump_fd *fd,
				 const struct unix_diag *diag)
{
	struct record *record = arena_new(&dump->arena, struct record);
	UnixSkEntry *entry;

	if (!record)
		return NULL;
	unix_sk_entry__init(&record->entry);
	file_perms_entry__init(&record->perms);
	sk_opts_entry__init(&record->opts);
	record->fown = fd->fown;
	entry = &record->entry;
	entry->id = fd->id;
	entry->ino = diag->ino;
	entry->type = diag->type;
	entry->state = diag->state;
	entry->flags = fd->flags;
	entry->backlog = diag->backlog;
	entry->fown = &record->fown;
	entry->opts = &record->opts;
	if (diag->shutdown) {
		entry->has_shutdown = true;
		entry->shutdown = diag->shutdown;
	}
	if (dump->tasks[0].ids->has_net_ns_id) {
		entry->has_ns_id = true;
		entry->ns_id = dump->tasks[0].ids->net_ns_id;
	}
	return record;
}

int unix_dump(struct dump *dump, const struct dump_fd *fd, struct error *err)
{
	const struct unix_diag *diag;
	struct record *record;
	int r;

	r = dump->unix_sockets ? 0 : unix_begin(dump, err);
	if (r < 0)
		return r;
	diag = unix_diag_find(&dump->unix_sockets->diags, (uint32_t)fd->look.st.st_ino);
	if (!diag)
		return err_set(err, -EOPNOTSUPP,
			       "%s: unix socket %" PRIu64 " belongs to another network namespace "
			       "than the tree",
			       fd->look.where, (uint64_t)fd->look.st.st_ino);
	record = new_record(dump, fd, diag);
	if (!record)
		return err_oom(err);
	r = find_peer(dump, fd, diag, &record->entry.peer, err);
	if (r == 0)
		r = dump_name(dump, fd, diag, &record->entry, &record->perms, err);
	if (r == 0)
		r = sk_opts_dump(dump, fd->fd, fd->look.where, &record->opts, err);
	if (r == 0)
		r = diag->state == TCP_LISTEN
			    ? check_waiting(fd, diag, err)
			    : sk_queue_dump(dump, fd, diag->type, diag->shutdown & 1, err);
	if (r == 0)
		r = remember(dump, &record->entry, fd->look.where, err);
	log_debug("%s: unix socket %u, inode %u, peer %u", fd->look.where, fd->id, diag->ino,
		  record->entry.peer);
	return r;
}

static int by_ino(const void *a, const void *b)
{
	uint32_t x = (*(const struct sk_unix *const *)a)->entry->ino;
	uint32_t y = (*(const struct sk_unix *const *)b)->entry->ino;

	return x < y ? -1 : x > y;
}

/* `sorted`: all sockets by inode. */
static int find_in_tree(const struct dump_unix *all, struct sk_unix **sorted, struct sk_unix *s,
			struct error *err)
{
	UnixSkEntry wanted = UNIX_SK_ENTRY__INIT;
	struct sk_unix key = { .entry = &wanted };
	const struct sk_unix *pkey = &key;
	struct sk_unix **found;
	const UnixSkEntry *peer;

	wanted.ino = s->entry->peer;
	found = bsearch(&pkey, sorted, all->n, sizeof(pkey), by_ino);
	if (!found)
		return err_set(err, -EOPNOTSUPP,
			       "%s: unix socket: its other end, inode %u, does not belong to the "
			       "tree",
			       s->where, s->entry->peer);
	peer = (*found)->entry;
	if (peer->type == SOCK_DGRAM && peer->peer != s->entry->ino && !peer->name.len)
		return err_set(err, -EOPNOTSUPP,
			       "%s: unix socket: the socket it is connected to has no name",
			       s->where);
	s->peer = (*found)->order + 1;
	return 0;
}

static int write_socket(struct dump *dump, const struct sk_unix *s, struct error *err)
{
	FileEntry file = FILE_ENTRY__INIT;

	file.type = FD_TYPES__UNIXSK;
	file.id = s->entry->id;
	file.usk = (UnixSkEntry *)s->entry;
	return image_write(&dump->files, &file.base, err);
}

/*
 * CRIU makes a pair in the task of the end whose record comes last, and wants
 * that to be the first of both tasks: so an end that was seen first is written
 * behind the other one.
 */
static int write_sockets(struct dump *dump, struct error *err)
{
	struct dump_unix *all = dump->unix_sockets;
	int r = 0;

	for (size_t i = 0; i < all->n && r == 0; i++) {
		struct sk_unix *s = &all->sockets[i];

		if (s->peer > i + 1) {
			s->next_waiter = all->sockets[s->peer - 1].waiter;
			all->sockets[s->peer - 1].waiter = i + 1;
		} else {
			r = write_socket(dump, s, err);
		}
		for (size_t w = s->waiter; w && r == 0; w = all->sockets[w - 1].next_waiter)
			r = write_socket(dump, &all->sockets[w - 1], err);
	}
	return r;
}

int unix_finish(struct dump *dump, struct error *err)
{
	struct dump_unix *all = dump->unix_sockets;
	cleanup_free struct sk_unix **sorted = NULL;
	int r = 0;

	if (!all || !all->n)
		return 0;
	sorted = calloc(all->n, sizeof(*sorted));
	if (!sorted)
		return err_oom(err);
	for (size_t i = 0; i < all->n; i++)
		sorted[i] = &all->sockets[i];
	qsort(sorted, all->n, sizeof(*sorted), by_ino);
	for (size_t i = 0; i < all->n && r == 0; i++)
		if (all->sockets[i].entry->peer)
			r = find_in_tree(all, sorted, &all->sockets[i], err);
	if (r == 0)
		r = write_sockets(dump, err);
	return r;
}
