#include <errno.h>
#include <stddef.h>

#include "cmd/cryorun/commands.h"
#include "cmd/cryorun/engine-log.h"
#include "cmd/cryorun/program.h"

struct restore_values {
	struct restore_opts restore;
	struct strv empty_ns;
	const char *lsm_profile;
	const char *lsm_mount_context;
	bool no_subreaper;
	bool auto_dedup;
};

#define IMAGES(n, field, h) OPT_FLAG(0, n, struct restore_values, restore.images.field, h)

static const struct opt options[] = {
	OPT_STRING('b', "bundle", struct restore_values, restore.create.bundle, "DIR",
		   "folder with config.json (.)"),
	OPT_STRING(0, "image-path", struct restore_values, restore.images.image_path, "DIR",
		   "where the image files are (checkpoint)"),
	OPT_STRING(0, "work-path", struct restore_values, restore.images.work_path, "DIR",
		   "where log and statistics go (the image path)"),
	OPT_STRING(0, "console-socket", struct restore_values, restore.create.console_socket,
		   "PATH", "unix socket that receives the terminal's master end"),
	OPT_STRING(0, "pid-file", struct restore_values, restore.create.pid_file, "FILE",
		   "write the process id there"),
	OPT_FLAG('d', "detach", struct restore_values, restore.detach, "return when it runs"),
	IMAGES("tcp-established", tcp_established, "restore open TCP connections"),
	IMAGES("tcp-close", tcp_close, "close the TCP connections that were open"),
	IMAGES("ext-unix-sk", ext_unix_sk, "allow unix sockets to the outside"),
	IMAGES("shell-job", shell_job, "allow a session and terminal from outside"),
	IMAGES("file-locks", file_locks, "restore file locks"),
	IMAGES("link-remap", link_remap, NULL),
	IMAGES("lazy-pages", lazy_pages, NULL),
	OPT_STRING(0, "manage-cgroups-mode", struct restore_values, restore.images.cgroups_mode,
		   "MODE", "soft (default), full, strict, ignore"),
	OPT_LIST(0, "empty-ns", struct restore_values, empty_ns, "KIND",
		 "make a namespace of that kind without content"),
	OPT_FLAG(0, "no-pivot", struct restore_values, restore.create.no_pivot, NULL),
	OPT_FLAG(0, "no-new-keyring", struct restore_values, restore.create.no_new_keyring, NULL),
	OPT_FLAG(0, "no-subreaper", struct restore_values, no_subreaper, NULL),
	OPT_FLAG(0, "auto-dedup", struct restore_values, auto_dedup, NULL),
	OPT_STRING(0, "lsm-profile", struct restore_values, lsm_profile, "TYPE:NAME", NULL),
	OPT_STRING(0, "lsm-mount-context", struct restore_values, lsm_mount_context, "CONTEXT",
		   NULL),
	OPT_END,
};

static int run(const struct command *cmd, int argc, char **argv, void *arg)
{
	struct program *program = arg;
	struct restore_values o = { .restore = { .images = { .status_fd = -1 },
						 .create = { .console_fd = -EBADF } } };
	struct error err = ERROR_INIT;
	int code = 0;
	int r = program_parse(program, cmd, &o, argc, argv, 1, 1, &argc);

	if (r == PROGRAM_GO_ON) {
		o.restore.images.empty_ns = strv_argv(&o.empty_ns);
		engine_log_begin(program, &o.restore.images, "restore.log");
		r = runtime_restore(&program->runtime, argv[0], &o.restore, &code, &err);
		engine_log_end(program, r, &err);
		r = r < 0 ? program_fail(program, &err) : code;
	}
	strv_done(&o.empty_ns);
	return r;
}

const struct command command_restore = {
	.name = "restore",
	.args = "CONTAINER",
	.brief = "make a container again from image files, running",
	.options = options,
	.run = run,
};
