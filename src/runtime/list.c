#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/strv.h"
#include "runtime/container.h"
#include "runtime/runtime.h"

int runtime_state(const struct runtime *rt, const char *id, char **ret, struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_json json_t *state = NULL;
	int r;

	r = container_open(rt, id, false, &c, err);
	if (r < 0)
		return r;
	r = container_state_json(&c, container_status(&c), &state, err);
	if (r < 0)
		return r;
	return json_format(state, 2, ret, err);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(const struct runtime *rt, struct strv *ret, struct error *err)
{
	cleanup_dir DIR *dir = opendir(rt->root);
	struct dirent *entry;

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir) {
		int r = err_sys(err, "open state folder '%s'", rt->root);

		if (geteuid() != 0)
			err_hint(err, "cryorun needs root: run it with sudo");
		return r;
	}
	while ((errno = 0, entry = readdir(dir)))
		if (container_check_id(entry->d_name, NULL) >= 0)
			strv_add(ret, entry->d_name);
	if (errno)
		return err_sys(err, "read state folder '%s'", rt->root);
	if (!strv_ok(ret))
		return err_oom(err);
	if (ret->n > 0)
		qsort(ret->items, ret->n, sizeof(*ret->items), by_name);
	return 0;
}

static const char *owner_name(uid_t uid, char *number, size_t size)
{
	const struct passwd *user = uid == 0 ? NULL : getpwuid(uid);

	if (uid == 0)
		return "root";
	(void)snprintf(number, size, "#%u", uid);
	return user ? user->pw_name : number;
}

struct row {
	char *id;
	int pid;
	const char *status;
	char *bundle;
	char *created;
	char *owner;
	json_t *json;
};

struct rows {
	struct row *items;
	size_t n;
};

static void cleanup_rows_p(struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		free(rows->items[i].id);
		free(rows->items[i].bundle);
		free(rows->items[i].created);
		free(rows->items[i].owner);
		json_decref(rows->items[i].json);
	}
	free(rows->items);
}

/* 1: a row; 0: no container (any more). */
static int read_row(const struct runtime *rt, const char *id, struct row *ret, struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	enum container_status status;
	struct row row = { .pid = 0 };
	struct error why = ERROR_INIT;
	char number[16];
	int r;

	r = container_open(rt, id, false, &c, &why);
	if (r < 0 && r != -ENOENT)
		log_warn("'%s' is not listed: %s", id, why.text);
	if (r < 0 || !c.complete)
		return 0;
	status = container_status(&c);
	row.status = container_status_name(status);
	row.pid = status == CONTAINER_STOPPED ? 0 : c.init.pid;
	row.id = strdup(id);
	row.bundle = strdup(c.bundle);
	row.created = strdup(c.created);
	row.owner = strdup(owner_name(c.owner, number, sizeof(number)));
	r = container_state_json(&c, status, &row.json, err);
	if (r >= 0 && (!row.id || !row.bundle || !row.created || !row.owner ||
		       json_object_set_new(row.json, "owner", json_string(row.owner)) < 0))
		r = err_oom(err);
	*ret = row;
	return r < 0 ? r : 1;
}

static int width(size_t now, const char *text)
{
	size_t len = strlen(text);

	return (int)(len > now ? len : now);
}

/* Columns as wide as their longest cell, three blanks between. */
static void print_table(const struct rows *rows, FILE *out)
{
	int id = 9;
	int status = 9;
	int bundle = 9;
	int created = 9;

	for (size_t i = 0; i < rows->n; i++) {
		id = width((size_t)id, rows->items[i].id);
		status = width((size_t)status, rows->items[i].status);
		bundle = width((size_t)bundle, rows->items[i].bundle);
		created = width((size_t)created, rows->items[i].created);
	}
	fprintf(out, "%-*s   %-9s   %-*s   %-*s   %-*s   %s\n", id, "ID", "PID", status, "STATUS",
		bundle, "BUNDLE", created, "CREATED", "OWNER");
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->items[i];

		fprintf(out, "%-*s   %-9d   %-*s   %-*s   %-*s   %s\n", id, r->id, r->pid, status,
			r->status, bundle, r->bundle, created, r->created, r->owner);
	}
}

static int print_json(const struct rows *rows, FILE *out, struct error *err)
{
	cleanup_json json_t *array = json_array();
	cleanup_free char *text = NULL;
	int r;

	if (rows->n == 0) {
		fprintf(out, "null");
		return 0;
	}
	for (size_t i = 0; i < rows->n; i++)
		if (json_array_append(array, rows->items[i].json) < 0)
			return err_oom(err);
	r = json_format(array, 0, &text, err);
	if (r < 0)
		return r;
	fputs(text, out);
	return 0;
}

int runtime_list(const struct runtime *rt, enum list_format format, FILE *out, struct error *err)
{
	__attribute__((cleanup(cleanup_rows_p))) struct rows rows = { .items = NULL };
	cleanup_strv struct strv names = STRV_INIT;
	int r;

	r = read_names(rt, &names, err);
	if (r < 0)
		return r;
	rows.items = calloc(names.n + 1, sizeof(*rows.items));
	if (!rows.items)
		return err_oom(err);
	for (size_t i = 0; i < names.n; i++) {
		r = read_row(rt, names.items[i], &rows.items[rows.n], err);
		if (r < 0)
			return r;
		rows.n += (size_t)r;
	}
	if (format == LIST_JSON)
		return print_json(&rows, out, err);
	if (format == LIST_TABLE)
		print_table(&rows, out);
	else
		for (size_t i = 0; i < rows.n; i++)
			fprintf(out, "%s\n", rows.items[i].id);
	return 0;
}
