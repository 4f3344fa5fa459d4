/*
 * fd-kind: the kinds of open file descriptions, as one const table.
 *
 * fd_kind_of() tells the kind from what /proc shows without the target being
 * stopped, so the same table serves the look before the freeze and the dump.
 * A kind without `dump` is known and refused: `refusal` says in what words.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "img/pb/fdinfo.pb-c.h"

struct cryo_dump_opts;
struct dump;
struct dump_task;
struct error;

/* What can be seen of a descriptor from outside. */
struct fd_look {
	const char *where; /* "task 12: fd 3", for messages */
	struct stat st;
	long fs_type;	  /* statfs(2) */
	const char *link; /* what /proc/PID/fd/N says */
	int domain;	  /* a socket's (AF_UNIX); else 0 */
	int fd;		  /* a socket: a copy of it while it is looked at */
};

struct dump_fd {
	struct fd_look look;
	const struct dump_task *task;
	int number; /* in the target; -1: not a descriptor (exe, cwd, mapping) */
	int fd;	    /* ours, of the same description; borrowed */
	uint32_t id;
	uint64_t pos;
	uint32_t flags; /* without O_CLOEXEC */
	int mnt_id;
	FownEntry fown;
	const char *fdinfo; /* its kind's own lines */
};

struct fd_kind {
	FdTypes type;
	const char *name;
	bool (*matches)(const struct fd_look *look);
	bool passes;	     /* can be rebuilt even if it lies in a queue only */
	const char *refusal; /* NULL: supported */
	const char *hint;
	/* Refuses what can't be saved although the kind can. May be NULL. */
	int (*check)(const struct cryo_dump_opts *opts, const struct fd_look *look,
		     struct error *err);
	/* The same by what its fdinfo tells. May be NULL. */
	int (*check_info)(const char *where, const char *fdinfo, struct error *err);
	/* Writes the description's own record (files.img), and what it holds. */
	int (*dump)(struct dump *dump, const struct dump_fd *fd, struct error *err);
};

/* Never NULL: what nobody knows is of the last kind, which is refused. */
const struct fd_kind *fd_kind_of(const struct fd_look *look);

/* Refuses in words what can't be dumped. */
int fd_kind_check(const struct cryo_dump_opts *opts, const struct fd_look *look, struct error *err);

/* The domain of the socket that `fd` is. */
int fd_look_socket(int fd, struct fd_look *look, struct error *err);

/* file-dump.c: also for what is no descriptor: exe, cwd, root, mapped files. */
int file_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);
int file_check(const struct cryo_dump_opts *opts, const struct fd_look *look, struct error *err);

/* pipe-dump.c */
int pipe_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);
int fifo_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);

/* sk-unix-dump.c */
int unix_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);

/* sk-netlink.c, sk-packet.c */
int netlink_sk_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);
int packet_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);

/* sk-inet-dump.c */
int inet_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);
int inet_check(const struct cryo_dump_opts *opts, const struct fd_look *look, struct error *err);

/* pidfd.c; the process it stands for (-1: gone), as fdinfo has it. */
int pidfd_target(const char *fdinfo, pid_t *ret_pid);
int pidfd_refuse(const char *where, pid_t target, struct error *err);
int ns_file_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);
int pidfd_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);

/* inotify.c, fanotify.c */
int inotify_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);
int fanotify_check_marks(const char *where, const char *fdinfo, struct error *err);
int fanotify_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);

/* One file each, with its other half: eventfd.c, signalfd.c, timerfd.c, eventpoll.c */
int eventfd_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);
int signalfd_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);
int timerfd_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);
int mqueue_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);
int memfd_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);
int tty_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);
int tty_check(const struct cryo_dump_opts *opts, const struct fd_look *look, struct error *err);
int eventpoll_dump(struct dump *dump, const struct dump_fd *fd, struct error *err);
