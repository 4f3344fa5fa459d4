/*
 * ps: the containers there are.
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
#include "cmd/cryopod/table.h"
#include "pod/db.h"
#include "pod/held.h"
#include "pod/listing.h"
#include "pod/template.h"

struct ps_options {
	bool all;
	bool latest;
	bool quiet;
	bool no_trunc;
	bool no_heading;
	bool sync;
	bool external;
	bool size;
	int last;
	const char *format;
	const char *sort;
	struct strv filters;
};

static const struct opt ps_option_table[] = {
	OPT_FLAG('a', "all", struct ps_options, all, "those that don't run as well"),
	OPT_FLAG(0, "external", struct ps_options, external, NULL),
	OPT_LIST('f', "filter", struct ps_options, filters, "KEY=VALUE",
		 "only those: id, name, status, label, ancestor, exited"),
	OPT_STRING(0, "format", struct ps_options, format, "json|TEMPLATE", "how to print them"),
	OPT_INT('n', "last", struct ps_options, last, "N", "the last N created"),
	OPT_FLAG('l', "latest", struct ps_options, latest, "the container created last"),
	OPT_FLAG(0, "no-trunc", struct ps_options, no_trunc, "whole ids and commands"),
	OPT_FLAG(0, "noheading", struct ps_options, no_heading, "no heading"),
	OPT_FLAG('q', "quiet", struct ps_options, quiet, "ids only"),
	OPT_FLAG(0, "sync", struct ps_options, sync, NULL),
	OPT_END,
};

static const struct {
	const char *heading;
	const char *field;
} columns[] = {
	{ "CONTAINER ID", "ID" },    { "IMAGE", "Image" },   { "COMMAND", "Command" },
	{ "CREATED", "RunningFor" }, { "STATUS", "Status" }, { "PORTS", "Ports" },
	{ "NAMES", "Names" },
};

static bool label_matches(const struct container *c, const char *value)
{
	char key[256];
	const char *equals = strchr(value, '=');
	const char *there;

	(void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(value, "="), value);
	there = json_string_value(json_object_get(json_object_get(c->config, "labels"), key));
	return there && (!equals || strcmp(there, equals + 1) == 0);
}

static int filter_matches(const struct container *c, const char *filter, struct error *err)
{
	const char *equals = strchr(filter, '=');
	const char *value = equals ? equals + 1 : "";
	size_t len = equals ? (size_t)(equals - filter) : 0;
	char exited[16];

	if (len == 2 && strncmp(filter, "id", len) == 0)
		return strncmp(c->id, value, strlen(value)) == 0;
	if (len == 4 && strncmp(filter, "name", len) == 0)
		return strstr(c->name, value) != NULL;
	if (len == 6 && strncmp(filter, "status", len) == 0)
		return strcmp(status_name(c->state.status), value) == 0;
	if (len == 5 && strncmp(filter, "label", len) == 0)
		return label_matches(c, value);
	if (len == 8 && strncmp(filter, "ancestor", len) == 0) {
		const char *name = container_config_string(c, "rootfsImageName");
		const char *id = container_config_string(c, "rootfsImageID");

		return (name && strstr(name, value)) ||
		       (id && strncmp(id, value, strlen(value)) == 0);
	}
	if (len == 6 && strncmp(filter, "exited", len) == 0) {
		(void)snprintf(exited, sizeof(exited), "%d", c->state.exit_code);
		return c->state.status == STATUS_EXITED && strcmp(exited, value) == 0;
	}
	return err_set(err, -EINVAL, "%.*s is an invalid filter",
		       (int)(equals ? len : strlen(filter)), filter);
}

/* 1: it is to be shown. */
static int is_wanted(const struct ps_options *o, const struct container *c, struct error *err)
{
	bool status_asked = false;

	for (size_t i = 0; i < o->filters.n; i++) {
		int r = filter_matches(c, o->filters.items[i], err);

		if (r <= 0)
			return r;
		status_asked |= strncmp(o->filters.items[i], "status=", 7) == 0 ||
				strncmp(o->filters.items[i], "exited=", 7) == 0;
	}
	return o->all || o->latest || o->last > 0 || status_asked ||
	       c->state.status == STATUS_RUNNING || c->state.status == STATUS_PAUSED;
}

static int print_template(const char *format, const json_t *row, struct error *err)
{
	cleanup_buf struct buf line = BUF_INIT;
	int r = template_render(format, row, &line, err);

	if (r == 0)
		printf("%s\n", buf_str(&line));
	return r;
}

static int add_row(struct table *table, const json_t *row, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		table_add(table, json_string_value(json_object_get(row, columns[i].field)));
	return strv_ok(&table->cells) ? 0 : err_oom(err);
}

static int show_one(const struct pod *pod, const struct ps_options *o, const struct container *c,
		    struct table *table, json_t *list, struct error *err)
{
	cleanup_json json_t *row = NULL;
	json_t *object = NULL;
	int r;

	if (o->quiet) {
		printf("%.*s\n", o->no_trunc ? ID_LEN : 12, c->id);
		return 0;
	}
	if (list) {
		r = listing_json(pod, c, &object, err);
		return r < 0 ? r : json_array_append_new(list, object) < 0 ? err_oom(err) : 0;
	}
	r = listing_row(pod, c, o->no_trunc, &row, err);
	if (r < 0)
		return r;
	return o->format ? print_template(o->format, row, err) : add_row(table, row, err);
}

/* Newest last, as they were created; -n N: the last N. */
static int show_all(struct pod *pod, const struct ps_options *o, struct table *table, json_t *list,
		    struct error *err)
{
	cleanup_strv struct strv ids = STRV_INIT;
	size_t first = 0;
	size_t wanted = o->latest ? 1 : o->last > 0 ? (size_t)o->last : SIZE_MAX;
	int r = db_ids(pod->db, &ids, err);

	if (r == 0 && wanted < ids.n)
		first = ids.n - wanted;
	for (size_t i = first; r == 0 && i < ids.n; i++) {
		cleanup_container struct container c = CONTAINER_INIT;

		r = db_load(pod->db, ids.items[i], &c, err);
		if (r == -ENOENT) { /* removed meanwhile */
			r = 0;
			continue;
		}
		if (r == 0)
			r = container_refresh(pod, &c, err);
		if (r >= 0)
			r = is_wanted(o, &c, err);
		if (r > 0)
			r = show_one(pod, o, &c, table, list, err);
	}
	return r;
}

static int print_list(const json_t *list, struct error *err)
{
	cleanup_free char *text = NULL;
	int r = json_format(list, 2, &text, err);

	if (r == 0)
		printf("%s", text);
	return r;
}

static int ps(const struct program *program, const struct ps_options *o, struct error *err)
{
	cleanup_pod struct pod pod = POD_INIT;
	cleanup_table struct table table = { .columns = ARRAY_SIZE(columns) };
	cleanup_json json_t *list = NULL;
	int r = program_open(program, &pod, err);

	if (o->format && strcmp(o->format, "json") == 0)
		list = json_array();
	for (size_t i = 0; !o->no_heading && i < ARRAY_SIZE(columns); i++)
		table_add(&table, columns[i].heading);
	if (r == 0)
		r = show_all(&pod, o, &table, list, err);
	if (r < 0)
		return r;
	if (list && !o->quiet)
		return print_list(list, err);
	if (!o->quiet && !o->format)
		table_print(&table);
	return 0;
}

static int run_ps(const struct command *cmd, int argc, char **argv, void *program)
{
	struct ps_options o = { 0 };
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r == PROGRAM_GO_ON) {
		r = argc > 0 ? err_set(&err, -EINVAL, "`cryopod ps` takes no arguments")
			     : ps(program, &o, &err);
		r = r < 0 ? program_fail(&err) : program_finish();
	}
	strv_done(&o.filters);
	return r;
}

const struct command command_ps = {
	.name = "ps",
	.brief = "List containers",
	.options = ps_option_table,
	.run = run_ps,
};
