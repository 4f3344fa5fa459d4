/*
 * registries: registries.conf.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "store/registries.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = strndup((const char *)data, size);
	cleanup_registries struct registries registries = REGISTRIES_INIT;
	struct error err = ERROR_INIT;

	assert(text);
	if (registries_parse("corpus", text, &registries, &err) < 0)
		assert(err.code < 0 && err.text[0]);
	return 0;
}
