/*
 * cryopod: containers as named things that can be frozen to disk.
 *
 * Global options come before the command, as with Podman; each command has its
 * own file and table. Here is the one list of them all.
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "cmd/cryopod/commands.h"
#include "cmd/cryopod/program.h"

/* Where a command can be typed. */
enum place {
	PLACE_TOP = 1,	     /* cryopod X */
	PLACE_CONTAINER = 2, /* cryopod container X */
	PLACE_IMAGE = 4,     /* cryopod image X */
	PLACE_HIDDEN = 8,    /* another spelling: works, and is not in the list */
};
#define PLACE_BOTH (PLACE_TOP | PLACE_CONTAINER)

struct entry {
	const char *name;
	unsigned int places;
	const struct command *command;
};

static const struct entry entries[] = {
	{ "exists", PLACE_IMAGE, &command_image_exists },
	{ "images", PLACE_TOP, &command_images },
	{ "list", PLACE_IMAGE, &command_images },
	{ "ls", PLACE_IMAGE | PLACE_HIDDEN, &command_images },
	{ "import", PLACE_TOP | PLACE_IMAGE, &command_import },
	{ "load", PLACE_TOP | PLACE_IMAGE, &command_load },
	{ "pull", PLACE_TOP | PLACE_IMAGE, &command_pull },
	{ "rmi", PLACE_TOP, &command_rmi },
	{ "rm", PLACE_IMAGE, &command_rmi },
	{ "save", PLACE_TOP | PLACE_IMAGE, &command_save },
	{ "tag", PLACE_TOP | PLACE_IMAGE, &command_tag },
	{ "untag", PLACE_TOP | PLACE_IMAGE, &command_untag },
	{ "attach", PLACE_BOTH, &command_attach },
	{ "checkpoint", PLACE_CONTAINER, &command_checkpoint },
	{ "cleanup", PLACE_CONTAINER, &command_cleanup },
	{ "create", PLACE_BOTH, &command_create },
	{ "diff", PLACE_BOTH, &command_diff },
	{ "exec", PLACE_BOTH, &command_exec },
	{ "exists", PLACE_CONTAINER, &command_container_exists },
	{ "info", PLACE_TOP, &command_info },
	{ "init", PLACE_BOTH, &command_init },
	{ "inspect", PLACE_BOTH | PLACE_IMAGE, &command_inspect },
	{ "kill", PLACE_BOTH, &command_kill },
	{ "logs", PLACE_BOTH, &command_logs },
	{ "mount", PLACE_BOTH, &command_mount },
	{ "pause", PLACE_BOTH, &command_pause },
	{ "ps", PLACE_BOTH, &command_ps },
	{ "list", PLACE_CONTAINER | PLACE_HIDDEN, &command_ps },
	{ "ls", PLACE_CONTAINER | PLACE_HIDDEN, &command_ps },
	{ "rename", PLACE_BOTH, &command_rename },
	{ "restart", PLACE_BOTH, &command_restart },
	{ "restore", PLACE_CONTAINER, &command_restore },
	{ "rm", PLACE_BOTH, &command_rm },
	{ "run", PLACE_BOTH, &command_run },
	{ "start", PLACE_BOTH, &command_start },
	{ "stop", PLACE_BOTH, &command_stop },
	{ "top", PLACE_BOTH, &command_top },
	{ "umount", PLACE_BOTH | PLACE_HIDDEN, &command_unmount },
	{ "unmount", PLACE_BOTH, &command_unmount },
	{ "unpause", PLACE_BOTH, &command_unpause },
	{ "wait", PLACE_BOTH, &command_wait },
	{ "version", PLACE_TOP, &command_version },
};

static const struct {
	const char *name;
	enum place place;
	const char *brief;
} groups[] = {
	{ "container", PLACE_CONTAINER, "Manage containers" },
	{ "image", PLACE_IMAGE, "Manage images" },
};

struct global_options {
	struct program program;
	bool version;
	bool debug;
	/* accepted because scripts written for Podman pass them; they change nothing here */
	bool syslog;
	const char *namespace;
};

#define GLOBAL_STRING(n, field, a, h) OPT_STRING(0, n, struct global_options, program.field, a, h)

static const struct opt global_option_table[] = {
	GLOBAL_STRING("root", root, "DIR", "where images and containers are kept"),
	GLOBAL_STRING("runroot", runroot, "DIR", "where the state of this boot is kept"),
	GLOBAL_STRING("tmpdir", tmpdir, "DIR", "where exit codes and sockets are kept"),
	GLOBAL_STRING("runtime", runtime, "NAME|PATH", "OCI runtime to use (cryorun)"),
	OPT_LIST(0, "runtime-flag", struct global_options, program.runtime_flags, "FLAG",
		 "option handed to the OCI runtime, without its dashes"),
	GLOBAL_STRING("conmon", conmon, "PATH", "conmon to use"),
	GLOBAL_STRING("cgroup-manager", cgroup_manager, "cgroupfs", "who makes cgroups"),
	GLOBAL_STRING("storage-driver", storage_driver, "overlay", "how layers are stacked"),
	OPT_LIST(0, "storage-opt", struct global_options, program.storage_opts, "KEY=VALUE",
		 "option of the storage driver"),
	GLOBAL_STRING("events-backend", events_backend, "file|none", "where events are kept"),
	GLOBAL_STRING("network-config-dir", network_dir, "DIR", "where networks are described"),
	GLOBAL_STRING("log-level", log_level, "LEVEL", "debug, info, warn, error"),
	OPT_FLAG('v', "version", struct global_options, version, "print the version"),
	OPT_FLAG(0, "debug", struct global_options, debug, NULL),
	OPT_FLAG(0, "syslog", struct global_options, syslog, NULL),
	OPT_STRING(0, "namespace", struct global_options, namespace, "NAME", NULL),
	OPT_END,
};

static const struct entry *find_entry(unsigned int place, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		if ((entries[i].places & place) && strcmp(entries[i].name, name) == 0)
			return &entries[i];
	return NULL;
}

static void print_commands(unsigned int place)
{
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		if ((entries[i].places & place) && !(entries[i].places & PLACE_HIDDEN))
			printf("  %-12s %s\n", entries[i].name, entries[i].command->brief);
}

static int print_top_help(void)
{
	printf("Manage containers, and freeze them to disk and back\n\n"
	       "Usage:\n  cryopod [options] COMMAND\n\nAvailable Commands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		printf("  %-12s %s\n", groups[i].name, groups[i].brief);
	print_commands(PLACE_TOP);
	opts_print_options(global_option_table);
	return program_finish();
}

static int print_group_help(size_t group)
{
	printf("%s\n\nUsage:\n  cryopod %s COMMAND\n\nAvailable Commands:\n", groups[group].brief,
	       groups[group].name);
	print_commands((unsigned int)groups[group].place);
	return program_finish();
}

static bool asks_for_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int unknown_command(const char *where, const char *name)
{
	struct error err = ERROR_INIT;

	(void)err_set(&err, -EINVAL, "unrecognized command `%s %s`", where, name);
	(void)program_fail(&err);
	(void)fprintf(stderr, "Try '%s --help' for more information\n", where);
	return EXIT_ENGINE;
}

static int run_group(struct program *program, size_t group, int argc, char **argv)
{
	const struct entry *entry;
	char where[32];

	if (argc == 0 || asks_for_help(argv[0]))
		return print_group_help(group);
	(void)snprintf(where, sizeof(where), "cryopod %s", groups[group].name);
	entry = find_entry((unsigned int)groups[group].place, argv[0]);
	if (!entry)
		return unknown_command(where, argv[0]);
	program->group = groups[group].name;
	return entry->command->run(entry->command, argc - 1, argv + 1, program);
}

static int set_log_level(const char *name, struct error *err)
{
	static const struct {
		const char *name;
		enum log_level level;
	} levels[] = {
		{ "trace", LOG_LEVEL_DEBUG },  { "debug", LOG_LEVEL_DEBUG },
		{ "info", LOG_LEVEL_INFO },    { "warn", LOG_LEVEL_WARN },
		{ "warning", LOG_LEVEL_WARN }, { "error", LOG_LEVEL_ERROR },
		{ "fatal", LOG_LEVEL_ERROR },  { "panic", LOG_LEVEL_ERROR },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcmp(levels[i].name, name) == 0) {
			log_set_level(levels[i].level);
			return 0;
		}
	}
	return err_set(err, -EINVAL,
		       "log level \"%s\" is not supported, choose from: trace, debug, info, warn, "
		       "warning, error, fatal, panic",
		       name);
}

/* What can't be had is refused here, once, whatever the command. */
static int check_globals(const struct global_options *g, struct error *err)
{
	const struct program *p = &g->program;

	if (strcmp(p->cgroup_manager, "cgroupfs") != 0)
		return err_set(err, -EOPNOTSUPP,
			       "cgroup manager '%s' is not supported; \"cgroupfs\" is",
			       p->cgroup_manager);
	if (strcmp(p->storage_driver, "overlay") != 0)
		return err_set(err, -EOPNOTSUPP,
			       "storage driver '%s' is not supported; \"overlay\" is",
			       p->storage_driver);
	if (strcmp(p->events_backend, "file") != 0 && strcmp(p->events_backend, "none") != 0)
		return err_set(err, -EOPNOTSUPP,
			       "events backend '%s' is not supported; \"file\" and \"none\" are",
			       p->events_backend);
	return set_log_level(g->debug ? "debug" : p->log_level, err);
}

static int run_words(struct global_options *g, int argc, char **argv)
{
	struct error err = ERROR_INIT;
	const struct entry *entry;

	if (argc == 0 || asks_for_help(argv[0]))
		return print_top_help();
	if (check_globals(g, &err) < 0)
		return program_fail(&err);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (strcmp(groups[i].name, argv[0]) == 0)
			return run_group(&g->program, i, argc - 1, argv + 1);
	entry = find_entry(PLACE_TOP, argv[0]);
	if (!entry)
		return unknown_command("cryopod", argv[0]);
	return entry->command->run(entry->command, argc - 1, argv + 1, &g->program);
}

int main(int argc, char **argv)
{
	struct global_options g = {
		.program = {
			.root = "/var/lib/cryopod",
			.runroot = "/run/cryopod",
			.cgroup_manager = "cgroupfs",
			.storage_driver = "overlay",
			.events_backend = "file",
			.log_level = "warn",
		},
	};
	cleanup_strv struct strv typed = STRV_INIT;
	struct error err = ERROR_INIT;
	bool help = false;
	int n_words = 0;
	int r;

	/* The parser moves words about: a copy for those who want to remember them. */
	for (int i = 0; i < argc; i++)
		strv_add(&typed, argv[i]);
	if (!strv_ok(&typed))
		return EXIT_ENGINE;
	g.program.argv = strv_argv(&typed);

	r = opts_parse(global_option_table, true, &g, argc - 1, argv + 1, &n_words, &help, &err);
	if (r < 0) {
		(void)program_fail(&err);
		(void)fprintf(stderr, "See 'cryopod --help'\n");
		r = EXIT_ENGINE;
	} else if (help) {
		r = print_top_help();
	} else if (g.version) {
		printf("cryopod version %s\n", CRYOPOD_VERSION);
		r = program_finish();
	} else {
		r = run_words(&g, n_words, argv + 1);
	}
	strv_done(&g.program.runtime_flags);
	strv_done(&g.program.storage_opts);
	return r;
}
