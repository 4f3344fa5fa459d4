/*
 * watched: the files and folders that inotify and fanotify watch.
 *
 * The kernel tells an inode (device, number, file handle), never a name. A
 * handle can be opened where the file system allows that; the name of what was
 * opened is then looked up again to be sure. Elsewhere (overlayfs: the root of
 * most containers) the mounts of that device are searched for a name with the
 * same handle: before the freeze, because it takes a while.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "img/pb/fsnotify.pb-c.h"

struct dump;
struct error;

#define WATCHED_HANDLE_MAX 128

struct watched {
	uint32_t sdev; /* as the kernel keeps it: 12 bits of major above 20 of minor */
	uint64_t ino;
	uint32_t bytes; /* of the handle; 0: the file system has none */
	uint32_t type;
	uint8_t handle[WATCHED_HANDLE_MAX];
};

/* "ino:3c51a sdev:10 ... fhandle-bytes:8 fhandle-type:1 f_handle:1ac5030000000000" */
bool watched_parse(const char *line, struct watched *ret);
/* A hexadecimal number behind `key` (" mask:") on this line. */
bool watched_number(const char *line, const char *key, uint64_t *ret);

/*
 * Fills the image's record: handle, path, mount. A deleted one has no path; it
 * must be held open by the tree, which watched_finish() makes sure of.
 */
int watched_save(struct dump *dump, const char *where, const struct watched *watched,
		 FhEntry *handle, struct error *err);

/* Before the freeze: searches for what can't be opened. */
int watched_prepare(struct dump *dump, struct error *err);
int watched_finish(struct dump *dump, struct error *err);
void watched_done(struct dump *dump);

/* Something whose name is looked for. */
struct watched_wanted {
	struct watched watched;
	char *path; /* arena; NULL: not found */
	bool looked;
};

struct watched_wanted *watched_wanted(struct dump *dump, const struct watched *watched);

/* watched-search-dump.c: finds the `n` that are wanted of one device, in all mounts of it. */
int watched_search(struct dump *dump, uint32_t sdev, size_t n, struct error *err);
/* What a name leads to, links not followed; "": `dir` itself. */
bool watched_look(int dir, const char *name, uint32_t sdev, struct watched *ret);
