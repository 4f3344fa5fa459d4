#include "cmd/cryo/dump-options.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "base/spawn.h"
#include "cryo/dump.h"

static int parse_pid(const char *s, pid_t *ret, struct error *err)
{
	char *end;
	long value;

	if (!s)
		return err_set(err, -EINVAL, "which process tree? -t PID");
	errno = 0;
	value = strtol(s, &end, 10);
	if (errno || end == s || *end || value <= 0 || value > INT32_MAX)
		return err_set(err, -EINVAL, "'%s' is not a process id", s);
	*ret = (pid_t)value;
	return 0;
}

static int parse_size(const char *s, uint64_t *ret, struct error *err)
{
	unsigned int shift = 0;
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(s, &end, 10);
	if (*end == 'K' || *end == 'k')
		shift = 10;
	else if (*end == 'M' || *end == 'm')
		shift = 20;
	else if (*end == 'G' || *end == 'g')
		shift = 30;
	if (errno || end == s || *s == '-' || (*end && (!shift || end[1])) ||
	    value > UINT64_MAX >> shift)
		return err_set(err, -EINVAL, "'%s' is not a size", s);
	*ret = value << shift;
	return 0;
}

static int parse_cgroups_mode(const char *s, enum cryo_cgroups_mode *ret, struct error *err)
{
	static const struct {
		const char *name;
		enum cryo_cgroups_mode mode;
	} modes[] = {
		{ "", CRYO_CGROUPS_SOFT },	   { "ignore", CRYO_CGROUPS_IGNORE },
		{ "none", CRYO_CGROUPS_NONE },	   { "props", CRYO_CGROUPS_PROPS },
		{ "soft", CRYO_CGROUPS_SOFT },	   { "full", CRYO_CGROUPS_FULL },
		{ "strict", CRYO_CGROUPS_STRICT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!strcmp(s, modes[i].name)) {
			*ret = modes[i].mode;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "--manage-cgroups: unknown mode '%s'", s);
}

int dump_options_use(struct dump_options *o, const struct program *p, struct cryo_dump_opts *ret,
		     struct error *err)
{
	int r;

	r = parse_pid(o->tree, &ret->pid, err);
	if (r == 0 && o->ghost_limit)
		r = parse_size(o->ghost_limit, &ret->ghost_limit, err);
	if (r == 0 && o->manage_cgroups)
		r = parse_cgroups_mode(o->manage_cgroups, &ret->cgroups, err);
	if (r == 0)
		r = old_mount_options_use(&o->old_mounts, &o->externals, err);
	if (r < 0)
		return r;
	ret->images_dir = p->images_dir;
	ret->work_dir = p->work_dir;
	ret->root = o->root;
	ret->shell_job = o->shell_job;
	ret->file_locks = o->file_locks;
	ret->tcp_established = o->tcp_established;
	ret->tcp_close = o->tcp_close;
	ret->tcp_skip_in_flight = o->skip_in_flight;
	ret->ext_unix_sk = o->ext_unix_sk;
	ret->link_remap = o->link_remap;
	ret->evasive_devices = o->evasive_devices;
	ret->externals = o->externals.items;
	ret->empty_ns = o->empty_ns.items;
	return 0;
}

int dump_script_run(const struct dump_options *o, const char *action, struct error *err)
{
	cleanup_spawn struct spawn_result result = SPAWN_RESULT_INIT;
	struct spawn spawn = SPAWN_INIT;
	char *const argv[] = { (char *)o->action_script, NULL };
	const char *const names[] = { "CRTOOLS_SCRIPT_ACTION", "CRTOOLS_IMAGE_DIR",
				      "CRTOOLS_INIT_PID" };
	int r = 0;

	if (!o->action_script)
		return 0;
	if (setenv(names[0], action, 1) < 0 ||
	    setenv(names[1], o->common.images_dir ? o->common.images_dir : ".", 1) < 0 ||
	    setenv(names[2], o->tree, 1) < 0)
		r = err_oom(err);
	spawn.argv = argv;
	if (r == 0)
		r = spawn_run(&spawn, &result, err);
	if (r == 0)
		r = spawn_check(o->action_script, &result, err);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unsetenv(names[i]); /* a valid name: can't fail */
	return r < 0 ? err_wrap(err, r, "action script, %s", action) : 0;
}

void dump_options_done(struct dump_options *o)
{
	strv_done(&o->externals);
	old_mount_options_done(&o->old_mounts);
	strv_done(&o->irmap_paths);
	strv_done(&o->empty_ns);
}

int dump_command_run(struct program *p, const struct command *cmd,
		     int (*act)(struct dump_options *o, struct program *p, struct error *err),
		     const char *done, int argc, char **argv)
{
	struct dump_options o = { .common = COMMON_OPTIONS_INIT, .status_fd = -1 };
	struct error err = ERROR_INIT;
	int r = program_begin(p, cmd, &o, &o.common, &argc, argv);

	if (r != PROGRAM_GO_ON)
		return r;
	if (argc > 0)
		(void)err_set(&err, -EINVAL, "unexpected argument '%s'", argv[0]);
	else if (act(&o, p, &err) == 0)
		log_info("%s", done);
	r = err.code ? program_fail(p, &err) : program_finish(p);
	dump_options_done(&o);
	return r;
}
