#include "store/save.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/json.h"
#include "store/blob.h"
#include "store/find.h"
#include "store/index.h"
#include "store/manifest.h"
#include "store/media.h"
#include "store/skopeo.h"
#include "store/store-priv.h"
#include "store/tar-stream.h"

static const struct format {
	const char *name;
	const char *transport;
	bool docker; /* knows no zstd */
	bool named;  /* the name is part of the reference */
	bool folder;
} formats[] = {
	{ "docker-archive", "docker-archive:", true, true, false },
	{ "oci-archive", "oci-archive:", false, true, false },
	{ "oci-dir", "oci:", false, true, true },
	{ "docker-dir", "dir:", true, false, true },
};

/* One save: a layout of its own in the work folder, from which skopeo copies. */
struct saving {
	struct work work;
	struct lock hold; /* the blobs stay while we link them */
	int blobs;	  /* of the layout */
	char *name;	  /* NULL: none to give */
};

static void saving_done(struct saving *s)
{
	cleanup_fd_p(&s->blobs);
	lock_release(&s->hold);
	work_end(&s->work);
	free(s->name);
}

static int link_blob(struct saving *s, const struct digest *digest, struct error *err)
{
	const char *name = digest_hex(digest);

	if (linkat(s->work.store->blobs_fd, name, s->blobs, name, 0) < 0 && errno != EEXIST)
		return err_sys(err, "take blob '%s'", digest->text);
	return 0;
}

/* Writes the layer's tar as it is; its digest is the DiffID. */
static int write_plain(struct saving *s, const struct digest *blob, const struct digest *diff_id,
		       struct error *err)
{
	cleanup_tar_stream struct tar_stream *stream = NULL;
	cleanup_fd int from = -EBADF;
	cleanup_fd int to = -EBADF;
	const void *data;
	size_t len;
	int r;

	r = blob_open(s->work.store->blobs_fd, blob, &from, err);
	if (r < 0)
		return r;
	to = openat(s->blobs, digest_hex(diff_id), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (to < 0)
		return err_sys(err, "create '%s'", digest_hex(diff_id));
	r = tar_stream_open(from, TAR_LAYER, &stream, err);
	while (r >= 0 && (r = tar_stream_bytes(stream, &data, &len, err)) > 0) {
		r = fd_write_all(to, data, len);
		if (r < 0)
			return err_set(err, r, "write '%s': %s", digest_hex(diff_id), strerror(-r));
	}
	return r < 0 ? err_wrap(err, r, "layer '%s'", blob->text) : 0;
}

/* Layers that Docker's tools can't read are made plain; *layer is the manifest's object. */
static int convert_layer(struct saving *s, json_t *layer, const struct digest *blob,
			 const struct digest *diff_id, struct error *err)
{
	const char *type = json_string_value(json_object_get(layer, "mediaType"));
	struct stat st;
	int r;

	if (!type || strcmp(type, MEDIA_OCI_LAYER_ZSTD) != 0)
		return link_blob(s, blob, err);
	r = write_plain(s, blob, diff_id, err);
	if (r < 0)
		return r;
	if (fstatat(s->blobs, digest_hex(diff_id), &st, 0) < 0)
		return err_sys(err, "look at '%s'", digest_hex(diff_id));
	if (json_object_set_new(layer, "mediaType", json_string(MEDIA_OCI_LAYER)) < 0 ||
	    json_object_set_new(layer, "digest", json_string(diff_id->text)) < 0 ||
	    json_object_set_new(layer, "size", json_integer(st.st_size)) < 0)
		return err_oom(err);
	return 0;
}

static int convert_layers(struct saving *s, const struct manifest *manifest, json_t *document,
			  struct error *err)
{
	cleanup_diff_ids struct diff_ids ids = DIFF_IDS_INIT;
	cleanup_free char *config = NULL;
	size_t len = 0;
	int r;

	r = blob_read(s->work.store->blobs_fd, &manifest->config, &config, &len, err);
	if (r == 0)
		r = diff_ids_parse(config, len, &ids, err);
	if (r == 0 && ids.n != manifest->n_layers)
		r = err_set(err, -EBADMSG, "manifest and config disagree about the layers");
	for (size_t i = 0; r == 0 && i < ids.n; i++)
		r = convert_layer(s, json_array_get(json_object_get(document, "layers"), i),
				  &manifest->layers[i], &ids.diffs[i], err);
	return r;
}

static int write_index(struct saving *s, const struct digest *manifest, size_t size,
		       struct error *err)
{
	static const char layout[] = "{\"imageLayoutVersion\": \"1.0.0\"}\n";
	cleanup_json json_t *index = NULL;
	cleanup_free char *text = NULL;
	int r;

	index = json_pack("{s:i, s:[{s:s, s:s, s:I, s:{s:s}}]}", "schemaVersion", 2, "manifests",
			  "mediaType", MEDIA_OCI_MANIFEST, "digest", manifest->text, "size",
			  (json_int_t)size, "annotations", "org.opencontainers.image.ref.name",
			  "image");
	if (!index)
		return err_oom(err);
	r = json_format(index, 0, &text, err);
	if (r == 0)
		r = file_write_atomic_at(s->work.fd, "out/index.json", text, strlen(text), 0600,
					 err);
	if (r == 0)
		r = file_write_atomic_at(s->work.fd, "out/oci-layout", layout, strlen(layout), 0600,
					 err);
	return r;
}

static int make_layout(struct saving *s, const struct digest *digest, bool docker,
		       struct error *err)
{
	cleanup_manifest struct manifest manifest = MANIFEST_INIT;
	cleanup_json json_t *document = NULL;
	cleanup_free char *text = NULL;
	cleanup_free char *changed = NULL;
	struct digest written = DIGEST_INIT;
	size_t len = 0;
	int r;

	r = blob_read(s->work.store->blobs_fd, digest, &text, &len, err);
	if (r == 0)
		r = manifest_parse(text, len, &manifest, err);
	if (r == 0)
		r = json_parse("manifest", text, len, &document, err);
	if (r == 0)
		r = link_blob(s, &manifest.config, err);
	for (size_t i = 0; r == 0 && !docker && i < manifest.n_layers; i++)
		r = link_blob(s, &manifest.layers[i], err);
	if (r == 0 && docker)
		r = convert_layers(s, &manifest, document, err);
	if (r == 0 && docker)
		r = json_format(document, 0, &changed, err);
	if (r == 0 && docker)
		len = strlen(changed);
	if (r == 0)
		r = blob_write(s->blobs, docker ? changed : text, len, &written, err);
	return r < 0 ? r : write_index(s, &written, len, err);
}

static int begin(struct saving *s, struct store *store, const char *image, bool docker,
		 struct error *err)
{
	cleanup_index struct index index = INDEX_INIT;
	const struct index_entry *entry = NULL;
	bool by_name = false;
	int r;

	r = work_begin(store, &s->work, err);
	if (r == 0)
		r = store_hold(store, &s->hold, err);
	if (r == 0)
		r = index_load(store, &index, err);
	if (r == 0)
		r = find_entry(&index, image, &entry, &by_name, err);
	if (r == 0)
		r = file_make_dirs_at(s->work.fd, "out/blobs/sha256", 0700, err);
	if (r < 0)
		return r;
	assert(entry);
	if (by_name && entry->name) {
		s->name = strdup(entry->name);
		if (!s->name)
			return err_oom(err);
	}
	s->blobs = openat(s->work.fd, "out/blobs/sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->blobs < 0)
		return err_sys(err, "open folder 'out/blobs/sha256'");
	r = make_layout(s, &entry->manifest, docker, err);
	lock_release(&s->hold);
	return r;
}

/* skopeo runs in the work folder: the target must not depend on that. */
static int make_reference(const struct saving *s, const struct format *format, const char *path,
			  char **ret, struct error *err)
{
	bool named = format->named && s->name;

	if (strchr(path, ':'))
		return err_set(err, -EINVAL, "'%s': a path with a colon can't be handed to skopeo",
			       path);
	if (asprintf(ret, "%s%s%s%s", format->transport, path, named ? ":" : "",
		     named ? s->name : "") < 0)
		return err_oom(err);
	return 0;
}

static int copy_out(struct saving *s, const struct format *format, const char *output,
		    struct error *err)
{
	cleanup_free char *here = output[0] == '/' ? strdup("") : getcwd(NULL, 0);
	cleanup_free char *reference = NULL;
	cleanup_free char *path = NULL;
	int r;

	if (!here)
		return err_sys(err, "current folder");
	if (asprintf(&path, "%s%s%s%s", here, here[0] ? "/" : "", output,
		     format->folder ? "" : ".part") < 0) {
		path = NULL;
		return err_oom(err);
	}
	if (!format->folder && unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, "remove '%s'", path);
	r = make_reference(s, format, path, &reference, err);
	if (r == 0)
		r = skopeo_copy_out(&s->work, "oci:out:image", reference, err);
	if (r == 0 && !format->folder && rename(path, output) < 0)
		r = err_sys(err, "rename '%s' to '%s'", path, output);
	if (r < 0 && !format->folder)
		(void)unlink(path); /* the failure is what counts */
	return r;
}

int image_save(struct store *store, const char *image, const char *format, const char *output,
	       struct error *err)
{
	__attribute__((cleanup(saving_done))) struct saving s = {
		.work = WORK_INIT,
		.hold = LOCK_INIT,
		.blobs = -EBADF,
	};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		int r;

		if (strcmp(format, formats[i].name) != 0)
			continue;
		r = begin(&s, store, image, formats[i].docker, err);
		return r < 0 ? r : copy_out(&s, &formats[i], output, err);
	}
	return err_set(err, -EINVAL,
		       "unknown format \"%s\": docker-archive, oci-archive, oci-dir and docker-dir "
		       "are known",
		       format);
}
