/*
 * ghost: a deleted file that is still open, carried in the images.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define GHOST_LIMIT (UINT64_C(1) << 20) /* bytes, unless --ghost-limit says more */

struct dump;
struct error;

/* Saves it, once however many descriptors it has. `fd` may be opened in any way. */
bool ghost_is_saved(const struct dump *dump, dev_t dev, ino_t ino);
int ghost_dump(struct dump *dump, int fd, const struct stat *st, uint32_t *ret_id,
	       struct error *err);
