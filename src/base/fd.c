#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

int fd_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_pwrite_all(int fd, const void *data, size_t len, uint64_t offset)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, (off_t)offset);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int fd_pread_all(int fd, void *data, size_t len, uint64_t offset)
{
	char *p = data;

	while (len > 0) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (n == 0)
			return -EBADMSG;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

static int slurp(int fd, size_t max, bool short_is_end, char **ret_data, size_t *ret_len)
{
	cleanup_free char *data = NULL;
	size_t size = 4096;
	size_t len = 0;

	data = malloc(size);
	if (!data)
		return -ENOMEM;
	for (;;) {
		size_t room = size - len - 1;
		ssize_t n = read(fd, data + len, room);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		len += (size_t)n;
		if (len > max)
			return -EFBIG;
		if (n == 0 || (short_is_end && (size_t)n < room))
			break;
		if (len == size - 1) {
			char *bigger = realloc(data, size * 2);

			if (!bigger)
				return -ENOMEM;
			data = bigger;
			size *= 2;
		}
	}
	data[len] = '\0';
	*ret_data = take_ptr(&data);
	if (ret_len)
		*ret_len = len;
	return 0;
}

int fd_slurp(int fd, size_t max, char **ret_data, size_t *ret_len)
{
	return slurp(fd, max, false, ret_data, ret_len);
}

int fd_slurp_once(int fd, size_t max, char **ret_data, size_t *ret_len)
{
	return slurp(fd, max, true, ret_data, ret_len);
}

int fd_dup_above(int fd, int min)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, min);

	return copy < 0 ? -errno : copy;
}
