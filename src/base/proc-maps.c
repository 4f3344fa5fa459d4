#include "base/proc-maps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/proc-priv.h"
#include "base/scan.h"

static const struct {
	char letters[3];
	enum proc_vm_flag flag;
} vm_flags[] = {
	{ "sh", PROC_VM_SHARED },	{ "ms", PROC_VM_MAYSHARE },   { "gd", PROC_VM_GROWSDOWN },
	{ "pf", PROC_VM_PFNMAP },	{ "lo", PROC_VM_LOCKED },     { "io", PROC_VM_IO },
	{ "dc", PROC_VM_DONTFORK },	{ "de", PROC_VM_DONTEXPAND }, { "dd", PROC_VM_DONTDUMP },
	{ "mg", PROC_VM_MERGEABLE },	{ "hg", PROC_VM_HUGEPAGE },   { "nh", PROC_VM_NOHUGEPAGE },
	{ "ht", PROC_VM_HUGETLB },	{ "wf", PROC_VM_WIPEONFORK }, { "nr", PROC_VM_NORESERVE },
	{ "um", PROC_VM_UFFD_MISSING }, { "uw", PROC_VM_UFFD_WP },    { "sr", PROC_VM_SEQREAD },
	{ "rr", PROC_VM_RANDREAD },	{ "mm", PROC_VM_MIXEDMAP },   { "ss", PROC_VM_SHADOWSTACK },
	{ "sl", PROC_VM_SEALED },	{ "dp", PROC_VM_DROPPABLE },  { "ac", PROC_VM_ACCOUNT },
	{ "mw", PROC_VM_MAYWRITE },
};

static uint32_t scan_vm_flags(const char *p)
{
	uint32_t flags = 0;

	for (;;) {
		scan_blanks(&p);
		if (!p[0] || p[0] == '\n' || !p[1] || p[1] == '\n')
			return flags;
		for (size_t i = 0; i < ARRAY_SIZE(vm_flags); i++) {
			if (memcmp(p, vm_flags[i].letters, 2) == 0)
				flags |= vm_flags[i].flag;
		}
		while (*p && *p != ' ' && *p != '\n')
			p++;
	}
}

static bool scan_perms(const char **p, struct proc_vma *vma)
{
	const char *s = *p;

	if (strnlen(s, 4) < 4)
		return false;
	vma->prot = (s[0] == 'r' ? PROT_READ : 0) | (s[1] == 'w' ? PROT_WRITE : 0) |
		    (s[2] == 'x' ? PROT_EXEC : 0);
	vma->shared = s[3] == 's';
	if (s[3] != 's' && s[3] != 'p')
		return false;
	*p += 4;
	return true;
}

/* "7f..-7f.. r-xp 00000000 fe:00 247498   /usr/bin/head"; leaves *p at the name. */
static bool scan_head(const char **p, struct proc_vma *vma)
{
	const char *s = *p;

	if (!scan_u64(&s, 16, &vma->start) || !scan_literal(&s, "-") ||
	    !scan_u64(&s, 16, &vma->end) || !scan_literal(&s, " ") || !scan_perms(&s, vma) ||
	    !scan_literal(&s, " ") || !scan_u64(&s, 16, &vma->offset) || !scan_literal(&s, " ") ||
	    !scan_u32(&s, 16, &vma->dev_major) || !scan_literal(&s, ":") ||
	    !scan_u32(&s, 16, &vma->dev_minor) || !scan_literal(&s, " ") ||
	    !scan_u64(&s, 10, &vma->ino))
		return false;
	if (vma->start >= vma->end)
		return false;
	scan_blanks(&s);
	*p = s;
	return true;
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Undoes the kernel's \012 and cuts " (deleted)"; returns the place behind the name. */
static char *copy_name(const char *from, size_t len, char *to, struct proc_vma *vma)
{
	static const char deleted[] = " (deleted)";
	const size_t tail = sizeof(deleted) - 1;
	const char *end = from + len;

	if (len > tail && from[0] == '/' && memcmp(end - tail, deleted, tail) == 0) {
		vma->deleted = true;
		end -= tail;
	}
	vma->name = to;
	while (from < end) {
		if (end - from >= 4 && from[0] == '\\' && from[1] <= '3' && is_octal(from[1]) &&
		    is_octal(from[2]) && is_octal(from[3])) {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
				       (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to++ = '\0';
	return to;
}

/* A line of smaps that says more about the mapping before it. Unknown ones are fine. */
static bool scan_detail(const char *p, struct proc_vma *vma)
{
	if (scan_literal(&p, "VmFlags:")) {
		vma->vm_flags = scan_vm_flags(p);
	} else if (scan_literal(&p, "ProtectionKey:")) {
		scan_blanks(&p);
		return scan_u64(&p, 10, &vma->pkey);
	} else if (scan_literal(&p, "Rss:")) {
		scan_blanks(&p);
		return scan_u64(&p, 10, &vma->rss_kb);
	} else if (scan_literal(&p, "Swap:")) {
		scan_blanks(&p);
		return scan_u64(&p, 10, &vma->swap_kb);
	}
	return true;
}

static bool is_head(const char *p)
{
	uint64_t v;

	return scan_u64(&p, 16, &v) && *p == '-';
}

static int vma_add(struct proc_maps *maps, const struct proc_vma *vma, size_t *size)
{
	if (maps->n == *size) {
		size_t more = *size ? 2 * *size : 64;
		struct proc_vma *vmas = reallocarray(maps->vmas, more, sizeof(*vmas));

		if (!vmas)
			return -ENOMEM;
		maps->vmas = vmas;
		*size = more;
	}
	maps->vmas[maps->n++] = *vma;
	return 0;
}

int proc_maps_parse(const char *text, size_t len, struct proc_maps *ret_maps, struct error *err)
{
	cleanup_proc_maps struct proc_maps maps = { NULL };
	size_t size = 0;
	char *name_end;

	if (strlen(text) != len)
		return err_set(err, -EBADMSG, "maps: zero byte in the text");
	/* Names never become longer than they are in the text. */
	maps.names = name_end = malloc(len + 1);
	if (!maps.names)
		return err_oom(err);

	for (const char *p = text; *p; p = scan_next_line(p)) {
		struct proc_vma vma = { 0 };
		const char *s = p;

		if (!is_head(p)) {
			if (!maps.n || !scan_detail(p, &maps.vmas[maps.n - 1]))
				return err_set(err, -EBADMSG, "maps: bad line '%.*s'",
					       (int)strcspn(p, "\n"), p);
			continue;
		}
		if (!scan_head(&s, &vma) || (maps.n && vma.start < maps.vmas[maps.n - 1].end))
			return err_set(err, -EBADMSG, "maps: bad line '%.*s'",
				       (int)strcspn(p, "\n"), p);
		name_end = copy_name(s, strcspn(s, "\n"), name_end, &vma);
		if (vma_add(&maps, &vma, &size) < 0)
			return err_oom(err);
	}
	*ret_maps = maps;
	maps = (struct proc_maps){ NULL };
	return 0;
}

void proc_maps_done(struct proc_maps *maps)
{
	free(maps->vmas);
	free(maps->names);
	*maps = (struct proc_maps){ NULL };
}

static int maps_at(pid_t host_pid, const char *file, struct proc_maps *ret_maps, struct error *err)
{
	cleanup_free char *text = NULL;
	char path[PROC_PATH_MAX];
	size_t len = 0;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)host_pid, file);
	r = proc_read(path, PROC_TEXT_LARGE, &text, &len, err);
	if (r < 0)
		return r;
	r = proc_maps_parse(text, len, ret_maps, err);
	if (r < 0)
		return err_wrap(err, r, "%s", path);
	return 0;
}

int proc_maps_of(pid_t host_pid, struct proc_maps *ret_maps, struct error *err)
{
	return maps_at(host_pid, "maps", ret_maps, err);
}

int proc_smaps_of(pid_t host_pid, struct proc_maps *ret_maps, struct error *err)
{
	return maps_at(host_pid, "smaps", ret_maps, err);
}

const struct proc_vma *proc_maps_find(const struct proc_maps *maps, const char *name)
{
	for (size_t i = 0; i < maps->n; i++) {
		if (strcmp(maps->vmas[i].name, name) == 0)
			return &maps->vmas[i];
	}
	return NULL;
}

int proc_pagemap_read(int pagemap_fd, uint64_t start, size_t n, uint64_t *ret_entries,
		      struct error *err)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	size_t done = 0;

	while (done < n * sizeof(uint64_t)) {
		ssize_t got =
			pread(pagemap_fd, (char *)ret_entries + done, n * sizeof(uint64_t) - done,
			      (off_t)(start / page * sizeof(uint64_t) + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, "read the page map at %" PRIx64, start);
		if (got == 0)
			return err_set(err, -EBADMSG, "the page map ends before %" PRIx64,
				       start + n * page);
		done += (size_t)got;
	}
	return 0;
}
