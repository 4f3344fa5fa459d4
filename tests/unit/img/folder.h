/*
 * folder: a temporary folder for a test's images, and an arena for what is read.
 */
#pragma once

#include "../cmocka-all.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

struct fixture {
	char path[64];
	int dir;
	struct arena arena;
	struct error err;
};

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->path, "/tmp/cryopod-test-img-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dir >= 0);
	arena_init(&f->arena, ARENA_LIMIT);
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(close(f->dir), 0);
	assert_int_equal(file_remove_tree_at(AT_FDCWD, f->path, NULL), 0);
	arena_done(&f->arena);
	free(f);
	return 0;
}

static inline void put(struct fixture *f, const char *name, const void *data, size_t len)
{
	cleanup_fd int fd = openat(f->dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, data, len), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
