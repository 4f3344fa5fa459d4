/*
 * fd: whole reads and writes. All return 0 or -errno; a short file where a
 * full read was asked for is -EBADMSG. Interrupted calls are repeated.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

int fd_write_all(int fd, const void *data, size_t len);
int fd_pwrite_all(int fd, const void *data, size_t len, uint64_t offset);
int fd_pread_all(int fd, void *data, size_t len, uint64_t offset);

/*
 * Reads to the end of file, at most `max` bytes (more is -EFBIG). The result is
 * the caller's, and has a zero byte after its `len` bytes.
 */
int fd_slurp(int fd, size_t max, char **ret_data, size_t *ret_len);

/* The same for files whose reads are only short at the end: saves the read that returns 0. */
int fd_slurp_once(int fd, size_t max, char **ret_data, size_t *ret_len);

/* A duplicate with O_CLOEXEC at `min` or above, or -errno. */
int fd_dup_above(int fd, int min);
