/*
 * verify-memory: mappings, and the pages in them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "img/image.h"
#include "img/pagemap.h"
#include "img/pb/mm.pb-c.h"
#include "img/verify-priv.h"

/* Bits of vma_entry.status. */
#define VMA_FILE_PRIVATE (1u << 6)
#define VMA_FILE_SHARED (1u << 7)
#define VMA_AREA_GUARD (1u << 16) /* no mapping: guard pages inside one; all stand at the end */

static void check_file_id(struct verify *verify, uint32_t pid, const char *what, uint64_t id)
{
	if (verify->files.n && !id_table_find(&verify->files, id))
		verify_found(verify, "mm-%u.img: %s: file %#" PRIx64 " is missing", pid, what, id);
}

static size_t count_mappings(const MmEntry *mm)
{
	size_t n = mm->n_vmas;

	while (n > 0 && mm->vmas[n - 1]->status & VMA_AREA_GUARD)
		n--;
	return n;
}

/* True: they are in order, so that pages can be looked up in them. */
static bool check_mappings(struct verify *verify, uint32_t pid, const MmEntry *mm)
{
	size_t n = count_mappings(mm);
	bool ordered = true;
	uint64_t end = 0;

	check_file_id(verify, pid, "its program", mm->exe_file_id);
	for (size_t i = 0; i < n; i++) {
		const VmaEntry *vma = mm->vmas[i];
		char what[64];

		(void)snprintf(what, sizeof(what), "mapping %#" PRIx64 "-%#" PRIx64, vma->start,
			       vma->end);
		if (vma->start >= vma->end || vma->start % PAGEMAP_PAGE ||
		    vma->end % PAGEMAP_PAGE) {
			verify_found(verify, "mm-%u.img: %s: is no run of pages", pid, what);
			ordered = false;
		} else if (vma->start < end) {
			verify_found(verify, "mm-%u.img: %s: overlaps the one before", pid, what);
			ordered = false;
		}
		end = vma->end;
		if (vma->status & (VMA_FILE_PRIVATE | VMA_FILE_SHARED))
			check_file_id(verify, pid, what, vma->shmid);
	}
	return ordered;
}

/* Both are in address order. */
static void check_pages_are_mapped(struct verify *verify, uint32_t pid, const MmEntry *mm,
				   const struct pagemap *map)
{
	size_t n = count_mappings(mm);
	size_t v = 0;

	for (size_t i = 0; i < map->n_runs; i++) {
		uint64_t at = map->runs[i].vaddr;
		uint64_t end = pagemap_run_end(&map->runs[i]);

		while (at < end) {
			while (v < n && mm->vmas[v]->end <= at)
				v++;
			if (v == n || mm->vmas[v]->start > at) {
				verify_found(verify,
					     "pagemap-%u.img: run %zu: page %#" PRIx64
					     " is in no mapping of mm-%u.img",
					     pid, i, at, pid);
				return;
			}
			at = mm->vmas[v]->end;
		}
	}
}

static bool open_pagemap(struct verify *verify, enum img_kind kind, uint64_t id,
			 struct pagemap *map)
{
	struct error err = ERROR_INIT;
	char name[IMG_NAME_MAX];

	if (verify_is_damaged(verify, kind, id)) {
		verify->pagemap_unread = true;
		return false; /* told already */
	}
	img_kind_file_name(kind, id, name);
	if (pagemap_open(map, verify->dirfd, kind, id, &err) < 0) {
		verify->pagemap_unread = true;
		verify_found(verify, "%s: %s", name, err.text);
		return false;
	}
	if (map->pages_fd >= 0) {
		id_table_add(verify, &verify->pages, map->pages_id, 0);
		verify->summary.pages += map->present_pages;
	}
	for (size_t i = 0; i < map->n_runs && !verify->has_parent; i++) {
		if (!(map->runs[i].flags & PE_PARENT))
			continue;
		verify_found(
			verify,
			"%s: run %zu: is in the parent folder's images, and there is no parent",
			name, i);
		break;
	}
	return true;
}

void verify_memory(struct verify *verify, uint32_t pid)
{
	cleanup_arena struct arena arena = ARENA_INIT;
	cleanup_pagemap struct pagemap map = PAGEMAP_INIT;
	const MmEntry *mm;
	char who[32];
	bool ordered = false;

	arena_init(&arena, ARENA_LIMIT);
	(void)snprintf(who, sizeof(who), "task %u", pid);
	mm = verify_need(verify, IMG_KIND_MM, pid, &arena, who);
	if (mm)
		ordered = check_mappings(verify, pid, mm);
	if (!folder_find(&verify->folder, IMG_KIND_PAGEMAP, pid)) {
		verify_found(verify, "pagemap-%u.img: is missing, and %s needs it", pid, who);
		return;
	}
	if (open_pagemap(verify, IMG_KIND_PAGEMAP, pid, &map) && ordered)
		check_pages_are_mapped(verify, pid, mm, &map);
}

void verify_segments(struct verify *verify)
{
	const struct folder *folder = &verify->folder;

	for (size_t i = 0; i < folder->n_files; i++) {
		cleanup_pagemap struct pagemap map = PAGEMAP_INIT;

		if (folder->files[i].kind == IMG_KIND_PAGEMAP_SHMEM)
			(void)open_pagemap(verify, IMG_KIND_PAGEMAP_SHMEM, folder->files[i].id,
					   &map);
	}
	id_table_seal(&verify->pages);
	for (size_t i = 1; i < verify->pages.n; i++)
		if (verify->pages.rows[i].id == verify->pages.rows[i - 1].id)
			verify_found(verify, "pages-%llu.img: two pagemaps lay claim to it",
				     (unsigned long long)verify->pages.rows[i].id);
	for (size_t i = 0; i < folder->n_files; i++)
		if (folder->files[i].kind == IMG_KIND_PAGES && !verify->pagemap_unread &&
		    !id_table_find(&verify->pages, folder->files[i].id))
			verify_found(verify, "%s: no pagemap says what it is",
				     folder->files[i].name);
}
