#include "cmd/cryopod/statistics.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "cmd/cryopod/program.h"
#include "pod/checkpoint.h"

int statistics_begin(struct statistics *s, bool wanted)
{
	s->begin_ns = clock_mono_ns();
	s->list = wanted ? json_array() : NULL;
	return wanted && !s->list ? -ENOMEM : 0;
}

int statistics_add(struct statistics *s, const char *id, const struct checkpoint_result *result,
		   struct error *err)
{
	if (json_array_append_new(s->list, json_pack("{s:s, s:I, s:O}", "Id", id, s->runtime,
						     (json_int_t)result->runtime_us,
						     "criu_statistics", result->statistics)) < 0)
		return err_oom(err);
	return 0;
}

/* Podman's indent is four blanks; with a failure the list is null. */
int statistics_end(struct statistics *s, int exit_code)
{
	json_int_t whole = (json_int_t)((clock_mono_ns() - s->begin_ns) / NS_PER_US);
	cleanup_json json_t *list = s->list;
	cleanup_json json_t *all = NULL;
	cleanup_free char *text = NULL;
	struct error err = ERROR_INIT;

	s->list = NULL;
	if (!list)
		return exit_code;
	all = json_pack("{s:I, s:O}", s->whole, whole, "container_statistics",
			exit_code == 0 ? list : json_null());
	if (!all || json_format(all, 4, &text, &err) < 0) {
		(void)err_oom(&err);
		return program_fail(&err);
	}
	printf("%s", text);
	return exit_code ? exit_code : program_finish();
}
