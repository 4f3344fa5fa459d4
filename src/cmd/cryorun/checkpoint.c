#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"
#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/engine-log.h"
#include "cmd/cryorun/program.h"

struct checkpoint_values {
	struct checkpoint_opts dump;
	struct strv empty_ns;
	bool auto_dedup;
	bool check;
};

#define DUMP(s, n, field, h) OPT_FLAG(s, n, struct checkpoint_values, dump.field, h)

static const struct opt options[] = {
	OPT_STRING(0, "image-path", struct checkpoint_values, dump.image_path, "DIR",
		   "where the image files go (checkpoint)"),
	OPT_STRING(0, "work-path", struct checkpoint_values, dump.work_path, "DIR",
		   "where log and statistics go (the image path)"),
	OPT_STRING(0, "parent-path", struct checkpoint_values, dump.parent_path, "DIR",
		   "an earlier pre-dump"),
	DUMP(0, "leave-running", leave_running, "let the container run on"),
	DUMP(0, "tcp-established", tcp_established, "save open TCP connections"),
	DUMP(0, "tcp-skip-in-flight", tcp_skip_in_flight, NULL),
	DUMP(0, "ext-unix-sk", ext_unix_sk, "allow unix sockets to the outside"),
	DUMP(0, "shell-job", shell_job, "allow a session and terminal from outside"),
	DUMP(0, "lazy-pages", lazy_pages, NULL),
	OPT_INT(0, "status-fd", struct checkpoint_values, dump.status_fd, "FD",
		"write a zero byte there when all is saved"),
	OPT_INT(0, "hold-fd", struct checkpoint_values, dump.hold_fd, "FD",
		"when all is saved write 1 there, stand still until a 1 comes back"),
	OPT_STRING(0, "page-server", struct checkpoint_values, dump.page_server, "ADDR:PORT", NULL),
	DUMP(0, "file-locks", file_locks, "save file locks"),
	DUMP(0, "link-remap", link_remap, "allow links to deleted files to be made"),
	DUMP(0, "pre-dump", pre_dump, "save memory only, let it run on"),
	OPT_STRING(0, "manage-cgroups-mode", struct checkpoint_values, dump.cgroups_mode, "MODE",
		   "soft (default), full, strict, ignore"),
	OPT_LIST(0, "empty-ns", struct checkpoint_values, empty_ns, "KIND",
		 "do not save what is in that namespace"),
	OPT_FLAG(0, "auto-dedup", struct checkpoint_values, auto_dedup, NULL),
	OPT_FLAG(0, "check", struct checkpoint_values, check,
		 "only list what can't be saved; nothing is stopped or written"),
	OPT_END,
};

static void print_obstacle(void *arg, const struct error *obstacle)
{
	(void)arg;
	printf("%s\n", obstacle->text);
	if (obstacle->hint[0])
		printf("  hint: %s\n", obstacle->hint);
}

static int check(const struct program *program, const char *id, const struct checkpoint_opts *opts,
		 struct error *err)
{
	int r = runtime_checkpoint_check(&program->runtime, id, opts, print_obstacle, NULL, err);

	if (r > 0)
		return err_set(err, -EOPNOTSUPP, "%d obstacle%s to a checkpoint of container '%s'",
			       r, r == 1 ? "" : "s", id);
	return r;
}

static int save(struct program *program, const char *id, const struct checkpoint_opts *opts,
		struct error *err)
{
	int r;

	engine_log_begin(program, opts, "dump.log");
	r = runtime_checkpoint(&program->runtime, id, opts, err);
	engine_log_end(program, r, err);
	return r;
}

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	struct program *program = arg;
	struct checkpoint_values o = { .dump = { .status_fd = -1, .hold_fd = -1 } };
	struct error err = ERROR_INIT;
	int r = program_parse(program, cmd, &o, argc, argv, 1, 1, &argc);

	if (r == PROGRAM_GO_ON) {
		o.dump.empty_ns = strv_argv(&o.empty_ns);
		r = o.check ? check(program, argv[0], &o.dump, &err)
			    : save(program, argv[0], &o.dump, &err);
		r = program_end(program, r, &err);
	}
	strv_done(&o.empty_ns);
	return r;
}

const struct command command_checkpoint = {
	.name = "checkpoint",
	.args = "CONTAINER",
	.brief = "save a running container's processes to image files",
	.options = options,
	.run = run,
};
