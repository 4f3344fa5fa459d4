/*
 * images: what is in the store, one line for each name.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/program.h"
#include "cmd/cryopod/table.h"
#include "pod/human.h"
#include "pod/template.h"
#include "store/find.h"
#include "store/image.h"
#include "store/name.h"
#include "store/store.h"

#define SHORT_ID 12

struct options {
	bool all;
	bool quiet;
	bool noheading;
	bool no_trunc;
	bool digests;
	const char *format;
	struct strv filters;
};

static const struct opt option_table[] = {
	OPT_FLAG('a', "all", struct options, all, "show all images"),
	OPT_FLAG('q', "quiet", struct options, quiet, "ids only"),
	OPT_FLAG('n', "noheading", struct options, noheading, "no heading"),
	OPT_FLAG(0, "no-trunc", struct options, no_trunc, "ids in full"),
	OPT_FLAG(0, "digests", struct options, digests, "show digests"),
	OPT_STRING(0, "format", struct options, format, "TEMPLATE|json", "how to print it"),
	OPT_LIST('f', "filter", struct options, filters, "KEY=VALUE",
		 "dangling=true|false, or reference=NAME"),
	OPT_END,
};

/* "2026-01-02 03:04:05 +0000 UTC", or RFC 3339 */
static void created_at(int64_t created, bool rfc3339, char *text, size_t size)
{
	time_t seconds = (time_t)created;
	struct tm tm;

	(void)gmtime_r(&seconds, &tm);
	if (rfc3339)
		(void)strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm);
	else
		(void)strftime(text, size, "%Y-%m-%d %H:%M:%S +0000 UTC", &tm);
}

/* One line: an image, under one of its names or under none. The fields are Podman's. */
static json_t *make_line(const struct options *o, const struct image_row *row, const char *name)
{
	size_t len = name ? strlen(name) : 0;
	const char *tag = name ? name_split_tag(name, &len) : NULL;
	int64_t now = (int64_t)time(NULL);
	char created[64];
	char age[80];
	char since[96];
	char size[32];
	int id_len = o->no_trunc ? IMAGE_ID_SIZE - 1 : SHORT_ID;

	created_at(row->created, false, created, sizeof(created));
	human_duration(row->created < now ? (uint64_t)(now - row->created) * NS_PER_SEC : 0, age,
		       sizeof(age));
	(void)snprintf(since, sizeof(since), "%s ago", age);
	human_size(row->size, size, sizeof(size));
	return json_pack("{s:o, s:o, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:b}", "ID",
			 json_sprintf("%s%.*s", o->no_trunc ? "sha256:" : "", id_len, row->id),
			 "Repository",
			 json_sprintf("%.*s", name ? (int)len : 6, name ? name : "<none>"), "Tag",
			 tag ? tag : "<none>", "Id", json_string(row->id), "Digest", row->digest,
			 "Created", since, "CreatedSince", since, "CreatedAt", created, "Size",
			 size, "Dangling", name == NULL);
}

/* --- which ones ------------------------------------------------------------------- */

static bool matches_name(const struct image_row *row, const char *typed)
{
	cleanup_strv struct strv names = STRV_INIT;

	if (name_candidates(typed, &names, NULL) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++)
		if (strv_contains(&row->names, names.items[i]))
			return true;
	return false;
}

/* `images NAME`: every tag of the repository, or the one that was given. */
static bool line_is_wanted(const char *name, const char *typed)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_name struct name parsed = NAME_INIT;
	size_t len;

	if (!typed)
		return true;
	if (!name || name_parse(typed, &parsed, NULL) < 0 ||
	    name_candidates(typed, &names, NULL) < 0)
		return false;
	(void)name_split_tag(name, &len);
	for (size_t i = 0; i < names.n; i++) {
		size_t wanted_len;

		(void)name_split_tag(names.items[i], &wanted_len);
		if (parsed.tag[0] ? strcmp(names.items[i], name) == 0
				  : len == wanted_len && memcmp(name, names.items[i], len) == 0)
			return true;
	}
	return false;
}

static int passes(const struct options *o, const struct image_row *row, bool *ret,
		  struct error *err)
{
	*ret = true;
	for (size_t i = 0; i < o->filters.n; i++) {
		const char *filter = o->filters.items[i];

		if (strcmp(filter, "dangling=true") == 0)
			*ret = *ret && row->names.n == 0;
		else if (strcmp(filter, "dangling=false") == 0)
			*ret = *ret && row->names.n > 0;
		else if (strncmp(filter, "reference=", 10) == 0)
			*ret = *ret && matches_name(row, filter + 10);
		else
			return err_set(err, -EINVAL,
				       "filter '%s' is not known here; dangling=true|false and "
				       "reference=NAME are",
				       filter);
	}
	return 0;
}

static int collect_lines(const struct options *o, const struct image_list *list, const char *typed,
			 json_t *lines, struct error *err)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct image_row *row = &list->rows[i];
		size_t n_names = row->names.n > 0 ? row->names.n : 1;
		bool wanted = false;
		int r;

		r = passes(o, row, &wanted, err);
		if (r < 0)
			return r;
		for (size_t k = 0; wanted && k < n_names; k++) {
			const char *name = row->names.n > 0 ? row->names.items[k] : NULL;

			if (!line_is_wanted(name, typed))
				continue;
			if (json_array_append_new(lines, make_line(o, row, name)) < 0)
				return err_oom(err);
		}
	}
	return 0;
}

/* --- how --------------------------------------------------------------------------- */

static const char *field_of(const json_t *line, const char *key)
{
	return json_string_value(json_object_get(line, key));
}

static int print_table(const struct options *o, const json_t *lines, struct error *err)
{
	static const char *const keys[] = {
		"Repository", "Tag", "Digest", "ID", "Created", "Size"
	};
	static const char *const heads[] = { "REPOSITORY", "TAG",     "DIGEST",
					     "IMAGE ID",   "CREATED", "SIZE" };
	cleanup_table struct table table = { .columns = o->digests ? 6 : 5 };

	for (size_t k = 0; !o->noheading && k < ARRAY_SIZE(heads); k++)
		if (k != 2 || o->digests)
			table_add(&table, heads[k]);
	for (size_t i = 0; i < json_array_size(lines); i++)
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
			if (k != 2 || o->digests)
				table_add(&table, field_of(json_array_get(lines, i), keys[k]));
	if (!strv_ok(&table.cells))
		return err_oom(err);
	table_print(&table);
	return 0;
}

/* Each image once, however many names it has. */
static int print_ids(const json_t *lines, struct error *err)
{
	cleanup_strv struct strv seen = STRV_INIT;
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line)
	{
		const char *id = json_string_value(json_object_get(line, "ID"));

		if (strv_contains(&seen, id))
			continue;
		strv_add(&seen, id);
		printf("%s\n", id);
	}
	return strv_ok(&seen) ? 0 : err_oom(err);
}

static int print_template(const char *format, const json_t *lines, struct error *err)
{
	const json_t *line;
	size_t i;

	if (strncmp(format, "table ", 6) == 0)
		return err_set(err, -EINVAL, "--format: \"table\" is not supported here");
	json_array_foreach(lines, i, line)
	{
		cleanup_buf struct buf text = BUF_INIT;
		int r = template_render(format, line, &text, err);

		if (r < 0)
			return r;
		printf("%s\n", buf_str(&text));
	}
	return 0;
}

static int print_json(const struct image_list *list, struct error *err)
{
	cleanup_json json_t *all = json_array();
	cleanup_free char *text = NULL;
	int r;

	for (size_t i = 0; all && i < list->n; i++) {
		const struct image_row *row = &list->rows[i];
		json_t *names = json_array();
		char created[64];

		created_at(row->created, true, created, sizeof(created));
		for (size_t k = 0; k < row->names.n; k++)
			(void)json_array_append_new(names, json_string(row->names.items[k]));
		if (json_array_append_new(all, json_pack("{s:s, s:o, s:s, s:I, s:I, s:s}", "Id",
							 row->id, "Names", names, "Digest",
							 row->digest, "Size", (json_int_t)row->size,
							 "Created", (json_int_t)row->created,
							 "CreatedAt", created)) < 0)
			return err_oom(err);
	}
	if (!all)
		return err_oom(err);
	r = json_format(all, 4, &text, err);
	if (r == 0)
		printf("%s", text);
	return r;
}

static int print_lines(const struct options *o, const json_t *lines, struct error *err)
{
	if (o->quiet)
		return print_ids(lines, err);
	if (o->format)
		return print_template(o->format, lines, err);
	return print_table(o, lines, err);
}

static int list_images(const struct program *program, const struct options *o, const char *typed,
		       struct error *err)
{
	cleanup_image_list struct image_list list = IMAGE_LIST_INIT;
	cleanup_json json_t *lines = json_array();
	cleanup_store struct store *store = NULL;
	int r;

	if (!lines)
		return err_oom(err);
	r = store_open(program->root, &store, err);
	if (r == 0)
		r = image_list(store, &list, err);
	if (r == 0 && o->format && strcmp(o->format, "json") == 0)
		return print_json(&list, err);
	if (r == 0)
		r = collect_lines(o, &list, typed, lines, err);
	return r < 0 ? r : print_lines(o, lines, err);
}

static int run_images(const struct command *cmd, int argc, char **argv, void *program)
{
	struct options o = { .all = false };
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r == PROGRAM_GO_ON && argc > 1) {
		(void)err_set(&err, -EINVAL, "accepts at most 1 arg(s), received %d", argc);
		r = program_misuse(program, cmd, &err);
	} else if (r == PROGRAM_GO_ON) {
		r = list_images(program, &o, argc > 0 ? argv[0] : NULL, &err);
		r = r < 0 ? program_fail(&err) : program_finish();
	}
	strv_done(&o.filters);
	return r;
}

const struct command command_images = {
	.name = "images",
	.args = "[NAME]",
	.brief = "List images in local storage",
	.options = option_table,
	.run = run_images,
};
