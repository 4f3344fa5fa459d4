/*
 * dump-priv: what the files of the dump share.
 *
 * One `struct dump` lives from the first look at the tree to its release or
 * death. Records and strings made on the way live in its arena. Before the
 * freeze nothing of a task is kept; after it everything is read once.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/arena.h"
#include "base/mountinfo.h"
#include "base/proc-maps.h"
#include "base/proc.h"
#include "ckpt/external.h"
#include "ckpt/timed-calls.h"
#include "ckpt/xstate.h"
#include "cryo/dump.h"
#include "img/image.h"
#include "img/pb/core.pb-c.h"
#include "img/pb/fdinfo.pb-c.h"
#include "img/pb/mm.pb-c.h"
#include "img/pb/seccomp.pb-c.h"
#include "img/pb/userns.pb-c.h"
#include "trace/freeze.h"

struct error;

/* Values of core_entry.tc.task_state (CRIU's images). */
enum dump_task_state {
	DUMP_TASK_ALIVE = 1,
	DUMP_TASK_DEAD = 2,
	DUMP_TASK_STOPPED = 3,
};

#define CPU_MASK_MAX 1024 /* bytes: 8192 processors, the kernel's most */

struct dump_thread {
	pid_t host_tid;
	pid_t ns_tid;			  /* of further threads: once its core is collected */
	struct user_regs_struct regs;	  /* as they will be restored: no restart pending */
	struct user_regs_struct regs_now; /* as they are */
	CoreEntry *core;
};

struct dump_vma {
	const struct proc_vma *proc; /* borrowed: the task's maps */
	VmaEntry *entry;
	bool has_pages; /* its private pages are in pages-N.img */
};

struct dump_task {
	pid_t host_pid;
	pid_t ns_pid;
	pid_t ns_pgid;
	pid_t ns_sid;
	struct dump_task *parent; /* borrowed; NULL: the root */
	enum dump_task_state state;
	int stop_signal;
	int proc;  /* open /proc/PID; -EBADF except while the task is dumped */
	int pidfd; /* the same */
	struct proc_stat stat;
	struct proc_status status;
	struct proc_maps maps;
	struct dump_vma *vmas;
	size_t n_vmas;
	VmaEntry *guards; /* guard pages, ascending (pages-dump.c) */
	size_t n_guards;
	size_t guards_size; /* allocated */
	int track_fd;	    /* a copy of its userfaultfd of ours; -EBADF: none (track.h) */
	bool trusts_parent; /* pages not written since are in dump->parent_dir */
	struct dump_thread *threads;
	size_t n_threads;
	TaskKobjIdsEntry *ids; /* NULL: zombie */
	uint32_t cg_set;       /* of all its threads */
	bool own_files;	       /* first task of the tree with this descriptor table */
};

/* Kinds of namespaces, in the order CRIU numbers them. */
enum dump_ns {
	DUMP_NS_PID,
	DUMP_NS_NET,
	DUMP_NS_IPC,
	DUMP_NS_UTS,
	DUMP_NS_TIME,
	DUMP_NS_MNT,
	DUMP_NS_USER,
	DUMP_NS_CGROUP,
	DUMP_N_NS,
};

struct dump_ns_info {
	uint64_t own_ino;  /* the caller's */
	uint64_t root_ino; /* the root task's */
	uint32_t own_id;
	uint32_t root_id; /* in the images */
	bool other;	  /* the tree has one of its own */
};

/* A namespace of the tree that the root task is not in. */
struct dump_nested {
	struct dump_nested *next;
	enum dump_ns kind;
	uint64_t ino;
	uint32_t id;	/* in the images */
	pid_t host_pid; /* the first task that is in it */
};

struct crew;
struct dump_file_ids;
struct dump_mqueue;
struct dump_segment;
struct dump_set;
struct dump_shmems;
struct dump_ghosts;
struct dump_images;
struct dump_cgroups;
struct dump_ttys;
struct dump_unix;
struct sk_queue_dump;
struct packet_diag;
struct tcp_connection;
struct sk_cache;
struct sk_reference;
struct tmpfs_ahead;
struct nameless;
struct link_remap;
struct mnt_ns;
struct mnt_bare;
struct page_mover;

struct dump {
	const struct cryo_dump_opts *opts; /* borrowed */
	struct arena arena;
	struct externals externals;
	struct timed_calls timed_calls;
	struct xstate_layout xstate;
	uint8_t cpu_mask[CPU_MASK_MAX]; /* processors that we may use */
	size_t cpu_mask_len;
	struct crew *crew; /* NULL until there is a crowd */
	struct freeze freeze;
	void *settings; /* tsearch(3): those opened ahead, settings.h */
	size_t n_settings;
	uint64_t frozen_ns;	 /* CLOCK_MONOTONIC, when all stood still */
	struct dump_task *tasks; /* root first, parents before children */
	size_t n_tasks;
	void *tasks_by_pid; /* tsearch(3) of the first n_indexed tasks */
	size_t n_indexed;
	struct dump_ns_info ns[DUMP_N_NS];
	struct dump_nested *nested; /* in the order they were met */
	uint32_t last_ns_id;
	struct mnt_ns *mnts; /* mnt.h; the root task's first */
	size_t n_mnts;
	struct mnt_bare *bare; /* mnt-bare-dump.c */
	UsernsEntry *userns;   /* userns.h; NULL: the tree is in ours */
	struct image files;    /* files.img, open while records come */
	struct image pipes;    /* pipes-data.img */
	struct image fifos;    /* fifo-data.img */
	struct image memfds;   /* memfd.img */
	void *memfds_seen;     /* tsearch(3) of inodes */
	uint32_t last_memfd_id;
	struct image remaps; /* remap-fpath.img */
	struct image locks;  /* filelocks.img */
	struct link_remap *link_remaps;
	void *watched; /* tsearch(3) of what inotify and fanotify watch */
	struct nameless *watched_nameless;
	void *locks_seen; /* tsearch(3) of processes and files */
	struct dump_file_ids *file_ids;
	struct dump_shmems *shmems;
	uint32_t last_shmem;
	struct dump_segment *sysv_segments; /* sysv-dump.c */
	struct dump_set *sysv_sets;	    /* sysv-undo-dump.c */
	struct dump_mqueue *mqueues;	    /* mqueues-dump.c */
	struct dump_ghosts *ghosts;
	struct dump_cgroups *cgroups;
	uint32_t own_cg_set;
	SeccompFilter **seccomp; /* of all threads */
	size_t n_seccomp;
	size_t seccomp_size; /* allocated */
	uint32_t tmpfs[256]; /* devices whose files are saved */
	size_t n_tmpfs;
	struct tmpfs_ahead *tmpfs_ahead;
	struct packet_diag *packet_sockets; /* packet-diag-dump.c; NULL: not asked yet */
	struct dump_ttys *ttys;		    /* tty-dump.c; NULL: none so far */
	struct tcp_connection *connections; /* sk-tcp-dump.c */
	struct sk_cache *sk_cache;	    /* sk-more.c; NULL: not yet */
	struct sk_reference *sk_references; /* sk-more.c */
	struct sk_queue_dump *sk_queues;
	struct dump_unix *unix_sockets; /* sk-unix-dump.c; NULL: none so far */
	void *pipes_seen;		/* tsearch(3) of inode numbers: content is saved */
	uint32_t last_pages_id;
	struct page_mover *mover;
	int parent_dir;		    /* older images of the tree; -EBADF: none */
	bool only_memory;	    /* a pre-dump: the tasks run while their memory is copied */
	struct dump_images *images; /* the files of this dump */
	bool complete;		    /* all images are whole: the tree may die */
	struct cryo_dump_stats stats;
	uint64_t shpages_written;
};

/*
 * images-dump.c: files that will be removed if the dump fails. Before the
 * freeze those that will probably be asked for are made; dump_images_remove()
 * takes back what was not, or all.
 */
int dump_images_prepare(struct dump *dump, struct error *err);
void dump_images_remove(struct dump *dump, bool all);
void dump_images_done(struct dump *dump);
int dump_image_create(struct dump *dump, struct image *image, enum img_kind kind, uint64_t id,
		      struct error *err);
int dump_image_one(struct dump *dump, enum img_kind kind, uint64_t id,
		   const ProtobufCMessage *message, struct error *err);

/* The same for many files, each with one record. */
struct dump_image_record {
	uint64_t id;
	const ProtobufCMessage *message; /* borrowed */
};
int dump_image_many(struct dump *dump, enum img_kind kind, const struct dump_image_record *records,
		    size_t n, struct error *err);

struct pagemap_writer;
int dump_pagemap_create(struct dump *dump, struct pagemap_writer *writer, enum img_kind kind,
			uint64_t id, struct error *err);

/* dump.c: stats-dump, when it is over */
int dump_stats_write(struct dump *dump, struct error *err);

/* tree-dump.c: the frozen tasks as dump tasks, with what /proc says of them. */
int dump_tree_collect(struct dump *dump, struct error *err);

/* -EOPNOTSUPP: the root leads no session of its own, and the options don't allow that. */
int dump_session_check(const struct cryo_dump_opts *opts, pid_t host_pid, pid_t ns_pid,
		       pid_t ns_sid, struct error *err);
int dump_tree_write(struct dump *dump, struct error *err);
void dump_tree_done(struct dump *dump);
int dump_task_open(struct dump_task *task, struct error *err);
void dump_task_close(struct dump_task *task);
/* The task with that pid in our namespace, or NULL. */
struct dump_task *dump_task_find(struct dump *dump, pid_t host_pid);

/* ids-dump.c: which kernel objects tasks share, and which namespaces are the tree's. */
int dump_ns_look(struct dump *dump, struct error *err);
int dump_ids_collect(struct dump *dump, struct error *err);
int dump_ids_write(struct dump *dump, struct error *err);
int dump_inventory_write(struct dump *dump, struct error *err);

/* mnt-dump.c: an absolute path of the tree, as the kernel told it: no symlink is in it. */
int dump_open_path(const struct dump *dump, const char *path, int flags, struct error *err);
/* The same, where that mount is: the tree may have several mount namespaces. */
int dump_open_path_on(const struct dump *dump, int mnt_id, const char *path, int flags,
		      struct error *err);

/*
 * other-name-dump.c: another name of that file, in the folder of the one it lost (of the
 * arena). 1: found; 0: there is none. `ret_path` may be where `path` lies.
 */
int dump_other_name(struct dump *dump, int mnt_id, const char *path, const struct stat *wanted,
		    char **ret_path, struct error *err);

/* core-dump.c: a task's and its threads' core images. */
int dump_core_collect(struct dump *dump, struct dump_task *task, struct error *err);
int dump_core_write(struct dump *dump, struct dump_task *task, struct error *err);

/* ask-dump.c: what only the task itself can say; fills core and mm. */
int dump_ask(struct dump *dump, struct dump_task *task, MmEntry *mm, struct error *err);

/* mm-dump.c, pages-dump.c */
int dump_mm_collect(struct dump *dump, struct dump_task *task, MmEntry *mm, struct error *err);
int dump_mm_write(struct dump *dump, struct dump_task *task, MmEntry *mm, struct error *err);
/* A running task's mappings, as far as its pages matter. */
int dump_mm_look(struct dump *dump, struct dump_task *task, struct error *err);
/* The folder of older images that the options name, and the link to it. */
int dump_parent_open(struct dump *dump, struct error *err);
void dump_parent_done(struct dump *dump);
int dump_pages_prepare(struct dump *dump, struct error *err);
int dump_pages(struct dump *dump, struct dump_task *task, struct error *err);
void dump_pages_done(struct dump *dump);
/* Refuses what can't be saved and shows in smaps or maps alone. */
int dump_vma_check(pid_t host_pid, const struct proc_vma *vma, struct error *err);

/* pipe-dump.c */
void pipes_done(struct dump *dump);

/* cloexec-dump.c: asks the task for flags of those of its descriptors that are unclear. */
int dump_ask_cloexec(struct dump_task *task, FdinfoEntry *entries, const bool *unclear, size_t n,
		     struct error *err);

/* fds-dump.c */
int dump_fds(struct dump *dump, struct dump_task *task, struct error *err);
int dump_fs(struct dump *dump, struct dump_task *task, struct error *err);
/* One that lies in the queue of a socket of that task; `own` is ours. */
int dump_passed_fd(struct dump *dump, const struct dump_task *task, int own, uint32_t id,
		   const char *where, struct error *err);
/* A file that is no descriptor: "exe", "cwd", "map_files/..." below /proc/PID. */
int dump_plain_file(struct dump *dump, struct dump_task *task, const char *name, uint32_t flags,
		    uint32_t *ret_id, struct error *err);
