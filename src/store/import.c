#include "store/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "store/add.h"
#include "store/blob.h"
#include "store/change-line.h"
#include "store/folder-tar.h"
#include "store/image.h"
#include "store/layer-writer.h"
#include "store/media.h"
#include "store/name.h"
#include "store/store-priv.h"
#include "store/tar-stream.h"

/* Go's names of machines, which image configs use. */
static const char *machine_name(void)
{
	static const struct {
		const char *kernel;
		const char *image;
	} names[] = {
		{ "x86_64", "amd64" },	  { "aarch64", "arm64" }, { "riscv64", "riscv64" },
		{ "ppc64le", "ppc64le" }, { "s390x", "s390x" },
	};
	struct utsname uts;

	if (uname(&uts) == 0)
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (strcmp(uts.machine, names[i].kernel) == 0)
				return names[i].image;
	return "amd64";
}

/* RFC 3339 with nanoseconds. SOURCE_DATE_EPOCH makes an image reproducible. */
static void now_text(char *text, size_t size)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	uint64_t now = epoch ? strtoull(epoch, NULL, 10) * NS_PER_SEC : clock_real_ns();
	time_t seconds = (time_t)(now / NS_PER_SEC);
	char date[32];
	struct tm tm;

	(void)gmtime_r(&seconds, &tm);
	(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text, size, "%s.%09lluZ", date, (unsigned long long)(now % NS_PER_SEC));
}

/* --- the layer ------------------------------------------------------------------ */

/* Its entries are looked at when the layer is unpacked; here its bytes pass by. */
static int copy_tar(int fd, struct layer_writer *writer, struct error *err)
{
	cleanup_tar_stream struct tar_stream *stream = NULL;
	const void *data;
	size_t len;
	int r;

	r = tar_stream_open(fd, TAR_ANY, &stream, err);
	if (r < 0)
		return r;
	while ((r = tar_stream_bytes(stream, &data, &len, err)) > 0) {
		r = layer_writer_add(writer, data, len, err);
		if (r < 0)
			return r;
	}
	return r;
}

static int add_to_layer(void *writer, const void *data, size_t len, struct error *err)
{
	return layer_writer_add(writer, data, len, err);
}

static int copy_source(const char *source, int in, struct layer_writer *writer, struct error *err)
{
	const struct tar_sink sink = { .write = add_to_layer, .arg = writer };
	cleanup_fd int fd = -EBADF;
	struct stat st;
	int r;

	if (strcmp(source, "-") == 0) {
		r = copy_tar(in, writer, err);
		return r < 0 ? err_wrap(err, r, "standard input") : 0;
	}
	fd = open(source, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_sys(err, "open '%s'", source);
	if (fstat(fd, &st) < 0)
		return err_sys(err, "look at '%s'", source);
	if (S_ISDIR(st.st_mode))
		return folder_tar_write(source, FOLDER_TAR_WHOLE, &sink, err);
	r = copy_tar(fd, writer, err);
	return r < 0 ? err_wrap(err, r, "'%s'", source) : 0;
}

static int make_layer(const char *source, int in, int blobs_fd, struct new_layer *ret_layer,
		      struct error *err)
{
	cleanup_layer_writer struct layer_writer *writer = NULL;
	int r;

	r = layer_writer_open(blobs_fd, &writer, err);
	if (r == 0)
		r = copy_source(source, in, writer, err);
	return r < 0 ? r : layer_writer_finish(writer, ret_layer, err);
}

/* --- config and manifest ---------------------------------------------------------- */

static int write_json(int blobs_fd, const json_t *json, struct digest *ret_digest, size_t *ret_size,
		      struct error *err)
{
	cleanup_free char *text = NULL;
	int r;

	r = json_format(json, 0, &text, err);
	if (r < 0)
		return r;
	*ret_size = strlen(text);
	return blob_write(blobs_fd, text, *ret_size, ret_digest, err);
}

static int make_config(int blobs_fd, const struct import_options *options,
		       const struct new_layer *layer, struct digest *ret_digest, size_t *ret_size,
		       struct error *err)
{
	cleanup_json json_t *config = json_object();
	cleanup_json json_t *document = NULL;
	char now[64];
	int r = 0;

	if (!config)
		return err_oom(err);
	for (size_t i = 0; r == 0 && i < options->changes.n; i++)
		r = change_line_apply(options->changes.items[i], config, err);
	if (r < 0)
		return r;
	now_text(now, sizeof(now));
	document = json_pack(
		"{s:s, s:s, s:s, s:s*, s:s*, s:O, s:{s:s, s:[s]}, s:[{s:s, s:s, s:s*}]}", "created",
		now, "architecture", options->arch ? options->arch : machine_name(), "os",
		options->os ? options->os : "linux", "variant", options->variant, "comment",
		options->message, "config", config, "rootfs", "type", "layers", "diff_ids",
		layer->diff_id.text, "history", "created", now, "created_by", "cryopod import",
		"comment", options->message);
	if (!document)
		return err_oom(err);
	return write_json(blobs_fd, document, ret_digest, ret_size, err);
}

static int add_annotations(json_t *manifest, const struct strv *annotations, struct error *err)
{
	cleanup_json json_t *object = NULL;

	if (annotations->n == 0)
		return 0;
	object = json_object();
	for (size_t i = 0; object && i < annotations->n; i++) {
		const char *pair = annotations->items[i];
		size_t len = strcspn(pair, "=");
		cleanup_free char *key = strndup(pair, len);

		if (!pair[len])
			return err_set(err, -EINVAL, "annotation '%s' is not KEY=VALUE", pair);
		if (!key || json_object_set_new(object, key, json_string(pair + len + 1)) < 0)
			return err_oom(err);
	}
	return json_object_set(manifest, "annotations", object) < 0 ? err_oom(err) : 0;
}

static int make_manifest(int blobs_fd, const struct import_options *options,
			 const struct new_layer *layer, struct digest *ret_digest,
			 struct error *err)
{
	cleanup_json json_t *manifest = NULL;
	struct digest config;
	size_t size = 0;
	int r;

	r = make_config(blobs_fd, options, layer, &config, &size, err);
	if (r < 0)
		return r;
	manifest = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:[{s:s, s:s, s:I}]}", "schemaVersion",
			     2, "mediaType", MEDIA_OCI_MANIFEST, "config", "mediaType",
			     MEDIA_OCI_CONFIG, "digest", config.text, "size", (json_int_t)size,
			     "layers", "mediaType", MEDIA_OCI_LAYER_ZSTD, "digest",
			     layer->blob.text, "size", (json_int_t)layer->blob_size);
	if (!manifest)
		return err_oom(err);
	r = add_annotations(manifest, &options->annotations, err);
	return r < 0 ? r : write_json(blobs_fd, manifest, ret_digest, &size, err);
}

static int import_into(struct work *work, const char *source, int in,
		       const struct import_options *options, const char *name, char *ret_id,
		       struct error *err)
{
	struct new_image image = { .blobs_fd = -EBADF, .name = name };
	cleanup_fd int blobs_fd = -EBADF;
	struct new_layer layer;
	int r;

	if (mkdirat(work->fd, "blobs", 0700) < 0)
		return err_sys(err, "make folder 'blobs'");
	blobs_fd = openat(work->fd, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (blobs_fd < 0)
		return err_sys(err, "open folder 'blobs'");
	r = make_layer(source, in, blobs_fd, &layer, err);
	if (r == 0)
		r = make_manifest(blobs_fd, options, &layer, &image.manifest, err);
	if (r < 0)
		return r;
	image.blobs_fd = blobs_fd;
	return image_add(work, &image, ret_id, err);
}

/* Mistakes in the words are told before the work begins. */
static int check_changes(const struct import_options *options, struct error *err)
{
	cleanup_json json_t *config = json_object();
	int r = config ? 0 : err_oom(err);

	for (size_t i = 0; r == 0 && i < options->changes.n; i++)
		r = change_line_apply(options->changes.items[i], config, err);
	return r;
}

int image_import(struct store *store, const char *source, int in,
		 const struct import_options *options, char *ret_id, struct error *err)
{
	cleanup_work struct work work = WORK_INIT;
	cleanup_free char *name = NULL;
	int r;

	r = check_changes(options, err);
	if (r == 0 && options->name)
		r = name_make_local(options->name, &name, err);
	if (r == 0)
		r = work_begin(store, &work, err);
	return r < 0 ? r : import_into(&work, source, in, options, name, ret_id, err);
}
