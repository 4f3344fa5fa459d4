/*
 * pod: texts and images that containers, runtimes and users give to cryopod;
 * the first byte of the input chooses the parser.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "pod/attach.h"
#include "pod/logs.h"
#include "pod/oci.h"
#include "pod/signals.h"
#include "pod/spec.h"
#include "pod/stats.h"
#include "pod/template.h"

static int render(const char *text, struct error *err)
{
	cleanup_json json_t *value = json_pack("{s:s, s:[s, i], s:{s:s}}", "Name", "x", "List", "a",
					       1, "Labels", "k", "v");
	cleanup_buf struct buf out = BUF_INIT;

	assert(value);
	return template_render(text, value, &out, err);
}

static int statistics(const char *data, size_t size, struct error *err)
{
	json_t *stats = NULL;
	int r = stats_parse(data, size, STATS_DUMP, &stats, err);

	if (r == 0)
		json_decref(stats);
	return r;
}

static void words(const char *text)
{
	char complaint[64];
	char hint[32];
	uint64_t number;
	unsigned char keys[4];

	oci_last_words(text, complaint, sizeof(complaint), hint, sizeof(hint));
	assert(strlen(complaint) < sizeof(complaint) && strlen(hint) < sizeof(hint));
	(void)signal_parse(text);
	(void)size_parse(text, &number, NULL);
	(void)log_parse_moment(text, 0, &number, NULL);
	assert(detach_keys_parse(text, keys, 4, NULL) <= 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct log_record record;
	cleanup_free char *text = NULL;
	int r = 0;

	if (size < 1)
		return 0;
	text = malloc(size);
	if (!text)
		return 0;
	size--;
	memcpy(text, data + 1, size);
	text[size] = '\0';
	switch (data[0]) {
	case 'a':
		if (log_parse(text, size, &record) == 0)
			assert(record.text + record.text_len <= text + size);
		break;
	case 'b':
		r = statistics(text, size, &err);
		break;
	case 'c':
		r = render(text, &err);
		break;
	case 'd':
		words(text);
		break;
	default:
		break;
	}
	assert(r >= 0 || (err.code == r && err.text[0]));
	return 0;
}
