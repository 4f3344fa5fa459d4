/*
 * inspect: all there is to tell about containers and images, as JSON.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/db.h"
#include "pod/held.h"
#include "pod/report.h"
#include "pod/template.h"
#include "store/image.h"

struct inspect_options {
	const char *format;
	const char *type;
	bool latest;
	bool size;
};

static const struct opt inspect_option_table[] = {
	OPT_STRING('f', "format", struct inspect_options, format, "json|TEMPLATE",
		   "how to print it"),
	OPT_FLAG('l', "latest", struct inspect_options, latest, "the container created last"),
	OPT_FLAG('s', "size", struct inspect_options, size, NULL),
	OPT_STRING('t', "type", struct inspect_options, type, "all|container|image",
		   "what the names are"),
	OPT_END,
};

static int inspect_container(struct pod *pod, const char *id, json_t **ret, struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	int r = db_load(pod->db, id, &c, err);

	if (r == 0)
		r = container_refresh(pod, &c, err);
	return r < 0 ? r : report_container(pod, &c, ret, err);
}

static int inspect_image(struct pod *pod, const char *name, json_t **ret, struct error *err)
{
	cleanup_image struct image *image = NULL;
	struct store *store = NULL;
	int r = pod_store(pod, &store, err);

	if (r == 0)
		r = image_find(store, name, &image, err);
	return r < 0 ? r : report_image(image, ret, err);
}

static int inspect_one(struct pod *pod, const char *name, const char *type, json_t **ret,
		       struct error *err)
{
	bool any = strcmp(type, "all") == 0;
	char id[ID_LEN + 1];
	int r = -ENOENT;

	if (any || strcmp(type, "container") == 0) {
		r = db_find(pod->db, name, id, err);
		if (r == 0)
			return inspect_container(pod, id, ret, err);
	}
	if (r == -ENOENT && (any || strcmp(type, "image") == 0)) {
		r = inspect_image(pod, name, ret, err);
		if (r == -ENOENT && any)
			return err_set(err, r, "inspecting object: no such object: \"%s\"", name);
	}
	if (r == -ENOENT && strcmp(type, "container") == 0)
		return err_set(err, r, "inspecting object: no such container \"%s\"", name);
	return r;
}

static int print_object(const json_t *object, const char *format, struct error *err)
{
	cleanup_buf struct buf line = BUF_INIT;
	int r = template_render(format, object, &line, err);

	if (r == 0)
		printf("%s\n", buf_str(&line));
	return r;
}

static int print_all(const json_t *list, const char *format, struct error *err)
{
	cleanup_free char *text = NULL;
	const json_t *object;
	size_t i;
	int r = 0;

	if (!format || strcmp(format, "json") == 0) {
		r = json_format(list, 5, &text, err);
		if (r == 0)
			printf("%s", text);
		return r;
	}
	json_array_foreach(list, i, object)
	{
		r = print_object(object, format, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What is known is printed; a failure is told after it. */
static int inspect_names(struct pod *pod, const struct inspect_options *o, const char *type,
			 const struct strv *names)
{
	cleanup_json json_t *list = json_array();
	struct error err = ERROR_INIT;
	int failed = list ? 0 : err_oom(&err);
	int r = 0;

	for (size_t i = 0; i < names->n && failed == 0; i++) {
		json_t *object = NULL;

		failed = inspect_one(pod, names->items[i], type, &object, &err);
		if (failed == 0 && json_array_append_new(list, object) < 0)
			failed = err_oom(&err);
	}
	if (list) {
		struct error print_err = ERROR_INIT;

		r = print_all(list, o->format, &print_err);
		if (r < 0)
			return program_fail(&print_err);
	}
	return failed < 0 ? program_fail(&err) : program_finish();
}

static int inspect(const struct program *program, const struct inspect_options *o, const char *type,
		   int argc, char **argv)
{
	cleanup_pod struct pod pod = POD_INIT;
	cleanup_strv struct strv names = STRV_INIT;
	struct error err = ERROR_INIT;
	char id[ID_LEN + 1];
	int r = 0;

	if (o->latest && argc > 0)
		r = err_set(&err, -EINVAL, "--latest and arguments cannot be used together");
	else if (!o->latest && argc == 0)
		r = err_set(&err, -EINVAL, "no names or ids specified");
	else if (strcmp(type, "all") != 0 && strcmp(type, "container") != 0 &&
		 strcmp(type, "image") != 0)
		r = err_set(&err, -EINVAL, "type '%s' is not supported; all, container, image are",
			    type);
	if (r == 0)
		r = program_open(program, &pod, &err);
	if (r == 0 && o->latest) {
		r = db_latest(pod.db, id, &err);
		strv_add(&names, id);
	}
	for (int i = 0; i < argc; i++)
		strv_add(&names, argv[i]);
	if (r == 0 && !strv_ok(&names))
		r = err_oom(&err);
	return r < 0 ? program_fail(&err) : inspect_names(&pod, o, type, &names);
}

static int run_inspect(const struct command *cmd, int argc, char **argv, void *program)
{
	const char *group = ((const struct program *)program)->group;
	struct inspect_options o = { 0 };
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	/* cryopod image inspect, cryopod container inspect: the group says what is meant */
	return inspect(program, &o, group ? group : o.type ? o.type : "all", argc, argv);
}

const struct command command_inspect = {
	.name = "inspect",
	.args = "CONTAINER|IMAGE [CONTAINER|IMAGE...]",
	.brief = "Display the configuration of containers and images",
	.options = inspect_option_table,
	.run = run_inspect,
};
