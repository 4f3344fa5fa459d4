#include "store/docker-manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/json.h"
#include "store/blob.h"
#include "store/manifest.h"
#include "store/media.h"

static const char *media_type(const json_t *object)
{
	return json_string_value(json_object_get(object, "mediaType"));
}

bool docker_manifest_is(const char *text, size_t len)
{
	cleanup_json json_t *document = NULL;
	const char *type;

	if (json_parse("manifest", text, len, &document, NULL) < 0)
		return false;
	type = media_type(document);
	if (!type)
		type = media_type(json_object_get(document, "config"));
	return media_is_docker(type);
}

/* What Docker's manifest says of compression is not always so: the bytes are. */
static int layer_type(int blobs_fd, const struct digest *digest, const char **ret,
		      struct error *err)
{
	static const unsigned char gzip[] = { 0x1f, 0x8b };
	static const unsigned char zstd[] = { 0x28, 0xb5, 0x2f, 0xfd };
	unsigned char magic[4] = { 0 };
	cleanup_fd int fd = -EBADF;
	int r;

	r = blob_open(blobs_fd, digest, &fd, err);
	if (r < 0)
		return r;
	if (read(fd, magic, sizeof(magic)) < 0)
		return err_sys(err, "read blob '%s'", digest->text);
	if (memcmp(magic, gzip, sizeof(gzip)) == 0)
		*ret = MEDIA_OCI_LAYER_GZIP;
	else if (memcmp(magic, zstd, sizeof(zstd)) == 0)
		*ret = MEDIA_OCI_LAYER_ZSTD;
	else
		*ret = MEDIA_OCI_LAYER;
	return 0;
}

static int convert_layers(int blobs_fd, const json_t *document, const struct manifest *manifest,
			  json_t *to, struct error *err)
{
	const json_t *layers = json_object_get(document, "layers");

	for (size_t i = 0; i < manifest->n_layers; i++) {
		const json_t *size = json_object_get(json_array_get(layers, i), "size");
		const char *type = NULL;
		int r = layer_type(blobs_fd, &manifest->layers[i], &type, err);

		if (r < 0)
			return r;
		if (json_array_append_new(to, json_pack("{s:s, s:s, s:I}", "mediaType", type,
							"digest", manifest->layers[i].text, "size",
							json_integer_value(size))) < 0)
			return err_oom(err);
	}
	return 0;
}

int docker_manifest_convert(int blobs_fd, const char *text, size_t len, struct digest *ret_manifest,
			    struct error *err)
{
	cleanup_manifest struct manifest manifest = MANIFEST_INIT;
	cleanup_json json_t *document = NULL;
	cleanup_json json_t *layers = json_array();
	cleanup_json json_t *oci = NULL;
	cleanup_free char *out = NULL;
	int r;

	r = json_parse("manifest", text, len, &document, err);
	if (r < 0)
		return r;
	if (json_integer_value(json_object_get(document, "schemaVersion")) == 1)
		return err_set(err, -EOPNOTSUPP,
			       "the image has Docker's elder manifest (schema 1), which is not "
			       "supported: push it again with a tool of this decade");
	r = manifest_parse(text, len, &manifest, err);
	if (r == 0 && !layers)
		r = err_oom(err);
	if (r == 0)
		r = convert_layers(blobs_fd, document, &manifest, layers, err);
	if (r < 0)
		return r;
	oci = json_pack(
		"{s:i, s:s, s:{s:s, s:s, s:I}, s:O}", "schemaVersion", 2, "mediaType",
		MEDIA_OCI_MANIFEST, "config", "mediaType", MEDIA_OCI_CONFIG, "digest",
		manifest.config.text, "size",
		json_integer_value(json_object_get(json_object_get(document, "config"), "size")),
		"layers", layers);
	if (!oci)
		return err_oom(err);
	r = json_format(oci, 0, &out, err);
	return r < 0 ? r : blob_write(blobs_fd, out, strlen(out), ret_manifest, err);
}
