/*
 * file-restore: open files of a tree that is being rebuilt.
 *
 * One struct rfile for each record of files.img. R opens each once; from then
 * on it is the descriptor with number `staging` in R and all its descendants
 * until they close it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "img/pb/fdinfo.pb-c.h"

struct error;
struct restore;
struct rtask;
struct tape;

struct rfile {
	FileEntry *entry;
	int staging;			 /* -1: nobody holds it */
	bool planned;			 /* R's tape has it */
	size_t extra;			 /* number, from 1, of its first extra; 0: none */
	bool mapped;			 /* some task maps it or runs it */
	uint64_t stat_at;		 /* area: struct stat taken after opening; 0: none */
	const struct rtask *finished_by; /* set its owner, and did what its kind does late */
	uint32_t procfs_pid; /* it was that process's in /proc, which is gone; 0: not so */
	/* born-restore.c: who has opened it, as which descriptor, and a word that says so */
	const struct rtask *opened_by;
	uint32_t opened_as;
	uint64_t opened;
	const struct rtask *placed_by;
	const char *link; /* another name it is opened by, removed when all runs; or NULL */
	uint32_t ghost;	  /* id of its content in the images; 0: it has a name */
};

/* The same record opened for another purpose, with flags of its own. */
struct rextra {
	uint32_t flags;
	int staging;
	size_t next; /* number of another one of the same file; 0: none */
};

/* A file without a name, of which the images carry the content. */
struct rghost {
	uint32_t id;	  /* of ghost-file-ID.img */
	const char *path; /* where it is made and removed again; NULL until then */
	bool known;	  /* the two below are */
	uint32_t dev;	  /* 12 bits of major above 20 of minor */
	uint64_t ino;
	int anchor;	  /* staging descriptor that holds it */
	uint64_t state;	  /* word in the area: has it its name? */
	uint64_t stat_at; /* area: what it is, to know it again */
};

/* Reads files.img and all that belongs to it. */
int files_load(struct restore *r, struct error *err);
void files_done(struct restore *r);
struct rfile *files_find(const struct restore *r, uint32_t id);

/* A number that neither a task nor M uses. Negative errno: there is none. */
int fd_stage(struct restore *r, struct error *err);

/* M's own descriptors, and all that tasks have, are no staging numbers. */
int fd_mark_numbers(struct restore *r, struct error *err);

/* Moves a descriptor of M's to a staging number, where the tree inherits it; returns the
 * number. The descriptor is consumed. */
int fd_stage_consume(struct restore *r, int fd, struct error *err);

/* R's tape: the descriptor that `slot` returned becomes number `staging`. */
void fd_tape_stage(struct tape *tape, uint32_t slot, int staging);

/* R's tape: what `slot` returned is that file. */
int rfile_stage(struct restore *r, struct tape *tape, struct rfile *file, uint32_t slot,
		struct error *err);

/* The task's descriptor with that number, or NULL. */
const FdinfoEntry *rtask_fd(const struct rtask *t, uint32_t number);

/* R's tape: one file, if it is not planned yet. */
int file_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
/* R's tape: all files the tasks hold are opened. */
int files_tape(struct restore *r, struct error *err);

/* The staging number of a file opened once more with these flags (R's tape). */
int files_stage_extra(struct restore *r, uint32_t id, uint32_t flags, struct error *err);

/* A descriptor that the become tape of `t` needs, and closes at its end. */
int fd_keep(struct rtask *t, int staging, struct error *err);

/* One that it needs even after fd_tape_drop(). */
int fd_hold(struct rtask *t, int staging, struct error *err);

/* Its build tape: closes all that is neither the task's own nor kept or held. */
int fd_tape_close_rest(struct rtask *t, struct error *err);

/* R's tape opens the folders of that task. */
int fd_stage_folders(struct restore *r, const struct rtask *t, struct error *err);

/* A task's build tape: its folders, its descriptors in place, all others closed. */
int fd_tape_place(struct restore *r, struct rtask *t, struct error *err);
/* Its become tape: owners of its files and what kinds do late; closes what was kept. */
int fd_tape_late(struct restore *r, struct rtask *t, struct error *err);
void fd_tape_drop(struct rtask *t);
/* The owner of the description behind the task's descriptor, once more. */
void fd_tape_owner(struct restore *r, struct rtask *t, uint32_t number);

/* When all is built and nothing released: are the files those that were dumped? */
int files_check(const struct restore *r, struct error *err);

/* Kinds: each writes to R's tape what makes file->staging. Called once a file. */
int reg_file_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
void pipes_restore_done(struct restore *r);
int pipe_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
int fifo_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
int eventfd_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
int signalfd_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
int timerfd_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
int eventpoll_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
int inotify_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
int fanotify_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
int tty_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
int ns_file_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
int pidfd_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);

/* born-restore.c: files that only exist with the tasks they tell of. */
bool born_is_late(const struct restore *r, const struct rfile *file);
void born_stage(struct restore *r, struct rfile *file);
/* A task's become tape, before kinds do theirs late. */
void born_tape_late(struct restore *r, struct rtask *t);
/* R's tape: a process that is gone is there for a moment. */
int born_tape_stand_in(struct restore *r, struct tape *tape, uint32_t pid, uint32_t *ret_entry,
		       uint64_t *ret_word, struct error *err);
void born_tape_gone(struct tape *tape, uint32_t entry, uint64_t word);

int mqueue_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
int memfd_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
/* All internet sockets of the tree at once. */
int inet_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
int netlink_sk_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
int packet_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);
/* All unix sockets of the tree at once. */
int unix_tape(struct restore *r, struct tape *tape, struct rfile *file, struct error *err);

/*
 * What a kind does once all is opened, and the descriptors of one task stand in
 * place: on the become tape of the first task that holds the file, as `number`.
 */
int timerfd_tape_late(struct restore *r, struct rtask *t, uint32_t number, struct rfile *file,
		      struct error *err);
int tty_tape_late(struct restore *r, struct rtask *t, uint32_t number, struct rfile *file,
		  struct error *err);
int eventpoll_tape_late(struct restore *r, struct rtask *t, uint32_t number, struct rfile *file,
			struct error *err);

/* A record of files.img opened by its path; returns the entry whose result is the descriptor. */
int reg_file_open(struct restore *r, struct tape *tape, struct rfile *file, uint32_t flags,
		  uint32_t *ret_slot, struct error *err);
/* 1: that inode is a ghost, made (R's tape) if it was not, and held by *ret_staging. */
int ghost_anchor(struct restore *r, uint32_t dev, uint64_t ino, int *ret_staging,
		 struct error *err);
int ghosts_load(struct restore *r, struct error *err);
void ghosts_undo(const struct restore *r);

/* The descriptor handed over for that key, or -1. */
int inherit_find(const struct restore *r, const char *key);
/* Uses it for the file: 1 if there is one, 0 if not. */
int inherit_file(struct restore *r, struct rfile *file, const char *key, struct error *err);
