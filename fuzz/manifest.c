/*
 * manifest: an image's manifest, the blobs any JSON names, and a config's list of layers.
 */
#include "fuzz.h"

#include <assert.h>

#include "base/err.h"
#include "store/manifest.h"

static int found(void *arg, const struct digest *digest, bool is_manifest, struct error *err)
{
	(void)arg;
	(void)digest;
	(void)is_manifest;
	(void)err;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_manifest struct manifest manifest = MANIFEST_INIT;
	cleanup_diff_ids struct diff_ids ids = DIFF_IDS_INIT;
	const char *text = (const char *)data;
	struct error err = ERROR_INIT;

	if (manifest_parse(text, size, &manifest, &err) < 0)
		assert(err.code < 0 && err.text[0]);
	(void)manifest_references(text, size, found, NULL, NULL);
	err = (struct error)ERROR_INIT;
	if (diff_ids_parse(text, size, &ids, &err) < 0)
		assert(err.code < 0 && err.text[0]);
	return 0;
}
