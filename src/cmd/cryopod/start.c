/*
 * start: an initialized container is let go; others are initialized first.
 */
#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/foreground.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"
#include "pod/lifecycle.h"

struct start_options {
	bool all;
	bool attach;
	bool interactive;
	bool latest;
	bool sig_proxy;
	const char *detach_keys;
};

static const struct opt start_option_table[] = {
	OPT_FLAG(0, "all", struct start_options, all, "all containers that don't run"),
	OPT_FLAG('a', "attach", struct start_options, attach, "show its output here"),
	OPT_STRING(0, "detach-keys", struct start_options, detach_keys, "KEYS",
		   "what to type to leave it running (ctrl-p,ctrl-q)"),
	OPT_FLAG('i', "interactive", struct start_options, interactive,
		 "pass standard input on as well"),
	OPT_FLAG('l', "latest", struct start_options, latest, "the container created last"),
	OPT_FLAG(0, "sig-proxy", struct start_options, sig_proxy, "pass signals on (true)"),
	OPT_END,
};

static int act(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	int r;

	(void)arg;
	r = lifecycle_start(pod, held, err);
	return r == -EALREADY ? 1 : r; /* as with Podman: no error, no word */
}

static int attach_steps(struct pod *pod, const struct start_options *o, const char *id,
			int *ret_code, struct error *err)
{
	cleanup_held struct held held = HELD_INIT;
	struct foreground f = { .detach_keys = o->detach_keys };
	int r = held_take(pod, id, &held, err);

	if (r == 0 &&
	    (held.c.state.status == STATUS_CREATED || held.c.state.status == STATUS_EXITED))
		r = lifecycle_init(pod, &held, err);
	if (r < 0)
		return r;
	f.start = !container_is_running(&held.c);
	f.with_stdin = o->interactive && container_config_bool(&held.c, "stdin");
	f.no_sig_proxy = !o->sig_proxy;
	return foreground_run(pod, &held, &f, ret_code, err);
}

static int start_attached(const struct program *program, const struct start_options *o,
			  const struct each *each, int argc, char **argv)
{
	cleanup_pod struct pod pod = POD_INIT;
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_strv struct strv words = STRV_INIT;
	struct error err = ERROR_INIT;
	int exit_code = 0;
	int r = program_open(program, &pod, &err);

	if (r == 0)
		r = choose_containers(&pod, each, argc, argv, &ids, &words, &err);
	if (r == 0 && ids.n > 1)
		r = err_set(&err, -EINVAL,
			    "you cannot start and attach multiple containers at once");
	if (r < 0)
		return program_fail(&err);
	r = attach_steps(&pod, o, ids.items[0], &exit_code, &err);
	if (r < 0) {
		(void)program_fail(&err);
		return foreground_failure(r);
	}
	return exit_code;
}

static int run_start(const struct command *cmd, int argc, char **argv, void *program)
{
	struct start_options o = { .sig_proxy = true };
	struct each each = {
		.statuses = 1u << STATUS_CREATED | 1u << STATUS_INITIALIZED | 1u << STATUS_EXITED,
		.none_given = "start requires at least one argument",
		.act = act,
		.exit_code = foreground_failure,
	};
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	each.all = o.all;
	each.latest = o.latest;
	if (o.attach || o.interactive)
		return start_attached(program, &o, &each, argc, argv);
	return each_container(program, &each, argc, argv);
}

const struct command command_start = {
	.name = "start",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Start one or more containers",
	.options = start_option_table,
	.run = run_start,
};
