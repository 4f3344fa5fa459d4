/*
 * diff: what a container changed in its root.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/config.h"
#include "pod/container.h"
#include "pod/db.h"
#include "store/overlay.h"

struct diff_options {
	bool latest;
};

static const struct opt diff_option_table[] = {
	OPT_FLAG('l', "latest", struct diff_options, latest, "the container created last"),
	OPT_END,
};

/* What the runtime makes so that something can be mounted there is no change of the user's. */
static const char *const mount_points[] = {
	"/dev", "/etc/hosts",	      "/etc/hostname", "/etc/resolv.conf", "/proc",
	"/run", "/run/.containerenv", "/sys",	       "/run/secrets",
};

static int found(void *arg, enum overlay_change change, const char *path, struct error *err)
{
	const struct container *c = arg;
	const json_t *mounts = json_object_get(json_object_get(c->config, "spec"), "mounts");
	const json_t *mount;
	size_t m;

	(void)err;
	json_array_foreach(mounts, m, mount)
	{
		const char *at = json_string_value(json_object_get(mount, "destination"));

		if (at && strcmp(at, path) == 0)
			return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(mount_points); i++)
		if (strcmp(path, mount_points[i]) == 0)
			return 0;
	printf("%c %s\n", (char)change, path);
	return 0;
}

static int diff(struct pod *pod, const char *id, struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_strv struct strv layers = STRV_INIT;
	cleanup_free char *dir = NULL;
	int r = db_load(pod->db, id, &c, err);

	if (r == 0)
		r = config_strings(c.config, "layers", &layers, err);
	if (r == 0)
		r = pod_path(pod, id, "", &dir, err);
	if (r == 0)
		r = overlay_diff(dir, &layers, found, &c, err);
	return r == -ENOENT ? 0 /* never mounted: nothing was changed */ : r;
}

static int run_diff(const struct command *cmd, int argc, char **argv, void *program)
{
	struct diff_options o = { 0 };
	cleanup_pod struct pod pod = POD_INIT;
	struct error err = ERROR_INIT;
	char id[ID_LEN + 1];
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	r = (argc == 1) == o.latest ? err_set(&err, -EINVAL, "diff takes one container")
				    : program_open(program, &pod, &err);
	if (r == 0)
		r = o.latest ? db_latest(pod.db, id, &err) : db_find(pod.db, argv[0], id, &err);
	if (r == 0)
		r = diff(&pod, id, &err);
	return r < 0 ? program_fail(&err) : program_finish();
}

const struct command command_diff = {
	.name = "diff",
	.args = "CONTAINER",
	.brief = "Inspect changes to the file system of a container",
	.options = diff_option_table,
	.run = run_diff,
};
