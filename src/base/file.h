/*
 * file: whole small files by folder and name. `dirfd` may be AT_FDCWD.
 * Errors name the file as given.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct error;

/* Reads the whole file, at most `max` bytes; the caller's, zero-terminated. */
int file_read_at(int dirfd, const char *name, size_t max, char **ret_data, size_t *ret_len,
		 struct error *err);

/*
 * The same for a file of /proc that is one record to the kernel (single_open() or a page of text:
 * stat, status, limits, cgroup, fdinfo, sysctls): a read that is not full has got all of it.
 * Not for those that are listed line by line, as maps, children, mountinfo.
 */
int file_read_record_at(int dirfd, const char *name, size_t max, char **ret_data, size_t *ret_len,
			struct error *err);

/*
 * Replaces the file as a whole: temporary file, write, fsync, rename, fsync of
 * the folder. After a crash there is the old file or the new one.
 */
int file_write_atomic_at(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
			 struct error *err);

/* The same without waiting for the disk: whole for every reader, but lost or old after a power
 * cut. For state that dies with the system anyway. */
int file_replace_at(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		    struct error *err);

/*
 * Makes or overwrites the file, without a word on when it reaches the disk: for
 * files that are worthless without others written beside them.
 */
int file_write_at(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		  struct error *err);

/* One write(2) to an existing file, as the kernel's control files want it. */
int file_poke_at(int dirfd, const char *name, const char *text, struct error *err);

/* Removes a file or a folder with all below it; absent is fine; never follows symlinks. */
int file_remove_tree_at(int dirfd, const char *name, struct error *err);

/* mkdir -p; existing folders are left as they are. */
int file_make_dirs_at(int dirfd, const char *path, mode_t mode, struct error *err);
