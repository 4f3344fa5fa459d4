/*
 * exec: one more process in a running container.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/foreground.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/attach.h"
#include "pod/db.h"
#include "pod/held.h"
#include "pod/session.h"

/* Podman's code for a container that does not run. */
#define EXIT_NOT_RUNNING 255

struct exec_command {
	struct session_options session;
	bool latest;
	const char *detach_keys;
};

static const struct opt exec_option_table[] = {
	OPT_FLAG('d', "detach", struct exec_command, session.detach, "run it in the background"),
	OPT_STRING(0, "detach-keys", struct exec_command, detach_keys, "KEYS",
		   "what to type to leave it running (ctrl-p,ctrl-q)"),
	OPT_LIST('e', "env", struct exec_command, session.env, "NAME[=VALUE]", "set a variable"),
	OPT_FLAG('i', "interactive", struct exec_command, session.interactive,
		 "keep standard input open"),
	OPT_FLAG('l', "latest", struct exec_command, latest, "the container created last"),
	OPT_FLAG(0, "privileged", struct exec_command, session.privileged, "all capabilities"),
	OPT_FLAG('t', "tty", struct exec_command, session.terminal, "give it a terminal"),
	OPT_STRING('u', "user", struct exec_command, session.user, "NAME|UID[:GROUP|GID]",
		   "who runs it"),
	OPT_STRING('w', "workdir", struct exec_command, session.workdir, "PATH",
		   "working directory"),
	OPT_END,
};

static int exit_code_of(int code)
{
	return code == -EBUSY ? EXIT_NOT_RUNNING : foreground_failure(code);
}

static int start_session(struct pod *pod, const struct exec_command *o, const char *id)
{
	cleanup_held struct held held = HELD_INIT;
	struct attach attach = {
		.in = o->session.interactive ? STDIN_FILENO : -EBADF,
		.out = STDOUT_FILENO,
		.err = STDERR_FILENO,
		.terminal = o->session.terminal,
		.detach_keys = o->detach_keys,
	};
	struct error err = ERROR_INIT;
	char session[ID_LEN + 1];
	int exit_code = 0;
	int r = held_take(pod, id, &held, &err);

	if (r == 0)
		r = session_run(pod, &held, &o->session, &attach, session, &exit_code, &err);
	if (r < 0) {
		(void)program_fail(&err);
		return exit_code_of(r);
	}
	if (o->session.detach) {
		printf("%s\n", session);
		return program_finish();
	}
	return exit_code;
}

static int find_and_start(struct program *program, struct exec_command *o, int argc, char **argv)
{
	cleanup_pod struct pod pod = POD_INIT;
	struct error err = ERROR_INIT;
	char id[ID_LEN + 1];
	int r = 0;

	if (argc == 0 && !o->latest)
		r = err_set(&err, -EINVAL,
			    "exec requires the name or ID of a container or the --latest flag");
	if (r == 0)
		r = program_open(program, &pod, &err);
	if (r == 0)
		r = o->latest ? db_latest(pod.db, id, &err) : db_find(pod.db, argv[0], id, &err);
	o->session.args = argv + (o->latest ? 0 : 1);
	if (r == 0 && argc < (o->latest ? 1 : 2))
		r = err_set(&err, -EINVAL,
			    "must provide a non-empty command to start an exec session: invalid "
			    "argument");
	return r < 0 ? program_fail(&err) : start_session(&pod, o, id);
}

static int run_exec(const struct command *cmd, int argc, char **argv, void *program)
{
	struct exec_command o = { 0 };
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r == PROGRAM_GO_ON) {
		argv[argc] = NULL; /* options that were read may stand behind the arguments */
		r = find_and_start(program, &o, argc, argv);
	}
	strv_done(&o.session.env);
	return r;
}

const struct command command_exec = {
	.name = "exec",
	.args = "CONTAINER COMMAND [ARG...]",
	.brief = "Run a process in a running container",
	.options = exec_option_table,
	.stop_at_argument = true,
	.run = run_exec,
};
