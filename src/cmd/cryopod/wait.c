/*
 * wait: until a container has ended; its exit code is printed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/program.h"
#include "pod/db.h"
#include "pod/exit.h"
#include "pod/held.h"
#include "pod/pod.h"

struct wait_options {
	bool latest;
	bool ignore;
	const char *condition;
	const char *interval; /* accepted: nothing here polls */
};

static const struct opt wait_option_table[] = {
	OPT_FLAG('l', "latest", struct wait_options, latest, "the container created last"),
	OPT_FLAG(0, "ignore", struct wait_options, ignore, "unknown containers are no error"),
	OPT_STRING(0, "condition", struct wait_options, condition, "exited|stopped",
		   "what to wait for"),
	OPT_STRING('i', "interval", struct wait_options, interval, "TIME", NULL),
	OPT_END,
};

/* The lock is held only for a look: others stop the container meanwhile. */
static int act(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	int r = 0;

	(void)arg;
	while (container_is_alive(&held->c) && r == 0) {
		held_release(held);
		r = exit_wait(pod, &held->c, UINT64_MAX, err);
		if (r < 0)
			return r;
		r = held_retake(pod, held, err);
		if (r == -ENOENT) { /* removed by --rm */
			r = db_exit_code(pod->db, held->c.id, &held->c.state.exit_code, err);
			break;
		}
	}
	if (r < 0)
		return r;
	printf("%d\n", held->c.state.exit_code);
	return 1;
}

static int run_wait(const struct command *cmd, int argc, char **argv, void *program)
{
	struct wait_options o = { 0 };
	struct each each = {
		.act = act,
		.none_given = "\"cryopod wait\" requires a name, id, or the \"--latest\" flag",
	};
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (o.condition && strcmp(o.condition, "exited") != 0 &&
	    strcmp(o.condition, "stopped") != 0) {
		(void)err_set(&err, -EOPNOTSUPP,
			      "condition '%s' is not supported; \"exited\" and \"stopped\" are",
			      o.condition);
		return program_fail(&err);
	}
	each.latest = o.latest;
	each.ignore = o.ignore;
	return each_container(program, &each, argc, argv);
}

const struct command command_wait = {
	.name = "wait",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Block on one or more containers",
	.options = wait_option_table,
	.run = run_wait,
};
