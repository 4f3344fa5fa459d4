/*
 * top: the processes of a container, through the runtime's ps.
 */
#include <errno.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/db.h"
#include "pod/held.h"
#include "pod/oci.h"

struct top_options {
	bool latest;
};

static const struct opt top_option_table[] = {
	OPT_FLAG('l', "latest", struct top_options, latest, "the container created last"),
	OPT_END,
};

static int top(struct pod *pod, const char *id, int argc, char **argv, struct buf *out,
	       struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_strv struct strv words = STRV_INIT;
	int r = db_load(pod->db, id, &c, err);

	if (r == 0)
		r = container_refresh(pod, &c, err);
	if (r < 0)
		return r;
	if (!container_is_running(&c))
		return err_set(err, -EBUSY, "top can only be used on running containers");
	for (int i = 0; i < argc; i++)
		strv_add(&words, argv[i]);
	return strv_ok(&words) ? oci_ask(pod, &c, "ps", NULL, &words, out, err) : err_oom(err);
}

static int run_top(const struct command *cmd, int argc, char **argv, void *program)
{
	struct top_options o = { 0 };
	cleanup_pod struct pod pod = POD_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	struct error err = ERROR_INIT;
	char id[ID_LEN + 1];
	int names;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	names = o.latest ? 0 : 1;
	r = argc < names ? err_set(&err, -EINVAL,
				   "you must provide the name or id of a running container")
			 : program_open(program, &pod, &err);
	if (r == 0)
		r = o.latest ? db_latest(pod.db, id, &err) : db_find(pod.db, argv[0], id, &err);
	if (r == 0)
		r = top(&pod, id, argc - names, argv + names, &out, &err);
	if (r < 0)
		return program_fail(&err);
	printf("%s", buf_str(&out));
	return program_finish();
}

const struct command command_top = {
	.name = "top",
	.args = "CONTAINER [PS-ARG...]",
	.brief = "Display the running processes of a container",
	.options = top_option_table,
	.stop_at_argument = true,
	.run = run_top,
};
