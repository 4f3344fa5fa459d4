/*
 * restore-priv: what the restore half of the engine knows while it plans.
 *
 * M, the calling process, reads all images, plans all tapes, makes the root
 * task R and releases the tree. One area (trace/area.h) holds every tape; it
 * is mapped shared in M, at an address that is free in M and in the final
 * layout of every task, before R is made. So all tasks inherit it where it is,
 * and addresses in it are known while planning: restore_addr().
 *
 * Each task plays two tapes, one after the other:
 *	build	still in M's memory image: children, sessions, groups, files
 *	become	M's memory is unmapped, the task's own is made; ends in the
 *		last barrier and the return into the task's program
 *
 * Descriptors are opened once, by R (or by M where only M can), at "staging"
 * numbers that no task uses for its own; children inherit them, and each task
 * puts its own in place with dup3(2).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/strv.h"
#include "ckpt/xstate.h"
#include "cryo/restore.h"
#include "img/pb/core.pb-c.h"
#include "img/pb/creds.pb-c.h"
#include "img/pb/fdinfo.pb-c.h"
#include "img/pb/file-lock.pb-c.h"
#include "img/pb/fs.pb-c.h"
#include "img/pb/inventory.pb-c.h"
#include "img/pb/mm.pb-c.h"
#include "img/pb/pstree.pb-c.h"
#include "img/pb/seccomp.pb-c.h"
#include "img/pb/vma.pb-c.h"
#include "trace/area.h"
#include "trace/tape.h"

struct error;
struct rfile;
struct rextra;
struct rghost;
struct rnetns;
struct rshmems;
struct rmqueues;
struct rsysv;
struct rmemfds;
struct rwatched;
struct rpipes;
struct rttys;
struct frame_context;
struct rmounts;
struct rnested;
struct ruserns;
struct rcgroups;
struct mem_plan;

#define RESTORE_TASKS_MAX 65536
#define RESTORE_HOLE ((uint64_t)1 << 30)     /* address space kept for the area */
#define RESTORE_PARK ((uint64_t)64 << 10)    /* below it: where the vDSO waits */
#define RESTORE_STAGING ((uint64_t)64 << 20) /* at its end: where huge pages are read into */
#define RESTORE_TASK_SIZE UINT64_C(0x7ffffffff000)

enum rtask_kind {
	RTASK_ALIVE,
	RTASK_STOPPED, /* by a signal: is left in SIGSTOP */
	RTASK_ZOMBIE,
	RTASK_LEADER, /* helper: a session or group leader that is gone already */
	RTASK_CARRIER /* helper: brings a child into a session its parent is not in */
};

/* Numbers as in the images' task_state. */
enum {
	RTASK_STATE_ALIVE = 1,
	RTASK_STATE_DEAD = 2,
	RTASK_STATE_STOPPED = 3,
	RTASK_STATE_ZOMBIE = 6
};

/*
 * A thread. The first of a living task is the task itself: its tape is `become`.
 * The others are made by that tape (thread-restore.c) and led out by M.
 */
struct rthread {
	uint32_t tid;
	CoreEntry *core;
	struct tape *tape;
	struct frame_context *final; /* registers it ends with */
	struct thread_state *state;  /* regs-restore.h: what M sets; NULL for the first */
};

struct rtask {
	enum rtask_kind kind;
	uint32_t pid;
	uint32_t pgid;
	uint32_t sid;
	struct rtask *parent;		      /* whose child it is in the end; NULL for the root */
	struct rtask *forker;		      /* who makes it */
	struct rtask *first_fork, *next_fork; /* whom it makes; those of one maker */
	struct rtask *first_child, *next_child; /* those of one parent */
	uint32_t born_sid;			/* session it is born in; valid with forker */
	bool before_setsid;			/* made before its forker starts its own session */
	bool in_parents_group;
	bool reaper; /* adopts orphans while the tree is built */

	/* From the images; NULL for helpers, partly NULL for zombies. */
	CoreEntry *core;
	TaskKobjIdsEntry *ids;
	MmEntry *mm;
	FsEntry *fs;
	FdinfoEntry **fds;
	size_t n_fds;
	struct rthread *threads; /* none: zombies and helpers */
	size_t n_threads;

	struct tape *birth; /* what it is born with */
	struct tape *build; /* what is planned for its building goes there: birth, or memory */
	struct tape
		*memory; /* where its memory is made: become; of a donor, between birth and it */
	struct tape *become;
	struct mem_plan *mem;
	struct rtask *donor; /* its forker, with whom it shares pages; NULL: it shares none */
	bool is_donor;	     /* of some child */
	bool donates_early;  /* of one that is made before it begins its session */
	pid_t host_pid;	     /* while the tree is built; 0: not known */
	uint32_t fork_entry; /* in forker->build: its result is the pid */
	uint32_t *keep;	     /* staging descriptors the become tape needs */
	size_t n_keep;
	uint32_t *hold; /* the same, beyond fd_tape_drop(): watches-restore.c closes them */
	size_t n_hold;
	const VmaEntry *vdso; /* borrowed from mm; set by vdso_check() */
	uint64_t stub;	      /* its return stub, in the vDSO's padding */
	size_t stub_size;
	uint64_t host_pid_at; /* area: text of its host pid; 0: host_pid is pid */
	uint64_t ready;	      /* word: its further threads are complete */
	uint64_t synced;      /* word: the filters that all its threads have are installed */
	size_t common_filters;
	bool guided; /* M leads it out with ptrace: it has threads, filters, or is to be stopped */
	pid_t *host_tids; /* those M has seized; [0] is host_pid */
	size_t n_host_tids;
};

/* A mapping of M's vDSO: [vvar], [vvar_vclock], [vdso]. */
struct vdso_part {
	uint64_t start;
	uint64_t end;
};

#define VDSO_PARTS_MAX 4

struct vdso {
	struct vdso_part parts[VDSO_PARTS_MAX]; /* ascending, adjacent */
	size_t n;
	uint64_t code;	   /* start of the [vdso] part */
	uint64_t code_end; /* of it */
	uint64_t padding;  /* offset in it: zero bytes from there to its end */
};

/* Words in the area that tasks and M meet at. */
struct restore_words {
	uint64_t go;	   /* M: R is where it belongs */
	uint64_t grouped;  /* tasks: sessions and own groups made */
	uint64_t joined;   /* tasks: in their groups */
	uint64_t cleared;  /* helpers are gone, zombies dead */
	uint64_t armed;	   /* guided tasks: waiting to be seized */
	uint64_t seized;   /* M: they are */
	uint64_t mapped;   /* tasks: have their memory */
	uint64_t born;	   /* tasks and helpers: exist; only where pidfds are opened */
	uint64_t dropped;  /* tasks: have closed all but their own descriptors */
	uint64_t built;	   /* tasks: complete */
	uint64_t released; /* M: the one store */
	uint64_t left;	   /* tasks: M may end without their noticing */
	uint64_t never;	   /* nobody: where threads wait for M to move them */
};

struct restore {
	const struct cryo_restore_opts *opts; /* borrowed */
	struct arena arena;		      /* all decoded records */
	InventoryEntry *inventory;
	SeccompEntry *seccomp;

	struct rtask **tasks; /* the images' first, in their order; then helpers */
	size_t n_tasks;
	size_t n_image_tasks;
	struct rtask **by_pid; /* hash table */
	size_t by_pid_size;
	uint32_t n_living; /* valid once the tree is planned, like the next */
	uint32_t n_guided; /* valid once there are tapes */
	bool any_ending;   /* helpers or zombies */
	bool any_joining;  /* a group that another task leads */
	struct rtask *root;
	uint32_t outer_sid;  /* session and group of the root that are not in the images; */
	uint32_t outer_pgid; /* 0: they are */
	bool new_pid_ns;
	bool new_mnt_ns;
	struct rmounts *mounts; /* mount-priv.h; set with new_mnt_ns */
	struct rnested *nested; /* ns-nested-restore.c */
	struct rcgroups *cgroups; /* cgroup-restore-priv.h; NULL: nothing to do */
	struct ruserns *userns; /* userns-restore.c; NULL: the tree is in ours */
	bool new_cgroup_ns;
	uint64_t clone_flags; /* CLONE_NEW* of the root */
	uint64_t join_flags;  /* CLONE_NEW* of those it joins */

	struct rfile *files; /* sorted by id (file-restore.h) */
	size_t n_files;
	struct rextra *extras; /* opened to be mapped, run or stood in */
	size_t n_extras;
	struct rghost *ghosts; /* deleted files that are made again for a moment */
	size_t n_ghosts;
	struct rmemfds *memfds;	  /* memfd.c; NULL: not read yet */
	struct rnetns *netns;	  /* netns-restore.c; NULL: no new network namespace */
	struct rttys *ttys;	  /* tty-restore.c; NULL: not read yet */
	struct rshmems *shmems;	  /* shmem-restore.c; NULL: not collected yet */
	uint64_t shmem_window;	  /* ... its addresses without memory */
	struct rsysv *sysv;	  /* sysv-restore.c; NULL: none */
	struct rmqueues *mqueues; /* mqueues-restore.c; NULL: not read yet */
	bool shm_rmid_forced;	  /* of the tree's IPC namespace */
	FileLockEntry **locks;
	size_t n_locks;
	bool owners;	  /* some file has an owner that gets its signals */
	uint8_t *fd_used; /* bitmap: numbers that are no staging number */
	size_t fd_max;	  /* its size in bits */
	size_t fd_next;	  /* staging numbers below are given */
	int *own_fds;	  /* M's own, opened for the tree; closed at the end */
	size_t n_own_fds;
	struct rpipes *pipes;	  /* pipe-restore.c */
	bool pidfds;		  /* some stand for processes of the tree */
	bool watching;		  /* inotify or fanotify: R adds what they watch at the end */
	struct rwatched *watched; /* watches-restore.c */
	size_t n_watched;
	int watch_root; /* staging number of R's first root; -1: not yet */
	int watch_fd;	/* staging number of what is to be watched next */
	int proc_fd;	/* staging number of M's /proc; -1: not yet */

	struct area area;
	uint64_t base;
	void *live; /* the area, mapped; NULL before */
	struct restore_words words;
	struct vdso vdso;
	struct xstate_layout xstate;

	/* Tests change the plan here, before anything is made; NULL otherwise. */
	void (*tamper)(void *arg, struct area *area);
	void *tamper_arg;

	pid_t host_pid; /* R; 0 before */
	int root_pidfd;
	struct strv made_groups; /* folders of cgroups made for this tree */
	pid_t *own_children;	 /* M's before R was made */
	size_t n_own_children;
	uint64_t forking_ns;
	uint64_t pages;		 /* pages whose content is restored */
	uint64_t pages_compared; /* with those of the task's parent */
	uint64_t pages_kept;	 /* of those: equal, shared again */
};

static inline uint64_t restore_addr(const struct restore *r, uint64_t offset)
{
	return r->base + offset;
}

/* Adds a helper task. NULL: out of memory. */
struct rtask *restore_add_task(struct restore *r, enum rtask_kind kind, uint32_t pid);
struct rtask *restore_find_task(const struct restore *r, uint32_t pid);
/* Once all are there and know who makes them. */
void restore_link_tasks(struct restore *r);
void restore_forget_tasks(struct restore *r);
static inline bool rtask_lives(const struct rtask *t)
{
	return t->kind == RTASK_ALIVE || t->kind == RTASK_STOPPED;
}

/* Whose memory the task is born with; NULL: M's. */
const struct rtask *rtask_image(const struct rtask *t);

/* "busybox" for messages; "?" where the images don't say. */
const char *rtask_comm(const struct rtask *t);

/*
 * The steps. Loading fills the struct from the images; planning adds to the
 * tapes. Each file that plans is named after its object.
 */
/* restore.c: cryo_restore(), for tests of what fails. */
int restore_tampered(const struct cryo_restore_opts *opts,
		     void (*tamper)(void *arg, struct area *area), void *arg, pid_t *ret_host_pid,
		     struct cryo_restore_stats *ret_stats, struct error *err);

/* load-restore.c */
int restore_load(struct restore *r, struct error *err);

/* tree-restore.c */
int tree_plan(struct restore *r, struct error *err);
void tree_tape_pdeathsig(const struct restore *r, struct rtask *t);
int tree_tape_children(struct restore *r, struct rtask *t, struct error *err);
void tree_tape_groups(struct restore *r, struct rtask *t);

/* vdso-restore.c */
int vdso_find(struct restore *r, struct error *err);
/* Is the kernel's vDSO laid out as the task's was? Sets t->vdso. */
int vdso_check(struct restore *r, struct rtask *t, struct error *err);
/* `len` bytes of the task's, at `at` in it, stand in that file: are they this kernel's? */
int vdso_compare(const struct restore *r, int fd, uint64_t offset, uint64_t at, uint64_t len,
		 struct error *err);
void vdso_tape_park(struct restore *r, struct rtask *t);
void vdso_tape_place(struct restore *r, struct rtask *t);
/* Writes code into the padding; returns its address. */
uint64_t vdso_tape_code(struct restore *r, struct rtask *t, const void *code, size_t len);
size_t vdso_room(const struct restore *r);

/* mem-restore.c */
int mem_place_area(struct restore *r, struct error *err);
/* Sets t->mem; the files behind its mappings are staged. */
int mem_plan(struct restore *r, struct rtask *t, struct error *err);
/* cow-restore.c: when all tasks have their plans. Sets donors. */
int cow_plan(struct restore *r, struct error *err);
/* mem-tape-restore.c: onto its memory tape. After the first, children that inherit are forked. */
int mem_tape(struct restore *r, struct rtask *t, struct error *err);
void mem_tape_finish(struct rtask *t);

/* mapped-restore.c: what R can do only when all tasks have their memory */
int mapped_tape(struct restore *r, struct rtask *t, struct error *err);

/* regs-restore.c: the last entries of a task: out of the area, into its program. */
void regs_tape_leave(struct restore *r, struct rtask *t, uint64_t frame);
/* The signal frame to leave by; also plants the return stub. */
int regs_tape_frame(struct restore *r, struct rtask *t, uint64_t *ret_frame, struct error *err);
/* Further threads need no frame: M sets their registers. */
int regs_plan_thread(struct restore *r, const struct rtask *t, struct rthread *th,
		     struct error *err);

/* signal-restore.c */
int signal_tape(struct restore *r, struct rtask *t, struct error *err);
void signal_tape_stack(struct restore *r, struct rthread *th);
/* What waits for the thread; with the first, what waits for the task. */
int signal_tape_pending(struct restore *r, struct rtask *t, struct rthread *th, struct error *err);
uint64_t signal_mask(const struct rthread *th);

/* timer-restore.c */
int timer_tape(struct restore *r, struct rtask *t, struct error *err);
/* After the release: they begin to run. Can't fail any more. */
void timer_tape_arm(struct restore *r, struct rtask *t);

/* cred-restore.c, seccomp-restore.c */
int cred_tape(struct restore *r, struct rtask *t, struct rthread *th, struct error *err);
bool cred_own_cap(unsigned int cap);	    /* is it in our permitted set? */
bool seccomp_wanted(const struct rtask *t); /* by one of its threads */
int seccomp_plan(struct restore *r, struct rtask *t, struct error *err);
int seccomp_tape(struct restore *r, struct rtask *t, struct rthread *th, struct error *err);

/* task-restore.c: what is left of a task, early (still privileged, M's /proc) and late. */
void task_tape_early(struct restore *r, struct rtask *t);
int task_tape(struct restore *r, struct rtask *t, struct error *err);

/* thread-restore.c: what each thread has of its own; those behind the first are made. */
void thread_tape_own(struct restore *r, struct rthread *th);
int threads_tape(struct restore *r, struct rtask *t, struct error *err);
/* The first thread waits until the others are complete. */
void threads_tape_wait(struct rtask *t);

/* timens-restore.c: the clocks of the tree go on where they stopped. Between begin and end M's
 * next children are born into the new time namespace. */
int timens_begin(struct restore *r, int *ret_old_fd, struct error *err);
int timens_end(int old_fd, struct error *err);

/* lock-restore.c */
int locks_load(struct restore *r, struct error *err);
int leases_tape(struct restore *r, struct rtask *t, struct error *err);
int locks_tape(struct restore *r, struct rtask *t, struct error *err);

/* cgroup-restore.c: R into the root task's groups; and those made are removed again */
int cgroup_restore_load(struct restore *r, struct error *err);
int cgroup_place(struct restore *r, struct error *err);
/* The tree is complete: who was elsewhere. (cgroup-others-restore.c) */
int cgroup_place_others(struct restore *r, struct error *err);
void cgroup_restore_done(struct restore *r);
void cgroup_undo(struct restore *r);

/* guide-restore.c: tasks that M leads out by ptrace */
int guide_seize(struct restore *r, struct error *err);
int guide_release(struct restore *r, struct error *err);
/* After the tree was killed: what M held by ptrace is let go, so that it can be reaped. */
void guide_undo(struct restore *r);

/* launch-restore.c: R is made, the tree built and released; or all is undone. */
/* Told before anything is made, with all names at hand. Also what makes sure that no child of the
 * caller is taken for one of the tree. -EEXIST: the number of a task is in use and stays so. */
#define TAKEN_HINT "a process with that id runs already; it must end first"
int taken_check(const struct restore *r, struct error *err);

void launch_store(const struct restore *r, uint64_t offset); /* word = 1, wake */
void launch_store_number(const struct restore *r, uint64_t offset, uint32_t n);
/* Until the word is at least n; a fault or the death of R is told. */
int launch_wait(struct restore *r, uint64_t offset, uint32_t n, struct error *err);
int launch_tree(struct restore *r, struct error *err);
