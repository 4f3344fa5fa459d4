/*
 * run: create and start, in the background or in this terminal.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/create-table.h"
#include "cmd/cryopod/foreground.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"
#include "pod/lifecycle.h"

struct run_command {
	struct create_options create;
	bool detach;
	bool sig_proxy;
	const char *detach_keys;
	struct strv attach;
};

static const struct opt run_option_table[] = {
	OPT_LIST('a', "attach", struct run_command, attach, "STREAM", NULL),
	CREATE_OPTIONS(struct run_command),
	OPT_FLAG('d', "detach", struct run_command, detach, "run in the background, print the id"),
	OPT_STRING(0, "detach-keys", struct run_command, detach_keys, "KEYS",
		   "what to type to leave it running (ctrl-p,ctrl-q)"),
	OPT_FLAG(0, "sig-proxy", struct run_command, sig_proxy, "pass signals on (true)"),
	OPT_END,
};

/* What could not even be started leaves nothing behind when it was --rm. */
static void drop_failed(struct pod *pod, struct held *held)
{
	if (held->lock.fd < 0 && held_retake(pod, held, NULL) < 0)
		return;
	if (container_config_bool(&held->c, "autoRemove"))
		(void)lifecycle_remove(pod, held, true, 0, NULL); /* the first failure is told */
}

static int run_container(struct pod *pod, const struct run_command *o, const char *id)
{
	cleanup_held struct held held = HELD_INIT;
	struct foreground f = {
		.with_stdin = o->create.interactive,
		.no_sig_proxy = !o->sig_proxy || o->create.terminal,
		.detach_keys = o->detach_keys,
		.start = true,
	};
	struct error err = ERROR_INIT;
	int exit_code = 0;
	int r = held_take(pod, id, &held, &err);

	if (r == 0)
		r = o->detach ? lifecycle_start(pod, &held, &err)
			      : lifecycle_init(pod, &held, &err);
	if (r == 0 && !o->detach)
		r = foreground_run(pod, &held, &f, &exit_code, &err);
	if (r < 0) {
		drop_failed(pod, &held);
		(void)program_fail(&err);
		return foreground_failure(r);
	}
	if (o->detach) {
		printf("%s\n", id);
		exit_code = program_finish();
	}
	return exit_code;
}

static int create_and_run(const struct program *program, const struct run_command *o)
{
	cleanup_pod struct pod pod = POD_INIT;
	cleanup_container struct container c = CONTAINER_INIT;
	struct error err = ERROR_INIT;
	int r = program_open(program, &pod, &err);

	if (r == 0)
		r = container_create(&pod, &o->create, &c, &err);
	return r < 0 ? program_fail(&err) : run_container(&pod, o, c.id);
}

static int run_run(const struct command *cmd, int argc, char **argv, void *program)
{
	struct run_command o = { .sig_proxy = true };
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r == PROGRAM_GO_ON && argc == 0) {
		(void)err_set(&err, -EINVAL, "requires at least 1 arg(s), only received 0");
		r = program_fail(&err);
	} else if (r == PROGRAM_GO_ON) {
		o.create.image = argv[0];
		o.create.command = argv + 1;
		o.create.n_command = (size_t)argc - 1;
		o.create.typed = ((const struct program *)program)->argv;
		r = create_and_run(program, &o);
	}
	create_options_done(&o.create);
	strv_done(&o.attach);
	return r;
}

const struct command command_run = {
	.name = "run",
	.args = "IMAGE [COMMAND [ARG...]]",
	.brief = "Run a command in a new container",
	.options = run_option_table,
	.stop_at_argument = true,
	.run = run_run,
};
