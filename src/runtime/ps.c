#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/spawn.h"
#include "base/strv.h"
#include "runtime/cgroup-tasks.h"
#include "runtime/container.h"
#include "runtime/runtime.h"

struct pids {
	pid_t *items;
	size_t n;
};

static int print_json(const struct pids *pids, FILE *out, struct error *err)
{
	cleanup_json json_t *array = json_array();
	cleanup_free char *text = NULL;
	int r;

	for (size_t i = 0; i < pids->n; i++)
		if (json_array_append_new(array, json_integer(pids->items[i])) < 0)
			return err_oom(err);
	r = json_format(array, 0, &text, err);
	if (r < 0)
		return r;
	fputs(text, out);
	return 0;
}

/* Which column of the heading is "PID"? Negative: none. */
static int find_pid_column(const char *line)
{
	int column = 0;

	while (*line) {
		size_t len;

		line += strspn(line, " ");
		len = strcspn(line, " ");
		if (len == 3 && memcmp(line, "PID", 3) == 0)
			return column;
		line += len;
		column++;
	}
	return -1;
}

static bool is_listed(const struct pids *pids, const char *line, int column)
{
	char *end;
	long pid;

	for (; column > 0; column--) {
		line += strspn(line, " ");
		line += strcspn(line, " ");
	}
	pid = strtol(line, &end, 10);
	for (size_t i = 0; end != line && i < pids->n; i++)
		if (pids->items[i] == pid)
			return true;
	return false;
}

static int print_table(const struct pids *pids, char *const *args, FILE *out, struct error *err)
{
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	cleanup_strv struct strv argv = STRV_INIT;
	struct spawn spawn = SPAWN_INIT;
	int column = -1;
	char *rest;
	char *line;
	int r;

	strv_add(&argv, "ps");
	if (!args || !*args)
		strv_add(&argv, "-ef");
	for (; args && *args; args++)
		strv_add(&argv, *args);
	if (!strv_ok(&argv))
		return err_oom(err);
	spawn.argv = strv_argv(&argv);
	spawn.max_captured = 64U << 20;
	r = spawn_run(&spawn, &result, err);
	if (r >= 0)
		r = spawn_check("ps", &result, err);
	if (r < 0)
		return r;
	rest = result.out.data;
	line = strsep(&rest, "\n");
	column = line ? find_pid_column(line) : -1;
	if (column < 0)
		return err_set(err, -EINVAL, "ps: its output has no column PID");
	fprintf(out, "%s\n", line);
	while ((line = strsep(&rest, "\n")))
		if (is_listed(pids, line, column))
			fprintf(out, "%s\n", line);
	return 0;
}

int runtime_ps(const struct runtime *rt, const char *id, bool json, char *const *args, FILE *out,
	       struct error *err)
{
	cleanup_container struct container c = CONTAINER_INIT;
	cleanup_free pid_t *list = NULL;
	struct pids pids = { .n = 0 };
	int r;

	r = container_open(rt, id, false, &c, err);
	if (r >= 0)
		r = cgroup_pids(&c.cgroup, &list, &pids.n, err);
	if (r < 0)
		return r;
	pids.items = list;
	return json ? print_json(&pids, out, err) : print_table(&pids, args, out, err);
}
