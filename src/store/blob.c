#include "store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

#define CHUNK (256 * 1024)

bool blob_exists(int blobs_fd, const struct digest *digest)
{
	return faccessat(blobs_fd, digest_hex(digest), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int blob_open(int blobs_fd, const struct digest *digest, int *ret_fd, struct error *err)
{
	int fd;

	fd = openat(blobs_fd, digest_hex(digest), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0)
		return err_sys(err, "open blob '%s'", digest->text);
	*ret_fd = fd;
	return 0;
}

int blob_read(int blobs_fd, const struct digest *digest, char **ret_data, size_t *ret_len,
	      struct error *err)
{
	cleanup_free char *data = NULL;
	cleanup_fd int fd = -EBADF;
	struct digest found;
	size_t len = 0;
	int r;

	r = blob_open(blobs_fd, digest, &fd, err);
	if (r < 0)
		return r;
	r = fd_slurp(fd, BLOB_JSON_MAX, &data, &len);
	if (r < 0)
		return err_set(err, r, "read blob '%s': %s", digest->text, strerror(-r));
	digest_of(data, len, &found);
	if (!digest_equal(&found, digest))
		return err_set(err, -EBADMSG, "blob '%s' is damaged: its content has digest '%s'",
			       digest->text, found.text);
	*ret_data = take_ptr(&data);
	*ret_len = len;
	return 0;
}

int blob_write(int blobs_fd, const void *data, size_t len, struct digest *ret_digest,
	       struct error *err)
{
	digest_of(data, len, ret_digest);
	return file_write_atomic_at(blobs_fd, digest_hex(ret_digest), data, len, 0600, err);
}

int blob_verify(int blobs_fd, const struct digest *digest, struct error *err)
{
	cleanup_free char *chunk = NULL;
	cleanup_fd int fd = -EBADF;
	struct hasher hasher;
	struct digest found;
	int r;

	chunk = malloc(CHUNK);
	if (!chunk)
		return err_oom(err);
	r = blob_open(blobs_fd, digest, &fd, err);
	if (r < 0)
		return r;
	hasher_init(&hasher);
	for (;;) {
		ssize_t n = read(fd, chunk, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "read blob '%s'", digest->text);
		if (n == 0)
			break;
		hasher_add(&hasher, chunk, (size_t)n);
	}
	hasher_finish(&hasher, &found);
	if (!digest_equal(&found, digest))
		return err_set(err, -EBADMSG, "blob '%s' is damaged: its content has digest '%s'",
			       digest->text, found.text);
	return 0;
}
