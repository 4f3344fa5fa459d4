#include "store/layer-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"

#define TEMP_NAME "layer.tmp"
#define LEVEL 1
#define THREADS 2

struct layer_writer {
	int blobs_fd; /* borrowed */
	int fd;
	ZSTD_CCtx *zstd;
	struct hasher diff_id;
	struct hasher blob;
	size_t out_size;
	char *out;
};

int layer_writer_open(int blobs_fd, struct layer_writer **ret_writer, struct error *err)
{
	cleanup_layer_writer struct layer_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return err_oom(err);
	w->fd = -EBADF;
	w->blobs_fd = blobs_fd;
	w->out_size = ZSTD_CStreamOutSize();
	w->out = malloc(w->out_size);
	w->zstd = ZSTD_createCCtx();
	if (!w->out || !w->zstd)
		return err_oom(err);
	(void)ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL);
	(void)ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_checksumFlag, 1);
	/* refused by a library built without threads, which is fine */
	(void)ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_nbWorkers, THREADS);
	hasher_init(&w->diff_id);
	hasher_init(&w->blob);
	w->fd = openat(blobs_fd, TEMP_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (w->fd < 0)
		return err_sys(err, "create '%s'", TEMP_NAME);
	*ret_writer = take_ptr(&w);
	return 0;
}

/* 1: all of the input is taken (at the end: all is written); 0: once more. */
static int compress(struct layer_writer *w, ZSTD_inBuffer *in, ZSTD_EndDirective how,
		    struct error *err)
{
	ZSTD_outBuffer out = { .dst = w->out, .size = w->out_size };
	size_t left = ZSTD_compressStream2(w->zstd, &out, in, how);
	int r;

	if (ZSTD_isError(left))
		return err_set(err, -EIO, "compress the layer: %s", ZSTD_getErrorName(left));
	hasher_add(&w->blob, w->out, out.pos);
	r = fd_write_all(w->fd, w->out, out.pos);
	if (r < 0)
		return err_set(err, r, "write the layer: %s", strerror(-r));
	return how == ZSTD_e_end ? left == 0 : in->pos == in->size;
}

int layer_writer_add(struct layer_writer *w, const void *data, size_t len, struct error *err)
{
	ZSTD_inBuffer in = { .src = data, .size = len };
	int r;

	hasher_add(&w->diff_id, data, len);
	do {
		r = compress(w, &in, ZSTD_e_continue, err);
	} while (r == 0);
	return r < 0 ? r : 0;
}

int layer_writer_finish(struct layer_writer *w, struct new_layer *ret_layer, struct error *err)
{
	ZSTD_inBuffer in = { .size = 0 };
	struct new_layer layer;
	int r;

	do {
		r = compress(w, &in, ZSTD_e_end, err);
	} while (r == 0);
	if (r < 0)
		return r;
	layer.blob_size = w->blob.size;
	hasher_finish(&w->diff_id, &layer.diff_id);
	hasher_finish(&w->blob, &layer.blob);
	if (renameat(w->blobs_fd, TEMP_NAME, w->blobs_fd, digest_hex(&layer.blob)) < 0)
		return err_sys(err, "rename '%s'", TEMP_NAME);
	cleanup_fd_p(&w->fd);
	w->fd = -EBADF;
	*ret_layer = layer;
	return 0;
}

void layer_writer_free(struct layer_writer *w)
{
	int saved = errno;

	if (!w)
		return;
	if (w->fd >= 0) {
		(void)unlinkat(w->blobs_fd, TEMP_NAME, 0); /* the whole work folder goes anyway */
		cleanup_fd_p(&w->fd);
	}
	(void)ZSTD_freeCCtx(w->zstd); /* takes NULL */
	free(w->out);
	free(w);
	errno = saved;
}
