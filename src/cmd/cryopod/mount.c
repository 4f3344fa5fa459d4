/*
 * mount: a container's root as a folder here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/db.h"
#include "pod/held.h"
#include "pod/lifecycle.h"

struct mount_options {
	bool all;
	bool latest;
	bool no_trunc;
	bool several; /* the id is printed beside the path */
};

static const struct opt mount_option_table[] = {
	OPT_FLAG('a', "all", struct mount_options, all, "all containers"),
	OPT_FLAG('l', "latest", struct mount_options, latest, "the container created last"),
	OPT_FLAG(0, "no-trunc", struct mount_options, no_trunc, "whole ids"),
	OPT_END,
};

static int act(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	const struct mount_options *o = arg;
	cleanup_free char *path = NULL;
	int r = root_mount_user(pod, held, &path, err);

	if (r < 0)
		return r;
	if (o->several)
		printf("%.*s %s\n", o->no_trunc ? ID_LEN : 12, held->c.id, path);
	else
		printf("%s\n", path);
	return 1;
}

/* Without arguments: what is mounted. */
static int list_mounted(const struct program *program, const struct mount_options *o)
{
	cleanup_pod struct pod pod = POD_INIT;
	cleanup_strv struct strv ids = STRV_INIT;
	struct error err = ERROR_INIT;
	int r = program_open(program, &pod, &err);

	if (r == 0)
		r = db_ids(pod.db, &ids, &err);
	for (size_t i = 0; r >= 0 && i < ids.n; i++) {
		cleanup_container struct container c = CONTAINER_INIT;
		cleanup_free char *path = NULL;

		r = db_load(pod.db, ids.items[i], &c, &err);
		if (r == -ENOENT) {
			r = 0; /* removed meanwhile */
			continue;
		}
		if (r == 0)
			r = root_is_mounted(&pod, &c, &path, &err);
		if (r > 0)
			printf("%.*s  %s\n", o->no_trunc ? ID_LEN : 12, c.id, path);
	}
	return r < 0 ? program_fail(&err) : program_finish();
}

static int run_mount(const struct command *cmd, int argc, char **argv, void *program)
{
	struct mount_options o = { 0 };
	struct each each = { .act = act, .arg = &o };
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc == 0 && !o.all && !o.latest)
		return list_mounted(program, &o);
	each.all = o.all;
	each.latest = o.latest;
	o.several = o.all || argc > 1;
	return each_container(program, &each, argc, argv);
}

const struct command command_mount = {
	.name = "mount",
	.args = "[CONTAINER...]",
	.brief = "Mount a working container's root filesystem",
	.options = mount_option_table,
	.run = run_mount,
};
