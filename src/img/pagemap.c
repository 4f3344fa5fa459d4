#include "img/pagemap.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "img/pb/pagemap.pb-c.h"

#define KNOWN_FLAGS (PE_PARENT | PE_LAZY | PE_PRESENT)

/* ---- writing ---- */

static int write_head(struct pagemap_writer *writer, uint32_t pages_id, struct error *err)
{
	PagemapHead head = PAGEMAP_HEAD__INIT;

	head.pages_id = pages_id;
	writer->pages_id = pages_id;
	return image_write(&writer->index, &head.base, err);
}

int pagemap_create(struct pagemap_writer *writer, int dirfd, enum img_kind kind, uint64_t id,
		   uint32_t pages_id, struct error *err)
{
	cleanup_image struct image pages = IMAGE_INIT;
	int r;

	r = image_create(&writer->index, dirfd, kind, id, err);
	if (r < 0)
		return r;
	r = image_create(&pages, dirfd, IMG_KIND_PAGES, pages_id, err);
	if (r < 0)
		return r;
	writer->pages_fd = take_fd(&pages.fd);
	return write_head(writer, pages_id, err);
}

int pagemap_create_on(struct pagemap_writer *writer, int index_fd, int pages_fd, enum img_kind kind,
		      uint64_t id, uint32_t pages_id, struct error *err)
{
	int r = image_create_on(&writer->index, index_fd, kind, id, err);

	if (r < 0)
		return r;
	writer->pages_fd = pages_fd;
	writer->lent = true;
	return write_head(writer, pages_id, err);
}

static int write_open_run(struct pagemap_writer *writer, struct error *err)
{
	const struct pagemap_run *run = &writer->open;
	PagemapEntry entry = PAGEMAP_ENTRY__INIT;
	int r;

	if (run->nr_pages == 0)
		return 0;
	entry.vaddr = run->vaddr;
	entry.has_flags = true;
	entry.flags = run->flags;
	/* Older CRIU knows the 32-bit count only. */
	entry.compat_nr_pages = run->nr_pages > UINT32_MAX ? 0 : (uint32_t)run->nr_pages;
	entry.has_nr_pages = true;
	entry.nr_pages = run->nr_pages;
	r = image_write(&writer->index, &entry.base, err);
	if (r == 0)
		writer->open.nr_pages = 0;
	return r;
}

int pagemap_add(struct pagemap_writer *writer, uint64_t vaddr, uint64_t nr_pages, uint32_t flags,
		struct error *err)
{
	struct pagemap_run *open = &writer->open;
	int r;

	if (nr_pages == 0)
		return 0;
	assert(vaddr % PAGEMAP_PAGE == 0 && !(flags & ~KNOWN_FLAGS));
	if (flags & PE_PRESENT)
		writer->present_pages += nr_pages;
	if (open->nr_pages > 0 && open->flags == flags && pagemap_run_end(open) == vaddr) {
		open->nr_pages += nr_pages;
		return 0;
	}
	assert(open->nr_pages == 0 || vaddr >= pagemap_run_end(open));
	r = write_open_run(writer, err);
	if (r < 0)
		return r;
	*open = (struct pagemap_run){ .vaddr = vaddr, .nr_pages = nr_pages, .flags = flags };
	return 0;
}

int pagemap_finish(struct pagemap_writer *writer, struct error *err)
{
	uint64_t want = writer->present_pages * PAGEMAP_PAGE;
	struct stat st;
	int r;

	r = write_open_run(writer, err);
	if (r < 0)
		return r;
	if (fstat(writer->pages_fd, &st) < 0)
		return err_sys(err, "look at image 'pages-%u.img'", writer->pages_id);
	if ((uint64_t)st.st_size != want)
		return err_set(err, -EIO,
			       "image 'pages-%u.img': %" PRIu64
			       " bytes belong there, %jd are there",
			       writer->pages_id, want, (intmax_t)st.st_size);
	if (!writer->lent && close(take_fd(&writer->pages_fd)) < 0)
		return err_sys(err, "close image 'pages-%u.img'", writer->pages_id);
	return image_finish(&writer->index, err);
}

void pagemap_writer_done(struct pagemap_writer *writer)
{
	if (!writer->lent)
		cleanup_fd_p(&writer->pages_fd);
	image_done(&writer->index);
	*writer = (struct pagemap_writer)PAGEMAP_WRITER_INIT;
}

/* ---- reading ---- */

/* Entries before the `flags` field came said in_parent or nothing. */
static struct pagemap_run run_of_entry(const PagemapEntry *entry)
{
	struct pagemap_run run = {
		.vaddr = entry->vaddr,
		.nr_pages = entry->has_nr_pages ? entry->nr_pages : entry->compat_nr_pages,
	};

	if (entry->has_flags)
		run.flags = entry->flags;
	else
		run.flags = entry->has_in_parent && entry->in_parent ? PE_PARENT : PE_PRESENT;
	return run;
}

static int check_run(const struct pagemap *map, const struct pagemap_run *run, const char *name,
		     struct error *err)
{
	const struct pagemap_run *before = map->n_runs ? &map->runs[map->n_runs - 1] : NULL;
	const char *what = NULL;
	uint64_t bytes;
	uint64_t end;

	if (run->vaddr % PAGEMAP_PAGE)
		what = "is not on a page boundary";
	else if (run->nr_pages == 0)
		what = "has no pages";
	else if (__builtin_mul_overflow(run->nr_pages, PAGEMAP_PAGE, &bytes) ||
		 __builtin_add_overflow(run->vaddr, bytes, &end))
		what = "goes beyond the end of all addresses";
	else if (run->flags & ~KNOWN_FLAGS)
		what = "has unknown flags";
	else if (before && run->vaddr < pagemap_run_end(before))
		what = "begins before the end of the one before";
	if (!what)
		return 0;
	return err_set(err, -EBADMSG,
		       "image '%s': run %zu (%#" PRIx64 ", %" PRIu64 " pages, flags %#x) %s", name,
		       map->n_runs, run->vaddr, run->nr_pages, run->flags, what);
}

static int add_run(struct pagemap *map, size_t *room, struct pagemap_run run, struct error *err)
{
	if (map->n_runs == *room) {
		size_t more = *room ? *room * 2 : 64;
		void *grown = reallocarray(map->runs, more, sizeof(*map->runs));

		if (!grown)
			return err_oom(err);
		map->runs = grown;
		*room = more;
	}
	run.offset = map->present_pages * PAGEMAP_PAGE;
	map->runs[map->n_runs++] = run;
	if (run.flags & PE_PRESENT)
		map->present_pages += run.nr_pages;
	return 0;
}

static int read_runs(struct pagemap *map, struct image *index, struct error *err)
{
	size_t room = 0;

	for (;;) {
		cleanup_arena struct arena arena =
			ARENA_INIT; /* one entry needs no more than a chunk */
		PagemapEntry *entry = NULL;
		int r = 1;

		for (unsigned int i = 0; i < 256 && r > 0; i++) {
			struct pagemap_run run;

			r = image_read(index, &arena, &entry, err);
			if (r <= 0)
				break;
			run = run_of_entry(entry);
			r = check_run(map, &run, index->name, err);
			if (r == 0)
				r = add_run(map, &room, run, err);
			if (r < 0)
				return r;
			r = 1;
		}
		if (r <= 0)
			return r;
	}
}

static int open_pages(struct pagemap *map, int dirfd, struct error *err)
{
	cleanup_image struct image pages = IMAGE_INIT;
	int r = image_open(&pages, dirfd, IMG_KIND_PAGES, map->pages_id, err);

	if (r < 0)
		return r;
	/* Bytes, not pages, are compared: their product was not checked for overflow. */
	if (pages.size / PAGEMAP_PAGE < map->present_pages)
		return err_set(err, -EBADMSG,
			       "image '%s': has %" PRIu64 " bytes, its pagemap wants %" PRIu64
			       " pages",
			       pages.name, pages.size, map->present_pages);
	map->pages_fd = take_fd(&pages.fd);
	return 0;
}

int pagemap_open(struct pagemap *map, int dirfd, enum img_kind kind, uint64_t id, struct error *err)
{
	cleanup_pagemap struct pagemap made = PAGEMAP_INIT;
	cleanup_arena struct arena arena = ARENA_INIT;
	cleanup_image struct image index = IMAGE_INIT;
	PagemapHead *head = NULL;
	int r;

	r = image_open(&index, dirfd, kind, id, err);
	if (r < 0)
		return r;
	r = image_read(&index, &arena, &head, err);
	if (r < 0)
		return r;
	if (r > 0) {
		made.pages_id = head->pages_id;
		r = read_runs(&made, &index, err);
		if (r < 0)
			return r;
		r = open_pages(&made, dirfd, err);
		if (r < 0)
			return r;
	}
	*map = made;
	made = (struct pagemap)PAGEMAP_INIT;
	return 0;
}

size_t pagemap_find(const struct pagemap *map, uint64_t vaddr)
{
	size_t low = 0;
	size_t high = map->n_runs;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pagemap_run_end(&map->runs[middle]) <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void pagemap_done(struct pagemap *map)
{
	cleanup_fd_p(&map->pages_fd);
	free(map->runs);
	*map = (struct pagemap)PAGEMAP_INIT;
}
