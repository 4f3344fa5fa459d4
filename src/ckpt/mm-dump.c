/*
 * mm: an address space: its limits and its mappings.
 *
 * Each mapping becomes a vma_entry. What backs it decides:
 *	nothing                  private anonymous; pages are saved
 *	a file                   by name, through its map_files link; private
 *	                         pages that differ from the file are saved
 *	shmem without a name     shared anonymous memory, memfds: memfd.h
 *	[vdso] [vvar] [vsyscall] the kernel's: kept in place, vdso bytes saved
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "ckpt/dump-priv.h"
#include "ckpt/memfd.h"
#include "ckpt/sysv.h"
#include "ckpt/track.h"
#include "ckpt/vma-status.h"

#define AUXV_MAX ((size_t)4096)
#define AUXV_WORDS_MAX 44 /* what readers have room for */

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

static const struct {
	uint32_t vm_flag;
	uint32_t map_flag;
	int advice;
} flag_table[] = {
	{ PROC_VM_GROWSDOWN, MAP_GROWSDOWN, 0 },    { PROC_VM_LOCKED, MAP_LOCKED, 0 },
	{ PROC_VM_NORESERVE, MAP_NORESERVE, 0 },    { PROC_VM_HUGETLB, MAP_HUGETLB, 0 },
	{ PROC_VM_DROPPABLE, MAP_DROPPABLE, 0 },    { PROC_VM_SEQREAD, 0, MADV_SEQUENTIAL },
	{ PROC_VM_RANDREAD, 0, MADV_RANDOM },	    { PROC_VM_DONTFORK, 0, MADV_DONTFORK },
	{ PROC_VM_DONTDUMP, 0, MADV_DONTDUMP },	    { PROC_VM_MERGEABLE, 0, MADV_MERGEABLE },
	{ PROC_VM_HUGEPAGE, 0, MADV_HUGEPAGE },	    { PROC_VM_NOHUGEPAGE, 0, MADV_NOHUGEPAGE },
	{ PROC_VM_WIPEONFORK, 0, MADV_WIPEONFORK },
};

static void set_flags(const struct proc_vma *vma, VmaEntry *entry)
{
	uint64_t advice = 0;

	entry->flags = vma->shared ? MAP_SHARED : MAP_PRIVATE;
	for (size_t i = 0; i < ARRAY_SIZE(flag_table); i++) {
		if (!(vma->vm_flags & flag_table[i].vm_flag))
			continue;
		entry->flags |= flag_table[i].map_flag;
		if (flag_table[i].advice)
			advice |= UINT64_C(1) << flag_table[i].advice;
	}
	if (entry->flags & MAP_DROPPABLE)
		entry->flags &= ~(uint32_t)MAP_PRIVATE;
	entry->has_madv = advice != 0;
	entry->madv = advice;
}

static int refuse(const struct dump_task *task, const struct proc_vma *vma, const char *why,
		  struct error *err)
{
	return err_set(err, -EOPNOTSUPP, "task %d: mapping %" PRIx64 "-%" PRIx64 " '%s': %s",
		       task->host_pid, vma->start, vma->end, vma->name, why);
}

/* What can be refused without a look behind the mapping; also before the freeze. */
int dump_vma_check(pid_t host_pid, const struct proc_vma *vma, struct error *err)
{
	static const struct {
		const char *prefix;
		const char *why;
	} names[] = {
		{ "/[aio]", "ring of asynchronous input and output (io_setup): this version "
			    "can't save it" },
		{ "anon_inode:[io_uring]", "io_uring rings can't be saved" },
		{ "anon_inode:[perf_event]", "perf event buffers can't be saved" },
		{ "anon_inode:", "memory of a kernel object can't be saved" },
		{ "socket:", "ring of a packet socket: this version can't save it" },
		{ "[uprobes]", "it is traced by uprobes" },
		{ "/secretmem", "nobody but the process may read it (memfd_secret)" },
	};
	const struct dump_task task = { .host_pid = host_pid };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		/* The kernel's own files never had a name; somebody else's may be called so. */
		if (names[i].prefix[0] == '/' && !vma->deleted)
			continue;
		if (!strncmp(vma->name, names[i].prefix, strlen(names[i].prefix)))
			return refuse(&task, vma, names[i].why, err);
	}
	if (vma->vm_flags & PROC_VM_SHADOWSTACK)
		return refuse(&task, vma, "shadow stack: this version can't save it", err);
	/* What can only be run has a key that the kernel gives it by itself. */
	if (vma->pkey && vma->prot != PROT_EXEC)
		return refuse(&task, vma, "protection keys: this version can't save them", err);
	if (vma->vm_flags & PROC_VM_UFFD_MISSING)
		return refuse(&task, vma, "its faults are handled through userfaultfd", err);
	if (vma->vm_flags & PROC_VM_SEALED && vma->name[0] != '[')
		return refuse(&task, vma, "it is sealed (mseal)", err);
	if (vma->vm_flags & (PROC_VM_IO | PROC_VM_PFNMAP) && vma->name[0] != '[')
		return refuse(&task, vma, "device memory can't be saved", err);
	return sysv_is_vma(vma) ? sysv_check_vma(host_pid, vma, err) : 0;
}

/* How the file was opened that stands behind the mapping: the link's mode says it. */
static int link_mode(const struct dump_task *task, const char *link, VmaEntry *entry,
		     struct error *err)
{
	struct stat st;

	if (fstatat(task->proc, link, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, "stat '%s'", link);
	entry->has_fdflags = true;
	entry->fdflags = (st.st_mode & 0600) == 0600 ? O_RDWR
			 : (st.st_mode & 0200)	     ? O_WRONLY
						     : O_RDONLY;
	return 1;
}

static int set_file(struct dump *dump, struct dump_task *task, const struct proc_vma *vma,
		    const char *link, VmaEntry *entry, struct error *err)
{
	struct stat st;
	uint32_t id;
	int r;

	if (fstatat(task->proc, link, &st, 0) < 0)
		return err_sys(err, "task %d: stat '%s'", task->host_pid, link);
	if (vma->vm_flags & PROC_VM_HUGETLB)
		entry->flags |= memfd_huge_flag((uint64_t)st.st_blksize);
	if (sysv_is_vma(vma))
		return sysv_note_vma(dump, task->host_pid, vma, entry, err);
	if (vma->deleted && !vma->shared && vma->vm_flags & PROC_VM_HUGETLB &&
	    !strcmp(vma->name, HUGE_ANONYMOUS)) {
		entry->flags |= MAP_ANONYMOUS;
		entry->status |= VMA_ANON_PRIVATE;
		entry->pgoff = 0;
		entry->has_fdflags = false;
		return 0;
	}
	/* A private mapping of /dev/zero is anonymous memory that has a name. */
	if (!S_ISREG(st.st_mode) &&
	    (vma->shared || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 5)))
		return refuse(task, vma, "memory of a device can't be saved", err);
	/* Opened for writing only where shared writing needs it. */
	r = dump_plain_file(dump, task, link, vma->shared ? entry->fdflags : O_RDONLY, &id, err);
	if (r < 0)
		return err_wrap(err, r, "task %d: mapping %" PRIx64 "-%" PRIx64, task->host_pid,
				vma->start, vma->end);
	entry->shmid = id;
	entry->status |= vma->shared ? VMA_FILE_SHARED : VMA_FILE_PRIVATE;
	if (vma->deleted && (!strncmp(vma->name, "/memfd:", 7) || !strcmp(vma->name, ANONYMOUS) ||
			     !strcmp(vma->name, HUGE_ANONYMOUS)))
		entry->status |= VMA_AREA_MEMFD;
	return 0;
}

static void set_special(const struct proc_vma *vma, VmaEntry *entry)
{
	entry->status = VMA_AREA_REGULAR;
	if (!strcmp(vma->name, "[vsyscall]"))
		entry->status = VMA_AREA_VSYSCALL;
	else if (!strcmp(vma->name, "[vdso]"))
		entry->status |= VMA_AREA_VDSO;
	else if (!strcmp(vma->name, "[vvar]") || !strcmp(vma->name, "[vvar_vclock]"))
		entry->status |= VMA_AREA_VVAR;
	else if (!strcmp(vma->name, "[heap]"))
		entry->status |= VMA_AREA_HEAP;
}

static int collect_vma(struct dump *dump, struct dump_task *task, struct dump_vma *vma,
		       const struct dump_vma *previous, struct error *err)
{
	const struct proc_vma *proc = vma->proc;
	VmaEntry *entry = vma->entry;
	char link[64];
	int r;

	vma_entry__init(entry);
	entry->start = proc->start;
	entry->end = proc->end;
	entry->pgoff = proc->offset;
	entry->prot = (uint32_t)proc->prot;
	entry->fd = -1;
	set_flags(proc, entry);
	set_special(proc, entry);
	r = dump_vma_check(task->host_pid, proc, err);
	if (r == 0 && proc->vm_flags & PROC_VM_UFFD_WP) {
		r = track_find(task, err);
		if (r == 0 && task->track_fd < 0)
			return refuse(task, proc, "its writes are watched through userfaultfd",
				      err);
	}
	if (r < 0)
		return r;

	/* A segment's inode number is its id, which may be 0. */
	if (!proc->ino && !sysv_is_vma(proc)) {
		entry->flags |= MAP_ANONYMOUS;
		entry->status |= VMA_ANON_PRIVATE;
		entry->pgoff = 0;
		vma->has_pages = !(entry->status & (VMA_AREA_VVAR | VMA_AREA_VSYSCALL)) &&
				 !(entry->flags & MAP_DROPPABLE);
		return proc->shared ? refuse(task, proc, "shared memory of an unknown kind", err)
				    : 0;
	}
	(void)snprintf(link, sizeof(link), "map_files/%" PRIx64 "-%" PRIx64, proc->start,
		       proc->end); /* always fits */
	r = link_mode(task, link, entry, err);
	if (r < 0)
		return r;
	if (r == 0)
		return refuse(task, proc, "the file behind it can't be found", err);
	/* A seal made it so, whatever the file was opened for. */
	if (proc->shared && !(proc->vm_flags & PROC_VM_MAYWRITE))
		entry->fdflags = O_RDONLY;
	vma->has_pages = !proc->shared;
	/* The segments of one library come in a row: one look serves all. */
	if (previous && previous->proc->ino == proc->ino && !proc->shared &&
	    !previous->proc->shared && previous->proc->dev_major == proc->dev_major &&
	    previous->proc->dev_minor == proc->dev_minor &&
	    !strcmp(previous->proc->name, proc->name) && previous->proc->deleted == proc->deleted &&
	    previous->entry->status & VMA_FILE_PRIVATE) {
		entry->shmid = previous->entry->shmid;
		entry->status |= VMA_FILE_PRIVATE;
		return 0;
	}
	return set_file(dump, task, proc, link, entry, err);
}

static int collect_auxv(struct dump *dump, const struct dump_task *task, MmEntry *mm,
			struct error *err)
{
	cleanup_free char *data = NULL;
	size_t len;
	size_t n;
	int r;

	r = file_read_at(task->proc, "auxv", AUXV_MAX, &data, &len, err);
	if (r < 0)
		return err_wrap(err, r, "task %d", task->host_pid);
	n = len / sizeof(uint64_t);
	/* The pair of zeros at the end is added by the kernel anyway. */
	if (n > AUXV_WORDS_MAX)
		n = AUXV_WORDS_MAX;
	mm->mm_saved_auxv = arena_memdup(&dump->arena, data, n * sizeof(uint64_t));
	if (!mm->mm_saved_auxv)
		return err_oom(err);
	mm->n_mm_saved_auxv = n;
	return 0;
}

static void set_limits(const struct proc_stat *stat, MmEntry *mm)
{
	mm->mm_start_code = stat->start_code;
	mm->mm_end_code = stat->end_code;
	mm->mm_start_data = stat->start_data;
	mm->mm_end_data = stat->end_data;
	mm->mm_start_stack = stat->start_stack;
	mm->mm_start_brk = stat->start_brk;
	mm->mm_arg_start = stat->arg_start;
	mm->mm_arg_end = stat->arg_end;
	mm->mm_env_start = stat->env_start;
	mm->mm_env_end = stat->env_end;
}

/* The kernel's data pages have two names since Linux 6.13; in the images they are one. */
static bool continues_vvar(const VmaEntry *previous, const VmaEntry *entry)
{
	return previous->status & VMA_AREA_VVAR && entry->status & VMA_AREA_VVAR &&
	       previous->end == entry->start;
}

int dump_mm_collect(struct dump *dump, struct dump_task *task, MmEntry *mm, struct error *err)
{
	VmaEntry *entries;
	int r = 0;

	if (!task->maps.n) /* else they were read while its many threads were looked at */
		r = proc_smaps_of(task->host_pid, &task->maps, err);
	if (r < 0)
		return r;
	task->n_vmas = task->maps.n;
	task->vmas = arena_new_array(&dump->arena, struct dump_vma, task->n_vmas + 1);
	entries = arena_new_array(&dump->arena, VmaEntry, task->n_vmas + 1);
	mm->vmas = arena_new_array(&dump->arena, VmaEntry *, task->n_vmas + 1);
	if (!task->vmas || !entries || !mm->vmas)
		return err_oom(err);
	for (size_t i = 0; i < task->n_vmas; i++) {
		task->vmas[i].proc = &task->maps.vmas[i];
		task->vmas[i].entry = &entries[i];
		r = collect_vma(dump, task, &task->vmas[i], i ? &task->vmas[i - 1] : NULL, err);
		if (r < 0)
			return r;
		if (mm->n_vmas && continues_vvar(mm->vmas[mm->n_vmas - 1], &entries[i]))
			mm->vmas[mm->n_vmas - 1]->end = entries[i].end;
		else
			mm->vmas[mm->n_vmas++] = &entries[i];
	}
	task->trusts_parent = dump->parent_dir >= 0 && track_trusts(task, dump->parent_dir);
	set_limits(&task->stat, mm);
	r = collect_auxv(dump, task, mm, err);
	if (r < 0)
		return r;
	return dump_plain_file(dump, task, "exe", O_RDONLY, &mm->exe_file_id, err);
}

/* What collect_vma() does, but for the files behind. */
int dump_mm_look(struct dump *dump, struct dump_task *task, struct error *err)
{
	VmaEntry *entries;
	int r = proc_smaps_of(task->host_pid, &task->maps, err);

	if (r < 0)
		return r;
	task->n_vmas = task->maps.n;
	task->vmas = arena_new_array(&dump->arena, struct dump_vma, task->n_vmas + 1);
	entries = arena_new_array(&dump->arena, VmaEntry, task->n_vmas + 1);
	if (!task->vmas || !entries)
		return err_oom(err);
	for (size_t i = 0; i < task->n_vmas; i++) {
		const struct proc_vma *vma = &task->maps.vmas[i];

		vma_entry__init(&entries[i]);
		set_flags(vma, &entries[i]);
		set_special(vma, &entries[i]);
		task->vmas[i] = (struct dump_vma){ .proc = vma, .entry = &entries[i] };
		task->vmas[i].has_pages = !vma->shared && vma->name[0] != '[' &&
					  !(vma->vm_flags & (PROC_VM_IO | PROC_VM_PFNMAP |
							     PROC_VM_HUGETLB | PROC_VM_DROPPABLE));
		if (!strcmp(vma->name, "[heap]") || !strncmp(vma->name, "[stack", 6) ||
		    !strncmp(vma->name, "[anon:", 6))
			task->vmas[i].has_pages = true;
	}
	return 0;
}

/* Behind the mappings, as CRIU has them. */
static int append_guards(struct dump *dump, const struct dump_task *task, MmEntry *mm,
			 struct error *err)
{
	VmaEntry **vmas;

	if (!task->n_guards)
		return 0;
	vmas = arena_new_array(&dump->arena, VmaEntry *, mm->n_vmas + task->n_guards);
	if (!vmas)
		return err_oom(err);
	memcpy(vmas, mm->vmas, mm->n_vmas * sizeof(*vmas));
	for (size_t i = 0; i < task->n_guards; i++)
		vmas[mm->n_vmas + i] = &task->guards[i];
	mm->vmas = vmas;
	mm->n_vmas += task->n_guards;
	return 0;
}

int dump_mm_write(struct dump *dump, struct dump_task *task, MmEntry *mm, struct error *err)
{
	int r = append_guards(dump, task, mm, err);

	if (r < 0)
		return r;
	return dump_image_one(dump, IMG_KIND_MM, (uint64_t)task->ns_pid, &mm->base, err);
}
