#include "ckpt/sk-unix-restore.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/path.h"
#include "ckpt/restore-priv.h"

#define CHAIN_MAX 64 /* datagram sockets, each connected to the next */

/* ---------------------------------------------------------------------- names */

/* struct sockaddr_un in the area; returns its length. */
size_t unix_address(struct socks *all, const struct sock *s, uint64_t *ret_at)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = s->e->name.len;

	if (len > sizeof(un.sun_path)) /* only its final zero is too much */
		len = sizeof(un.sun_path);
	memcpy(un.sun_path, s->e->name.data, len);
	*ret_at = area_add(&all->r->area, &un, sizeof(un));
	return offsetof(struct sockaddr_un, sun_path) + len;
}

/* A relative name was looked up from there, and is again. */
void unix_tape_enter_dir(struct socks *all, const struct sock *s)
{
	if (is_path(s) && s->e->name_dir && s->e->name.data[0] != '/')
		tape_call(all->tape, SYS_chdir,
			  TAPE_ARGS(tape_at(area_add_string(&all->r->area, s->e->name_dir))),
			  "entering '%s', where socket '%s' is", s->e->name_dir, name_of(s));
}

/* A file of the program's that stands there now must not be lost. */
static int check_place(const struct socks *all, const struct sock *s, struct error *err)
{
	const char *top = all->r->opts->root ? all->r->opts->root : "/";
	cleanup_fd int root = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -EBADF;
	struct stat st;

	if (root < 0)
		return err_sys(err, "open '%s'", top);
	if (asprintf(&path, "%s%s%s", s->e->name_dir ? s->e->name_dir : "",
		     s->e->name_dir ? "/" : "", name_of(s)) < 0) {
		path = NULL;
		return err_oom(err);
	}
	fd = path_open_in_root(root, path, O_PATH | O_NOFOLLOW, 0, NULL);
	if (fd < 0 || fstat(fd, &st) < 0 || S_ISSOCK(st.st_mode))
		return 0;
	return err_set(err, -EEXIST, "path '%s' of a socket is taken by another file", path);
}

static int tape_bind(struct socks *all, const struct sock *s, struct error *err)
{
	const FilePermsEntry *perms = s->e->file_perms;
	uint64_t address;
	size_t len = unix_address(all, s, &address);
	uint64_t path = 0;
	uint32_t entry;

	if (is_path(s)) {
		int ret = is_deleted(s) ? 0 : check_place(all, s, err);

		if (ret < 0)
			return ret;
		unix_tape_enter_dir(all, s);
		path = area_add_string(&all->r->area, name_of(s));
		/* Its own file of old; a deleted one's name may be another's by now. */
		if (!is_deleted(s)) {
			entry = tape_call(all->tape, SYS_unlinkat,
					  TAPE_ARGS(tape_imm((uint64_t)AT_FDCWD), tape_at(path)),
					  "removing socket '%s' of old", name_of(s));
			tape_expect(all->tape, entry, PIE_RULE_OK_OR, ENOENT);
		}
	}
	tape_call(all->tape, SYS_bind, TAPE_ARGS(fd_of(s), tape_at(address), tape_imm(len)),
		  "binding unix socket %u to '%s'", s->e->id, name_of(s));
	if (!is_path(s) || !perms || is_deleted(s))
		return 0;
	tape_call(all->tape, SYS_fchownat,
		  TAPE_ARGS(tape_imm((uint64_t)AT_FDCWD), tape_at(path), tape_imm(perms->uid),
			    tape_imm(perms->gid), tape_imm(AT_SYMLINK_NOFOLLOW)),
		  "owner of socket '%s'", name_of(s));
	tape_call(all->tape, SYS_fchmodat,
		  TAPE_ARGS(tape_imm((uint64_t)AT_FDCWD), tape_at(path),
			    tape_imm(perms->mode & 07777)),
		  "mode of socket '%s'", name_of(s));
	return 0;
}

static void tape_listen(struct socks *all, const struct sock *s)
{
	if (s->e->state == TCP_LISTEN)
		tape_call(all->tape, SYS_listen, TAPE_ARGS(fd_of(s), tape_imm(s->e->backlog)),
			  "unix socket %u listens", s->e->id);
}

/* ----------------------------------------------------------------- connections */

static void tape_connect(struct socks *all, const struct sock *s, int staging,
			 const struct sock *to)
{
	uint64_t address;
	size_t len = unix_address(all, to, &address);

	unix_tape_enter_dir(all, to);
	tape_call(all->tape, SYS_connect,
		  TAPE_ARGS(tape_imm((uint64_t)staging), tape_at(address), tape_imm(len)),
		  "connecting unix socket %u to '%s'", s->e->id, name_of(to));
}

/* `s` was accepted: its client, or who stands in for it, connects to the listener once more. */
static void tape_accept(struct socks *all, struct sock *s)
{
	uint32_t slot;

	if (s->orphan)
		tape_connect(all, s, s->feeder, s->listener);
	else
		tape_connect(all, s->pair, s->pair->file->staging, s->listener);
	slot = tape_call(
		all->tape, SYS_accept4,
		TAPE_ARGS(fd_of(s->listener), tape_imm(0), tape_imm(0), tape_imm(SOCK_CLOEXEC)),
		"accepting unix socket %u", s->e->id);
	fd_tape_stage(all->tape, slot, s->file->staging);
	s->connected = true;
	if (s->pair)
		s->pair->connected = true;
}

/*
 * A datagram socket that is connected itself takes nothing from others; who is
 * connected to it nonetheless was so before.
 */
static int tape_target(struct socks *all, struct sock *s, unsigned int depth, struct error *err)
{
	if (depth > CHAIN_MAX)
		return err_set(err, -EOPNOTSUPP, "unix sockets connected in a chain of over %d",
			       CHAIN_MAX);
	if (s->connected)
		return 0;
	s->connected = true;
	for (struct sock *from = s->sources; from; from = from->next_source) {
		int ret = tape_target(all, from, depth + 1, err);

		if (ret < 0)
			return ret;
	}
	if (s->target)
		tape_connect(all, s, s->file->staging, s->target);
	return 0;
}

/*
 * Connections through a listener, and datagrams to a name, while it can be
 * reached; NULL: all. A listener hands out connections in their order: those
 * that were accepted come first, those that wait stay behind.
 */
static int tape_users(struct socks *all, const struct sock *named, struct error *err)
{
	for (size_t i = 0; i < all->n; i++) {
		struct sock *s = &all->v[i];

		if (!s->connected && is_accepted(s) && (!named || s->listener == named))
			tape_accept(all, s);
	}
	for (size_t i = 0; i < all->n; i++) {
		struct sock *s = &all->v[i];
		int ret = 0;

		if (s->connected)
			continue;
		if (s->listener && (!named || s->listener == named)) {
			s->connected = true;
			tape_connect(all, s, s->file->staging, s->listener);
		} else if (s->target && (!named || s->target == named)) {
			ret = tape_target(all, s, 0, err);
		}
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* The name is free for a moment: what has it now steps aside. */
static int tape_deleted(struct socks *all, struct sock *s, struct error *err)
{
	cleanup_free char *aside = NULL;
	uint64_t path, other;
	uint32_t entry;
	int ret;

	if (asprintf(&aside, "%s.cryo-%x", name_of(s), s->e->id) < 0) {
		aside = NULL;
		return err_oom(err);
	}
	path = area_add_string(&all->r->area, name_of(s));
	other = area_add_string(&all->r->area, aside);
	unix_tape_enter_dir(all, s);
	entry = tape_call(all->tape, SYS_rename, TAPE_ARGS(tape_at(path), tape_at(other)),
			  "freeing the name '%s'", name_of(s));
	tape_expect(all->tape, entry, PIE_RULE_OK_OR, ENOENT);
	ret = tape_bind(all, s, err);
	if (ret < 0)
		return ret;
	tape_listen(all, s);
	ret = tape_users(all, s, err);
	if (ret >= 0 && !is_stream(s))
		ret = unix_tape_feed(all, s, err);
	if (ret < 0)
		return ret;
	unix_tape_enter_dir(all, s);
	tape_call(all->tape, SYS_unlinkat, TAPE_ARGS(tape_imm((uint64_t)AT_FDCWD), tape_at(path)),
		  "removing '%s' again", name_of(s));
	entry = tape_call(all->tape, SYS_rename, TAPE_ARGS(tape_at(other), tape_at(path)),
			  "giving the name '%s' back", name_of(s));
	tape_expect(all->tape, entry, PIE_RULE_OK_OR, ENOENT);
	return 0;
}

int unix_tape_names(struct socks *all, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; i < all->n && ret >= 0; i++) {
		struct sock *s = &all->v[i];

		if (is_deleted(s) && !is_accepted(s))
			ret = tape_deleted(all, s, err);
	}
	for (size_t i = 0; i < all->n && ret >= 0; i++) {
		struct sock *s = &all->v[i];

		if (is_deleted(s) || is_accepted(s))
			continue;
		if (is_named(s))
			ret = tape_bind(all, s, err);
		tape_listen(all, s);
	}
	return ret;
}

int unix_tape_connections(struct socks *all, struct error *err)
{
	return tape_users(all, NULL, err);
}
