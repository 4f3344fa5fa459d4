#include "store/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "store/media.h"

static int read_digest(const json_t *object, const char *place, struct digest *ret,
		       struct error *err)
{
	const char *text = NULL;
	int r;

	r = json_field_string(object, place, "digest", &text, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, -EBADMSG, "%s has no digest", place);
	return digest_parse(text, ret, err);
}

static int read_layers(const json_t *document, struct manifest *manifest, struct error *err)
{
	json_t *layers = NULL;
	json_t *layer;
	size_t i;
	int r;

	r = json_field_array(document, "", "layers", &layers, err);
	if (r < 0)
		return r;
	if (json_array_size(layers) > MANIFEST_MAX_LAYERS)
		return err_set(err, -EBADMSG, "%zu layers; %d is the most overlayfs can stack",
			       json_array_size(layers), MANIFEST_MAX_LAYERS);
	manifest->layers = calloc(json_array_size(layers) + 1, sizeof(*manifest->layers));
	if (!manifest->layers)
		return err_oom(err);
	json_array_foreach(layers, i, layer)
	{
		const char *type = NULL;

		r = json_field_string(layer, "layer", "mediaType", &type, err);
		if (r < 0)
			return r;
		if (media_is_foreign_layer(type))
			return err_set(err, -EOPNOTSUPP, "layer %zu is kept elsewhere (%s)", i,
				       type);
		r = read_digest(layer, "layer", &manifest->layers[i], err);
		if (r < 0)
			return r;
	}
	manifest->n_layers = json_array_size(layers);
	return 0;
}

static int read_annotations(const json_t *document, struct manifest *manifest, struct error *err)
{
	const json_t *annotations = json_object_get(document, "annotations");
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)annotations, key, value)
	{
		if (json_is_string(value))
			strv_addf(&manifest->annotations, "%s=%s", key, json_string_value(value));
	}
	return strv_ok(&manifest->annotations) ? 0 : err_oom(err);
}

int manifest_parse(const char *text, size_t len, struct manifest *ret_manifest, struct error *err)
{
	cleanup_manifest struct manifest manifest = MANIFEST_INIT;
	cleanup_json json_t *document = NULL;
	json_t *config = NULL;
	int r;

	r = json_parse("manifest", text, len, &document, err);
	if (r < 0)
		return r;
	r = json_field_object(document, "", "config", &config, err);
	if (r < 0)
		return err_wrap(err, r, "manifest");
	if (r == 0)
		return err_set(err, -EBADMSG, "the manifest names no config: not an image");
	r = read_digest(config, "config", &manifest.config, err);
	if (r == 0)
		r = read_layers(document, &manifest, err);
	if (r == 0)
		r = read_annotations(document, &manifest, err);
	if (r < 0)
		return err_wrap(err, r, "manifest");
	*ret_manifest = manifest;
	manifest = (struct manifest)MANIFEST_INIT;
	return 0;
}

void manifest_done(struct manifest *manifest)
{
	free(manifest->layers);
	strv_done(&manifest->annotations);
	*manifest = (struct manifest)MANIFEST_INIT;
}

int manifest_references(const char *text, size_t len,
			int (*found)(void *arg, const struct digest *digest, bool is_manifest,
				     struct error *err),
			void *arg, struct error *err)
{
	static const struct {
		const char *key;
		bool is_manifest;
	} lists[] = { { "layers", false }, { "blobs", false }, { "manifests", true } };
	cleanup_json json_t *document = NULL;
	const json_t *config;
	struct digest digest;
	int r;

	r = json_parse("manifest", text, len, &document, err);
	if (r < 0)
		return r;
	config = json_object_get(document, "config");
	if (config) {
		r = read_digest(config, "config", &digest, err);
		if (r == 0)
			r = found(arg, &digest, false, err);
		if (r < 0)
			return r;
	}
	for (size_t k = 0; k < ARRAY_SIZE(lists); k++) {
		const json_t *list = json_object_get(document, lists[k].key);

		for (size_t i = 0; i < json_array_size(list); i++) {
			r = read_digest(json_array_get(list, i), lists[k].key, &digest, err);
			if (r == 0)
				r = found(arg, &digest, lists[k].is_manifest, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int diff_ids_parse(const char *config, size_t len, struct diff_ids *ret_ids, struct error *err)
{
	cleanup_diff_ids struct diff_ids ids = DIFF_IDS_INIT;
	cleanup_json json_t *document = NULL;
	json_t *rootfs = NULL;
	json_t *list = NULL;
	size_t n;
	int r;

	r = json_parse("config", config, len, &document, err);
	if (r < 0)
		return r;
	r = json_field_object(document, "", "rootfs", &rootfs, err);
	if (r > 0)
		r = json_field_array(rootfs, "rootfs", "diff_ids", &list, err);
	if (r < 0)
		return err_wrap(err, r, "config");
	n = json_array_size(list);
	if (n > MANIFEST_MAX_LAYERS)
		return err_set(err, -EBADMSG, "config: %zu layers; %d is the most", n,
			       MANIFEST_MAX_LAYERS);
	ids.diffs = calloc(n + 1, sizeof(*ids.diffs));
	ids.chains = calloc(n + 1, sizeof(*ids.chains));
	if (!ids.diffs || !ids.chains)
		return err_oom(err);
	for (size_t i = 0; i < n; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		r = digest_parse(text ? text : "", &ids.diffs[i], err);
		if (r < 0)
			return err_wrap(err, r, "config: layer %zu", i);
		digest_chain(i > 0 ? &ids.chains[i - 1] : NULL, &ids.diffs[i], &ids.chains[i]);
	}
	ids.n = n;
	*ret_ids = ids;
	ids = (struct diff_ids)DIFF_IDS_INIT;
	return 0;
}

void diff_ids_done(struct diff_ids *ids)
{
	free(ids->diffs);
	free(ids->chains);
	*ids = (struct diff_ids)DIFF_IDS_INIT;
}
