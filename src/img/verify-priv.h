/*
 * verify-priv: what the parts of verify share.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "img/folder.h"
#include "img/verify.h"

struct arena;
struct error;

/* Numbers met, each with a word about it. */
struct id_table {
	struct id_row {
		uint64_t id;
		uint32_t what;
	} * rows; /* sorted by id once sealed; owned */
	size_t n;
	size_t room;
};

struct verify {
	int dirfd;
	struct folder folder;
	bool *damaged; /* by index in folder.files: told already, not to be read again */
	void (*found)(void *arg, const struct error *finding);
	void *arg;
	int n_found;
	struct verify_summary summary;
	struct id_table files;	     /* open file descriptions: id, enum fd_types */
	struct id_table pipes;	     /* pipe_id */
	struct id_table memfds;	     /* inode_id of memfd.img */
	struct id_table terminals;   /* id of tty-info.img */
	struct id_table filters;     /* seccomp */
	struct id_table cgroup_sets; /* cgroup.img */
	struct id_table mounts;	     /* of all mountpoints files */
	struct id_table pages;	     /* ids of pages files that have an index */
	bool has_parent;	     /* the folder is one of a chain (pre-dump) */
	bool pagemap_unread;	     /* so some pages may have an index that is not known */
	int failed;		     /* -ENOMEM once memory ran out */
};

void verify_found(struct verify *verify, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

bool verify_is_damaged(const struct verify *verify, enum img_kind kind, uint64_t id);

/*
 * All records of an image without extra bytes. False when there is no such
 * file, or it is damaged, which was told when it was decoded first.
 */
bool verify_read(struct verify *verify, enum img_kind kind, uint64_t id, struct arena *arena,
		 void *ret_messages, size_t *ret_n);

/* The first record of a file that must be there; NULL (and told) when it is not. */
void *verify_need(struct verify *verify, enum img_kind kind, uint64_t id, struct arena *arena,
		  const char *who);

/* Adding remembers a lack of memory in verify->failed. */
void id_table_add(struct verify *verify, struct id_table *table, uint64_t id, uint32_t what);
void id_table_seal(struct id_table *table); /* from now on it can be searched */
const struct id_row *id_table_find(const struct id_table *table, uint64_t id);
void id_table_done(struct id_table *table);

/* The parts, in this order. */
void verify_files(struct verify *verify);		 /* files.img and what it refers to */
void verify_tasks(struct verify *verify);		 /* pstree.img, core, ids, fdinfo, fs */
void verify_memory(struct verify *verify, uint32_t pid); /* mm and pagemap of one task */
void verify_segments(struct verify *verify);		 /* pagemap-shmem, pages nobody refers to */
