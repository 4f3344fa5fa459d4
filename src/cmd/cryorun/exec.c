#include <stddef.h>

#include "base/err.h"
#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/program.h"

/* runc's: whatever keeps the process from running is told apart from its own codes. */
#define EXIT_EXEC_FAILED 255

struct exec_values {
	struct exec_opts exec;
	struct strv env;
	struct strv caps;
	struct strv groups;
	const char *process_label;
	const char *apparmor;
	const char *cgroup;
};

static const struct opt options[] = {
	OPT_STRING(0, "console-socket", struct exec_values, exec.console_socket, "PATH",
		   "unix socket that receives the terminal's master end"),
	OPT_STRING(0, "cwd", struct exec_values, exec.cwd, "DIR", "working directory"),
	OPT_LIST('e', "env", struct exec_values, env, "KEY=VALUE", "set a variable"),
	OPT_FLAG('t', "tty", struct exec_values, exec.terminal, "give it a terminal"),
	OPT_STRING('u', "user", struct exec_values, exec.user, "UID[:GID]", "user to run as"),
	OPT_LIST('g', "additional-gids", struct exec_values, groups, "GID", "one more group"),
	OPT_STRING('p', "process", struct exec_values, exec.process_file, "FILE",
		   "process.json that describes it"),
	OPT_FLAG('d', "detach", struct exec_values, exec.detach, "return when it runs"),
	OPT_STRING(0, "pid-file", struct exec_values, exec.pid_file, "FILE",
		   "write the process id there"),
	OPT_STRING(0, "process-label", struct exec_values, process_label, "LABEL", NULL),
	OPT_STRING(0, "apparmor", struct exec_values, apparmor, "PROFILE", NULL),
	OPT_FLAG(0, "no-new-privs", struct exec_values, exec.no_new_privileges, "set no_new_privs"),
	OPT_LIST('c', "cap", struct exec_values, caps, "CAP", "one more capability"),
	OPT_INT(0, "preserve-fds", struct exec_values, exec.preserve_fds, "N",
		"pass N more descriptors (3, 4, ...)"),
	OPT_STRING(0, "cgroup", struct exec_values, cgroup, "PATH", NULL),
	OPT_FLAG(0, "ignore-paused", struct exec_values, exec.ignore_paused,
		 "also in a paused container (it then waits)"),
	OPT_END,
};

static int refuse(const struct exec_values *o, struct error *err)
{
	if (o->process_label && *o->process_label)
		return err_set(err, -EOPNOTSUPP, "--process-label: SELinux is not supported");
	if (o->apparmor && *o->apparmor)
		return err_set(err, -EOPNOTSUPP, "--apparmor is not supported");
	if (o->cgroup && *o->cgroup)
		return err_set(err, -EOPNOTSUPP,
			       "--cgroup is not supported: it joins the container's own");
	return 0;
}

static int exec(const struct program *program, struct exec_values *o, int argc, char **argv,
		int *ret_code, struct error *err)
{
	int r = refuse(o, err);

	if (r < 0)
		return r;
	if (!o->exec.process_file && argc < 2)
		return err_set(err, -EINVAL, "exec: a command or --process is needed");
	o->exec.args = argv + 1; /* main's argv ends in NULL, and so does its rest */
	o->exec.env = strv_argv(&o->env);
	o->exec.caps = strv_argv(&o->caps);
	o->exec.groups = strv_argv(&o->groups);
	return runtime_exec(&program->runtime, argv[0], &o->exec, ret_code, err);
}

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	const struct program *program = arg;
	struct exec_values o = { .process_label = NULL };
	struct error err = ERROR_INIT;
	int code = 0;
	int r = program_parse(program, cmd, &o, argc, argv, 1, -1, &argc);

	if (r == PROGRAM_GO_ON) {
		argv[argc] = NULL; /* options stood there */
		r = exec(program, &o, argc, argv, &code, &err);
		if (r < 0) {
			(void)program_fail(program, &err);
			code = EXIT_EXEC_FAILED;
		}
		r = code;
	}
	strv_done(&o.env);
	strv_done(&o.caps);
	strv_done(&o.groups);
	return r;
}

const struct command command_exec = {
	.name = "exec",
	.args = "CONTAINER COMMAND [ARG...]",
	.brief = "run another process in a container",
	.options = options,
	.stop_at_argument = true,
	.run = run,
};
