/*
 * proc-maps: the mappings of a process, from /proc/PID/maps or smaps.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

/* VmFlags of smaps, by their two letters; only what has a meaning to us. */
enum proc_vm_flag {
	PROC_VM_SHARED = 1 << 0,	/* sh */
	PROC_VM_MAYSHARE = 1 << 1,	/* ms */
	PROC_VM_GROWSDOWN = 1 << 2,	/* gd */
	PROC_VM_PFNMAP = 1 << 3,	/* pf */
	PROC_VM_LOCKED = 1 << 4,	/* lo */
	PROC_VM_IO = 1 << 5,		/* io */
	PROC_VM_DONTFORK = 1 << 6,	/* dc */
	PROC_VM_DONTEXPAND = 1 << 7,	/* de */
	PROC_VM_DONTDUMP = 1 << 8,	/* dd */
	PROC_VM_MERGEABLE = 1 << 9,	/* mg */
	PROC_VM_HUGEPAGE = 1 << 10,	/* hg */
	PROC_VM_NOHUGEPAGE = 1 << 11,	/* nh */
	PROC_VM_HUGETLB = 1 << 12,	/* ht */
	PROC_VM_WIPEONFORK = 1 << 13,	/* wf */
	PROC_VM_NORESERVE = 1 << 14,	/* nr */
	PROC_VM_UFFD_MISSING = 1 << 15, /* um */
	PROC_VM_UFFD_WP = 1 << 16,	/* uw */
	PROC_VM_SEQREAD = 1 << 17,	/* sr */
	PROC_VM_RANDREAD = 1 << 18,	/* rr */
	PROC_VM_MIXEDMAP = 1 << 19,	/* mm */
	PROC_VM_SHADOWSTACK = 1 << 20,	/* ss */
	PROC_VM_SEALED = 1 << 21,	/* sl */
	PROC_VM_DROPPABLE = 1 << 22,	/* dp */
	PROC_VM_ACCOUNT = 1 << 23,	/* ac */
	PROC_VM_MAYWRITE = 1 << 24,	/* mw */
};

struct proc_vma {
	uint64_t start;
	uint64_t end;
	int prot;	 /* PROT_* */
	bool shared;	 /* MAP_SHARED, else MAP_PRIVATE */
	uint64_t offset; /* bytes in the file */
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t ino;
	const char *name;  /* "" for plain anonymous memory; "[heap]", "[vdso]", a path with octal
			    * escapes undone; borrowed from the table */
	bool deleted;	   /* the path ended in " (deleted)", cut off here */
	uint32_t vm_flags; /* enum proc_vm_flag; smaps only */
	uint64_t pkey;	   /* smaps only */
	uint64_t rss_kb;   /* smaps only */
	uint64_t swap_kb;  /* smaps only */
};

struct proc_maps {
	struct proc_vma *vmas; /* ascending */
	size_t n;
	char *names; /* owned: what the vmas' names point into */
};

/* Both kinds of text are understood. */
int proc_maps_parse(const char *text, size_t len, struct proc_maps *ret_maps, struct error *err);
int proc_maps_of(pid_t host_pid, struct proc_maps *ret_maps, struct error *err);
int proc_smaps_of(pid_t host_pid, struct proc_maps *ret_maps, struct error *err);
void proc_maps_done(struct proc_maps *maps);

/* The mapping of that name ("[vdso]"), or NULL. */
const struct proc_vma *proc_maps_find(const struct proc_maps *maps, const char *name);

/* Entries of /proc/PID/pagemap. */
#define PROC_PAGE_SOFT_DIRTY (UINT64_C(1) << 55)
#define PROC_PAGE_EXCLUSIVE (UINT64_C(1) << 56)
#define PROC_PAGE_UFFD_WP (UINT64_C(1) << 57)
#define PROC_PAGE_FILE (UINT64_C(1) << 61)
#define PROC_PAGE_SWAP (UINT64_C(1) << 62)
#define PROC_PAGE_PRESENT (UINT64_C(1) << 63)

/* Entries of `n` pages from `start` on, out of an open /proc/PID/pagemap. */
int proc_pagemap_read(int pagemap_fd, uint64_t start, size_t n, uint64_t *ret_entries,
		      struct error *err);

#define cleanup_proc_maps __attribute__((cleanup(proc_maps_done)))
