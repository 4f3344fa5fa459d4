/*
 * name: names of images as people type them.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "store/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = strndup((const char *)data, size);
	cleanup_name struct name name = NAME_INIT;
	cleanup_free char *full = NULL;
	struct error err = ERROR_INIT;

	assert(text);
	if (name_parse(text, &name, &err) < 0) {
		assert(err.code < 0 && err.text[0]);
		return 0;
	}
	/* what was understood once is understood again, as the same */
	assert(name_format(&name, &full, NULL) == 0);
	{
		cleanup_name struct name again = NAME_INIT;
		cleanup_free char *same = NULL;

		assert(name_parse(full, &again, NULL) == 0);
		assert(name_format(&again, &same, NULL) == 0);
		assert(strcmp(full, same) == 0);
	}
	return 0;
}
