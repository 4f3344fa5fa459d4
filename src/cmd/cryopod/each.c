#include "cmd/cryopod/each.h"

#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/db.h"
#include "pod/held.h"

int each_check(const struct each *each, int argc, struct error *err)
{
	if (each->all && each->latest)
		return err_set(err, -EINVAL, "--all and --latest cannot be used together");
	if (each->both_given && (each->all || each->latest) && argc > 0)
		return err_set(err, -EINVAL, "%s", each->both_given);
	if (each->all && argc > 0)
		return err_set(err, -EINVAL, "no arguments are needed with --all");
	if (each->latest && argc > 0)
		return err_set(err, -EINVAL, "--latest and containers cannot be used together");
	if (!each->all && !each->latest && argc == 0)
		return err_set(err, -EINVAL, "%s",
			       each->none_given ? each->none_given
						: "you must provide at least one name or id");
	return 0;
}

static int find_named(struct pod *pod, const struct each *each, int argc, char **argv,
		      struct strv *ids, struct strv *words, struct error *err)
{
	char id[ID_LEN + 1];

	for (int i = 0; i < argc; i++) {
		int r = db_find(pod->db, argv[i], id, err);

		if (r == -ENOENT && each->ignore)
			continue;
		if (r == -ENOENT && each->not_found)
			return err_set(err, r, "%s: %s", each->not_found, argv[i]);
		if (r < 0)
			return r;
		if (strv_contains(ids, id))
			continue;
		strv_add(ids, id);
		strv_add(words, argv[i]);
	}
	return 0;
}

int choose_containers(struct pod *pod, const struct each *each, int argc, char **argv,
		      struct strv *ids, struct strv *words, struct error *err)
{
	char id[ID_LEN + 1];
	int r = each_check(each, argc, err);

	if (r < 0)
		return r;
	if (each->all) {
		r = db_ids(pod->db, ids, err);
	} else if (each->latest) {
		r = db_latest(pod->db, id, err);
		if (r == 0)
			strv_add(ids, id);
	} else {
		r = find_named(pod, each, argc, argv, ids, words, err);
	}
	for (size_t i = words->n; r == 0 && i < ids->n; i++)
		strv_add(words, ids->items[i]);
	if (r == 0 && (!strv_ok(ids) || !strv_ok(words)))
		return err_oom(err);
	return r;
}

/* 0: done, 1: done and nothing to print. */
static int do_one(struct pod *pod, const struct each *each, const char *id, struct error *err)
{
	cleanup_held struct held held = HELD_INIT;
	int r = held_take(pod, id, &held, err);

	if (r == -ENOENT && (each->all || each->ignore))
		return 1; /* another command was quicker */
	if (r < 0)
		return r;
	if (each->all && each->statuses && !(each->statuses & (1u << held.c.state.status)))
		return 1;
	return each->act(pod, &held, each->arg, err);
}

static int do_all(struct pod *pod, const struct each *each, const struct strv *ids,
		  const struct strv *words)
{
	int exit_code = 0;

	for (size_t i = 0; i < ids->n; i++) {
		struct error err = ERROR_INIT;
		int r = do_one(pod, each, ids->items[i], &err);

		if (r == 0)
			printf("%s\n", words->items[i]);
		if (r >= 0)
			continue;
		(void)program_fail(&err);
		exit_code = each->exit_code ? each->exit_code(r) : EXIT_ENGINE;
	}
	return exit_code;
}

int each_container(const struct program *program, const struct each *each, int argc, char **argv)
{
	cleanup_pod struct pod pod = POD_INIT;
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_strv struct strv words = STRV_INIT;
	struct error err = ERROR_INIT;
	int exit_code;
	int r = each_check(each, argc, &err);

	if (r == 0)
		r = program_open(program, &pod, &err);
	if (r == 0)
		r = choose_containers(&pod, each, argc, argv, &ids, &words, &err);
	if (r < 0) {
		(void)program_fail(&err);
		return each->exit_code ? each->exit_code(r) : EXIT_ENGINE;
	}
	exit_code = do_all(&pod, each, &ids, &words);
	r = program_finish();
	return exit_code ? exit_code : r;
}

struct simple {
	int (*act)(struct pod *pod, struct held *held, struct error *err);
};

static int act_simply(struct pod *pod, struct held *held, void *arg, struct error *err)
{
	const struct simple *simple = arg;

	return simple->act(pod, held, err);
}

int each_simply(const struct program *program, const struct command *cmd, unsigned int statuses,
		int (*act)(struct pod *pod, struct held *held, struct error *err), int argc,
		char **argv)
{
	struct each_options o = { 0 };
	struct simple simple = { .act = act };
	struct each each = { .statuses = statuses, .act = act_simply, .arg = &simple };
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	each.all = o.all;
	each.latest = o.latest;
	return each_container(program, &each, argc, argv);
}
