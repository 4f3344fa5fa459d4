/*
 * task-texts: what the dump reads about a task beyond base/proc, and the words
 * of --external; the first byte of the input chooses which.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "ckpt/cgroup.h"
#include "ckpt/external.h"
#include "ckpt/posix-timers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_arena struct arena arena = ARENA_INIT;
	struct error err = ERROR_INIT;
	struct externals externals;
	struct posix_timers timers;
	cleanup_free char *text = NULL;
	CgSetEntry *set = NULL;
	char *words[2] = { NULL, NULL };
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
		r = posix_timers_parse(text, &arena, &timers, &err);
		break;
	case 'b':
		r = cgroup_set_parse(text, &arena, &set, &err);
		break;
	case 'c':
		words[0] = text;
		r = externals_parse(words, &arena, &externals, &err);
		break;
	}
	assert(r == err.code);
	return 0;
}
