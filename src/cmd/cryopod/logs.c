/*
 * logs: what containers wrote.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/each.h"
#include "cmd/cryopod/open.h"
#include "cmd/cryopod/program.h"
#include "pod/db.h"
#include "pod/held.h"
#include "pod/logs.h"

struct logs_options {
	bool follow;
	bool latest;
	bool names;
	bool timestamps;
	bool colour; /* accepted; there are no colours */
	const char *since;
	const char *until;
	const char *tail;
};

static const struct opt logs_option_table[] = {
	OPT_FLAG(0, "color", struct logs_options, colour, NULL),
	OPT_FLAG('f', "follow", struct logs_options, follow, "go on until the container ends"),
	OPT_FLAG('l', "latest", struct logs_options, latest, "the container created last"),
	OPT_FLAG('n', "names", struct logs_options, names, "the container's name before each line"),
	OPT_STRING(0, "since", struct logs_options, since, "TIME", "only what is younger"),
	OPT_STRING(0, "tail", struct logs_options, tail, "N", "only the last N lines"),
	OPT_FLAG('t', "timestamps", struct logs_options, timestamps, "the time before each line"),
	OPT_STRING(0, "until", struct logs_options, until, "TIME", "only what is older"),
	OPT_END,
};

struct printing {
	const struct logs_options *options;
	const char *prefix; /* name or short id; NULL: none */
	bool inside[2];	    /* of a line, for each stream */
};

static int print_record(void *arg, const struct log_record *record, struct error *err)
{
	struct printing *p = arg;
	FILE *to = record->stream == LOG_STREAM_ERR ? stderr : stdout;

	if (!p->inside[record->stream]) {
		if (p->prefix)
			(void)fprintf(to, "%s ", p->prefix);
		if (p->options->timestamps)
			(void)fprintf(to, "%.*s ", (int)record->time_len, record->time);
	}
	(void)fwrite(record->text, 1, record->text_len, to);
	if (!record->partial)
		(void)fputc('\n', to);
	p->inside[record->stream] = record->partial;
	return ferror(to) ? err_sys(err, "write the log") : 0;
}

struct source {
	struct container c;
	const char *path;
	uint64_t offset;
	struct printing printing;
	char prefix[64];
};

static int make_query(const struct logs_options *o, struct log_query *query, struct error *err)
{
	uint64_t now = clock_real_ns();
	char *end = NULL;
	int r = 0;

	*query = (struct log_query){ .tail = -1, .until_ns = UINT64_MAX, .each = print_record };
	if (o->tail && strcmp(o->tail, "all") != 0) {
		query->tail = strtoll(o->tail, &end, 10);
		if (end == o->tail || *end)
			return err_set(err, -EINVAL,
				       "invalid argument \"%s\" for \"--tail\" flag: not a number",
				       o->tail);
	}
	if (o->since)
		r = log_parse_moment(o->since, now, &query->since_ns, err);
	if (r == 0 && o->until)
		r = log_parse_moment(o->until, now, &query->until_ns, err);
	return r;
}

static int print_source(struct source *s, struct log_query *query, struct error *err)
{
	query->arg = &s->printing;
	return log_read(s->path, query, &s->offset, err);
}

/* Loads it again and says whether it still runs. */
static int still_runs(struct pod *pod, struct source *s, struct error *err)
{
	struct container c = CONTAINER_INIT;
	int r = db_load(pod->db, s->c.id, &c, err);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = container_refresh(pod, &c, err);
	if (r >= 0)
		r = container_is_alive(&c);
	container_done(&c);
	return r;
}

/* 1: one still runs. What was written before an end is read after it was noticed. */
static int read_all_once(struct pod *pod, struct source *sources, size_t n, struct log_query *query,
			 struct error *err)
{
	int running = 0;

	for (size_t i = 0; i < n; i++) {
		int alive = still_runs(pod, &sources[i], err);
		int r = alive < 0 ? alive : print_source(&sources[i], query, err);

		if (r < 0)
			return r;
		running |= alive;
	}
	if (fflush(stdout) != 0)
		return err_sys(err, "write to standard output");
	return running;
}

static int follow(struct pod *pod, struct source *sources, size_t n, struct log_query *query,
		  struct error *err)
{
	cleanup_fd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	char events[4096];
	int r;

	if (fd < 0 || inotify_add_watch(fd, pod->exits, IN_MOVED_TO) < 0)
		return err_sys(err, "watch '%s'", pod->exits);
	for (size_t i = 0; i < n; i++)
		if (inotify_add_watch(fd, sources[i].path, IN_MODIFY) < 0 && errno != ENOENT)
			return err_sys(err, "watch '%s'", sources[i].path);
	query->tail = -1; /* what was there already is printed */
	while ((r = read_all_once(pod, sources, n, query, err)) > 0) {
		/* The limit is for an end without a record: conmon may have been killed. */
		if (poll(&poll_fd, 1, 2000) < 0 && errno != EINTR)
			return err_sys(err, "wait for the log");
		while (read(fd, events, sizeof(events)) > 0)
			;
	}
	return r;
}

static int load_sources(struct pod *pod, const struct logs_options *o, const struct strv *ids,
			struct source *sources, struct error *err)
{
	for (size_t i = 0; i < ids->n; i++) {
		struct source *s = &sources[i];
		int r = db_load(pod->db, ids->items[i], &s->c, err);

		if (r < 0)
			return r;
		s->path = container_config_string(&s->c, "logPath");
		if (!s->path)
			return err_set(err, -EBADMSG, "container %s has no log", s->c.id);
		s->printing.options = o;
		(void)snprintf(s->prefix, sizeof(s->prefix), "%.*s", o->names ? 63 : 12,
			       o->names ? s->c.name : s->c.id);
		s->printing.prefix = o->names || ids->n > 1 ? s->prefix : NULL;
	}
	return 0;
}

static int print_logs(struct pod *pod, const struct logs_options *o, const struct strv *ids,
		      struct error *err)
{
	struct source *sources = calloc(ids->n, sizeof(*sources));
	struct log_query query;
	int r = make_query(o, &query, err);

	if (!sources)
		return err_oom(err);
	if (r == 0)
		r = load_sources(pod, o, ids, sources, err);
	for (size_t i = 0; i < ids->n && r == 0; i++)
		r = print_source(&sources[i], &query, err);
	if (r == 0 && o->follow)
		r = follow(pod, sources, ids->n, &query, err);
	for (size_t i = 0; i < ids->n; i++)
		container_done(&sources[i].c);
	free(sources);
	return r;
}

static int run_logs(const struct command *cmd, int argc, char **argv, void *program)
{
	struct logs_options o = { 0 };
	struct each each = { .none_given = "specify at least one container name or ID to log" };
	cleanup_pod struct pod pod = POD_INIT;
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_strv struct strv words = STRV_INIT;
	struct error err = ERROR_INIT;
	int r = program_options(program, cmd, &o, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	each.latest = o.latest;
	r = program_open(program, &pod, &err);
	if (r == 0)
		r = choose_containers(&pod, &each, argc, argv, &ids, &words, &err);
	if (r == 0)
		r = print_logs(&pod, &o, &ids, &err);
	return r < 0 ? program_fail(&err) : program_finish();
}

const struct command command_logs = {
	.name = "logs",
	.args = "CONTAINER [CONTAINER...]",
	.brief = "Fetch the logs of one or more containers",
	.options = logs_option_table,
	.run = run_logs,
};
