/*
 * shmem: shared anonymous memory, one segment for all its mappings.
 *
 * The segment's number in the images is the inode of the nameless file that
 * the kernel keeps behind it; its pages are in pagemap-shmem-N.img.
 */
#pragma once

#include <stdint.h>

#include "base/proc-maps.h"
#include "img/pb/vma.pb-c.h"

struct dump;
struct dump_task;
struct error;

/* Makes `entry` a mapping of that segment. `link` is its map_files link below /proc/PID. */
int shmem_note(struct dump *dump, struct dump_task *task, const struct proc_vma *vma,
	       const char *link, VmaEntry *entry, struct error *err);

/* The file's pages are saved as those of a segment with that number. The descriptor is taken on
 * success. */
int shmem_note_file(struct dump *dump, uint64_t ino, int *fd, struct error *err);

/* All segments noted. */
int shmem_write(struct dump *dump, struct error *err);
void shmem_done(struct dump *dump);
