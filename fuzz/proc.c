/*
 * proc: the texts below /proc; the first byte of the input chooses which.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/mountinfo.h"
#include "base/proc-maps.h"
#include "base/proc.h"

static int mounts(const char *text, struct error *err)
{
	cleanup_mountinfo struct mountinfo_table table = MOUNTINFO_TABLE_INIT;

	return mountinfo_parse(text, &table, err);
}

static int maps(const char *text, size_t len, struct error *err)
{
	struct proc_maps parsed = { 0 };
	int r = proc_maps_parse(text, len, &parsed, err);

	if (r == 0)
		proc_maps_done(&parsed);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = ERROR_INIT;
	struct proc_stat stat;
	struct proc_status status = { 0 };
	struct proc_limits limits;
	struct proc_fdinfo info;
	cleanup_free char *text = NULL;
	pid_t *pids = NULL;
	size_t n;
	int r = 0;

	if (size < 1)
		return 0;
	/* A zero byte follows the text, as the parsers ask for. */
	text = malloc(size);
	if (!text)
		return 0;
	size--;
	memcpy(text, data + 1, size);
	text[size] = '\0';
	switch (data[0]) {
	case 'a':
		r = proc_stat_parse(text, size, &stat, &err);
		break;
	case 'b':
		r = proc_status_parse(text, size, &status, &err);
		if (r == 0)
			proc_status_done(&status);
		break;
	case 'c':
		r = proc_limits_parse(text, size, &limits, &err);
		break;
	case 'd':
		r = proc_pids_parse(text, size, &pids, &n, &err);
		if (r == 0)
			free(pids);
		break;
	case 'e':
		r = proc_fdinfo_parse(text, size, &info, &err);
		break;
	case 'f':
		r = mounts(text, &err);
		break;
	case 'g':
		r = maps(text, size, &err);
		break;
	default:
		break;
	}
	assert(r >= 0 || (err.code == r && err.text[0]));
	return 0;
}
