#include "../cmocka-all.h"

#include "folder.h"
#include "img/pagemap.h"
#include "img/pb/pagemap.pb-c.h"

static void add(struct fixture *f, struct pagemap_writer *w, uint64_t vaddr, uint64_t n,
		uint32_t flags, char fill)
{
	char page[PAGEMAP_PAGE];

	assert_int_equal(pagemap_add(w, vaddr, n, flags, &f->err), 0);
	if (!(flags & PE_PRESENT))
		return;
	memset(page, fill, sizeof(page));
	for (uint64_t i = 0; i < n; i++)
		assert_int_equal(fd_write_all(w->pages_fd, page, sizeof(page)), 0);
}

static void runs_are_joined_and_found(void **state)
{
	struct fixture *f = *state;
	cleanup_pagemap_writer struct pagemap_writer w = PAGEMAP_WRITER_INIT;
	cleanup_pagemap struct pagemap map = PAGEMAP_INIT;
	char byte = 0;

	assert_int_equal(pagemap_create(&w, f->dir, IMG_KIND_PAGEMAP, 7, 3, &f->err), 0);
	add(f, &w, 0x1000, 1, PE_PRESENT, 'a');
	add(f, &w, 0x2000, 1, PE_PRESENT, 'b');
	add(f, &w, 0x3000, 0, PE_PRESENT, 'x');
	add(f, &w, 0x8000, 1, PE_PARENT, 'x');
	add(f, &w, 0x9000, 3, PE_PRESENT | PE_LAZY, 'c');
	add(f, &w, 0xc000, 1, PE_PRESENT, 'd');
	add(f, &w, UINT64_C(0xfffffffffe000), UINT64_C(0x100000001), PE_PARENT, 'x');
	assert_int_equal(pagemap_finish(&w, &f->err), 0);

	assert_int_equal(pagemap_open(&map, f->dir, IMG_KIND_PAGEMAP, 7, &f->err), 0);
	assert_int_equal(map.pages_id, 3);
	assert_int_equal(map.n_runs, 5);
	assert_int_equal(map.present_pages, 6);
	assert_int_equal(map.runs[0].nr_pages, 2);
	assert_int_equal(map.runs[2].offset, 2 * PAGEMAP_PAGE);
	assert_int_equal(map.runs[3].offset, 5 * PAGEMAP_PAGE);
	assert_true(map.runs[4].nr_pages == UINT64_C(0x100000001));
	assert_int_equal(fd_pread_all(map.pages_fd, &byte, 1, map.runs[3].offset), 0);
	assert_int_equal(byte, 'd');
	assert_int_equal(pagemap_find(&map, 0), 0);
	assert_int_equal(pagemap_find(&map, 0x2fff), 0);
	assert_int_equal(pagemap_find(&map, 0x3000), 1);
	assert_int_equal(pagemap_find(&map, 0xbfff), 2);
	assert_int_equal(pagemap_find(&map, UINT64_MAX), 5);
}

static void many_runs_are_read(void **state)
{
	struct fixture *f = *state;
	cleanup_pagemap_writer struct pagemap_writer w = PAGEMAP_WRITER_INIT;
	cleanup_pagemap struct pagemap map = PAGEMAP_INIT;

	assert_int_equal(pagemap_create(&w, f->dir, IMG_KIND_PAGEMAP_SHMEM, 9, 1, &f->err), 0);
	for (uint64_t i = 0; i < 100000; i++)
		assert_int_equal(pagemap_add(&w, i * 0x2000, 1, PE_PARENT, &f->err), 0);
	assert_int_equal(pagemap_finish(&w, &f->err), 0);
	assert_int_equal(pagemap_open(&map, f->dir, IMG_KIND_PAGEMAP_SHMEM, 9, &f->err), 0);
	assert_int_equal(map.n_runs, 100000);
	assert_int_equal(map.runs[99999].vaddr, 99999 * 0x2000);
}

static void missing_bytes_are_found_on_both_sides(void **state)
{
	struct fixture *f = *state;
	cleanup_pagemap_writer struct pagemap_writer w = PAGEMAP_WRITER_INIT;
	cleanup_pagemap struct pagemap map = PAGEMAP_INIT;

	assert_int_equal(pagemap_create(&w, f->dir, IMG_KIND_PAGEMAP, 1, 1, &f->err), 0);
	add(f, &w, 0x1000, 2, PE_PRESENT, 'a');
	assert_int_equal(pagemap_add(&w, 0x9000, 1, PE_PRESENT, &f->err), 0);
	assert_int_equal(pagemap_finish(&w, &f->err), -EIO);
	pagemap_writer_done(&w);

	assert_int_equal(pagemap_create(&w, f->dir, IMG_KIND_PAGEMAP, 1, 1, &f->err), 0);
	add(f, &w, 0x1000, 2, PE_PRESENT, 'a');
	assert_int_equal(pagemap_finish(&w, &f->err), 0);
	put(f, "pages-1.img", "short", 5);
	assert_int_equal(pagemap_open(&map, f->dir, IMG_KIND_PAGEMAP, 1, &f->err), -EBADMSG);
	assert_string_equal(f->err.text,
			    "image 'pages-1.img': has 5 bytes, its pagemap wants 2 pages");
	assert_int_equal(unlinkat(f->dir, "pages-1.img", 0), 0);
	assert_int_equal(pagemap_open(&map, f->dir, IMG_KIND_PAGEMAP, 1, &f->err), -ENOENT);
	assert_true(map.pages_fd < 0 && map.n_runs == 0);
}

struct raw_run {
	uint64_t vaddr;
	uint64_t nr_pages;
	uint32_t flags;
};

static int open_raw(struct fixture *f, const struct raw_run *runs, size_t n)
{
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_pagemap struct pagemap map = PAGEMAP_INIT;
	PagemapHead head = PAGEMAP_HEAD__INIT;

	head.pages_id = 1;
	put(f, "pages-1.img", "", 0);
	assert_int_equal(image_create(&image, f->dir, IMG_KIND_PAGEMAP, 1, &f->err), 0);
	assert_int_equal(image_write(&image, &head.base, &f->err), 0);
	for (size_t i = 0; i < n; i++) {
		PagemapEntry entry = PAGEMAP_ENTRY__INIT;

		entry.vaddr = runs[i].vaddr;
		entry.has_nr_pages = true;
		entry.nr_pages = runs[i].nr_pages;
		entry.has_flags = true;
		entry.flags = runs[i].flags;
		assert_int_equal(image_write(&image, &entry.base, &f->err), 0);
	}
	assert_int_equal(image_finish(&image, &f->err), 0);
	return pagemap_open(&map, f->dir, IMG_KIND_PAGEMAP, 1, &f->err);
}

static void impossible_runs_are_refused(void **state)
{
	struct fixture *f = *state;
	static const struct {
		struct raw_run runs[2];
		const char *what;
	} cases[] = {
		{ { { 0x1000, 2, PE_PARENT }, { 0x2000, 1, PE_PARENT } }, "begins before the end" },
		{ { { 0x9000, 1, PE_PARENT }, { 0x1000, 1, PE_PARENT } }, "begins before the end" },
		{ { { 0x1000, 1, PE_PARENT }, { 0x2001, 1, PE_PARENT } },
		  "not on a page boundary" },
		{ { { 0x1000, 1, PE_PARENT }, { 0x2000, 0, PE_PARENT } }, "has no pages" },
		{ { { 0x1000, 1, PE_PARENT }, { 0x2000, 1, 0x80 } }, "unknown flags" },
		{ { { 0x1000, 1, PE_PARENT }, { 0x2000, UINT64_MAX / 4096, PE_PARENT } },
		  "beyond the end" },
		{ { { 0x1000, 1, PE_PARENT }, { 0x2000, UINT64_C(1) << 52, PE_PARENT } },
		  "beyond the end" },
		{ { { 0x1000, 1, PE_PARENT }, { 0x2000, UINT64_C(1) << 51, PE_PRESENT } },
		  "its pagemap wants" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(open_raw(f, cases[i].runs, 2), -EBADMSG);
		assert_non_null(strstr(f->err.text, cases[i].what));
	}
}

/* CRIU before the flags field: in_parent, or nothing for "present". */
static void old_entries_are_understood(void **state)
{
	struct fixture *f = *state;
	cleanup_image struct image image = IMAGE_INIT;
	cleanup_pagemap struct pagemap map = PAGEMAP_INIT;
	PagemapHead head = PAGEMAP_HEAD__INIT;
	PagemapEntry entry = PAGEMAP_ENTRY__INIT;
	char page[PAGEMAP_PAGE] = { 0 };

	head.pages_id = 1;
	put(f, "pages-1.img", page, sizeof(page));
	assert_int_equal(image_create(&image, f->dir, IMG_KIND_PAGEMAP, 1, &f->err), 0);
	assert_int_equal(image_write(&image, &head.base, &f->err), 0);
	entry.vaddr = 0x1000;
	entry.compat_nr_pages = 1;
	assert_int_equal(image_write(&image, &entry.base, &f->err), 0);
	entry.vaddr = 0x2000;
	entry.compat_nr_pages = 5;
	entry.has_in_parent = entry.in_parent = true;
	assert_int_equal(image_write(&image, &entry.base, &f->err), 0);
	assert_int_equal(image_finish(&image, &f->err), 0);
	assert_int_equal(pagemap_open(&map, f->dir, IMG_KIND_PAGEMAP, 1, &f->err), 0);
	assert_int_equal(map.n_runs, 2);
	assert_int_equal(map.runs[0].flags, PE_PRESENT);
	assert_int_equal(map.runs[1].flags, PE_PARENT);
	assert_int_equal(map.runs[1].nr_pages, 5);
}

static void an_empty_image_has_no_pages(void **state)
{
	struct fixture *f = *state;
	cleanup_pagemap struct pagemap map = PAGEMAP_INIT;

	put(f, "pagemap-1.img", "", 0);
	assert_int_equal(pagemap_open(&map, f->dir, IMG_KIND_PAGEMAP, 1, &f->err), 0);
	assert_int_equal(map.n_runs, 0);
	assert_true(map.pages_fd < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(runs_are_joined_and_found),
		TEST(many_runs_are_read),
		TEST(missing_bytes_are_found_on_both_sides),
		TEST(impossible_runs_are_refused),
		TEST(old_entries_are_understood),
		TEST(an_empty_image_has_no_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
