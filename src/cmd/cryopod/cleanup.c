/*
 * cleanup: what conmon starts when a container has ended: taking the container
 * writes its end down and removes what only a living one needs.
 */
#include <errno.h>

#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/db.h"
#include "pod/held.h"
#include "pod/lifecycle.h"
#include "pod/session.h"

struct cleanup_options {
	bool all;
	bool latest;
	const char *session;
};

static const struct opt cleanup_option_table[] = {
	OPT_FLAG('a', "all", struct cleanup_options, all, "all containers"),
	OPT_STRING(0, "exec", struct cleanup_options, session, "ID",
		   "only what that exec session left"),
	OPT_FLAG('l', "latest", struct cleanup_options, latest, "the container created last"),
	OPT_END,
};

static int act(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	int r;

	(void)arg;
	if (container_is_alive(&held->c))
		return err_set(err, -EBUSY,
			       "container %s is running or paused, refusing to clean up: container "
			       "state improper",
			       held->c.id);
	if (held->c.state.status != STATUS_EXITED ||
	    !container_config_bool(&held->c, "autoRemove") || held->c.state.checkpointed)
		return 0;
	r = lifecycle_remove(pod, held, false, 0, err);
	return r;
}

/* The container itself is not touched, so its lock is not needed. */
static int clean_session(const struct program *program, const char *session, int argc, char **argv)
{
	cleanup_pod struct pod pod = POD_INIT;
	struct error err = ERROR_INIT;
	char id[ID_LEN + 1];
	int r = argc == 1 ? 0 : err_set(&err, -EINVAL, "--exec takes one container");

	if (r == 0)
		r = program_open(program, &pod, &err);
	if (r == 0)
		r = db_find(pod.db, argv[0], id, &err);
	if (r == 0)
		r = session_cleanup(&pod, id, session, &err);
	return r < 0 ? program_fail(&err) : 0;
}

static int run_cleanup(const struct command *cmd, int argc, char **argv, void *program)
{
	struct cleanup_options o = { 0 };
	struct each each = { .act = act, .ignore = true };
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (o.session)
		return clean_session(program, o.session, argc, argv);
	each.all = o.all;
	each.latest = o.latest;
	return each_container(program, &each, argc, argv);
}

const struct command command_cleanup = {
	.name = "cleanup",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Clean up mounts and runtime state of ended containers",
	.options = cleanup_option_table,
	.run = run_cleanup,
};
