/*
 * attach: this terminal becomes that of a running container.
 */
#include <errno.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/foreground.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/held.h"

struct attach_options {
	bool latest;
	bool no_stdin;
	bool sig_proxy;
	const char *detach_keys;
};

static const struct opt attach_option_table[] = {
	OPT_STRING(0, "detach-keys", struct attach_options, detach_keys, "KEYS",
		   "what to type to leave it running (ctrl-p,ctrl-q)"),
	OPT_FLAG('l', "latest", struct attach_options, latest, "the container created last"),
	OPT_FLAG(0, "no-stdin", struct attach_options, no_stdin, "pass no input on"),
	OPT_FLAG(0, "sig-proxy", struct attach_options, sig_proxy, "pass signals on (true)"),
	OPT_END,
};

static int attach(struct pod *pod, const struct attach_options *o, const char *id, int *ret_code,
		  struct error *err)
{
	cleanup_held struct held held = HELD_INIT;
	struct foreground f = { .detach_keys = o->detach_keys, .no_sig_proxy = !o->sig_proxy };
	int r = held_take(pod, id, &held, err);

	if (r < 0)
		return r;
	if (!container_is_running(&held.c))
		return err_set(err, -EBUSY, "you can only attach to running containers");
	f.with_stdin = !o->no_stdin && container_config_bool(&held.c, "stdin");
	return foreground_run(pod, &held, &f, ret_code, err);
}

static int run_attach(const struct command *cmd, int argc, char **argv, void *program)
{
	struct attach_options o = { .sig_proxy = true };
	const char *none = "\"cryopod attach\" requires a name, id, or the \"--latest\" flag";
	struct each each = { .none_given = none };
	cleanup_pod struct pod pod = POD_INIT;
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_strv struct strv words = STRV_INIT;
	struct error err = ERROR_INIT;
	int exit_code = 0;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	each.latest = o.latest;
	r = argc > 1 ? err_set(&err, -EINVAL, "attach takes one container") : 0;
	if (r == 0)
		r = program_open(program, &pod, &err);
	if (r == 0)
		r = choose_containers(&pod, &each, argc, argv, &ids, &words, &err);
	if (r == 0)
		r = attach(&pod, &o, ids.items[0], &exit_code, &err);
	return r < 0 ? program_fail(&err) : exit_code;
}

const struct command command_attach = {
	.name = "attach",
	.args = "CONTAINER",
	.brief = "Attach to a running container",
	.options = attach_option_table,
	.run = run_attach,
};
