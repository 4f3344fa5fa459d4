/*
 * change-line: a line of --change.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "store/change-line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = strndup((const char *)data, size);
	cleanup_json json_t *config = json_object();
	struct error err = ERROR_INIT;

	assert(text && config);
	if (change_line_apply(text, config, &err) < 0)
		assert(err.code < 0 && err.text[0]);
	else
		assert(json_object_size(config) <= 1);
	return 0;
}
