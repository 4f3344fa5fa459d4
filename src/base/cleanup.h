/*
 * cleanup: ownership that ends with its scope.
 *
 *	cleanup_free char *name = NULL;
 *	cleanup_fd int fd = -EBADF;
 *	...
 *	*ret_name = take_ptr(&name);
 *
 * Variables are declared initialised, one per line. Handlers can't fail and
 * keep errno. The empty descriptor is any negative number; take_fd leaves
 * -EBADF behind.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline void cleanup_free_p(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

static inline void cleanup_fd_p(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd); /* nothing can be done about it here */
	errno = saved;
}

static inline void cleanup_dir_p(DIR **dir)
{
	int saved = errno;

	if (*dir)
		(void)closedir(*dir);
	errno = saved;
}

static inline void cleanup_file_p(FILE **file)
{
	int saved = errno;

	if (*file)
		(void)fclose(*file); /* writers check fclose themselves */
	errno = saved;
}

#define cleanup_free __attribute__((cleanup(cleanup_free_p)))
#define cleanup_fd __attribute__((cleanup(cleanup_fd_p)))
#define cleanup_dir __attribute__((cleanup(cleanup_dir_p)))
#define cleanup_file __attribute__((cleanup(cleanup_file_p)))

#define take_ptr(p)                                                                                \
	({                                                                                         \
		__typeof__(*(p)) taken_ = *(p);                                                    \
		*(p) = NULL;                                                                       \
		taken_;                                                                            \
	})

static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -EBADF;
	return taken;
}
